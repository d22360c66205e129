"""How is a history file checked as a whole and then recorded as a whole?

Every line is decided, in the order in which it was recorded, on top of what the ledger
already holds. Only when no line is at fault is anything written, and then all of it in
one transaction.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from domain.catalog import event_class
from domain.fields import ENTRY_MARK, marks_of
from domain.kernel import (
    KIND_OF_TOPIC,
    KINDS,
    Context,
    Recorded,
    Reference,
    Refused,
    Related,
    Statement,
    StreamKind,
    stream_id,
    stream_kind,
    stream_subject,
)
from domain.ledger import (
    Answered,
    KeyReused,
    Ledger,
    NewEntry,
    RequestKey,
    Subject,
    leaves_nothing,
    references,
    referred_streams,
)
from domain.record_keeping import Command, Correct, Record, Reinstate, Void, decide
from workers.history.holdings import Holdings
from workers.history.lines import (
    DAY_FIELDS,
    BadLine,
    Line,
    Names,
    UnknownKey,
    content,
    could_be_key,
    read_days,
    read_line,
)

FAULTS_LISTED: Final = 1_000
FILE_LINES: Final = 5_000_000
"""The most lines of one file: it is checked in memory."""

KEEPING_FIELDS: Final = {
    "record.corrected": {"of", "reason", "data", *DAY_FIELDS},
    "record.voided": {"of", "reason"},
    "record.reinstated": {"of", "reason"},
}
"""What the data of a record-keeping line may say."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line. ``line`` counts from 1."""

    line: int
    key: str
    code: str
    title: str
    detail: str


@dataclass(slots=True)
class ImportResult:
    """What came of an import; with any fault nothing was written.

    ``acceptable`` counts the events that the file's lines lead to, written or not.
    """

    lines: int = 0
    written: int = 0
    acceptable: int = 0
    repeated: int = 0
    last_position: int | None = None
    fault_count: int = 0
    faults: list[Fault] = field(default_factory=list)
    is_dry_run: bool = False

    def blame(self, number: int, key: str, refusal: Refused) -> None:
        """Count a fault, and list it while the list is short enough to be read."""
        self.fault_count += 1
        if len(self.faults) < FAULTS_LISTED:
            said = Fault(number, key, refusal.code, refusal.title, str(refusal))
            self.faults.append(said)


