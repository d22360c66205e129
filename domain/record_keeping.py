"""How is a record corrected, voided and reinstated, and what does a stream then say?

One mechanism serves every kind of record. A correction names an earlier entry of its
stream and carries the statement before and after; a void carries the statement that
no longer counts. Nothing is updated in place: the stream's state is folded anew from
its entries as they stand, and later entries that the change contradicts are either
corrected with it (a derived field) or forbid it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from typing import Any, Final, assert_never

import msgspec

from domain.code_lists import check_code
from domain.fields import (
    CODE_LIST,
    COMMUNITY,
    DERIVED,
    PERSON_MARK,
    EntryVersion,
    Reason,
    marked_values,
    marks_of,
    rewritten,
)
from domain.identity_number import refuse_identifying
from domain.kernel import (
    KIND_OF_TOPIC,
    KINDS,
    Context,
    Entry,
    Event,
    Occurrence,
    Recorded,
    Refused,
    Related,
    S,
    Statement,
    Stream,
    StreamKind,
    UnknownRecord,
    Value,
    stream_kind,
    stream_subject,
)
from domain.merging import refuse_merged, refuse_of_merge
from domain.vault import SealedByHand, keeping_sealed, refuse_sealed

EARLIEST: Final = date(1990, 1, 1)
"""No station is older: an earlier day of service is a slip of the pen."""


class StatedIn(Value):
    """By whom, and for which cycle and programmes, an entry was stated.

    What keeps the entry right is posted by these, whoever keeps it.
    """

    actor: str
    project_cycle: str | None = None
    programmes: tuple[str, ...] = ()

    @classmethod
    def of(cls, entry: Entry) -> StatedIn:
        """How an entry was stated."""
        return cls(
            actor=entry.actor, project_cycle=entry.project_cycle, programmes=entry.programmes
        )


def _knows_no_stated_in(fields: dict[str, Any]) -> None:
    fields["stated_in"] = None


class EntryCorrected(Event, topic="record.corrected", label="更正", class_version=2):
    """An earlier entry of the stream said something else than it should have."""

    entry: EntryVersion
    before: Statement
    after: Statement
    reason: Reason
    stated_in: StatedIn | None = None

    upcast_v1_v2 = staticmethod(_knows_no_stated_in)


class EntryVoided(Event, topic="record.voided", label="作废", class_version=2):
    """An earlier entry of the stream does not count."""

    entry: EntryVersion
    voided: Statement
    reason: Reason
    stated_in: StatedIn | None = None

    upcast_v1_v2 = staticmethod(_knows_no_stated_in)


class EntryReinstated(Event, topic="record.reinstated", label="恢复", class_version=2):
    """A voided entry counts again."""

    entry: EntryVersion
    reinstated: Statement
    reason: Reason
    stated_in: StatedIn | None = None

    upcast_v1_v2 = staticmethod(_knows_no_stated_in)


RecordKeeping = EntryCorrected | EntryVoided | EntryReinstated

# ---- commands ----


class Record(Value):
    """State that something happened."""

    statement: Statement


class Correct(Value):
    """State an earlier entry anew."""

    entry: EntryVersion
    statement: Statement
    reason: Reason


class Void(Value):
    """Take an earlier entry out of all figures."""

    entry: EntryVersion
    reason: Reason


class Reinstate(Value):
    """Let a voided entry count again."""

    entry: EntryVersion
    reason: Reason


Command = Record | Correct | Void | Reinstate

# ---- refusals ----


class DateInFuture(
    Refused, code="date_in_future", title="日期晚于今天",
    detail="发生日期 {got} 晚于今天（{today}），尚未发生的服务不能登记。",
):
    """A service dated tomorrow has not happened."""


class BadDateRange(
    Refused, code="bad_date_range", title="日期范围颠倒",
    detail="结束日期 {until} 早于开始日期 {on}。",
):
    """A range that ends before it begins."""


class DateTooEarly(
    Refused, code="date_too_early", title="日期过早",
    detail="发生日期 {got} 早于 {earliest}，请核对年份。",
):
    """A year that is a slip of the pen."""


class UnreadableText(
    Refused, code="unreadable_text", title="文字中有无法保存的字符",
    detail="文字中含有看不见的控制字符（U+0000），请删去后重新填写。",
):
    """A NUL is no text: PostgreSQL keeps none, and nobody typed it."""


class AlreadyRegistered(
    Refused, code="already_exists", status=409, title="编号已被使用",
    detail="编号为 {id} 的{kind}已经存在。",
):
    """A stream is opened once."""


class UnknownEntry(
    Refused, code="unknown_entry", status=404, title="没有这一条记录",
    detail="{kind} {id} 没有第 {entry} 条记录。",
):
    """The entry to correct does not exist, or is itself a correction."""


class AlreadyVoided(
    Refused, code="already_voided", status=409, title="该记录已作废",
    detail="第 {entry} 条记录已经作废，不能再次作废或更正。",
):
    """A voided entry is neither voided again nor corrected."""


class NotVoided(
    Refused, code="not_voided", status=409, title="该记录未作废",
    detail="第 {entry} 条记录没有作废，无需恢复。",
):
    """Only a voided entry is reinstated."""


class NothingChanged(
    Refused, code="nothing_changed", title="内容没有变化",
    detail="更正前后的内容完全相同，没有需要更正的地方。",
):
    """A correction that corrects nothing."""


class KindChanged(
    Refused, code="kind_changed", title="不能更正为另一种记录",
    detail="这条记录是“{was}”，不能更正为“{got}”；请作废后另行登记。",
):
    """A correction keeps the kind of its record."""


class NotCorrectable(
    Refused, code="not_correctable", status=409, title="不能更正或作废",
    detail="“{kind}”的各步不能更正、作废或恢复，请按流程登记下一步。",
):
    """What was carried out cannot be taken back by a correction."""


class EntrySettled(
    Refused, code="entry_settled", status=409, title="该记录已经定下",
    detail="第 {entry} 条记录已由第 {later} 条记录（{label}）定下，不能更正、作废或恢复；"
    "须改内容的，请先作废第 {later} 条，改好后重新办理。",
):
    """What somebody answers for by a later event is not changed under that event."""


class NotSettledAgain(
    Refused, code="not_settled_again", status=409, title="不能恢复，须重新办理",
    detail="第 {entry} 条记录（{label}）已经作废，此后内容可能有改动，不能恢复，请重新办理。",
):
    """A voided approval is given anew, by whoever may give it, and not brought back."""


class StillReferredTo(
    Refused, code="still_referred_to", status=409, title="其他记录仍以它为对象",
    detail="还有其他记录以它为对象：{records}。请先更正或作废这些记录。",
):
    """A registration is not voided while records of other streams name it."""


class LaterRecordsDepend(
    Refused, code="later_records_depend", status=409, title="后面的记录以它为前提",
    detail="改动后第 {later} 条记录（{label}）不再成立：{because}请先更正或作废该条。",
):
    """The change would contradict a later entry of the stream."""


# ---- folding ----


def fold(
    kind: StreamKind[S], stream: Stream[S] | None, recorded: Iterable[Recorded]
) -> Stream[S] | None:
    """Continue a stream with what was recorded since; ``None`` is a stream not begun."""
    entries = dict(stream.entries) if stream else {}
    state = stream.state if stream else kind.initial
    identity, version = (stream.id, stream.version) if stream else ("", 0)
    is_stale = False
    for item in recorded:
        identity, version = item.stream, item.version
        if isinstance(item.event, RecordKeeping):
            entries[item.event.entry] = _kept(entries[item.event.entry], item.event)
            is_stale = True
        else:
            entry = _entry_of(item)
            entries[version] = entry
            state = state if is_stale else kind.evolve(state, entry)
    if not version:
        return None
    refolded = state_of(kind, entries.values()) if is_stale else state
    return Stream(identity, version, refolded, entries)


def _entry_of(item: Recorded) -> Entry:
    envelope = item.envelope
    return Entry(
        version=item.version, statement=item.statement,
        recorded_at=envelope.recorded_at, actor=envelope.actor,
        project_cycle=envelope.project_cycle, programmes=envelope.programmes,
    )


def _kept(entry: Entry, event: RecordKeeping) -> Entry:
    """An entry after a record-keeping event acted on it."""
    match event:
        case EntryCorrected():
            times = entry.corrected_times + 1
            return msgspec.structs.replace(entry, statement=event.after, corrected_times=times)
        case EntryVoided():
            return msgspec.structs.replace(entry, is_voided=True)
        case EntryReinstated():
            return msgspec.structs.replace(entry, is_voided=False)
        case _:
            assert_never(event)


def state_of(kind: StreamKind[S], entries: Iterable[Entry]) -> S:
    """The state that entries fold to; voided ones do not count."""
    state = kind.initial
    for entry in entries:
        if not entry.is_voided:
            state = kind.evolve(state, entry)
    return state


# ---- deciding ----


def decide(
    kind: StreamKind[Any],
    command: Command,
    stream: Stream[Any] | None,
    related: Related,
) -> tuple[Statement, ...]:
    """The statements to append, or a refusal. Pure: reads no clock, writes nothing.

    The first statement answers the command; a correction may be followed by
    corrections of later entries whose derived fields change with it.
    """
    subject = related.subject
    if kind.is_final and not isinstance(command, Record):
        raise NotCorrectable(kind=kind.label)
    _refuse_sealed(command)
    match command:
        case Record():
            return (_recorded(kind, command.statement, stream, related),)
        case Correct():
            return _corrected(kind, command, _existing(kind, stream, subject), related)
        case Void():
            stream = _existing(kind, stream, subject)
            entry = _unsettled(kind, stream, command)
            if entry.is_voided:
                raise AlreadyVoided(entry=entry.version)
            event: Event = EntryVoided(
                entry=entry.version, voided=entry.statement, reason=command.reason,
                stated_in=StatedIn.of(entry),
            )
            changed = msgspec.structs.replace(entry, is_voided=True)
            statements = _with_consequences(kind, stream, changed, event, related)
            if is_last_standing(stream, entry.version):
                _refuse_named(kind, related)
            return statements
        case Reinstate():
            stream = _existing(kind, stream, subject)
            entry = _unsettled(kind, stream, command)
            if not entry.is_voided:
                raise NotVoided(entry=entry.version)
            event = EntryReinstated(
                entry=entry.version, reinstated=entry.statement, reason=command.reason,
                stated_in=StatedIn.of(entry),
            )
            _restated(kind, stream, entry, related)
            changed = msgspec.structs.replace(entry, is_voided=False)
            return _with_consequences(kind, stream, changed, event, related)
        case _:
            assert_never(command)


def _refuse_sealed(command: Command) -> None:
    """Only the ledger seals: nothing that was typed looks as if it were sealed."""
    reason = "" if isinstance(command, Record) else command.reason
    if isinstance(command, Record | Correct):
        refuse_sealed(command.statement.event, reason)
    elif "⟦" in reason or "⟧" in reason:
        raise SealedByHand


def is_last_standing(stream: Stream[Any], version: int) -> bool:
    """Whether an entry is the only one of its stream that counts: without it nothing is left."""
    return [entry.version for entry in stream.active()] == [version]


def _refuse_named(kind: StreamKind[Any], related: Related) -> None:
    if related.named_by:
        said = (
            f"{KINDS[stream_kind(found.stream)].label} {stream_subject(found.stream)}"
            f"（{found.on}，{found.label}）"
            for found in related.named_by
        )
        raise StillReferredTo(records="、".join(said))
    if kind.name == "household":
        refuse_of_merge(related.subject, related)


def _existing(kind: StreamKind[S], stream: Stream[S] | None, subject: str) -> Stream[S]:
    if stream is None:
        raise UnknownRecord(id=subject, kind=kind.label)
    return stream


def _entry(kind: StreamKind[S], stream: Stream[S], version: int) -> Entry:
    entry = stream.entries.get(version)
    if entry is None:
        raise UnknownEntry(kind=kind.label, id=stream_subject(stream.id), entry=version)
    return entry


def _unsettled(
    kind: StreamKind[S], stream: Stream[S], command: Correct | Void | Reinstate
) -> Entry:
    """The entry that is to be kept right, where no later event settles it."""
    entry = _entry(kind, stream, command.entry)
    settling = (e for e in stream.active() if isinstance(e.statement.event, kind.settled_by))
    for later in settling:
        if later.version > entry.version:
            label = later.statement.event.label
            raise EntrySettled(entry=entry.version, later=later.version, label=label)
    if isinstance(command, Reinstate) and isinstance(entry.statement.event, kind.settled_by):
        raise NotSettledAgain(entry=entry.version, label=entry.statement.event.label)
    return entry


def _recorded(
    kind: StreamKind[S], statement: Statement, stream: Stream[S] | None,
    related: Related,
) -> Statement:
    subject = related.subject
    _check_begun(kind, statement, stream.active() if stream else (), subject)
    is_second_opening = isinstance(statement.event, kind.events[0])
    if stream is not None and is_second_opening and kind.events[0] not in kind.also_opening:
        raise AlreadyRegistered(id=subject, kind=kind.label)
    state = kind.initial if stream is None else stream.state
    accepted = _accepted(kind, statement, state, related)
    refuse_merged(accepted, None, related)
    return accepted


def _corrected(
    kind: StreamKind[S], command: Correct, stream: Stream[S], related: Related
) -> tuple[Statement, ...]:
    entry = _unsettled(kind, stream, command)
    if entry.is_voided:
        raise AlreadyVoided(entry=entry.version)
    if type(command.statement.event) is not type(entry.statement.event):
        raise KindChanged(
            was=entry.statement.event.label, got=command.statement.event.label
        )
    event = keeping_sealed(command.statement.event, entry.statement.event, stream.id)
    stated = command.statement.stating(event)
    after = _restated(kind, stream, msgspec.structs.replace(entry, statement=stated), related)
    if after == entry.statement:
        raise NothingChanged
    refuse_merged(after, entry.statement, related)
    correction = EntryCorrected(
        entry=entry.version, before=entry.statement, after=after, reason=command.reason,
        stated_in=StatedIn.of(entry),
    )
    changed = msgspec.structs.replace(entry, statement=after)
    return _with_consequences(kind, stream, changed, correction, related)


def _restated(
    kind: StreamKind[S], stream: Stream[S], entry: Entry, related: Related
) -> Statement:
    """The entry's statement, decided anew in the state in which it was made."""
    earlier = [
        e for e in stream.entries.values() if e.version < entry.version and not e.is_voided
    ]
    _check_begun(kind, entry.statement, earlier, related.subject)
    return _accepted(kind, entry.statement, state_of(kind, earlier), related)


