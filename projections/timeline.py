"""What was recorded of a household or person, in order, and what is on record at all?

Every statement of the log is one row of ``records``, as it stands after corrections,
and belongs to the timeline of each household, person, volunteer and community that it
names. Personal fields stay in the log: no row holds them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from itertools import chain
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    Index,
    Integer,
    Select,
    String,
    Table,
    Text,
    select,
    tuple_,
)

from domain.catalog import to_builtins
from domain.fields import PERSONAL, bearing
from domain.kernel import (
    EVENTS,
    KINDS,
    Event,
    Occurrence,
    Recorded,
    Statement,
    stream_kind,
    stream_subject,
)
from domain.record_keeping import EntryCorrected, RecordKeeping, fold
from projections.aliases import aliases_at
from projections.columns import UtcDateTime
from projections.kernel import Batch, Changes, Fault, Projection, Row, Rows, metadata
from projections.lateness import days_late, is_late, recorded_month
from projections.naming import EVERYTHING, inheriting, inherits, named, subjects

records: Final = Table(
    "records",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("entry", Integer, primary_key=True),
    Column("station", String(64), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("topic", String(64), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("occurred_on", Date, nullable=False),
    Column("occurred_until", Date),
    Column("earliest_on", Date, nullable=False),
    Column("latest_on", Date, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("recorded_month", Date, nullable=False),
    Column("imported_at", UtcDateTime),
    Column("actor", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("corrected_times", Integer, nullable=False),
    Column("data", Text, nullable=False),
    Index("ix_records_kind", "station", "kind", "occurred_on", "position"),
    Index("ix_records_topic", "station", "topic", "occurred_on", "position"),
    Index("ix_records_position", "position"),
)
"""``status`` is ``active`` or ``voided``; ``data`` the stated fields that are not personal.

``earliest_on`` and ``latest_on`` are the first and last day on which the entry was ever
said to have occurred; ``recorded_month`` is the first day of the month of recording.
"""

record_subjects: Final = Table(
    "record_subjects",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("entry", Integer, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("station", String(64), nullable=False),
    Column("occurred_on", Date, nullable=False),
    Column("is_current", Boolean, nullable=False),
    Index("ix_record_subjects", "station", "subject", "occurred_on"),
    sqlite_with_rowid=False,
)
"""``subject`` is ``household:…``, ``person:…``, ``volunteer:…``, ``community:…`` and so on.

A subject that a correction took away stays with ``is_current`` false: at an earlier moment
the entry was on its timeline.
"""


def without_personal(event: msgspec.Struct) -> dict[str, Any]:
    """An event's stated fields as plain data, without those that are personal."""
    plain: dict[str, Any] = to_builtins(event)
    _strip(plain, event)
    return plain


def _data(event: Event) -> str:
    """The same as canonical JSON."""
    kept = _kept_fields(type(event))
    if len(kept) == len(event.__struct_fields__):
        return _encode(event).decode()
    shown = {n: getattr(event, n) for n in kept} if kept else without_personal(event)
    return _encode(shown).decode()


_encode: Final = msgspec.json.Encoder(order="sorted").encode


@cache
def _kept_fields(event: Any) -> tuple[str, ...]:
    """The fields that are not personal; none where something further down in them is."""
    personal = dict(bearing(event, PERSONAL))
    if any(PERSONAL not in marks for marks in personal.values()):
        return ()
    return tuple(name for name in event.__struct_fields__ if name not in personal)


def _strip(plain: dict[str, Any], value: msgspec.Struct) -> None:
    """Take the personal fields out of plain data, at every depth."""
    for name, marks in bearing(type(value), PERSONAL):
        field = getattr(value, name)
        inner = field if isinstance(field, tuple) else (field,)
        if PERSONAL in marks and not any(isinstance(item, msgspec.Struct) for item in inner):
            del plain[name]
            continue
        data = plain[name] if isinstance(field, tuple) else [plain[name]]
        for item, said in zip(data, inner, strict=True):
            if isinstance(said, msgspec.Struct):
                _strip(item, said)


