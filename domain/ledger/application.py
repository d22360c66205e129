"""How is a statement decided and appended, and how is the log read?

The ledger is an application of the `eventsourcing` library: its recorders, mapper
interface, repository (with its aggregate cache) and optimistic concurrency are used
as they are. This is the only module through which the rest of the program writes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

import msgspec
from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.persistence import (
    IntegrityError,
    InterfaceError,
    Mapper,
    Notification,
    OperationalError,
    PersistenceError,
    StoredEvent,
    Transcoder,
)

from domain import catalog
from domain.fields import OF_RECORD, REFERS_TO, marked_values
from domain.kernel import (
    KINDS,
    Context,
    Envelope,
    Event,
    Occurrence,
    Recorded,
    Reference,
    Refused,
    Related,
    Statement,
    Stream,
    StreamKind,
    stream_id,
    stream_kind,
    stream_station,
)
from domain.ledger.group_commit import AnswerLostError
from domain.ledger.recorders import Recorder, library_settings
from domain.ledger.references import (
    MOST_BEHIND,
    ReferenceIndex,
    ReferencesUnknown,
    Subject,
    referable_kinds,
    references,
)
from domain.ledger.request_keys import PAGE, RequestKey, StoredRow
from domain.merging import MERGE, merges_asked
from domain.record_keeping import Command, Correct, Record, Void, decide, fold, is_last_standing
from domain.vault import DataKey, Stated, Vault

MAX_ATTEMPTS: Final = 20
"""How often a decision is taken again when another writer was faster."""
STREAMS_AT_ONCE: Final = 400
CACHED_STREAMS: Final = "2000"
HELD_SECONDS: Final = 0.1
"""How long another process's merge may go unnoticed by a new record."""
MOST_HELD: Final = 1_000

T = TypeVar("T")


class StaleVersion(
    Refused, code="stale_version", status=412, title="内容已被他人更新",
    detail="您看到的是第 {got} 版，现在已是第 {current} 版；请刷新后再试。",
):
    """The caller acted on a version that is no longer the newest."""


class Busy(
    Refused, code="busy", status=503, title="系统繁忙",
    detail="同一份档案正被多人同时修改，请稍后重试。",
):
    """Other writers were faster every time."""


class KeyReused(
    Refused, code="idempotency_key_reused", title="请求编号已用于另一内容",
    detail="Idempotency-Key“{key}”已用于另一个内容不同的请求，请换一个新的编号。",
):
    """The same idempotency key with another body."""


class StoreUnavailable(
    Refused, code="store_unavailable", status=503, title="暂时无法保存",
    detail="存储暂时不可用（{because}），本次内容没有保存，已保存的内容不受影响；请稍后重试。",
):
    """The disk is full, or the database is locked or away. Nothing was recorded."""


