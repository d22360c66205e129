"""When was the station supervised, by whom, and what was advised?"""

from __future__ import annotations

from datetime import date
from typing import Annotated, assert_never

from msgspec import Meta

from domain.fields import (
    DeliveryMode,
    Minutes,
    Narrative,
    Remark,
    ShortText,
    SupervisionKind,
    SupervisionSource,
)
from domain.kernel import Entry, Event, Refused, Related, Statement, StreamKind
from domain.vocabulary import Labelled


class SupervisionStatus(Labelled):
    """Where a supervision stands."""

    NONE = "none", "未登记"
    SCHEDULED = "scheduled", "已约定"
    RECEIVED = "received", "已接受"
    CANCELLED = "cancelled", "已取消"


class SupervisionScheduled(Event, topic="supervision.scheduled", label="约定督导"):
    """A supervision was agreed for a day; it counts only once it was received."""

    planned_on: date
    supervisor: ShortText
    kind: SupervisionKind
    mode: DeliveryMode
    source: SupervisionSource = "external"


class SupervisionReceived(Event, topic="supervision.received", label="接受督导"):
    """The station was supervised."""

    supervisor: ShortText
    kind: SupervisionKind
    mode: DeliveryMode
    source: SupervisionSource = "external"
    minutes: Minutes | None = None
    participants: Annotated[tuple[ShortText, ...], Meta(max_length=50)] = ()
    advice: Narrative | None = None


class SupervisionCancelled(Event, topic="supervision.cancelled", label="取消督导"):
    """An agreed supervision did not take place."""

    because: Remark


SupervisionEvent = SupervisionScheduled | SupervisionReceived | SupervisionCancelled


class SupervisionIsCancelled(
    Refused, code="supervision_cancelled", status=409, title="督导已取消",
    detail="这次督导已取消，不能登记“{label}”。",
):
    """A cancelled supervision is not counted."""


class SupervisionAlreadyReceived(
    Refused, code="supervision_already_received", status=409, title="督导已登记",
    detail="这次督导已登记为接受，不能登记“{label}”。",
):
    """A supervision is received once, and then no longer cancelled."""


def evolve(_status: SupervisionStatus, entry: Entry) -> SupervisionStatus:
    """The status after a statement about the supervision."""
    event = entry.statement.event
    assert isinstance(event, SupervisionEvent)
    match event:
        case SupervisionScheduled():
            return SupervisionStatus.SCHEDULED
        case SupervisionReceived():
            return SupervisionStatus.RECEIVED
        case SupervisionCancelled():
            return SupervisionStatus.CANCELLED
        case _:
            assert_never(event)


def decide(statement: Statement, status: SupervisionStatus, _related: Related) -> Event:
    """The event to record of a supervision, or a refusal."""
    event = statement.event
    assert isinstance(event, SupervisionEvent)
    if status is SupervisionStatus.CANCELLED:
        raise SupervisionIsCancelled(label=event.label)
    if status is SupervisionStatus.RECEIVED:
        raise SupervisionAlreadyReceived(label=event.label)
    return event


SUPERVISION = StreamKind(
    "supervision", "督导", SupervisionStatus.NONE, evolve, decide,
    (SupervisionScheduled, SupervisionReceived, SupervisionCancelled),
    also_opening=(SupervisionReceived,),
)
