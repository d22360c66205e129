"""What of somebody, or of a record, is in a sum, a stock or an average?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import select

from domain.indicators import Aggregation
from projections.explaining.answers import (
    Answer,
    Verdict,
    counted,
    lines_of,
    not_counted,
)
from projections.explaining.one_record import named_by
from projections.explaining.question import Question
from projections.explaining.reasons import Because, Reason, of_posting
from projections.explaining.sought_records import About
from projections.explaining.standing_units import covers, is_of_units
from projections.explaining.tested import Tested, by_record, net, tested
from projections.indicator_checks import aggregation_of
from projections.measures import MEASURES, TIMED, Kind
from projections.postings import postings
from projections.timeline import record_subjects, records


def of_sum(question: Question, about: About) -> Answer:
    """A sum has of somebody what the records add up to that name him or her."""
    rows, gone = _own(question, about)
    totals = net(replace(row, entity="") for row in counted(rows))
    is_covered = about.kind != "person" or not is_of_units(question) or covers(
        question, about.family, rows
    )
    if not (totals and is_covered):
        return not_counted(question, about, rows, [*_ended(rows), *gone])
    if about.is_record and (taken := _taken_back(question, rows)):
        return not_counted(question, about, rows, taken)
    amount, lines = _amount(question, rows), lines_of(question, rows)
    if question.counts_entities and not amount:
        return not_counted(question, about, rows, [*_ended(rows), *gone])
    return Answer(about, question.row, Verdict.COUNTED, amount, lines, tuple(gone))


def _amount(question: Question, rows: Sequence[Tested]) -> int:
    """What records add: each entity once where that is counted, or themselves, or amounts."""
    own, is_times = counted(rows), aggregation_of(question.row) is Aggregation.COUNT
    if question.counts_entities:
        return len(as_roots(question, (one for (one, _a), n in net(own).items() if n > 0)))
    if is_times and not _is_of(question, Kind.DURATION):
        return sum((row.amount > 0) - (row.amount < 0) for row in own)
    return sum(row.amount for row in own if (row.approximation == TIMED) == is_times)


def as_roots(question: Question, entities: Iterable[str]) -> set[str]:
    """What some count as: those that are merged once."""
    return {question.merged.root(question.entities, entity) for entity in entities}


def _is_of(question: Question, kind: Kind) -> bool:
    measure = question.row.measure
    return measure is not None and MEASURES[measure].kind is kind


def _own(question: Question, about: About) -> tuple[list[Tested], list[Reason]]:
    """The postings of the records that name somebody; and of those that did, why no more.

    A stock is what all records of a stream add up to: what ends something names nobody.
    """
    rows = tested(question, about.postings_of())
    if about.is_record:
        return rows, []
    if _is_of(question, Kind.STOCK):
        return _of_streams(question, rows), []
    doubtful = _doubtful(question, about)
    own: list[Tested] = []
    gone: list[Reason] = []
    for record, found in by_record(rows).items():
        names = named_by(question, record) if record in doubtful else set(about.subjects)
        if names.isdisjoint(about.subjects) and names:
            said = f"{found[-1].label}现已不再提到 {about.label} {about.id}"
            gone.append(of_posting(Because.NAMES_ANOTHER, said, found[-1]))
        else:
            own += found
    return own, gone


def _of_streams(question: Question, rows: Sequence[Tested]) -> list[Tested]:
    """The postings of the whole streams of some."""
    streams = sorted({row.stream for row in rows})
    return tested(question, postings.c.stream.in_(streams))


def _taken_back(question: Question, rows: Sequence[Tested]) -> list[Reason]:
    """What later took away again all that a record adds to a stock."""
    is_taking = any(amount < 0 for amount in net(counted(rows)).values())
    if is_taking or not _is_of(question, Kind.STOCK):
        return []
    added = [row.values for row in counted(rows)]
    alike = [row for row in _of_streams(question, rows) if row.values in added]
    return [] if net(counted(alike)) else _ended(alike)


def _doubtful(question: Question, about: About) -> set[tuple[str, int]]:
    """Records that name somebody now or did before: those that were corrected."""
    query = (
        select(records.c.stream, records.c.entry)
        .join(
            record_subjects,
            (record_subjects.c.stream == records.c.stream)
            & (record_subjects.c.entry == records.c.entry),
        )
        .where(
            record_subjects.c.station == question.station,
            record_subjects.c.subject.in_(about.subjects), records.c.corrected_times > 0,
        )
    )
    return {(stream, entry) for stream, entry in question.connection.execute(query)}


def _ended(rows: Sequence[Tested]) -> list[Reason]:
    """What took away what was counted: the records that stand with less than nothing."""
    lines = [
        row for _record, found in by_record(counted(rows)).items()
        if any(amount < 0 for amount in net(found).values()) for row in found if row.amount < 0
    ]
    return [
        of_posting(
            Because.ENDED,
            f"{row.effective_on} 起由 {row.label}减去 {-row.amount}", row,
        )
        for row in lines
    ]
