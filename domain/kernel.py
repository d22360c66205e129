"""What are an event, a statement, a stream and a refusal?

The domain has one shape throughout. Somebody *states* that something happened
(a :class:`Statement`: an :class:`Event` and when it occurred); the stream's rules
accept the statement or refuse it; an accepted statement is appended as an entry of
its stream and is never changed. Correcting, voiding and reinstating are themselves
events, see ``domain/record_keeping.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, ClassVar, Final, Generic, Self, TypeVar, dataclass_transform
from zoneinfo import ZoneInfo

import msgspec

STATION_TIME: Final = ZoneInfo("Asia/Shanghai")
"""Every station keeps this calendar: 2024-11-30T16:30Z is already December."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class ValueMeta(msgspec.StructMeta):
    """Makes every struct frozen, keyword-only and closed to unknown fields."""

    def __new__(  # noqa: D102 - the metaclass protocol
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        **options: Any,
    ) -> Any:
        defaults = {"frozen": True, "kw_only": True, "forbid_unknown_fields": True}
        return super().__new__(mcs, name, bases, namespace, **(defaults | options))


class Value(msgspec.Struct, metaclass=ValueMeta):
    """An immutable value, compared by its fields."""


class Precision(StrEnum):
    """How exactly a day is known."""

    DAY = "day"
    RANGE = "range"
    MONTH = "month"
    ABOUT = "about"


class Occurrence(Value):
    """When something happened, in the station's calendar.

    ``on`` is the (first) day, ``until`` the last day of a range, ``at`` the instant
    where one is known.
    """

    on: date
    at: datetime | None = None
    until: date | None = None
    precision: Precision = Precision.DAY

    @classmethod
    def at_instant(cls, instant: datetime) -> Self:
        """The occurrence of a known instant; its day is the station's, not UTC's."""
        return cls(on=instant.astimezone(STATION_TIME).date(), at=instant)

    @property
    def last_day(self) -> date:
        """The last day that the occurrence touches."""
        return self.until or self.on


class EventMeta(ValueMeta):
    """Registers each event class under its stable topic."""

    def __new__(  # noqa: D102 - the metaclass protocol
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        topic: str = "",
        label: str = "",
        class_version: int = 1,
        **options: Any,
    ) -> Any:
        cls = super().__new__(mcs, name, bases, namespace, **options)
        if topic:
            cls.topic, cls.label, cls.class_version = topic, label, class_version
            assert topic not in EVENTS, f"two events claim the topic {topic}"
            EVENTS[topic] = cls
        return cls


class Event(msgspec.Struct, metaclass=EventMeta):
    """What happened: past tense, a topic that never changes, a label for people.

    A field that no person states but a decision fills in is marked with ``DERIVED``.
    When its shape changes, raise ``class_version`` and add a static method
    ``upcast_v1_v2(fields: dict) -> None`` for each step (see ``domain/upcasting.py``).
    """

    topic: ClassVar[str]
    label: ClassVar[str]
    class_version: ClassVar[int]


EVENTS: Final[dict[str, type[Event]]] = {}
"""Every event class by topic, filled as the modules of ``domain/catalog.py`` load."""


class Statement:
    """What somebody states: this happened, then.

    Not a msgspec type: which event a stored statement holds is said by its topic, so
    that ``domain/catalog.py`` encodes and decodes it.
    """

    __slots__ = ("event", "occurred")

    def __init__(self, event: Event, occurred: Occurrence) -> None:
        """Keep the event and when it occurred."""
        self.event: Final = event
        self.occurred: Final = occurred

    def __eq__(self, other: object) -> bool:
        """Statements are equal when they say the same."""
        return isinstance(other, Statement) and (
            (self.event, self.occurred) == (other.event, other.occurred)
        )

    def __hash__(self) -> int:
        """Agree with ``__eq__``."""
        return hash((self.event, self.occurred))

    def __repr__(self) -> str:
        """Show the event's topic only: a statement may hold personal data."""
        return f"<Statement {self.event.topic} on {self.occurred.on}>"

    def stating(self, event: Event) -> Statement:
        """The same statement with its event completed by a decision."""
        return Statement(event, self.occurred)


class Envelope(Value):
    """Who recorded it, when, and by which request.

    ``recorded_at`` is UTC and is the clock of every *known at* question.
    ``imported_at`` is set on records taken over from an older ledger, which keep
    their own ``recorded_at``.
    """

    station: str
    recorded_at: datetime
    actor: str
    role: str
    request_id: str
    idempotency_key: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    project_cycle: str | None = None
    programmes: tuple[str, ...] = ()
    imported_at: datetime | None = None


