"""How many late entries and imported records are behind each figure?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    String,
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
    day that they are posted on and by when the record itself was made, not corrected.
    """
    cut = period.until(as_of)
    counted = tuple(sought(row, indicators, cut) for row in indicators.indicators if row.measure)
    if not counted:
        return {}
    values = parameters(station, cut, known_at, counted)
    is_merged = bool(aliases_at(connection, station, known_at).into)
    asked = _late_statement(counted, KnownBy.of(known_at), is_merged=is_merged)
    rows = connection.execute(asked, values)
    return {code: Lateness(int(late or 0), int(imported or 0)) for code, late, imported in rows}


@lru_cache(maxsize=64)
def _late_statement(
    counted: tuple[Sought, ...], moment: KnownBy, *, is_merged: bool
) -> CompoundSelect[str, int, int]:
    found = roots(moment) if is_merged else None
    return union_all(*(_late(row, moment, found) for row in counted))


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
    if indicator.measure is None:
        return []
    row, moment = sought(indicator, indicators, period), KnownBy.of(known_at)
    is_merged = bool(aliases_at(connection, station, known_at).into)
    wanted = conditions(postings, row, moment, roots(moment) if is_merged else None)
    day = func.min(postings.c.effective_on).label("effective_on")
    key = postings.c.stream, postings.c.entry, records.c.recorded_at
    query = (
        select(key[0], key[1], day, key[2])
        .join_from(postings, records, OF_RECORD)
        .where(*wanted, _is_late_entry())
        .group_by(*key)
        .having(func.sum(postings.c.amount) != 0)
        .order_by(day, key[0], key[1])
        .limit(limit)
    )
    rows = connection.execute(query, parameters(station, period, known_at, (row,)))
    return [LateRecord(*found) for found in rows]


def _is_late_entry() -> ColumnElement[bool]:
    return postings.c.effective_on < records.c.recorded_month


def _late(counted: Sought, moment: KnownBy, found: CTE | None) -> Select[str, int, int]:
    """How many records behind an indicator are late, and how many imported."""
    is_late_entry = _is_late_entry()
    is_imported = records.c.imported_at.is_not(None)
    behind = (
        select(
            func.max(case((is_late_entry, 1), else_=0)).label("late"),
            func.max(case((is_imported, 1), else_=0)).label("imported"),
        )
        .join_from(postings, records, OF_RECORD)
        .where(*conditions(postings, counted, moment, found), is_late_entry | is_imported)
        .group_by(postings.c.stream, postings.c.entry)
        .having(func.sum(postings.c.amount) != 0)
        .subquery()
    )
    code = literal(counted.code, String)
    return select(code, func.sum(behind.c.late), func.sum(behind.c.imported))