class Timeline(Projection):
    """The records and their subjects."""

    name = "timeline"
    label = "时间线"
    tables = (records, record_subjects)

    def changes(self, batch: Batch) -> Changes:
        """New rows for new statements; a corrected stream's rows are all written anew."""
        changes = Changes()
        kept = {e.stream for e in (batch.events if batch.is_excerpt else batch.of(RecordKeeping))}
        histories = batch.histories(kept | inheriting(batch.events))
        done: set[str] = set()
        found: list[_RecordRows] = []
        for event in batch.events:
            if event.stream in done:
                continue
            try:
                history = histories.get(event.stream, ())
                found += _rows_after(event, history, event.stream in kept)
            except Exception as error:  # noqa: BLE001 - parked and shown
                changes.faults.append(Fault(event.position, event.stream, repr(error)[:500]))
                continue
            if event.stream in kept:
                done.add(event.stream)
        changes.deleted |= dict.fromkeys(self.tables, done) if done else {}
        changes.inserted[records] = [record for record, _subjects in found]
        changes.inserted[record_subjects] = list(chain.from_iterable(of for _record, of in found))
        return changes

    def standing(self, history: Sequence[Recorded], day: date | None) -> Rows:
        """The rows of what a stream's history says, of what had occurred by a day."""
        for record, of in _rows_of_stream(history):
            if day is None or record[_OCCURRED_ON] <= day:
                yield records, record
                yield from ((record_subjects, subject) for subject in of)


_RecordRows = tuple[tuple[Any, ...], list[Row]]
"""The row of a record, and those of its subjects."""
_OCCURRED_ON: Final = records.c.keys().index("occurred_on")


class _UnreadableHistoryError(ValueError):
    """An earlier event of the stream is parked."""


def _rows_after(
    event: Recorded, history: Sequence[Recorded] | Fault, is_kept: bool  # noqa: FBT001 - internal
) -> Iterable[_RecordRows]:
    """The rows of an event, or of its whole stream where that was corrected."""
    if isinstance(history, Fault):
        raise _UnreadableHistoryError(history.error)
    if is_kept:
        return list(_rows_of_stream(history))
    opening = history[0].event if history and inherits(stream_kind(event.stream)) else None
    return (_rows(event, event.event, event.occurred, opening),)


def _rows_of_stream(history: Sequence[Recorded]) -> Iterator[_RecordRows]:
    """The rows of a stream as its history leaves it, corrections and all."""
    stream = fold(KINDS[stream_kind(history[0].stream)], None, history)
    assert stream is not None
    opening = stream.opening if inherits(stream_kind(stream.id)) else None
    for original in history:
        if entry := stream.entries.get(original.version):
            said, status = _said_of(original, history), "voided" if entry.is_voided else "active"
            yield _rows(
                original, entry.statement.event, entry.statement.occurred, opening,
                said=said, status=status, corrected_times=entry.corrected_times,
            )


def _said_of(original: Recorded, history: Sequence[Recorded]) -> tuple[Statement, ...]:
    """Every statement that an entry ever made."""
    corrected = (
        event.event.after for event in history
        if isinstance(event.event, EntryCorrected) and event.event.entry == original.version
    )
    return (original.statement, *corrected)


def _rows(
    original: Recorded, event: Event, occurred: Occurrence, opening: Event | None,
    *, said: tuple[Statement, ...] = (), status: str = "active", corrected_times: int = 0,
) -> _RecordRows:
    """The record of an entry as it stands, and the subjects that it has and had.

    ``said`` is whatever a corrected entry ever stated. Values are in the order of the columns.
    """
    stream, version, envelope = original.stream, original.version, original.envelope
    station, kind, _subject = stream.split("/", 2)
    on, recorded_at = occurred.on, envelope.recorded_at
    days = [on, *(statement.occurred.on for statement in said)]
    record = (
        stream, version, station, kind, original.event.topic, original.position,
        on, occurred.until, min(days), max(days), recorded_at, recorded_month(recorded_at),
        envelope.imported_at, envelope.actor, status, corrected_times, _data(event),
    )
    current = subjects(stream, event, opening)
    ever = current.union(*(named(statement.event, EVERYTHING) for statement in said))
    return record, [(stream, version, s, station, on, s in current) for s in sorted(ever)]


# ---- questions ----


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record as lists and timelines show it."""

    stream: str
    entry: int
    kind: str
    topic: str
    position: int
    occurred_on: date
    occurred_until: date | None
    recorded_at: datetime
    imported_at: datetime | None
    actor: str
    status: str
    corrected_times: int
    data: dict[str, Any]

    @property
    def id(self) -> str:
        """The subject of the record's stream."""
        return stream_subject(self.stream)

    @property
    def label(self) -> str:
        """What people read for the record's topic."""
        return EVENTS[self.topic].label

    @property
    def days_late(self) -> int:
        """Days between the service and its recording."""
        return days_late(self.occurred_on, self.recorded_at)

    @property
    def is_late(self) -> bool:
        """Whether it was recorded after the month of the service had ended (补录)."""
        return is_late(self.occurred_on, self.recorded_at)

    @property
    def is_imported(self) -> bool:
        """Whether it was taken over from an older ledger (导入)."""
        return self.imported_at is not None


Cursor = tuple[date, int]
"""Where a page ended: the day and the position of its last record."""

