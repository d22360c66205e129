"""Is somebody, or a record, in a figure? By what, or why not?

What is counted is told by the postings that meet the figure's own conditions; what is not,
by the conditions that its postings fail (``tested.py``) and by what its history says.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from projections.aliases import merge_of
from projections.explaining.answers import (
    MOST_REASONS,
    Answer,
    Line,
    Verdict,
    counted,
    lines_of,
    not_counted,
)
from projections.explaining.question import Question, is_mean
from projections.explaining.reasons import Because, Reason, instant_said, of_posting, term_said
from projections.explaining.sought_records import About
from projections.explaining.sums import as_roots, of_sum
from projections.explaining.tested import net, tested, tested_seen
from projections.postings import postings


def why_not(question: Question, about: About) -> Answer:
    """Whether somebody or a record is in a figure, and why (not)."""
    if question.row.remainder_of is not None:
        return _of_remainder(question, about)
    if is_mean(question.row):
        return _of_mean(question, about)
    if question.row.without is not None:
        return _of_absence(question, about)
    if not question.counts_entities:
        return of_sum(question, about)
    if about.is_record:
        return _of_record(question, about)
    is_entity = about.kind == question.entities
    return _of_entity(question, about) if is_entity else of_sum(question, about)


# ---- figures made of figures ----


def _of_remainder(question: Question, about: About) -> Answer:
    """A remainder is a difference of figures: what each of them has of it is subtracted.

    Where the total has counted it by another record, and no listed part has it, so has the
    remainder.
    """
    row = question.row
    assert row.remainder_of is not None
    parts = [
        (part.row.label, sign, why_not(part, about))
        for code, sign in ((row.remainder_of, 1), *((code, -1) for code in row.minus))
        if (part := question.about(code))
    ]
    amount = sum((sign * answer.share for _label, sign, answer in parts), Fraction())
    total, *others = [answer.verdict for _label, _sign, answer in parts]
    verdict = Verdict.COUNTED if amount else Verdict.NOT_COUNTED
    if not amount and total is Verdict.COUNTED_ALREADY and not any(v.is_in for v in others):
        verdict = Verdict.COUNTED_ALREADY
    return Answer(about, row, verdict, amount, parts=tuple(parts))


def _of_mean(question: Question, about: About) -> Answer:
    """A mean has of somebody what stood at the ends of the months."""
    parts = [
        (f"{month.period.first:%Y-%m}", 1, why_not(month, about))
        for month in question.month_ends()
    ]
    every = sum((Fraction(answer.amount) for _label, _sign, answer in parts), Fraction())
    verdict = Verdict.COUNTED if every else Verdict.NOT_COUNTED
    amount = every / max(len(parts), 1)
    return Answer(about, question.row, verdict, amount, parts=tuple(parts))


# ---- each entity once ----


def _of_entity(question: Question, about: About) -> Answer:
    """A distinct count has whoever's postings, and those of all merged with it, add up to more
    than nothing.
    """
    rows = tested(question, postings.c.entity.in_(about.family))
    merged = _merges(question, about)
    lines = lines_of(question, rows)
    if sum(row.amount for row in rows if row.is_counted) > 0:
        verdict = Verdict.COUNTED_AS if merged else Verdict.COUNTED
        return Answer(about, question.row, verdict, 1, lines, tuple(merged))
    return not_counted(question, about, rows, merged)


def _of_record(question: Question, about: About) -> Answer:
    """A record counts an entity unless another has counted it before."""
    rows = tested(question, about.postings_of())
    entities = {entity for (entity, _a), amount in net(counted(rows)).items() if amount > 0}
    if not entities:
        return not_counted(question, about, rows, [])
    earlier: list[Reason] = []
    already: set[str] = set()
    for entity in sorted(entities):
        found = replace(about, kind=question.entities, id=entity, stream=None,
                        family=question.merged.family(question.entities, entity))
        family = tested(question, postings.c.entity.in_(found.family))
        first = next(iter(lines_of(question, family)))
        earlier += _merges(question, found)
        if first.row.stream != about.stream or about.entry not in {None, first.row.entry}:
            already.add(first.counts_as)
            earlier.append(_counted_already(first))
    amount = len(as_roots(question, entities) - already)
    verdict = Verdict.COUNTED if amount else Verdict.COUNTED_ALREADY
    return Answer(
        about, question.row, verdict, amount, lines_of(question, rows), tuple(earlier)
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
    met = lines_of(question, seen)
    is_met = sum(row.amount for row in seen if row.is_counted) > 0
    if sum(row.amount for row in on_file if row.is_counted) <= 0:
        return not_counted(question, about, on_file, merged)
    if not is_met:
        verdict = Verdict.COUNTED_AS if merged else Verdict.COUNTED
        lines = lines_of(question, on_file)
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
    kind = question.entities
    each = {question.merged.root(kind, row.entity): row.entity for row in rows if row.entity}
    named = sorted(each.values())
    answers = [
        _of_absence(question, About(kind, entity, question.merged.family(kind, entity)))
        for entity in named
    ]
    if not answers:
        return not_counted(question, about, rows, [])
    if len(answers) == 1:
        return replace(answers[0], about=about)
    amount = sum(answer.amount for answer in answers)
    verdict = Verdict.COUNTED if amount else Verdict.NOT_COUNTED
    parts = tuple((answer.about.id, 1, answer) for answer in answers[:MOST_REASONS])
    return Answer(
        about, question.row, verdict, amount, parts=parts, is_cut=len(parts) < len(answers)
    )
