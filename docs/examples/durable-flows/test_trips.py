"""Both ways a trip can go."""

from trips import Trip, TripRef

from broker_actors.flow import Status
from broker_actors.testing import Actors

WISHES = {"wishes": ["hotel", "flight"]}


async def test_a_trip_can_be_declined(actors: Actors) -> None:
    kit = await actors(Trip)
    trip = kit.ref(TripRef, "t1")
    await trip.start(WISHES)
    await kit.settled(delayed=False)
    assert (await trip.status()).promise == "Trip/t1#Approve@2"
    await kit.restart()
    await trip.complete("Approve", value=False)
    await kit.settled(delayed=False)
    assert (await trip.status()).action == "declined"
    assert (await trip.result())["bookings"] == ["hotel booked", "flight booked"]


async def test_what_was_booked_is_given_back_when_paying_fails(actors: Actors) -> None:
    kit = await actors(Trip)
    trip = kit.ref(TripRef, "t1")
    await trip.start(WISHES)
    await trip.complete("Approve", value=True)
    await kit.settled(delayed=False)
    standing = await trip.status()
    assert standing.status is Status.FAILED
    assert standing.error == "Pay: ConnectionError: the card is refused"
    assert standing.uncompensated == []
