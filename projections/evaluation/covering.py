"""Which project cycles does a station's log say anything about?"""

from __future__ import annotations

from datetime import date
from typing import Final

from sqlalchemy import select

from domain.kernel import Refused
from projections.evaluation.replaying import Replayed
from projections.measures import MEASURES, Kind
from projections.periods import Period
from projections.postings import postings
from projections.report_periods import FIRST_OF_CYCLE

DONE: Final = tuple(m.code for m in MEASURES.values() if m.kind is not Kind.STOCK)
"""What happens on a day; a stock stands in every cycle after the one in which it began."""


class CycleNotCovered(
    Refused, code="cycle_not_covered", status=404, title="这个周期没有可评估的内容",
    detail="社工站 {station} 在项目周期 {got} 既没有任务书，也没有服务记录；"
    "有内容的周期：{choices}。",
):
    """A cycle that no task book is of and in which nothing was done: nothing is to be scored."""


def refuse_uncovered(replayed: Replayed, name: str, cycle: Period) -> None:
    """Refuse a cycle about which the log says nothing.

    :raises CycleNotCovered: naming the cycles about which it does.
    """
    books, days = _books(replayed), _days(replayed)
    is_promised = name in books or any(
        first <= cycle.last and cycle.first <= last for first, last in books.values()
    )
    if is_promised or any(cycle.first <= day <= cycle.last for day in days):
        return
    covered = sorted({*books, *map(cycle_of, days)})
    raise CycleNotCovered(station=replayed.station, got=name, choices="、".join(covered) or "无")


def cycle_of(day: date) -> str:
    """The name of the project cycle in which a day lies."""
    year = day.year - (day.month < FIRST_OF_CYCLE)
    return f"{year:04}-{year + 1:04}"


def _books(replayed: Replayed) -> dict[str, tuple[date, date]]:
    """The cycles of the task books, approved or not, with their days."""
    drafted = [book.state.drafted for book in replayed.of_kind("task_book")]
    return {
        one.cycle: (one.first_on or date.max, one.last_on or date.min) for one in drafted if one
    }


def _days(replayed: Replayed) -> list[date]:
    """The days on which something was done that a figure counts."""
    column = postings.c
    query = select(column.effective_on).where(
        column.station == replayed.station, column.measure.in_(DONE)
    )
    return list(replayed.connection.execute(query.distinct()).scalars())