class OutcomeUnknown(
    Refused, code="outcome_unknown", status=503, title="不能确定是否已保存",
    detail="保存时与数据库的连接中断，不能确定本次内容是否已保存；请稍后用同一个"
    " Idempotency-Key 再发一次，已保存的不会重复。没有用它的，请先查看是否已有这条记录。",
):
    """The connection broke while committing, and what is on record cannot be read or lacks it:
    it may come yet. The same request with its key is safe to send again.
    """


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An event on its way into the log; ``originator_*`` are the library's names."""

    originator_id: str
    originator_version: int
    occurred: Occurrence
    envelope: Envelope
    event: Event
    opening: Event | None = None
    """The first statement of its stream, where there is one: whom later ones are about."""

    @property
    def stated(self) -> Stated:
        """What its personal texts are sealed by."""
        return self.event, self.originator_id, self.opening


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was recorded: the answer to a command, the same for the same request key."""

    stream: str
    version: int
    position: int
    recorded: Recorded
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class Instruction:
    """A command for one stream, with the version that its sender saw.

    ``asked`` is what its sender said, where the command was worked out from that and from
    what the log held at that moment: the same request then asks the same again.
    """

    kind: StreamKind[Any]
    subject: str
    command: Command
    expected_version: int | None = None
    asked: bytes | None = None

    def content(self, context: Context) -> bytes:
        """What is asked, as bytes: the same for the same request."""
        if self.asked is not None:
            return self.asked
        said = catalog.to_builtins(self.command)
        body = [
            self.kind.name, self.subject, type(self.command).__name__, said,
            context.project_cycle, context.programmes,
        ]
        return msgspec.json.encode(body, order="sorted")


class LedgerMapper(Mapper[str]):
    """Writes entries as canonical JSON and reads them back as typed events.

    What is stored has its personal texts sealed, and is read back sealed.
    """

    def __init__(self, transcoder: Transcoder, vault: Vault) -> None:
        """Seal with the keys of a vault."""
        super().__init__(transcoder)
        self._vault = vault

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        """The stored form of a new entry."""
        entry = cast("NewEntry", domain_event)
        return self.sealed(entry, self._vault.prepare([entry.stated]))

    def sealed(self, entry: NewEntry, keys: Mapping[str, DataKey]) -> StoredEvent:
        """The same with keys that are at hand."""
        event = self._vault.sealed(entry.stated, entry.originator_version, keys)
        return StoredEvent(
            originator_id=entry.originator_id,
            originator_version=entry.originator_version,
            topic=entry.event.topic,
            state=catalog.encode_state(event, entry.occurred, entry.envelope),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        """The entry that was stored; its position is 0 where it was read by stream."""
        return recorded_from(stored_event)


def recorded_from(stored: StoredEvent) -> Recorded:
    """Read a stored event, as typed as it was written.

    :raises ValueError: for a topic or shape that this program cannot read.
    """
    event, occurred, envelope = catalog.decode_state(stored.topic, stored.state)
    return Recorded(
        position=stored.id if isinstance(stored, Notification) else 0,
        stream=str(stored.originator_id),
        version=stored.originator_version,
        occurred=occurred,
        envelope=envelope,
        event=event,
    )


def recorded_row(row: StoredRow) -> Recorded:
    """Read an event as it is stored in the database, without the library's object for it.

    :raises ValueError: for a topic or shape that this program cannot read.
    """
    position, stream, version, topic, state = row
    event, occurred, envelope = catalog.decode_state(topic, state)
    return Recorded(
        position=position, stream=stream, version=version, occurred=occurred,
        envelope=envelope, event=event,
    )


class Ledger(Application[str]):
    """The event log and the decisions that lead to it."""

    name = "taizhang"

    def __init__(
        self, database_url: str, vault: Vault, index: ReferenceIndex | None = None
    ) -> None:
        """Open (and on first use create) the log of a database.

        What it stores of persons is sealed, and what is read from it is sealed as well:
        ``vault`` opens it for whoever may read it. ``index`` finds records by whom they
        name; without one, only a short log can be looked through. ``admit`` is asked before
        streams are read, and refuses those that whoever reads them may not see.
        """
        self.vault = vault
        self.admit: Callable[[Iterable[str]], None] = _admit_all
        self._index = index
        self._merges: dict[str, tuple[float, Stream[Any] | None]] = {}
        super().__init__(
            library_settings(database_url)
            | {
                "AGGREGATE_CACHE_MAXSIZE": CACHED_STREAMS,
                "DEEPCOPY_FROM_AGGREGATE_CACHE": "n",
            }
        )

    def construct_mapper(self) -> LedgerMapper:
        """Use the ledger's own canonical form."""
        return LedgerMapper(self.construct_transcoder(), self.vault)

    @property
    def store(self) -> Recorder:
        """The recorder with the ledger's own queries."""
        return cast("Recorder", self.recorder)

    # ---- reading ----

    def stream(self, station: str, kind: str, subject: str) -> Stream[Any] | None:
        """A stream as it stands, or ``None`` where it was never begun."""
        name = stream_id(station, kind, subject)
        self.admit([name])
        return self._stream(name)

    def _stream(self, name: str) -> Stream[Any] | None:
        kind = KINDS[stream_kind(name)]
        try:
            stream: Stream[Any] = self.repository.get(name, projector_func=lambda known, events: (
                fold(kind, known, cast("Iterable[Recorded]", events))
            ))
        except AggregateNotFoundError:
            return None
        # The library brings a cached stream forward in place, which this one cannot be.
        cache = self.repository.cache
        if cache is not None:
            cache.put(name, stream)
        return stream

    def history(self, stream: str) -> list[Recorded]:
        """Every event of a stream with its position, oldest first."""
        return [recorded_from(n) for n in self.notifications_of([stream])]

    def histories(self, streams: Iterable[str]) -> dict[str, list[Recorded]]:
        """The same of several streams; of one that was never begun there is nothing."""
        names, found = list(streams), dict[str, list[Recorded]]()
        for start in range(0, len(names), STREAMS_AT_ONCE):
            stored = self.notifications_of(names[start : start + STREAMS_AT_ONCE])
            for name, own in by_stream(stored).items():
                found[name] = [recorded_from(notification) for notification in own]
        return found

    def notifications_of(
        self, streams: Sequence[str], up_to: int = 2**62
    ) -> Sequence[Notification]:
        """The stored events of some streams up to a position, in order of position."""
        self.admit(streams)
        return self.store.select_streams(streams, up_to)

    def at(self, positions: Sequence[int]) -> list[Recorded]:
        """The events at some positions (a page's worth), in order of position."""
        found = [recorded_from(n) for n in self.store.select_positions(positions)]
        self.admit(event.stream for event in found)
        return found

    def head(self) -> int:
        """The position of the newest event; 0 for an empty log."""
        return self.store.max_notification_id() or 0

    def is_shared(self) -> bool:
        """Whether more than one station keeps its ledger here; two steps in an index."""
        return self.store.has_several_stations()

    def notifications(self, after: int, limit: int = PAGE) -> Sequence[Notification]:
        """The stored events after a position, in order of position."""
        return self.store.select_notifications(after, limit, inclusive_of_start=False)

    def rows(self, after: int, limit: int = PAGE) -> list[StoredRow]:
        """The events after a position as they are stored."""
        return self.store.select_rows(after, limit)

    def station_rows(
        self, station: str, after: int = 0, until: int = 2**62
    ) -> Iterator[StoredRow]:
        """A station's events after a position and up to another, as they are stored."""
        self.admit([stream_id(station, "station", station)])
        return self.store.station_rows(station, after, until)

    def recorded(self, after: int = 0) -> Iterator[Recorded]:
        """Every event after a position, read in pages."""
        while page := self.notifications(after):
            yield from map(recorded_from, page)
            after = page[-1].id

    # ---- writing ----

    def execute(self, instruction: Instruction, context: Context) -> Receipt:
        """Decide a command and append what it leads to.

        :raises Refused: where the rules do not accept it, with nothing recorded.
        """
        self.admit([stream_id(context.station, instruction.kind.name, instruction.subject)])
        return _guarded(lambda: self._execute(instruction, context))

    def _execute(self, instruction: Instruction, context: Context) -> Receipt:
        request = self._request(instruction, context)
        for _attempt in range(MAX_ATTEMPTS):
            earlier = self._answered(request)
            if earlier is not None:
                return earlier
            try:
                entries = self._decided(instruction, context)
            except Refused:
                # The same request, sent twice at once, may have been recorded just now.
                if (earlier := self._answered(request)) is not None:
                    return earlier
                raise
            keys = [(request, 0)] if request else []
            stored = self._stored(entries)
            try:
                positions = self._inserted(stored, keys)
            except IntegrityError:  # another writer, or the same request, was faster
                continue
            except (InterfaceError, OperationalError):
                # The connection broke: perhaps only the answer was lost.
                if (position := self._found_again(stored[0])) is None:
                    raise
                return _receipt(stored[0], position)
            return _receipt(stored[0], positions[0])
        raise Busy

    def _stored(self, entries: Sequence[NewEntry]) -> list[StoredEvent]:
        """Entries as they are stored: sealed and encoded.

        The library's ``save`` would read them back again.
        """
        keys = self.vault.prepare([entry.stated for entry in entries])
        mapper = cast("LedgerMapper", self.mapper)
        return [mapper.sealed(entry, keys) for entry in entries]

    def _found_again(self, mine: StoredEvent) -> int | None:
        """Where an entry stands, if it was stored.

        :raises OutcomeUnknown: where the log does not answer.
        """
        try:
            stored = self.notifications_of([str(mine.originator_id)])
        except PersistenceError as error:
            raise OutcomeUnknown from error
        return next((n.id for n in stored if _is_same(n, mine)), None)

    def answered(self, asked: bytes, context: Context) -> Receipt | None:
        """The first answer to a request, before its command is worked out once more.

        :raises KeyReused: where another request had its key.
        """
        return self._answered(self._request_of(asked, context))

    def _request(self, instruction: Instruction, context: Context) -> RequestKey | None:
        if context.idempotency_key is None:
            return None
        return self._request_of(instruction.content(context), context)

    def _request_of(self, asked: bytes, context: Context) -> RequestKey | None:
        if context.idempotency_key is None:
            return None
        scope = f"{context.station}/{context.actor}"
        fingerprint = self.vault.keys.fingerprint(asked)
        return RequestKey(scope, context.idempotency_key, fingerprint)

    def _answered(self, request: RequestKey | None) -> Receipt | None:
        """The first answer to the same request, or a refusal of another under its key."""
        answered = request and self.store.answered(request.scope, request.key)
        if not request or not answered:
            return None
        if answered.fingerprint != request.fingerprint:
            raise KeyReused(key=request.key)
        recorded = next(r for r in self.history(answered.stream) if r.version == answered.version)
        return Receipt(
            answered.stream, answered.version, recorded.position, recorded, is_repeated=True
        )

    def _check_version(self, instruction: Instruction, context: Context) -> Stream[Any] | None:
        name = stream_id(context.station, instruction.kind.name, instruction.subject)
        stream = self._stream(name)
        if stream is None:
            return None  # a version of nothing: the decision says that there is no record
        current = stream.version
        if instruction.expected_version not in {None, current}:
            raise StaleVersion(got=instruction.expected_version, current=current)
        return stream

    def _decided(self, instruction: Instruction, context: Context) -> list[NewEntry]:
        name = stream_id(context.station, instruction.kind.name, instruction.subject)
        stream = self._check_version(instruction, context)
        related = self.related(instruction, stream, context)
        if stream is not None and not isinstance(instruction.command, Record):
            stream = self.vault.opened_stream(stream)  # what was stated is decided on anew
        statements = decide(instruction.kind, instruction.command, stream, related)
        version, opening = (stream.version, stream.opening) if stream else (0, None)
        return [
            NewEntry(name, version + n, s.occurred, context.envelope(), s.event, opening)
            for n, s in enumerate(statements, start=1)
        ]

    def related(
        self, instruction: Instruction, stream: Stream[Any] | None, context: Context
    ) -> Related:
        """The streams that a command's statement, or a stream it changes, refers to."""
        names = referred_streams(instruction.command, stream, context.station)
        read = self._read_lately if isinstance(instruction.command, Record) else self._stream
        found = {
            name: read(name) if stream_kind(name) == MERGE.name else self._stream(name)
            for name in names
        }
        streams = {name: s for name, s in found.items() if s is not None}
        named_by: tuple[Reference, ...] = ()
        if leaves_nothing(instruction.command, stream):
            subject = Subject(context.station, instruction.kind.name, instruction.subject)
            named_by = references(subject, self.streams_naming(subject), self._stream)
        return Related(context, streams, instruction.subject, named_by)

    def _read_lately(self, name: str) -> Stream[Any] | None:
        """A stream of merges, as it stood a moment ago: nearly every record asks for it.

        What is recorded of a merged household within that moment counts as its survivor's.
        """
        now = time.monotonic()
        since, stream = self._merges.get(name, (-HELD_SECONDS, None))
        if now - since >= HELD_SECONDS:
            stream = self._stream(name)
            if len(self._merges) > MOST_HELD:
                self._merges.clear()
            self._merges[name] = (now, stream)
        return stream

    def streams_naming(self, subject: Subject) -> list[str]:
        """Streams that name, or named, a subject; perhaps others as well.

        :raises ReferencesUnknown: where too much was recorded since the index was written.
        """
        found, position = self._index.streams_naming(subject) if self._index else ((), 0)
        later = self.notifications(position, MOST_BEHIND + 1)
        if len(later) > MOST_BEHIND:
            raise ReferencesUnknown(behind=self.head() - position)
        return [*found, *(str(n.originator_id) for n in later)]

    def streams_ever_naming(self, subject: Subject) -> set[str]:
        """Every stream of its station that may name, or have named, a subject.

        The index says which, and the log after it, however long that is.
        """
        indexed, position = (
            self._index.streams_ever_naming(subject) if self._index else ((), 0)
        )
        found, needle = set(indexed), f'"{subject.id}"'.encode()
        while page := self.notifications(position):
            position = page[-1].id
            found |= {str(n.originator_id) for n in page if needle in n.state}
        return {name for name in found if stream_station(name) == subject.station}

    def append(
        self, entries: Sequence[NewEntry], request_keys: Sequence[tuple[RequestKey, int]]
    ) -> int:
        """Append many decided entries in one transaction: all of them or none.

        :raises Busy: where another writer was faster on one of the streams.

        Answers the position of the last. ``request_keys`` name, by index, the entry
        that answers each request.
        """
        try:
            positions = _guarded(lambda: self._inserted(self._stored(entries), request_keys))
        except IntegrityError as error:
            raise Busy from error
        return positions[-1]

    def _inserted(
        self, stored: Sequence[StoredEvent], request_keys: Sequence[tuple[RequestKey, int]]
    ) -> Sequence[int]:
        """Hand stored entries to the recorder."""
        positions = self.store.insert_events(stored, request_keys=request_keys)
        assert positions is not None
        for event in stored:
            self._merges.pop(str(event.originator_id), None)
        return positions


