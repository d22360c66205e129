"""What did a verification find?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

MOST_FAULTS: Final = 50
"""How many faults a verdict lists; more are counted."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and at which position of the log it begins; 0 where that is unknown."""

    code: str
    position: int
    detail: str


@dataclass
class Verdict:
    """What was found in the log, or the part of it, that is called ``origin``."""

    origin: str
    events: int = 0
    fault_count: int = 0
    faults: list[Fault] = field(default_factory=list)

    @property
    def is_ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.fault_count == 0

    def add(self, code: str, position: int, detail: str) -> None:
        """Note a fault."""
        self.fault_count += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(code, position, detail))
