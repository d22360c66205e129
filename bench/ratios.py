"""What is a measured ratio, and how are two sides measured fairly?"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

ROUNDS: Final = 5
"""How often each side is measured, in turns: machines drift, medians do not care."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """One figure beside another of the same run.

    ``is_bound`` says that ``target`` is the most that is allowed, and not the least.
    ``detail`` names both sides with their figures; ``reason`` why a target is missed.
    """

    name: str
    database: str
    ratio: float
    target: float
    detail: str
    is_bound: bool = False
    reason: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether the target is met."""
        return self.ratio <= self.target if self.is_bound else self.ratio >= self.target


@dataclass(frozen=True, slots=True)
class Peer:
    """A figure of something that a user would otherwise build; no target goes with it."""

    name: str
    database: str
    figures: Mapping[str, float] = field(default_factory=dict)


def seconds(work: Callable[[], object]) -> float:
    """How long some work takes, in seconds."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def rate(count: int, work: Callable[[], object]) -> float:
    """How many of ``count`` things a second some work does."""
    return count / seconds(work)


def in_turns(sides: Mapping[str, Callable[[], float]], rounds: int = ROUNDS) -> dict[str, float]:
    """The median of what each side measures, measured in turns."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _round in range(rounds):
        for name, measure in sides.items():
            found[name].append(measure())
    return {name: statistics.median(values) for name, values in found.items()}


def percentile(values: list[float], part: float) -> float:
    """The value below which a part of all values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