def referred_streams(
    command: Command, stream: Stream[Any] | None, station: str
) -> set[str]:
    """The names of the streams that must be loaded before a command is decided."""
    statements: list[Statement] = []
    if isinstance(command, Record | Correct):
        statements.append(command.statement)
    if stream is not None and not isinstance(command, Record):
        statements += [entry.statement for entry in stream.entries.values()]
    names = {stream_id(station, "station", station)}
    for statement in statements:
        names |= merges_asked(statement, station)
        for _path, kind, subject in marked_values(statement.event, REFERS_TO):
            names.add(stream_id(station, kind, subject))
        for _path, _mark, record in marked_values(statement.event, OF_RECORD):
            names.add(f"{station}/{record}")
    return names


def leaves_nothing(command: Command, stream: Stream[Any] | None) -> bool:
    """Whether a command voids all that counts of a stream that others may name."""
    return (
        isinstance(command, Void) and stream is not None
        and stream_kind(stream.id) in referable_kinds()
        and is_last_standing(stream, command.entry)
    )


def _receipt(stored: StoredEvent, position: int) -> Receipt:
    recorded = msgspec.structs.replace(recorded_from(stored), position=position)
    return Receipt(recorded.stream, recorded.version, position, recorded)


def _is_same(one: StoredEvent, other: StoredEvent) -> bool:
    """Whether two stored events are the very same: version, topic and every byte."""
    return (one.originator_version, one.topic, one.state) == (
        other.originator_version, other.topic, other.state,
    )


def _guarded(write: Callable[[], T]) -> T:
    """Turn a store that cannot take the write into a refusal: nothing was recorded.

    :raises OutcomeUnknown: where just that cannot be said.
    """
    try:
        return write()
    except (IntegrityError, Refused):
        raise
    except AnswerLostError as error:
        raise OutcomeUnknown from error
    except PersistenceError as error:
        cause = "磁盘已满" if "full" in str(error) else "数据库繁忙或无法访问"
        raise StoreUnavailable(because=cause) from error


def by_stream(notifications: Iterable[Notification]) -> Mapping[str, list[Notification]]:
    """Group stored events by stream, keeping their order."""
    groups: dict[str, list[Notification]] = {}
    for notification in notifications:
        groups.setdefault(str(notification.originator_id), []).append(notification)
    return groups


def _admit_all(_streams: Iterable[str]) -> None:
    """Whoever opens a ledger for himself reads all of it."""
