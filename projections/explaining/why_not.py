"""Is somebody, or a record, in a figure? By what, or why not?

What is counted is told by the postings that meet the figure's own conditions; what is not,
by the conditions that its postings fail (``tested.py``) and by what its history says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import select

from domain.indicators import Indicator
from domain.vocabulary import Labelled
from projections.aliases import merge_of
from projections.explaining.one_record import named_by, reasons_of_record, what_posts
from projections.explaining.question import Question, is_mean
from projections.explaining.reasons import (
    Because,
    Reason,
    instant_said,
    of_posting,
    term_said,
)
from projections.explaining.sought_records import About
from projections.explaining.standing_units import covers, is_of_units
from projections.explaining.tested import Tested, by_record, net, tested, tested_seen
from projections.measures import MEASURES, TIMED, Kind
from projections.postings import postings
from projections.timeline import record_subjects, records

MOST_REASONS: Final = 30
"""How many records are told of; an answer about more says that it is cut."""
MOST_OUTSIDE: Final = 3
"""How many records are named that are only outside the period, the nearest first."""
MOST_OTHERS: Final = 10
"""How many records of the period are named that count elsewhere."""


class Verdict(Labelled):
    """Whether something is in a figure."""

    COUNTED = "counted", "在其中"
    COUNTED_AS = "counted_as_survivor", "在其中，按合并后的一个计"
    COUNTED_ALREADY = "counted_already", "另一条记录已使其计入，只计一次"
    NOT_COUNTED = "not_counted", "不在其中"

    @property
    def is_in(self) -> bool:
        """Whether the figure has it."""
        return self is not Verdict.NOT_COUNTED


@dataclass(frozen=True, slots=True)
class Line:
    """What a record adds to a figure: the posting that stands, and as whom it counts."""

    row: Tested
    amount: int
    counts_as: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether something is in a figure, by which records, or why not.

    ``amount`` is what it adds, in the measure's unit; an entity that is counted adds 1.
    ``parts`` are the figures that a remainder is the difference of, or the ends of the months
    of a mean, each with its name and sign.
    """

    about: About
    row: Indicator
    verdict: Verdict
    amount: int
    lines: tuple[Line, ...] = ()
    reasons: tuple[Reason, ...] = ()
    parts: tuple[tuple[str, int, Answer], ...] = ()
    is_cut: bool = False


def why_not(question: Question, about: About) -> Answer:
    """Whether somebody or a record is in a figure, and why (not)."""
    if question.row.remainder_of is not None:
        return _of_remainder(question, about)
    if is_mean(question.row):
        return _of_mean(question, about)
    if question.row.without is not None:
        return _of_absence(question, about)
    if not question.counts_entities:
        return _of_sum(question, about)
    if about.is_record:
        return _of_record(question, about)
    is_entity = about.kind == question.entities
    return _of_entity(question, about) if is_entity else _of_sum(question, about)


# ---- figures made of figures ----


def _of_remainder(question: Question, about: About) -> Answer:
    """A remainder is a difference of figures: what each of them has of it is subtracted."""
    row = question.row
    assert row.remainder_of is not None
    parts = [
        (part.row.label, sign, why_not(part, about))
        for code, sign in ((row.remainder_of, 1), *((code, -1) for code in row.minus))
        if (part := question.about(code))
    ]
    amount = sum(sign * answer.amount for _label, sign, answer in parts)
    verdict = Verdict.COUNTED if amount else Verdict.NOT_COUNTED
    return Answer(about, row, verdict, amount, parts=tuple(parts))


def _of_mean(question: Question, about: About) -> Answer:
    """A mean has of somebody what stood at the ends of the months."""
    parts = [
        (f"{month.period.first:%Y-%m}", 1, why_not(month, about))
        for month in question.month_ends()
    ]
    amount = sum(answer.amount for _label, _sign, answer in parts)
    verdict = Verdict.COUNTED if amount else Verdict.NOT_COUNTED
    return Answer(about, question.row, verdict, amount, parts=tuple(parts))


# ---- each entity once ----


def _of_entity(question: Question, about: About) -> Answer:
    """A distinct count has whoever's postings, and those of all merged with it, add up to more
    than nothing.
    """
    rows = tested(question, postings.c.entity.in_(about.family))
    merged = _merges(question, about)
    lines = _lines(question, rows)
    if sum(row.amount for row in rows if row.is_counted) > 0:
        verdict = Verdict.COUNTED_AS if merged else Verdict.COUNTED
        return Answer(about, question.row, verdict, 1, lines, tuple(merged))
    return _not_counted(question, about, rows, merged)


