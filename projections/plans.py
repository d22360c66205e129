"""What was planned for a month, or put off to it, and what became of it?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from domain.kernel import KINDS, Entry, Stream, stream_id, stream_subject
from domain.ledger import Ledger
from domain.record_keeping import fold
from domain.station_month import (
    MONTH,
    PlanItemAdded,
    PlanItemCarriedOver,
    PlanItemCompleted,
    PlanItemStatus,
)
from projections.report_periods import month_before

MONTHS_BACK: Final = 24
"""How many months' plans are looked through for what was put off."""


@dataclass(frozen=True, slots=True)
class Planned:
    """An item of the plan that a month's report prints, as it stands."""

    planned_in: str
    item: str
    text: str
    added: Entry
    status: PlanItemStatus
    carried_to: str | None
    outcome: Entry | None
    """Where it was said to be done or put off; the newest stands."""

    @property
    def is_open(self) -> bool:
        """Whether it may still be done or put off."""
        return self.status is not PlanItemStatus.COMPLETED


def plan_items(stream: Stream[Any]) -> list[Planned]:
    """The items of an opened month's plan, as they were added."""
    state, outcomes = stream.state, dict[str, Entry]()
    active = list(stream.active())
    for entry in active:
        if isinstance(event := entry.statement.event, (PlanItemCompleted, PlanItemCarriedOver)):
            outcomes[event.item] = entry
    return [
        Planned(
            stream_subject(stream.id), event.item, event.text, entry, state.items[event.item],
            state.carried_to.get(event.item), outcomes.get(event.item),
        )
        for entry in active
        if isinstance(event := entry.statement.event, PlanItemAdded)
    ]


def carried_to(
    ledger: Ledger, station: str, month: str, opened: Callable[[Stream[Any]], Stream[Any]]
) -> Iterator[Planned]:
    """What earlier months planned and put off to this month, without an outcome since."""
    names = [stream_id(station, MONTH.name, before) for before in _months_before(month)]
    for _name, events in sorted(ledger.histories(names).items()):
        stream = fold(KINDS[MONTH.name], None, events)
        if stream is not None and month in _open_months(stream):
            yield from (one for one in plan_items(opened(stream))
                        if one.status is PlanItemStatus.CARRIED_OVER and one.carried_to == month)


def _open_months(stream: Stream[Any]) -> set[str]:
    """To which months items were put off that are not done."""
    state = stream.state
    return {
        to_month for item, to_month in state.carried_to.items()
        if state.items.get(item) is PlanItemStatus.CARRIED_OVER
    }


def _months_before(month: str) -> Iterator[str]:
    for _number in range(MONTHS_BACK):
        month = month_before(month)
        yield month
