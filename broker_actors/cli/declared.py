"""Whether there is such an actor type: a misspelled name must not look like a type of which nothing is."""

from __future__ import annotations

from broker_actors.core.address import check_type
from broker_actors.core.errors import UnknownActorTypeError
from broker_actors.core.topology import Layout
from broker_actors.ports.store import Store


async def layout_of(store: Store, actor_type: str) -> Layout:
    """Return the layout on record of *actor_type*.

    Raises:
        ConfigurationError: it cannot be the name of a type.
        UnknownActorTypeError: nobody has declared it.
        StoreUnavailableError: no answer within the deadline.

    """
    layout = await store.recorded_layout(check_type(actor_type))
    if layout is None:
        raise UnknownActorTypeError(f"nobody has declared actor type {actor_type!r}: start its worker once")
    return layout
