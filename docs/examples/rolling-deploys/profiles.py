"""Two releases of one actor. In your project these are two versions of one file."""

from broker_actors import Ref, actor, method


@actor(name="Profile")
class ProfileV1:
    """The release that runs."""

    name: str = ""
    visits: int = 0

    @method
    def rename(self, name: str) -> None:
        self.name = name


@actor(name="Profile")
class ProfileV2:
    """The next release: a new attribute, a new method, and `visits` is no longer used."""

    name: str = ""
    visits: int = 0  # still declared, as old states have it
    language: str = "en"

    @method
    def rename(self, name: str, *, language: str = "en") -> None:
        self.name, self.language = name, language

    @method
    def greet(self) -> str:
        return f"{self.name} ({self.language})"


class ProfileRef(ProfileV2, Ref):
    """A handle of the next release."""


@actor(name="Profile")
class ProfileWithout:
    """A release that forgot about old states."""

    name: str = ""

    @method
    def greet(self) -> str:
        return self.name