class Recorded(Value):
    """One entry of the log, as it is stored.

    ``position`` orders all events of the log and is never reused; ``version`` counts
    from 1 within the stream.
    """

    position: int
    stream: str
    version: int
    occurred: Occurrence
    envelope: Envelope
    event: Event

    @property
    def statement(self) -> Statement:
        """The statement that was accepted."""
        return Statement(self.event, self.occurred)

    @property
    def id(self) -> str:
        """The id of the stream's subject: ``st/visit/9f3…`` is visit ``9f3…``."""
        return stream_subject(self.stream)


class Context(Value):
    """Everything a decision may know of the outside world, read once at the edge."""

    now: datetime
    actor: str
    role: str
    station: str
    request_id: str
    idempotency_key: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    project_cycle: str | None = None
    programmes: tuple[str, ...] = ()
    imported_at: datetime | None = None

    @property
    def today(self) -> date:
        """Today in the station's calendar."""
        return self.now.astimezone(STATION_TIME).date()

    def envelope(self) -> Envelope:
        """The envelope of an event recorded in this context."""
        return Envelope(
            station=self.station,
            recorded_at=self.now,
            actor=self.actor,
            role=self.role,
            request_id=self.request_id,
            idempotency_key=self.idempotency_key,
            correlation_id=self.correlation_id,
            causation_id=self.causation_id,
            project_cycle=self.project_cycle,
            programmes=self.programmes,
            imported_at=self.imported_at,
        )


# ---- refusals ----


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not an error
    """A statement the rules do not accept; becomes RFC 9457 problem+json at the edge.

    A subclass gives a stable ``code``, the HTTP ``status``, a Chinese ``title`` and a
    ``detail`` template that says what was got and what was wanted.
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 422
    title: ClassVar[str] = "不予登记"
    detail: ClassVar[str] = ""

    def __init_subclass__(
        cls, *, code: str, title: str, detail: str, status: int = 422
    ) -> None:
        """Register the refusal under its code."""
        cls.code, cls.title, cls.detail, cls.status = code, title, detail, status
        assert code not in REFUSALS, f"two refusals claim the code {code}"
        REFUSALS[code] = cls

    def __init__(self, **facts: object) -> None:
        """Keep the facts for the problem document and say them in one sentence."""
        self.facts = facts
        super().__init__(self.detail.format(**facts))


REFUSALS: Final[dict[str, type[Refused]]] = {}
"""Every refusal by code: the API documents each on a page of its own."""


# ---- streams ----

S = TypeVar("S")


class Entry(Value):
    """One statement of a stream as it stands now, after corrections."""

    version: int
    statement: Statement
    recorded_at: datetime
    actor: str
    is_voided: bool = False
    corrected_times: int = 0
    project_cycle: str | None = None
    programmes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stream(Generic[S]):
    """A stream's history and the state that its entries fold to.

    ``entries`` holds what people stated, by version, as it stands after corrections;
    record-keeping events act on it and are not entries themselves.
    """

    id: str
    version: int
    state: S
    entries: Mapping[int, Entry] = field(default_factory=dict)

    def active(self) -> Iterator[Entry]:
        """The entries that count, in the order in which they were recorded."""
        return (entry for entry in self.entries.values() if not entry.is_voided)

    @property
    def opening(self) -> Event | None:
        """What the stream began with, as it stands."""
        return next((entry.statement.event for entry in self.entries.values()), None)


@dataclass(frozen=True)
class StreamKind(Generic[S]):
    """The rules of one kind of stream.

    ``decide(statement, state, related)`` answers the event to record, completed with
    its derived fields, or raises :class:`Refused`. ``evolve(state, entry)`` never
    refuses: what is recorded has happened. Of a kind that ``is_final`` no entry is
    corrected, voided or reinstated; an event that it is ``settled_by`` settles what came
    before it, as long as it counts, and does not count again once it was voided.
    """

    name: str
    label: str
    initial: S
    evolve: Callable[[S, Entry], S]
    decide: Callable[[Statement, S, Related], Event]
    events: tuple[type[Event], ...]
    also_opening: tuple[type[Event], ...] = ()
    is_final: bool = False
    settled_by: tuple[type[Event], ...] = ()
    is_stated: bool = True
    """Whether a body of fields states it; the others follow from the log, or come with a file."""

    def __post_init__(self) -> None:
        """Register the kind, and its events as belonging to it."""
        assert self.name not in KINDS, f"two stream kinds are named {self.name}"
        KINDS[self.name] = self
        for event in self.events:
            assert event.topic not in KIND_OF_TOPIC, f"{event.topic} has two kinds"
            KIND_OF_TOPIC[event.topic] = self

    @property
    def openers(self) -> tuple[type[Event], ...]:
        """The events with which a stream of this kind may begin.

        The first of ``events`` only ever begins one; those ``also_opening`` may come
        later as well.
        """
        return (self.events[0], *self.also_opening)


KINDS: Final[dict[str, StreamKind[Any]]] = {}
KIND_OF_TOPIC: Final[dict[str, StreamKind[Any]]] = {}


class UnknownRecord(
    Refused, code="unknown_record", status=404, title="查无此记录",
    detail="没有编号为 {id} 的{kind}。",
):
    """The stream that is addressed does not exist."""


class UnknownReference(
    Refused, code="unknown_reference", title="引用的档案不存在",
    detail="所引用的{kind}(编号 {id})不存在，请先建档再登记。",
):
    """A statement refers to a stream that does not exist; kinds have codes of their own."""


class UnknownHousehold(
    Refused, code="unknown_household", title="没有这一户",
    detail="没有编号为 {id} 的困难家庭档案，请先建档再登记。",
):
    """A statement refers to a household that was never registered."""


class UnknownStation(
    Refused, code="unknown_station", status=404, title="没有这个社工站",
    detail="社工站 {id} 尚未登记，请先登记社工站。",
):
    """Nothing is recorded at a station that does not exist."""


class UnknownVolunteer(
    Refused, code="unknown_volunteer", title="没有这名志愿者",
    detail="没有编号为 {id} 的志愿者，请先登记志愿者。",
):
    """A statement refers to a volunteer who was never registered."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A record that names the subject of another stream."""

    stream: str
    entry: int
    label: str
    on: date