def _of_record(question: Question, about: About) -> Answer:
    """A record counts an entity unless another has counted it before."""
    rows = tested(question, about.postings_of())
    counted = {entity for (entity, _a), amount in net(_counted(rows)).items() if amount > 0}
    if not counted:
        return _not_counted(question, about, rows, [])
    earlier: list[Reason] = []
    for entity in sorted(counted):
        found = replace(about, kind=question.entities, id=entity, stream=None,
                        family=question.merged.family(question.entities, entity))
        family = tested(question, postings.c.entity.in_(found.family))
        first = next(iter(_lines(question, family)))
        earlier += _merges(question, found)
        if first.row.stream != about.stream or about.entry not in {None, first.row.entry}:
            earlier.append(_counted_already(first))
    is_first = sum(reason.because is Because.COUNTED_ALREADY for reason in earlier) < len(counted)
    verdict = Verdict.COUNTED if is_first else Verdict.COUNTED_ALREADY
    return Answer(
        about, question.row, verdict, len(counted), _lines(question, rows), tuple(earlier)
    )


def _counted_already(first: Line) -> Reason:
    said = f"{first.counts_as} 已由 {first.row.label}（{first.row.effective_on}）计入"
    return of_posting(Because.COUNTED_ALREADY, said, first.row)


def _merges(question: Question, about: About) -> list[Reason]:
    """The merges by which somebody counts as somebody else, one step after the other."""
    found: list[Reason] = []
    subject, seen = about.id, set[str]()
    while subject not in seen:
        seen.add(subject)
        change = merge_of(
            question.connection, question.station, about.kind, subject, question.known_at
        )
        if change is None:
            break
        history = question.history(change.stream)
        proposed = next(event for event in history if event.version == change.entry)
        found.append(Reason(
            Because.MERGED,
            f"{about.label} {change.alias} 已于 {instant_said(change.recorded_at)} 并入 "
            f"{change.survivor}，两份只计一次，计在 {change.survivor} 名下",
            (change.stream, change.entry), "合并",
            proposed.occurred.on, change.position, change.recorded_at, change.actor,
            getattr(proposed.event, "reason", None),
        ))
        subject = change.survivor
    return found


def _of_absence(question: Question, about: About) -> Answer:
    """Whoever is on file and had no contact for so many days; a record is asked for its entity."""
    if about.is_record or about.kind != question.entities:
        return _of_absent_named(question, about)
    where = postings.c.entity.in_(about.family)
    on_file, seen = tested(question, where), tested_seen(question, where)
    merged = _merges(question, about)
    met = _lines(question, seen)
    is_met = sum(row.amount for row in seen if row.is_counted) > 0
    if sum(row.amount for row in on_file if row.is_counted) <= 0:
        return _not_counted(question, about, on_file, merged)
    if not is_met:
        verdict = Verdict.COUNTED_AS if merged else Verdict.COUNTED
        lines = _lines(question, on_file)
        return Answer(about, question.row, verdict, 1, lines, tuple(merged))
    reasons = [*merged, *(_in_contact(question, line) for line in reversed(met[-MOST_REASONS:]))]
    return Answer(
        about, question.row, Verdict.NOT_COUNTED, 0, (), tuple(reasons),
        is_cut=len(met) > MOST_REASONS,
    )


def _in_contact(question: Question, line: Line) -> Reason:
    said = f"{line.row.effective_on} 有“{term_said(line.row.term)}”：{line.row.label}"
    without = question.row.without
    assert without is not None
    return of_posting(Because.IN_CONTACT, f"{said}，在最近 {without.days} 天内", line.row)


def _of_absent_named(question: Question, about: About) -> Answer:
    """The entities that somebody else's records, or a record, are about."""
    where = about.postings_of()
    rows = [*tested(question, where), *tested_seen(question, where)]
    named = sorted({row.entity for row in rows if row.entity})
    kind = question.entities
    answers = [
        _of_absence(question, About(kind, entity, question.merged.family(kind, entity)))
        for entity in named[:MOST_REASONS]
    ]
    if not answers:
        return _not_counted(question, about, rows, [])
    if len(answers) == 1:
        return replace(answers[0], about=about)
    amount = sum(answer.amount for answer in answers)
    verdict = Verdict.COUNTED if amount else Verdict.NOT_COUNTED
    parts = tuple((answer.about.id, 1, answer) for answer in answers)
    return Answer(about, question.row, verdict, amount, parts=parts)


# ---- sums ----


def _of_sum(question: Question, about: About) -> Answer:
    """A sum has of somebody what the records add up to that name him or her."""
    rows, gone = _own(question, about)
    totals = net(replace(row, entity="") for row in _counted(rows))
    is_covered = about.kind != "person" or not is_of_units(question) or covers(
        question, about.family, rows
    )
    if not (totals and is_covered):
        return _not_counted(question, about, rows, [*_ended(rows), *gone])
    amount = sum(n for (_entity, approximation), n in totals.items() if approximation != TIMED)
    return Answer(
        about, question.row, Verdict.COUNTED, amount, _lines(question, rows), tuple(gone)
    )


