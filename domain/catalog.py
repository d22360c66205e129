"""Which events exist, and how are they written down and read back?

Importing this module loads every stream of the domain: a new stream is one file and
one line here. Stored state is canonical JSON (sorted keys, UTF-8, no spaces), readable
in an audit many years on and hashable.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import msgspec

from domain import (  # noqa: F401 - loading a module registers its stream and events
    activity,
    case,
    erasure,
    evaluation,
    evidence,
    group,
    household,
    indicators,
    meeting,
    merging,
    programme,
    publication,
    record_keeping,
    referral,
    resource,
    station,
    station_month,
    supervision,
    survey,
    task_book,
    training,
    visit,
    volunteer,
)
from domain.kernel import EVENTS, KIND_OF_TOPIC, Envelope, Event, Occurrence, Statement, Value
from domain.upcasting import upcast


class StoredState(Value):
    """The stored state of an event: what the log keeps beside stream, version and topic."""

    class_version: int
    data: msgspec.Raw
    envelope: Envelope
    occurred: Occurrence


class StoredStatement(Value):
    """A statement inside an event: a correction's before and after."""

    class_version: int
    data: msgspec.Raw
    occurred: Occurrence
    topic: str


class UnknownTopicError(ValueError):
    """An event of a topic that this program does not know: a newer log, or a poison event."""


def _encode_statement(value: object) -> object:
    if isinstance(value, Statement):
        return StoredStatement(
            class_version=value.event.class_version,
            data=msgspec.Raw(_encoder.encode(value.event)),
            occurred=value.occurred,
            topic=value.event.topic,
        )
    raise NotImplementedError


def _decode_statement(kind: type, value: Any) -> object:
    if kind is Statement:
        topic, version = value["topic"], value["class_version"]
        data = _encoder.encode(value["data"])
        occurred = msgspec.convert(value["occurred"], Occurrence)
        return Statement(decode_event(topic, version, data), occurred)
    raise NotImplementedError


_encoder = msgspec.json.Encoder(enc_hook=_encode_statement, order="sorted")
_state_decoder = msgspec.json.Decoder(StoredState)


@cache
def _event_decoder(topic: str) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(EVENTS[topic], dec_hook=_decode_statement)


@cache
def _present_decoder(topic: str) -> msgspec.json.Decoder[Any]:
    """Reads a whole state at once, if its event is of the present version."""
    cls = EVENTS[topic]
    present: Any = Literal[cls.class_version]
    fields = [("class_version", present), ("data", cls)]
    shape = msgspec.defstruct(
        "PresentState", [*fields, ("envelope", Envelope), ("occurred", Occurrence)],
        forbid_unknown_fields=True,
    )
    return msgspec.json.Decoder(shape, dec_hook=_decode_statement)


def encode_state(event: Event, occurred: Occurrence, envelope: Envelope) -> bytes:
    """The stored state of an event, as canonical JSON."""
    return _encoder.encode(
        StoredState(
            class_version=event.class_version,
            data=msgspec.Raw(_encoder.encode(event)),
            envelope=envelope,
            occurred=occurred,
        )
    )


def decode_state(topic: str, state: bytes) -> tuple[Event, Occurrence, Envelope]:
    """Read a stored state back, upcast to the present version of its event class.

    :raises UnknownTopicError: for a topic of another program version.
    :raises msgspec.ValidationError: for a state that is not of the event's shape.
    """
    event_class(topic)
    try:
        present = _present_decoder(topic).decode(state)
    except msgspec.ValidationError:  # of an earlier version, or of no shape at all
        stored = _state_decoder.decode(state)
        event = decode_event(topic, stored.class_version, stored.data)
        return event, stored.occurred, stored.envelope
    return present.data, present.occurred, present.envelope


def decode_event(topic: str, class_version: int, data: bytes | msgspec.Raw) -> Event:
    """Read an event's own fields back."""
    cls = event_class(topic)
    if class_version != cls.class_version:
        data = _encoder.encode(upcast(cls, class_version, msgspec.json.decode(data)))
    event = _event_decoder(topic).decode(data)
    assert isinstance(event, Event)
    return event


def event_class(topic: str) -> type[Event]:
    """The event class of a topic.

    :raises UnknownTopicError: where no stream of this program has it.
    """
    if topic not in EVENTS:
        raise UnknownTopicError(topic)
    return EVENTS[topic]


def to_builtins(value: object) -> Any:
    """Plain JSON data of a value: what the API, the audit trail and exports show."""
    return msgspec.json.decode(_encoder.encode(value))


def stated_topics() -> tuple[str, ...]:
    """Every topic that a person states: neither record keeping nor what follows from the log."""
    return tuple(topic for topic, kind in KIND_OF_TOPIC.items() if kind.is_stated)
