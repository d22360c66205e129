"""What does a replay give, beside what the read models hold, or under another rule?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from decimal import Decimal

from sqlalchemy import Connection

from projections.evaluation.comparing import differing, differing_months
from projections.evaluation.evaluating import Question, cycle_figures, evaluated
from projections.evaluation.replaying import Replayed
from projections.evaluation.score_sheet import FigureDifference, ScoreSheet, SheetRow
from projections.integrity import Thresholds
from projections.moments import KnownAt, position_of
from projections.periods import Period
from projections.published_reports import printed


def compared_with_projections(
    sheet: ScoreSheet, connection: Connection, asked: Question
) -> ScoreSheet:
    """The sheet, with every figure that the read models have otherwise.

    ``asked`` is how to ask them for what the sheet knows: with no ``known_at`` where they
    hold just that, so that the monthly sums, which pages show, are compared as well.
    """
    cycle = Period(sheet.first_on, sheet.last_on)
    found = cycle_figures(connection, sheet.station, sheet.indicator_set, cycle, asked)
    totals = list(map(printed, found.totals))
    return replace(sheet, projected=(
        *differing_months(sheet.months, found.months),
        *differing(sheet.cycle, sheet.totals, totals),
    ))


@dataclass(frozen=True, slots=True)
class RowBeside:
    """An indicator of the task book as it is scored, and as it would be.

    ``target`` and ``weight`` are the book's own, ``other_…`` those that are tried.
    """

    code: str
    label: str
    weight: int
    actual: str
    points: Decimal | None
    other_actual: str
    other_points: Decimal | None
    target: int
    other_target: int
    other_weight: int

    @property
    def is_other(self) -> bool:
        """Whether anything of it reads otherwise."""
        own = (self.actual, self.points, self.target, self.weight)
        return own != (self.other_actual, self.other_points, self.other_target, self.other_weight)

    @property
    def gained(self) -> Decimal | None:
        """By how many points the other is above the first; ``None`` where either has none."""
        if self.points is None or self.other_points is None:
            return None
        return self.other_points - self.points


@dataclass(frozen=True, slots=True)
class Beside:
    """Two sheets of one log: as it counts, and what if; with the figures that differ."""

    sheet: ScoreSheet
    other: ScoreSheet
    rows: tuple[RowBeside, ...]
    figures: tuple[FigureDifference, ...]


Replay = Callable[[KnownAt | None], AbstractContextManager[Replayed]]
"""Opens a replay of a station's log, read up to a moment."""


def beside(opened: Replay, asked: Question, other: Question, limits: Thresholds) -> Beside:
    """A cycle as one question has it, beside the same under other definitions or known when.

    Each is replayed as far as its own question knows, so that it is the very sheet that the
    question has by itself, with its code; both in one replay where that is as far.
    """
    with opened(asked.known_at) as replayed:
        sheet = evaluated(replayed, asked, limits)
        is_as_far = position_of(asked.known_at) == position_of(other.known_at)
        what_if = evaluated(replayed, other, limits) if is_as_far else None
    if what_if is None:
        with opened(other.known_at) as replayed:
            what_if = evaluated(replayed, other, limits)
    return _beside(sheet, what_if)


def _beside(sheet: ScoreSheet, what_if: ScoreSheet) -> Beside:
    figures = (
        *differing_months(sheet.months, what_if.months),
        *differing(sheet.cycle, sheet.totals, what_if.totals),
    )
    read_otherwise = tuple(found for found in figures if found.replayed != found.other)
    return Beside(sheet, what_if, tuple(_rows(sheet.rows, what_if.rows)), read_otherwise)


def _rows(own: Sequence[SheetRow], others: Sequence[SheetRow]) -> Iterable[RowBeside]:
    """Every row of either sheet, in the order of the first."""
    found = {row.target.indicator: row for row in own}
    other = {row.target.indicator: row for row in others}
    for code, row in (other | found).items():
        one, two = found.get(code), other.get(code)
        aimed, tried = (one or row).target, (two or row).target
        yield RowBeside(
            code, aimed.label, aimed.weight, _display(one), one.points if one else None,
            _display(two), two.points if two else None, aimed.target, tried.target, tried.weight,
        )


def _display(row: SheetRow | None) -> str:
    return row.actual.display if row is not None and row.actual is not None else ""
