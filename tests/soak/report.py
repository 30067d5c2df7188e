"""What a soak came to, for people and for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Self

from tests.checker.history import History, Violation
from tests.checker.verdict import figures

#: Violations shown of each kind; a file has them all.
SHOWN_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class Report:
    """The end of a soak.

    Attributes:
        seed: of it.
        seconds: how long it took, from the first process to the last look.
        figures: how much of what happened.
        faults: what was done, by kind.
        violations: what was wrong; none is what it is all about.

    """

    seed: int
    seconds: float
    figures: Mapping[str, int]
    faults: Mapping[str, int]
    violations: Sequence[Violation]

    @classmethod
    def of(cls, seed: int, seconds: float, history: History, found: Sequence[Violation]) -> Self:
        """Return the report of *history*."""
        return cls(seed, seconds, figures(history), dict(sorted(history.faults.items())), found)

    def text(self) -> str:
        """Return it for people."""
        lines = [f"Soak with seed {self.seed}, {self.seconds:.0f} s", "", "What happened"]
        lines += [f"  {count:>9,}  {name}" for name, count in self.figures.items()]
        lines += ["", f"What was done: {sum(self.faults.values())} faults"]
        lines += [f"  {count:>9,}  {name}" for name, count in self.faults.items()]
        kinds = Counter(one.kind for one in self.violations)
        lines += ["", f"Violations: {len(self.violations)}"]
        for kind, count in kinds.items():
            lines.append(f"  {count:>9,}  {kind}")
            lines += [f"             {one.text}" for one in self.violations if one.kind == kind][:SHOWN_MAX]
        return "\n".join(lines)

    def json(self) -> str:
        """Return it for programs."""
        violations = [{"kind": one.kind, "text": one.text} for one in self.violations]
        return json.dumps(asdict(self) | {"violations": violations}, indent=2)
