"""Which events were recorded by an actor, on some days, about a household, person or record?

One row an event, and one for each record, household, volunteer and person that it names,
then or in a correction since: who asks about a household also finds what was once stated
of it. What an event says is read from the log; no row holds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Select,
    String,
    Table,
    Text,
    select,
    tuple_,
)

from domain.kernel import Event, Recorded, stream_kind, stream_station, stream_subject
from domain.owners import repeats
from domain.record_keeping import EntryCorrected, EntryReinstated, EntryVoided
from projections.columns import UtcDateTime
from projections.kernel import Batch, EntryProjection, Fault, Rows, metadata
from projections.naming import PEOPLE, inheriting, named, own_subject

ACTIONS: Final = {
    "corrected": EntryCorrected.topic, "voided": EntryVoided.topic,
    "reinstated": EntryReinstated.topic,
}
"""What was done, beside ``recorded``: anything else that was stated."""
ACTION_OF: Final = {topic: action for action, topic in ACTIONS.items()}
RECORDED: Final = "recorded"

audit_events: Final = Table(
    "audit_events",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("station", String(64), nullable=False),
    Column("stream", Text, nullable=False),
    Column("topic", String(64), nullable=False),
    Column("actor", Text, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Index("ix_audit_events_day", "station", "recorded_at", "position"),
    Index("ix_audit_events_actor", "station", "actor", "recorded_at", "position"),
    sqlite_with_rowid=False,
)

audit_subjects: Final = Table(
    "audit_subjects",
    metadata,
    Column("station", String(64), primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("recorded_at", UtcDateTime, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
"""``subject`` is ``household:…``, ``person:…``, the event's own record, ``visit:…``, or what
it did to one where that is rare, ``action:corrected``. Its rows stand in the order in which
they are asked for, so that a page costs the same however long the log is."""


class AuditTrail(EntryProjection):
    """Who recorded what, when, and about whom."""

    name = "audit_trail"
    label = "审计轨迹"
    tables = (audit_events, audit_subjects)

    def rows(self, batch: Batch, faults: list[Fault]) -> Rows:
        """One row an event, and its subjects."""
        answers, failed = batch.each(names)
        faults += failed
        inherited = _inherited(batch)
        for event, own in answers:
            found = inherited.get(event.stream, {})
            if isinstance(found, Fault):
                faults.append(Fault(event.position, event.stream, found.error))
                continue
            station, at = stream_station(event.stream), event.envelope.recorded_at
            yield audit_events, (
                event.position, station, event.stream, event.event.topic, event.envelope.actor, at,
            )
            for subject in sorted({*own, *found.get(event.version, ())}):
                yield audit_subjects, (station, subject, at, event.position)


def names(event: Recorded) -> Iterator[str]:
    """The record that an event belongs to, whom it names, and what it did, where that is rare."""
    yield own_subject(event.stream)
    yield from _named(event.event)
    if action := ACTION_OF.get(event.event.topic):
        yield f"action:{action}"


def _named(event: Event) -> Iterator[str]:
    yield from named(event, PEOPLE)
    for name in repeats(type(event)):
        yield from _named(getattr(event, name).event)


def _inherited(batch: Batch) -> dict[str, dict[int, frozenset[str]] | Fault]:
    """Whom the events of a stream had named before each version, where that carries on."""
    found: dict[str, dict[int, frozenset[str]] | Fault] = {}
    for stream, history in batch.histories(inheriting(batch.events)).items():
        found[stream] = history if isinstance(history, Fault) else _named_before(history)
    return found


def _named_before(history: Sequence[Recorded]) -> dict[int, frozenset[str]]:
    so_far: frozenset[str] = frozenset()
    by_version = {}
    for event in history:
        so_far = so_far.union(_named(event.event))
        by_version[event.version] = so_far
    return by_version


# ---- questions ----


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which events are asked for; what is ``None`` does not matter."""

    station: str
    about: tuple[str, ...] = ()
    """Subjects (``household:…``, ``person:…``) that all must be named."""
    stream: str | None = None
    actor: str | None = None
    first: datetime | None = None
    until: datetime | None = None
    """Recorded from an instant on, and before another."""
    action: str | None = None


Cursor = tuple[datetime, int]
"""Where a page ended: when its last event was recorded, and its position."""


@dataclass(frozen=True, slots=True)
class AuditKey:
    """An event that was asked for: where it is in the log."""

    position: int
    stream: str
    recorded_at: datetime


def audit_events_of(
    connection: Connection, asked: AuditQuery, *, after: Cursor | None = None, limit: int = 50
) -> list[AuditKey]:
    """The events asked for, those recorded last first."""
    subjects = [*asked.about, *_also(asked)]
    query, at, position = _about(asked.station, subjects) if subjects else _all(asked.station)
    row = audit_events.c
    if asked.stream is not None:
        query = query.where(row.stream == asked.stream)
    if asked.actor is not None:
        query = query.where(row.actor == asked.actor)
    if asked.action == RECORDED:
        query = query.where(row.topic.not_in(ACTIONS.values()))
    if asked.first is not None:
        query = query.where(at >= asked.first)
    if asked.until is not None:
        query = query.where(at < asked.until)
    if after is not None:
        query = query.where(tuple_(at, position) < tuple_(*after))
    query = query.order_by(at.desc(), position.desc()).limit(limit)
    rows = connection.execute(query)
    return [AuditKey(row.position, row.stream, row.recorded_at) for row in rows]


def _also(asked: AuditQuery) -> Iterator[str]:
    """What else of a question is found as a subject."""
    if asked.stream is not None:
        yield f"{stream_kind(asked.stream)}:{stream_subject(asked.stream)}"
    if asked.action not in {None, RECORDED}:
        yield f"action:{asked.action}"


Found = tuple[Select[Any], ColumnElement[datetime], ColumnElement[int]]
"""A query, and the columns by which it is ordered: when recorded, and the position."""


def _all(station: str) -> Found:
    row = audit_events.c
    query = select(row.position, row.stream, row.recorded_at).where(row.station == station)
    return query, row.recorded_at, row.position


def _about(station: str, subjects: Sequence[str]) -> Found:
    """Events that name every subject, in the order in which the first one's rows are kept."""
    first, *others = (audit_subjects.alias(f"subject_{n}").c for n in range(len(subjects)))
    row = audit_events.c
    query = select(row.position, row.stream, first.recorded_at).where(
        row.position == first.position, first.station == station, first.subject == subjects[0]
    )
    for other, subject in zip(others, subjects[1:], strict=True):
        query = query.where(
            other.station == station, other.subject == subject,
            other.recorded_at == first.recorded_at, other.position == first.position,
        )
    return query, first.recorded_at, first.position
