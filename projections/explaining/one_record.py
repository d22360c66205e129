"""Is a record in a figure, and if not, what became of it?

A record is in the figure where what it posts meets every condition and is not taken back.
Where it is not, its history says what happened: not recorded yet at that moment, voided,
corrected to something that does not count, or never of a kind that counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from domain.code_lists import code_list
from domain.field_labels import field_label
from domain.fields import CODE_LIST, marks_of
from domain.kernel import EVENTS, KINDS, Recorded, Statement, stream_kind
from domain.record_keeping import (
    EntryCorrected,
    EntryVoided,
    RecordKeeping,
    fold,
)
from projections.explaining.question import Question
from projections.explaining.reasons import (
    Because,
    Reason,
    instant_said,
    of_condition,
    of_event,
    term_said,
)
from projections.explaining.tested import Tested, net, record_said, standing
from projections.measures import POSTS
from projections.moments import known
from projections.naming import inherits, subjects


def reasons_of_record(
    question: Question, record: tuple[str, int], rows: Sequence[Tested]
) -> list[Reason]:
    """Why a record, of which ``rows`` are the postings, is not in the figure."""
    history = question.history(record[0])
    own = [event for event in history if _entry_of(event) == record[1]]
    if not own:
        return []
    told = {event.position for event in known(history, question.known_at)}
    heard = [event for event in own if event.position in told]
    if not heard:
        return [_not_known_yet(own[0], record), *_as_it_would(question, rows)]
    if not rows:
        return [_never_posts(question, own[0], record)]
    return list(_as_known(question, record, [row for row in rows if row.is_known], heard))


def _entry_of(event: Recorded) -> int:
    return event.event.entry if isinstance(event.event, RecordKeeping) else event.version


def _not_known_yet(first: Recorded, record: tuple[str, int]) -> Reason:
    at = instant_said(first.envelope.recorded_at)
    named = record_said(first.event.topic, record[1])
    said = f"{named}到 {at}（台账位置 {first.position}）才录入，晚于所问的时刻"
    return of_event(Because.NOT_KNOWN_YET, said, first, record)


def _as_it_would(question: Question, rows: Sequence[Tested]) -> Iterator[Reason]:
    """What besides its late recording keeps a record out of the figure."""
    for row in standing(rows):
        yield from _of_conditions(question, row)


def _as_known(
    question: Question, record: tuple[str, int], rows: Sequence[Tested], heard: Sequence[Recorded]
) -> Iterator[Reason]:
    """Why what a record posts, as known, is not counted."""
    left = [row for row in standing(rows) if row.amount > 0] or standing(rows)
    last = heard[-1]
    if not left and isinstance(last.event, EntryVoided):
        named, at = record_said(heard[0].event.topic, record[1]), last.envelope.recorded_at
        said = f"{named}已于 {instant_said(at)} 作废"
        yield of_event(Because.VOIDED, said, last, record)
        return
    was_counted = any(row.is_counted and row.amount > 0 for row in rows)
    if was_counted or not left:
        yield from _corrected(record, heard)
    for row in left:
        yield from _of_conditions(question, row)
    if not rows:
        yield _never_posts(question, heard[0], record)


def _corrected(record: tuple[str, int], heard: Sequence[Recorded]) -> Iterator[Reason]:
    """The newest correction: before it the record was counted."""
    for event in reversed(heard):
        if isinstance(event.event, EntryCorrected):
            named, at = record_said(heard[0].event.topic, record[1]), event.envelope.recorded_at
            said = f"{named}已于 {instant_said(at)} 更正，更正后的内容不再计入"
            yield of_event(Because.CORRECTED, said, event, record)
            return


def _of_conditions(question: Question, row: Tested) -> Iterator[Reason]:
    for name in row.failed:
        if name != "known":
            yield of_condition(row, name, question.values)


def _never_posts(question: Question, first: Recorded, record: tuple[str, int]) -> Reason:
    """A record that posts nothing to the figure, though its kind might, or never does."""
    wanted = {term.measure for term in question.sought.terms}
    topic = first.event.topic
    counted = "、".join(dict.fromkeys(term_said(term) for term in question.sought.terms))
    if any(measure.code in wanted for measure, _post in POSTS.get(topic, ())):
        named = record_said(topic, record[1])
        said = f"{named}没有可计入“{counted}”的数量：{_says(first.statement)}"
        return of_event(Because.POSTS_NOTHING, said, first, record)
    elsewhere = "、".join(dict.fromkeys(m.label for m, _post in POSTS.get(topic, ())))
    where = f"只计入：{elsewhere}" if elsewhere else "不计入任何数字"
    said = f"{record_said(topic, record[1])}：这类记录从不计入“{counted}”，{where}"
    return of_event(Because.OTHER_MEASURE, said, first, record)


def _says(statement: Statement) -> str:
    """What a record says that may have kept it out: its day, codes and numbers, nobody's name."""
    event, told = statement.event, [str(statement.occurred.on)]
    for name, marks in marks_of(type(event)).items():
        value = getattr(event, name)
        if CODE_LIST in marks and isinstance(value, str):
            code = code_list(marks[CODE_LIST]).get(value)
            told.append(f"{field_label(type(event), name)} {code.label if code else value}")
        elif type(value) is int and not marks:
            told.append(f"{field_label(type(event), name)} {value}")
    return "，".join(told)


def what_posts(question: Question) -> str:
    """What people read for the records that the figure counts."""
    wanted = {term.measure for term in question.sought.terms}
    labels = [
        EVENTS[topic].label for topic, posts in POSTS.items()
        if any(measure.code in wanted for measure, _post in posts)
    ]
    return "、".join(dict.fromkeys(labels))


def named_by(question: Question, record: tuple[str, int]) -> set[str]:
    """Whom a record names, as known at the moment: ``household:…``."""
    stream, entry = record
    history = known(question.history(stream), question.known_at)
    folded = fold(KINDS[stream_kind(stream)], None, history)
    if folded is None or entry not in folded.entries:
        return set()
    opening = folded.opening if inherits(stream_kind(stream)) else None
    return subjects(stream, folded.entries[entry].statement.event, opening)


def counted_amounts(rows: Sequence[Tested]) -> dict[tuple[str, str], int]:
    """What of a record is in the figure, by entity and approximation."""
    return net(row for row in rows if row.is_counted)