def import_history(
    ledger: Ledger,
    lines: Iterable[bytes],
    station: str,
    source: str,
    now: datetime,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> ImportResult:
    """Check all lines of a history file and, unless one is at fault, record them.

    ``progress`` is called with lines done and lines in all.

    :raises Refused: where the store cannot take the write; nothing is written then.
    """
    result = ImportResult(is_dry_run=dry_run)
    importer = _Importer(ledger, station, source, now)
    pending = sorted(_read(lines, now, result), key=_order)
    importer.prepare(pending)
    total, done = len(pending), 0
    for _instant, group in itertools.groupby(pending, key=lambda item: item[1].recorded_at):
        waiting = list(group)
        done += len(waiting)
        importer.take_in(waiting, result)
        if progress:
            progress(done, total)
    result.repeated, result.acceptable = importer.repeated, len(importer.entries)
    if not result.fault_count and not dry_run and importer.entries:
        result.last_position = ledger.append(importer.entries, importer.request_keys)
        result.written = len(importer.entries)
    result.faults.sort(key=lambda fault: fault.line)
    return result


Numbered = tuple[int, Line]


def _read(
    lines: Iterable[bytes], now: datetime, result: ImportResult
) -> Iterator[Numbered]:
    """The readable lines with their numbers; the others become faults."""
    for number, raw in enumerate(lines, start=1):
        text = raw.removeprefix(b"\xef\xbb\xbf")
        if not text.strip():
            continue
        result.lines += 1
        try:
            if number > FILE_LINES:
                raise BadLine(problem=f"文件超过 {FILE_LINES} 行，请分成几个文件")
            yield number, read_line(text, now)
        except Refused as refusal:
            result.blame(number, "", refusal)
            if number > FILE_LINES:
                return


def _order(item: Numbered) -> tuple[datetime, str, str]:
    """The order of recording, whatever the order of lines."""
    line = item[1]
    occurred = line.occurred_at.isoformat() if line.occurred_at else str(line.occurred_on)
    return line.recorded_at, occurred, line.key


class _Importer:
    """Decides lines on streams kept in memory."""

    def __init__(self, ledger: Ledger, station: str, source: str, now: datetime) -> None:
        self._station, self._source, self._now = station, source, now
        self._ledger = ledger
        self._names = Names(station, source)
        self._fingerprint = ledger.vault.keys.fingerprint
        self._scope = f"{station}/import:{source}"
        self._holdings = Holdings(ledger, self._scope)
        self._prepared: dict[int, tuple[str, Command]] = {}
        self.entries: list[NewEntry] = []
        self.request_keys: list[tuple[RequestKey, int]] = []
        self.repeated = 0

    def prepare(self, pending: list[Numbered]) -> None:
        """Load at once what the lines mean; what a correction depends on follows by itself."""
        keys = (key for _number, line in pending for key in (line.key, *_keys_named(line)))
        self._holdings.load_keys(keys)
        self._holdings.load_streams(
            name for item in pending for name in self._streams_meant(*item)
        )

    def _streams_meant(self, number: int, line: Line) -> set[str]:
        """The streams that deciding a line will ask for, as far as they are known now."""
        if self._holdings.taken_in(line.key) is not None:
            return set()
        if line.topic not in KIND_OF_TOPIC:
            records = map(self._holdings.taken_in, _keys_named(line))
            return {record.stream for record in records if record is not None}
        with contextlib.suppress(Refused):  # it is refused again, and told, in its turn
            if _entry_fields(line.topic):  # the entries may be further on in the file
                return {self._name(line, KIND_OF_TOPIC[line.topic])}
            name, command = self._prepared[number] = self._command(line)
            return {name} | referred_streams(command, None, self._station)
        return set()

    def _name(self, line: Line, kind: StreamKind[Any]) -> str:
        """The stream that a line is about."""
        subject = self._names.subject(line, kind)
        if kind.name == "station" and subject != self._station:
            raise BadLine(problem=f"文件导入到社工站 {self._station}，不能登记另一个站")
        return stream_id(self._station, kind.name, subject)

    def take_in(self, waiting: list[Numbered], result: ImportResult) -> None:
        """Take in the lines of one instant, in whichever order the rules accept."""
        while waiting:
            refused: list[tuple[Numbered, Refused]] = []
            for item in waiting:
                try:
                    self._take_in(*item)
                except Refused as refusal:
                    refused.append((item, refusal))
            if len(refused) == len(waiting):
                for (number, line), why in refused:
                    result.blame(number, line.key, why)
                return
            waiting = [item for item, _refusal in refused]

    def _take_in(self, number: int, line: Line) -> None:
        print_of_line = self._fingerprint(content(line))
        known = self._holdings.taken_in(line.key)
        if known is not None:
            if known.fingerprint != print_of_line:
                raise KeyReused(key=line.key)
            self.repeated += 1
            return
        name, command = self._prepared.get(number) or self._command(line)
        statements = self._decided(name, command, line, number)
        first = len(self.entries)
        version = self._holdings.version(name)
        for offset, (statement, context) in enumerate(statements, start=1):
            self._append(name, version + offset, statement, context)
        self._holdings.take_in(line.key, Answered(print_of_line, name, version + 1))
        request = RequestKey(self._scope, line.key, print_of_line)
        self.request_keys.append((request, first))

    # ---- what a line asks for ----

    def _command(self, line: Line) -> tuple[str, Command]:
        """The stream that a line is about, and what it does there."""
        if line.topic in KIND_OF_TOPIC:
            kind = KIND_OF_TOPIC[line.topic]
            if kind.is_final:
                raise BadLine(problem=f"“{kind.label}”须在系统内办理，不能导入")
            name = self._name(line, kind)
            event = self._names.event(line.topic, self._with_entries(line.topic, line.data, name))
            return name, Record(statement=Statement(event, line.occurrence()))
        return self._record_keeping(line)

    def _with_entries(self, topic: str, data: dict[str, Any], name: str) -> dict[str, Any]:
        """Data in which a key that stands for an earlier entry is that entry's version."""
        fields = [field for field in _entry_fields(topic) if isinstance(data.get(field), str)]
        entries = {field: self._referred(data[field]) for field in fields}
        for field_name, entry in entries.items():
            if entry.stream != name:
                raise UnknownKey(got=data[field_name][:80])
        return data | {field: entry.version for field, entry in entries.items()}

    def _referred(self, key: Any) -> Answered:
        found = self._holdings.taken_in(key) if could_be_key(key) else None
        if found is None:
            raise UnknownKey(got=str(key)[:80])
        return found

    def _record_keeping(self, line: Line) -> tuple[str, Command]:
        data = line.data
        unknown = set(data) - KEEPING_FIELDS[line.topic]
        if unknown:
            raise BadLine(problem=f"data 中有不认识的字段：{'、'.join(sorted(unknown))}")
        record = self._referred(data.get("of"))
        name, entry = record.stream, record.version
        reason = data.get("reason")
        if not isinstance(reason, str) or not 0 < len(reason) <= 500:
            raise BadLine(problem="更正、作废和恢复须写明原因（reason，1 到 500 字）")
        if line.topic == "record.voided":
            return name, Void(entry=entry, reason=reason)
        if line.topic == "record.reinstated":
            return name, Reinstate(entry=entry, reason=reason)
        statement = self._corrected(name, entry, data)
        return name, Correct(entry=entry, statement=statement, reason=reason)

    def _corrected(self, name: str, entry: int, data: dict[str, Any]) -> Statement:
        """The statement after a correction; what the line leaves out stays as it was."""
        stream = self._holdings.stream(name)
        if stream is None or entry not in stream.entries:
            raise UnknownKey(got=str(data.get("of"))[:80])
        before = stream.entries[entry].statement
        event, topic, after = before.event, before.event.topic, data.get("data")
        if "data" in data:
            if not isinstance(after, dict):
                raise BadLine(problem="更正的 data 应为对象")
            event = self._names.event(topic, self._with_entries(topic, after, name))
        days = read_days({name: data[name] for name in DAY_FIELDS if name in data})
        return Statement(event, days.occurrence() if days else before.occurred)

    # ---- deciding and keeping ----

    def _decided(
        self, name: str, command: Command, line: Line, number: int
    ) -> list[tuple[Statement, Context]]:
        context = self._context(line, number)
        stream = self._holdings.stream(name)
        names = referred_streams(command, stream, self._station)
        found = {other: self._holdings.stream(other) for other in names}
        kind: StreamKind[Any] = KINDS[stream_kind(name)]
        related = Related(
            context, {n: s for n, s in found.items() if s is not None}, stream_subject(name),
            self._named_by(name) if leaves_nothing(command, stream) else (),
        )
        return [(s, context) for s in decide(kind, command, stream, related)]

    def _named_by(self, name: str) -> tuple[Reference, ...]:
        """Records that name a stream, in the ledger and in the file so far."""
        subject = Subject(self._station, stream_kind(name), stream_subject(name))
        candidates = [*self._ledger.streams_naming(subject), *self._holdings.begun()]
        return references(subject, candidates, self._holdings.stream)

    def _context(self, line: Line, number: int) -> Context:
        return Context(
            now=line.recorded_at, actor=line.actor, role=line.role, station=self._station,
            request_id=f"import:{self._source}:{number}", idempotency_key=line.key,
            project_cycle=line.project_cycle, programmes=line.programmes,
            imported_at=self._now,
        )

    def _append(self, name: str, version: int, statement: Statement, context: Context) -> None:
        envelope = context.envelope()
        stream = self._holdings.stream(name)
        opening = stream.opening if stream else None
        entry = NewEntry(name, version, statement.occurred, envelope, statement.event, opening)
        recorded = Recorded(
            position=0, stream=name, version=version, occurred=statement.occurred,
            envelope=envelope, event=statement.event,
        )
        self.entries.append(entry)
        self._holdings.append(recorded)


def _entry_fields(topic: str) -> list[str]:
    """The fields of a topic that name an earlier entry of the same stream."""
    return [name for name, marks in marks_of(event_class(topic)).items() if ENTRY_MARK in marks]


def _keys_named(line: Line) -> list[str]:
    """The keys of other lines that a line names."""
    fields = _entry_fields(line.topic) if line.topic in KIND_OF_TOPIC else ["of"]
    return [line.data[field] for field in fields if could_be_key(line.data.get(field))]
