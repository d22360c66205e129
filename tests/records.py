"""What does a record of every kind begin with, and what must be there before it?"""

from __future__ import annotations

from typing import Any

from desk import Desk
from domain_examples import EXAMPLES
from msgspec.structs import replace

from domain.catalog import to_builtins
from domain.fields import DERIVED, OF_RECORD, REFERS_TO, marked_values, marks_of
from domain.indicators import IndicatorDefined
from domain.kernel import KINDS, Event
from domain.record_keeping import without_derived

BY_TOPIC = {event.topic: event for event in EXAMPLES}


def opening(kind: str) -> Event:
    """The statement with which a stream of a kind begins."""
    event = without_derived(BY_TOPIC[KINDS[kind].events[0].topic])
    if isinstance(event, IndicatorDefined):  # it is a part of nothing that the set has
        return replace(event, indicator=replace(event.indicator, part_of=None))
    return event


def ensure(desk: Desk, event: Event) -> None:
    """Have on record whatever an event refers to."""
    for _path, kind, subject in marked_values(event, REFERS_TO):
        if desk.ledger.stream(desk.station, kind, subject) is None:
            ensure(desk, opening(kind))
            desk.record(subject, opening(kind), "2024-07-01")
    for _path, _mark, record in marked_values(event, OF_RECORD):
        kind, _, subject = record.partition("/")
        if desk.ledger.stream(desk.station, kind, subject) is None:
            ensure(desk, opening(kind))
            desk.record(subject, opening(kind), "2024-07-01")


def body_of(event: Event) -> dict[str, Any]:
    """The body that states an event."""
    said = to_builtins(event)
    return {name: said[name] for name, marks in marks_of(type(event)).items() if DERIVED not in marks}