_COLUMNS: Final = tuple(name for name in RecordRow.__dataclass_fields__)


def _page(
    connection: Connection, query: Select[Any], after: Cursor | None, limit: int,
    is_newest_first: bool,  # noqa: FBT001 - internal
) -> list[RecordRow]:
    key = tuple_(records.c.occurred_on, records.c.position)
    if after is not None:
        bound = tuple_(after[0], after[1])
        query = query.where(key < bound if is_newest_first else key > bound)
    order = (
        (records.c.occurred_on.desc(), records.c.position.desc())
        if is_newest_first
        else (records.c.occurred_on, records.c.position)
    )
    return _rows_found(connection, query.order_by(*order).limit(limit))


def _rows_found(connection: Connection, query: Select[Any]) -> list[RecordRow]:
    return [
        RecordRow(**{**row._mapping, "data": msgspec.json.decode(row.data)})  # noqa: SLF001 - SQLAlchemy's public name
        for row in connection.execute(query)
    ]


def records_named(
    connection: Connection, station: str, entries: Collection[tuple[str, int]]
) -> list[RecordRow]:
    """Some records by their stream and entry, in no order."""
    if not entries:
        return []
    key = tuple_(records.c.stream, records.c.entry)
    query = _select().where(records.c.station == station, key.in_(entries))
    return _rows_found(connection, query)


def _select() -> Select[Any]:
    return select(*(records.c[name] for name in _COLUMNS))


def _about(
    connection: Connection, query: Select[Any], station: str, subject: str
) -> Select[Any]:
    """Only the records about a subject, or about what was merged with it; each once."""
    kind, _, identity = subject.partition(":")
    family = aliases_at(connection, station).family(kind, identity)
    named = [f"{kind}:{member}" for member in family]
    query = query.join(record_subjects, _OF_SUBJECT).where(
        record_subjects.c.station == station, record_subjects.c.subject.in_(named),
        record_subjects.c.is_current,
    )
    return query.distinct() if len(named) > 1 else query  # a record may name several of them


_OF_SUBJECT: Final = (record_subjects.c.stream == records.c.stream) & (
    record_subjects.c.entry == records.c.entry
)


def timeline_of(
    connection: Connection, station: str, subject: str, *,
    after: Cursor | None = None, limit: int = 50, is_newest_first: bool = True,
) -> list[RecordRow]:
    """What was recorded of a subject (``household:…``, ``person:…``), a page at a time.

    Of whatever was merged with the subject as well: each record once.
    """
    query = _about(connection, _select(), station, subject)
    return _page(connection, query, after, limit, is_newest_first)


def records_of_kind(
    connection: Connection, station: str, kind: str, *,
    first: date | None = None, last: date | None = None, topic: str | None = None,
    subject: str | None = None, status: str | None = "active",
    after: Cursor | None = None, limit: int = 50, is_newest_first: bool = True,
) -> list[RecordRow]:
    """The records of a kind of stream (``visit``), filtered, a page at a time."""
    query = _select().where(records.c.station == station, records.c.kind == kind)
    if first is not None:
        query = query.where(records.c.occurred_on >= first)
    if last is not None:
        query = query.where(records.c.occurred_on <= last)
    if topic is not None:
        query = query.where(records.c.topic == topic)
    if status is not None:
        query = query.where(records.c.status == status)
    if subject is not None:
        query = _about(connection, query, station, subject)
    return _page(connection, query, after, limit, is_newest_first)


def active_streams_about(
    connection: Connection, station: str, kind: str, subjects: Sequence[str]
) -> list[tuple[str, str]]:
    """The streams of a kind with active records about some subjects: (subject, stream)."""
    about = record_subjects.c
    query = (
        select(about.subject, about.stream)
        .join(records, _OF_SUBJECT)
        .where(about.station == station, about.subject.in_(subjects), about.is_current)
        .where(records.c.kind == kind, records.c.status == "active")
        .distinct()
        .order_by(about.subject, about.stream)
        .limit(MOST_STREAMS)
    )
    return [(subject, stream) for subject, stream in connection.execute(query)]


MOST_STREAMS: Final = 500


def possible_duplicates(
    connection: Connection, station: str, *, stream: str, household: str, on: date, mode: str,
    workers: Sequence[str],
) -> list[str]:
    """Other visits to a household on the same day, in the same mode, by the same worker.

    Answers their ids: a warning with the other record shown, never a refusal.
    """
    found = records_of_kind(
        connection, station, "visit", first=on, last=on, subject=f"household:{household}"
    )
    return [
        row.id
        for row in found
        if row.stream != stream
        and row.data["mode"] == mode
        and set(row.data["workers"]) & set(workers) != set()
    ]
