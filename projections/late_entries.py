"""How many late entries and imported records are behind each figure?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from sqlalchemy import (
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

from projections.figures import OF_RECORD, Counted, Period, conditions, parameters
from projections.indicators import IndicatorSet
from projections.knowing import KnownBy
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
    counted = tuple(Counted.of(row) for row in indicators.indicators if row.measure is not None)
    if not counted:
        return {}
    values = parameters(station, period.until(as_of), known_at)
    rows = connection.execute(_late_statement(counted, KnownBy.of(known_at)), values)
    return {code: Lateness(int(late or 0), int(imported or 0)) for code, late, imported in rows}


@lru_cache(maxsize=64)
def _late_statement(
    counted: tuple[Counted, ...], moment: KnownBy
) -> CompoundSelect[str, int, int]:
    return union_all(*(_late(row, moment) for row in counted))


def _late(counted: Counted, moment: KnownBy) -> Select[str, int, int]:
    """How many records behind an indicator are late, and how many imported."""
    is_late_entry = postings.c.effective_on < records.c.recorded_month
    is_imported = records.c.imported_at.is_not(None)
    behind = (
        select(
            func.max(case((is_late_entry, 1), else_=0)).label("late"),
            func.max(case((is_imported, 1), else_=0)).label("imported"),
        )
        .join_from(postings, records, OF_RECORD)
        .where(*conditions(postings, counted, moment), is_late_entry | is_imported)
        .group_by(postings.c.stream, postings.c.entry)
        .having(func.sum(postings.c.amount) != 0)
        .subquery()
    )
    code = literal(counted.code, String)
    return select(code, func.sum(behind.c.late), func.sum(behind.c.imported))
