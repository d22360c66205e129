"""What does the lead write about a month: narrative, reflection, plan for the next?

One stream a month, whose subject is the month: ``2024-11``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, assert_never

from msgspec import Meta

from domain.fields import LocalId, Narrative, Remark, ShortText
from domain.kernel import Entry, Event, Refused, Related, Statement, StreamKind
from domain.vocabulary import Labelled, ReportSection

Month = Annotated[str, Meta(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]


class NarrativeWritten(Event, topic="narrative.written", label="月报正文"):
    """The lead's own text of a section; the newest of a section and title stands."""

    section: ReportSection
    text: Narrative
    title: ShortText | None = None


class ReflectionWritten(Event, topic="reflection.written", label="工作反思"):
    """What the station makes of the month."""

    text: Narrative


class PlanItemAdded(Event, topic="plan_item.added", label="下月计划"):
    """Something the station means to do in the next month."""

    item: LocalId
    text: Narrative


class PlanItemCompleted(Event, topic="plan_item.completed", label="计划完成"):
    """A planned item was done."""

    item: LocalId
    outcome: Remark | None = None


class PlanItemCarriedOver(Event, topic="plan_item.carried_over", label="计划顺延"):
    """A planned item was put off."""

    item: LocalId
    to_month: Month
    because: Remark | None = None


MonthEvent = (
    NarrativeWritten | ReflectionWritten | PlanItemAdded | PlanItemCompleted | PlanItemCarriedOver
)


class PlanItemStatus(Labelled):
    """Where a planned item stands."""

    PLANNED = "planned", "计划中"
    COMPLETED = "completed", "已完成"
    CARRIED_OVER = "carried_over", "已顺延"


class NotAMonth(
    Refused, code="not_a_month", title="不是月份",
    detail="月报按月份编号，应写作 2024-11 这样的形式，收到的是“{got}”。",
):
    """The stream of a month is named by the month."""


class PlanItemExists(
    Refused, code="plan_item_exists", status=409, title="计划编号重复",
    detail="本月计划中已有编号为 {item} 的一项。",
):
    """A plan item is added once."""


class PlanItemUnknown(
    Refused, code="plan_item_unknown", title="没有这项计划",
    detail="本月计划中没有编号为 {item} 的一项。",
):
    """Only a planned item is completed or carried over."""


class PlanItemSettled(
    Refused, code="plan_item_settled", status=409, title="该项计划已有结果",
    detail="编号为 {item} 的计划{status}。",
):
    """An item is completed once, and put off only to a later month than before."""


@dataclass(frozen=True, slots=True)
class StationMonth:
    """The month's plan as it stands."""

    items: Mapping[str, PlanItemStatus] = field(default_factory=dict)
    carried_to: Mapping[str, str] = field(default_factory=dict)
    """For which month an item was put off last."""


def evolve(month: StationMonth, entry: Entry) -> StationMonth:
    """The month after a statement about it."""
    event = entry.statement.event
    assert isinstance(event, MonthEvent)
    carried_to = dict(month.carried_to)
    match event:
        case PlanItemAdded():
            status = PlanItemStatus.PLANNED
        case PlanItemCompleted():
            status = PlanItemStatus.COMPLETED
        case PlanItemCarriedOver():
            status = PlanItemStatus.CARRIED_OVER
            carried_to[event.item] = event.to_month
        case NarrativeWritten() | ReflectionWritten():
            return month
        case _:
            assert_never(event)
    return StationMonth(dict(month.items) | {event.item: status}, carried_to)


def decide(statement: Statement, month: StationMonth, related: Related) -> Event:
    """The event to record of a month, or a refusal."""
    event = statement.event
    assert isinstance(event, MonthEvent)
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", related.subject):
        raise NotAMonth(got=related.subject)
    match event:
        case PlanItemAdded():
            if event.item in month.items:
                raise PlanItemExists(item=event.item)
        case PlanItemCompleted():
            _check_open(event.item, month)
        case PlanItemCarriedOver():
            _check_open(event.item, month)
            if event.to_month <= month.carried_to.get(event.item, ""):
                raise PlanItemSettled(item=event.item, status=PlanItemStatus.CARRIED_OVER.label)
        case NarrativeWritten() | ReflectionWritten():
            pass
        case _:
            assert_never(event)
    return event


def _check_open(item: str, month: StationMonth) -> None:
    status = month.items.get(item)
    if status is None:
        raise PlanItemUnknown(item=item)
    if status is PlanItemStatus.COMPLETED:
        raise PlanItemSettled(item=item, status=status.label)


MONTH = StreamKind(
    "month", "月报", StationMonth(), evolve, decide,
    (NarrativeWritten, ReflectionWritten, PlanItemAdded, PlanItemCompleted, PlanItemCarriedOver),
    also_opening=(NarrativeWritten, ReflectionWritten, PlanItemAdded),
)
