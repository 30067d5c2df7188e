"""Which group: a name, and the type of the actors that may belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from broker_actors.core.address import check_id, check_type
from broker_actors.core.errors import PlatformError

#: More would not be read, or called, in one go.
GROUP_MEMBERS_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class GroupName:
    """A durable group of actors of one type.

    Attributes:
        type: the actor type.
        name: as an actor's id.

    """

    type: str
    name: str

    def __post_init__(self) -> None:
        """Refuse what cannot be a name.

        Raises:
            ConfigurationError: the type or the name cannot be.

        """
        check_type(self.type)
        check_id(self.name, "group name")

    def __str__(self) -> str:
        """Return `Player/online`."""
        return f"{self.type}/{self.name}"


def too_many_members(group: GroupName) -> PlatformError:
    """Return why more actors cannot join *group*."""
    return PlatformError(f"group {group}: more than {GROUP_MEMBERS_MAX:,} members; make several groups")