def _check_begun(
    kind: StreamKind[S], statement: Statement, earlier: Iterable[Entry], subject: str
) -> None:
    """A stream begins with one of its openers; a voided one does not count."""
    if not any(True for _entry in earlier) and not isinstance(statement.event, kind.openers):
        raise UnknownRecord(id=subject, kind=kind.label)


def _with_consequences(
    kind: StreamKind[S], stream: Stream[S], changed: Entry, event: Event, related: Related
) -> tuple[Statement, ...]:
    """The record-keeping event, and those corrections of later entries it entails."""
    now = Occurrence.at_instant(related.context.now)
    statements = [Statement(event, now)]
    entries = dict(stream.entries) | {changed.version: changed}
    for later in sorted(v for v in entries if v > changed.version):
        entry = entries[later]
        if entry.is_voided:
            continue
        try:
            after = _restated(kind, replace(stream, entries=entries), entry, related)
        except Refused as refusal:
            raise LaterRecordsDepend(
                later=later, label=entry.statement.event.label, because=str(refusal)
            ) from refusal
        if after != entry.statement:
            entries[later] = msgspec.structs.replace(entry, statement=after)
            consequence = EntryCorrected(
                entry=later, before=entry.statement, after=after,
                reason=f"随第 {changed.version} 条记录的改动更正",
                stated_in=StatedIn.of(entry),
            )
            statements.append(Statement(consequence, now))
    return tuple(statements)


