"""How many late entries and imported records are behind each figure?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from math import lcm
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    String,
    Subquery,
    case,
    func,
    literal,
    select,
    union_all,
)

from domain.indicators import Indicator
from projections.aliases import aliases_at, roots
from projections.counting import Sought, conditions, parameters, sought
from projections.figures import OF_RECORD, Period
from projections.indicators import IndicatorSet
from projections.knowing import KnownBy
from projections.lateness import days_late
from projections.moments import KnownAt
from projections.postings import postings
from projections.timeline import records


@dataclass(frozen=True, slots=True)
class Lateness:
    """How many of the records behind a figure are late entries (补录), and imported (导入)."""

    late: int = 0
    imported: int = 0


def lateness(
    connection: Connection,
    station: str,
    indicators: IndicatorSet,
    period: Period,
    *,
    as_of: date | None = None,
    known_at: KnownAt | None = None,
) -> dict[str, Lateness]:
    """The late entries behind each figure of a set, by the indicator's code.

    A record counts where its postings to the figure do not cancel out; it is late by the
    day that they are posted on and by when the record itself was made, not corrected. To a
    remainder it posts what it posts to the total, less what it posts to the listed parts.
    """
    cut = period.until(as_of)
    wanted = _wanted(indicators, cut)
    if not wanted:
        return {}
    values = _values(station, cut, known_at, (parts for _code, parts in wanted))
    is_merged = bool(aliases_at(connection, station, known_at).into)
    asked = _late_statement(wanted, KnownBy.of(known_at), is_merged=is_merged)
    rows = connection.execute(asked, values)
    return {code: Lateness(int(late or 0), int(imported or 0)) for code, late, imported in rows}


Parts = tuple[tuple[int, Sought], ...]
"""What a figure is the sum of, each with a factor: -1 for a part that is taken from a total."""


@lru_cache(maxsize=64)
def _wanted(indicators: IndicatorSet, period: Period) -> tuple[tuple[str, Parts], ...]:
    """What each figure of a set is the sum of, where it is one: of a period the same each time."""
    counted = ((row.code, _parts(row, indicators, period)) for row in indicators.indicators)
    return tuple((code, parts) for code, parts in counted if parts)


def _parts(row: Indicator, indicators: IndicatorSet, period: Period) -> Parts:
    """What a figure is the sum of: itself, or of a remainder the total and the listed parts."""
    leaves = list(_leaves(row, indicators, 1, ()))
    common = lcm(*(leaf.divide_by for leaf, _sign in leaves))
    return tuple(
        (sign * common // leaf.divide_by, sought(leaf, indicators, period))
        for leaf, sign in leaves
    )


def _leaves(
    row: Indicator, indicators: IndicatorSet, sign: int, above: tuple[str, ...]
) -> Iterator[tuple[Indicator, int]]:
    """The rows with a measure below a row, also where a remainder is of remainders."""
    if row.measure is not None:
        yield row, sign
    elif row.code not in above:
        for code in filter(None, (row.remainder_of, *row.minus)):
            part = indicators.row(code)
            own = sign if code == row.remainder_of else -sign
            yield from _leaves(part, indicators, own, (*above, row.code)) if part else ()


def _values(
    station: str, period: Period, known_at: KnownAt | None, of: Iterable[Parts]
) -> dict[str, object]:
    every = tuple(part for parts in of for _factor, part in parts)
    return parameters(station, period, known_at, every)


@lru_cache(maxsize=64)
def _late_statement(
    wanted: tuple[tuple[str, Parts], ...], moment: KnownBy, *, is_merged: bool
) -> CompoundSelect[str, int, int]:
    found = roots(moment) if is_merged else None
    return union_all(*(_late(code, parts, moment, found) for code, parts in wanted))


class LateRecord(NamedTuple):
    """A late entry behind a figure: the day that it counts on, and when it was recorded."""

    stream: str
    entry: int
    effective_on: date
    recorded_at: datetime

    @property
    def days_late(self) -> int:
        """Days between the day that it counts on and its recording."""
        return days_late(self.effective_on, self.recorded_at)


def late_records(
    connection: Connection, station: str, indicator: Indicator, indicators: IndicatorSet,
    period: Period, *, known_at: KnownAt | None = None, limit: int = 100,
) -> list[LateRecord]:
    """The late entries behind a figure, by the day that they count on."""
    parts, moment = _parts(indicator, indicators, period), KnownBy.of(known_at)
    if not parts:
        return []
    is_merged = bool(aliases_at(connection, station, known_at).into)
    behind = _behind(parts, moment, roots(moment) if is_merged else None, _is_late_entry())
    query = (
        select(*(behind.c[name] for name in LateRecord._fields))
        .order_by(behind.c.effective_on, behind.c.stream, behind.c.entry)
        .limit(limit)
    )
    rows = connection.execute(query, _values(station, period, known_at, (parts,)))
    return [LateRecord(*found) for found in rows]


def _is_late_entry() -> ColumnElement[bool]:
    return postings.c.effective_on < records.c.recorded_month


def _late(
    code: str, parts: Parts, moment: KnownBy, found: CTE | None
) -> Select[str, int, int]:
    """How many records behind an indicator are late, and how many imported."""
    is_told = _is_late_entry() | records.c.imported_at.is_not(None)
    behind = _behind(parts, moment, found, is_told)
    return select(literal(code, String), func.sum(behind.c.late), func.sum(behind.c.imported))


def _behind(
    parts: Parts, moment: KnownBy, found: CTE | None, is_told: ColumnElement[bool]
) -> Subquery:
    """The records of which a figure has something left, some of them, each once."""
    posted = [_posted(part, factor, moment, found).where(is_told) for factor, part in parts]
    if len(posted) == 1:
        return posted[0].having(func.sum(postings.c.amount) != 0).subquery()
    every = union_all(*posted).subquery()
    return (
        select(
            every.c.stream, every.c.entry, every.c.recorded_at,
            func.min(every.c.effective_on).label("effective_on"),
            func.max(every.c.late).label("late"), func.max(every.c.imported).label("imported"),
        )
        .group_by(every.c.stream, every.c.entry, every.c.recorded_at)
        .having(func.sum(every.c.amount) != 0)
        .subquery()
    )


def _posted(part: Sought, factor: int, moment: KnownBy, found: CTE | None) -> Select[Any]:
    """What each record posts to a row with a measure, times a factor."""
    is_imported = records.c.imported_at.is_not(None)
    return (
        select(
            postings.c.stream, postings.c.entry, records.c.recorded_at,
            func.min(postings.c.effective_on).label("effective_on"),
            func.max(case((_is_late_entry(), 1), else_=0)).label("late"),
            func.max(case((is_imported, 1), else_=0)).label("imported"),
            (func.sum(postings.c.amount) * factor).label("amount"),
        )
        .join_from(postings, records, OF_RECORD)
        .where(*conditions(postings, part, moment, found))
        .group_by(postings.c.stream, postings.c.entry, records.c.recorded_at)
    )