@dataclass(frozen=True, slots=True)
class Related:
    """The other streams that a statement refers to, loaded before it is decided."""

    context: Context
    streams: Mapping[str, Stream[Any]] = field(default_factory=dict)
    subject: str = ""
    """The id of the stream that the statement is about."""
    named_by: tuple[Reference, ...] = ()
    """Where a whole stream is about to be voided: some records of others that name it."""

    def state(self, kind: str, subject: str) -> Any:
        """The state of a stream that a statement refers to; refuses an unknown one."""
        stream = self.streams.get(stream_id(self.context.station, kind, subject))
        if stream is None or not any(stream.active()):
            refusal = REFUSALS.get(f"unknown_{kind}", UnknownReference)
            raise refusal(id=subject, kind=KINDS[kind].label)
        return stream.state

    def state_on(self, kind: str, subject: str, day: date) -> Any:
        """The same state, folded from what had occurred by a day.

        What an event carries of another stream is what was true on its own day, also
        when it is recorded late or corrected long after.
        """
        self.state(kind, subject)
        stream = self.streams[stream_id(self.context.station, kind, subject)]
        state = KINDS[kind].initial
        for entry in stream.active():
            if entry.statement.occurred.on <= day:
                state = KINDS[kind].evolve(state, entry)
        return state

    @property
    def station(self) -> Any:
        """The station at which the statement is made."""
        return self.state("station", self.context.station)


# ---- names of streams ----

_SUBJECT = re.compile(r"[0-9A-Za-z_.-]{1,64}")


class BadIdentifier(
    Refused, code="bad_identifier", title="编号不合规",
    detail="编号“{id}”只能用字母、数字、点、下划线和连字符，最长 64 个字符。",
):
    """An identifier that could not be a part of a stream's name."""


def stream_id(station: str, kind: str, subject: str) -> str:
    """The name of a stream: the station is in every key, so that logs can be divided.

    :raises BadIdentifier: for an empty, over-long or otherwise unusable part.
    """
    for part in (station, subject):
        if not _SUBJECT.fullmatch(part):
            raise BadIdentifier(id=part[:80])
    return f"{station}/{kind}/{subject}"


def stream_station(stream: str) -> str:
    """The station of a stream's name."""
    return _parts(stream)[0]


def stream_kind(stream: str) -> str:
    """The kind of a stream's name."""
    return _parts(stream)[1]


def stream_subject(stream: str) -> str:
    """The subject of a stream's name: the id by which people address it."""
    return _parts(stream)[2]


@lru_cache(maxsize=16_384)
def _parts(stream: str) -> list[str]:
    return stream.split("/", 2)