def _is_stock(question: Question) -> bool:
    measure = question.row.measure
    return measure is not None and MEASURES[measure].kind is Kind.STOCK


def _own(question: Question, about: About) -> tuple[list[Tested], list[Reason]]:
    """The postings of the records that name somebody; and of those that did, why no more.

    A stock is what all records of a stream add up to: what ends something names nobody.
    """
    rows = tested(question, about.postings_of())
    if _is_stock(question):
        streams = sorted({row.stream for row in rows})
        return tested(question, postings.c.stream.in_(streams)), []
    if about.is_record:
        return rows, []
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
        row for _record, found in by_record(_counted(rows)).items()
        if any(amount < 0 for amount in net(found).values()) for row in found if row.amount < 0
    ]
    return [
        of_posting(
            Because.ENDED,
            f"{row.effective_on} 起由 {row.label}减去 {-row.amount}", row,
        )
        for row in lines[-MOST_REASONS:]
    ]


# ---- what is in it, and what is not ----


def _counted(rows: Iterable[Tested]) -> list[Tested]:
    return [row for row in rows if row.is_counted]


def _lines(question: Question, rows: Sequence[Tested]) -> tuple[Line, ...]:
    """What each record adds that the figure counts, in the order of recording.

    A duration is one line, also where it took no day.
    """
    found = []
    for of_record in by_record(_counted(rows)).values():
        amounts = net(of_record)
        for (entity, approximation), amount in amounts.items():
            if approximation == TIMED:
                amount = amounts.get((entity, ""), 0)  # noqa: PLW2901 - its days, not the mark
            elif (entity, TIMED) in amounts:
                continue
            row = [r for r in of_record if (r.entity, r.approximation) == (entity, approximation)]
            root = question.merged.root(question.entities, entity) if entity else ""
            found.append(Line(row[-1], amount, root))
    return tuple(found)


def _not_counted(
    question: Question, about: About, rows: Sequence[Tested], first: Sequence[Reason]
) -> Answer:
    """Why nothing of somebody, or of a record, is in the figure: what came nearest first."""
    told = [
        (record, reasons) for record, found in by_record(rows).items()
        if (reasons := reasons_of_record(question, record, found))
    ]
    others = _others(question, about, {record for record, _found in by_record(rows).items()})
    told += [(record, reasons_of_record(question, record, ())) for record in others]
    told.sort(key=lambda one: _distance(question, one[1]))
    told = _without_the_far(told)
    reasons = [reason for _record, found in told[:MOST_REASONS] for reason in found]
    if not rows and not about.is_record:
        counted = "、".join(term_said(term) for term in question.sought.terms)
        posts = what_posts(question)
        said = f"{about.label} {about.id} 没有计入“{counted}”的记录；计入的有：{posts}"
        reasons.insert(0, Reason(Because.NO_RECORD, said))
    return Answer(
        about, question.row, Verdict.NOT_COUNTED, 0, (), (*first, *reasons),
        is_cut=len(told) > MOST_REASONS,
    )


def _without_the_far(
    told: list[tuple[tuple[str, int], list[Reason]]],
) -> list[tuple[tuple[str, int], list[Reason]]]:
    """Of the records of which nothing is to be said but their day, only the nearest."""
    far = [one for one in told if {r.because for r in one[1]} == {Because.OUTSIDE_PERIOD}]
    return [one for one in told if one not in far[MOST_OUTSIDE:]]


def _distance(question: Question, reasons: Sequence[Reason]) -> tuple[bool, int, int]:
    """How near a record came to being counted: of a kind that counts, near days, few reasons."""
    kinds = {Because.OTHER_MEASURE, Because.POSTS_NOTHING}
    on, cut = reasons[0].on, question.cut
    days = max((cut.first - on).days, (on - cut.last).days, 0) if on else 0
    return reasons[0].because in kinds, days, len(reasons)


def _others(
    question: Question, about: About, told: set[tuple[str, int]]
) -> list[tuple[str, int]]:
    """The records of the period that post nothing to the figure, the newest first."""
    own = about.records_of(question.station).subquery()
    query = (
        select(records.c.stream, records.c.entry)
        .join(own, (own.c.stream == records.c.stream) & (own.c.entry == records.c.entry))
        .order_by(records.c.occurred_on.desc(), records.c.position.desc())
        .distinct()
        .limit(MOST_OTHERS + len(told))
    )
    if not about.is_record:
        cut = question.cut
        query = query.where(records.c.occurred_on.between(cut.first, cut.last))
    query = query.add_columns(records.c.occurred_on, records.c.position)
    found = [(row.stream, row.entry) for row in question.connection.execute(query)]
    return [record for record in found if record not in told][:MOST_OTHERS]