# ---- the rules that hold for every statement ----

_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""A NUL as JSON writes it; a backslash that somebody typed is written as two."""


def _accepted(
    kind: StreamKind[S], statement: Statement, state: S, related: Related
) -> Statement:
    """A statement that keeps the common rules and those of its stream."""
    assert KIND_OF_TOPIC[statement.event.topic] is kind
    if kind.name != "station":
        related.state("station", related.context.station)  # refuses one that does not exist
    _check_occurrence(statement, related.context)
    refuse_identifying(related.subject)
    for _path, _mark, person in marked_values(statement.event, PERSON_MARK):
        refuse_identifying(person)
    if _NUL.search(msgspec.json.encode(statement.event)):
        raise UnreadableText
    for _path, name, got in marked_values(statement.event, CODE_LIST):
        check_code(name, got, statement.occurred.on)
    event = without_derived(statement.event)
    event = rewritten(event, COMMUNITY, _community_of(related))
    return statement.stating(kind.decide(statement.stating(event), state, related))


def without_derived(event: Event) -> Event:
    """The event as a person stated it, before a decision completed it."""
    derived = {name: None for name, marks in marks_of(type(event)).items() if DERIVED in marks}
    return msgspec.structs.replace(event, **derived) if derived else event


def _check_occurrence(statement: Statement, context: Context) -> None:
    occurred = statement.occurred
    if occurred.last_day < occurred.on:
        raise BadDateRange(on=occurred.on, until=occurred.until)
    if occurred.on < EARLIEST:
        raise DateTooEarly(got=occurred.on, earliest=EARLIEST)
    is_late_instant = occurred.at is not None and occurred.at > context.now
    if occurred.last_day > context.today or is_late_instant:
        raise DateInFuture(got=occurred.last_day, today=context.today)


def _community_of(related: Related) -> Callable[[str, str], str]:
    """Resolves the name or alias of a community of the station."""
    return lambda name, _mark: str(related.station.community(name))
