"""The same message in both encodings, as it lies in the broker."""

import asyncio
from datetime import date

from broker_actors import BusinessError, Ref, actor, method
from broker_actors.testing import actor_test


@actor
class Booking:
    """Refuses everything, so that its messages stay in the dead letters."""

    @method
    def book(self, day: date, seats: int) -> None:
        raise BusinessError("fully_booked", f"no {seats} seats left on {day}")


class BookingRef(Booking, Ref):
    """A typed handle on a booking."""


@actor(codec="json")
class Trip(Booking):
    """The same, in JSON."""


class TripRef(Trip, Ref):
    """A typed handle on a trip."""


async def main() -> None:
    async with actor_test(Booking, Trip) as kit:
        await kit.ref(BookingRef, "b1").book.tell(date(2031, 5, 1), seats=2)
        await kit.ref(TripRef, "t1").book.tell(date(2031, 5, 1), seats=2)
        for cls in (Booking, Trip):
            (letter,) = await kit.dead_letters(cls)
            print(letter.message.content_type, letter.message.body)


if __name__ == "__main__":
    asyncio.run(main())
