"""How are explanations given to programs? The same for the API and the command line."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from api.answers import local_time, stated
from api.explaining_questions import Posed
from api.identity import READ_CASES, may
from api.nouns import NOUNS
from api.report_data import plain_number, summed_data
from domain.kernel import EVENTS, KINDS, stream_kind, stream_subject
from projections.explaining import Answer, Explanation, Line, Reason, Term
from projections.explaining.reasons import term_said, value_said
from projections.figures import Evidence, divided
from projections.indicator_checks import aggregation_of
from projections.measures import MEASURES
from projections.postings import DIMENSIONS

Opened = Callable[[str, str], str]
"""Opens a sealed cause, given the stream that it was sealed for."""
Reads = Callable[[str], bool]
"""Whether who is asking reads the records of a kind."""
OF_RECORD: Final = (
    "record", "history", "proof", "id", "entry", "entity", "counts_as", "actor", "recorded_at",
    "is_late", "days_late", "is_imported",
)
"""What is said of a posting's record, and not of the figure: ``null`` for who reads none."""


def question_data(posed: Posed) -> dict[str, Any]:
    """Which question is answered: the same names as figures and reports give."""
    question, published = posed.question, posed.publication
    return {
        "station": question.station, "from": question.period.first.isoformat(),
        "to": question.period.last.isoformat(),
        **stated(posed.moment, posed.position),
        "indicator_set": question.indicators.code,
        "indicator_set_version": question.indicators.version,
        "published": published and {
            "period": published.period, "number": published.number,
            "short_code": published.short_code, "display": posed.printed,
        },
    }


def explanation_data(
    posed: Posed, found: Explanation, reads: Reads = lambda _kind: True
) -> dict[str, Any]:
    """A figure and what makes it."""
    aggregation = aggregation_of(found.question.row)
    return question_data(posed) | {
        "figure": summed_data(found.figure),
        "aggregation": aggregation and aggregation.value,
        "aggregation_label": aggregation.label if aggregation else "余数",
        "divide_by": found.question.row.divide_by,
        "terms": [_term(term) for term in found.terms],
        "without": _without(found),
        "parts": [
            summed_data(part) | {"sign": -1 if number else 1}
            for number, part in enumerate(found.parts)
        ],
        "months": [
            {"to": month.last.isoformat()} | summed_data(figure) for month, figure in found.months
        ],
        "postings": found.posting_count, "records": found.record_count,
        "durations": found.timed or None, "days": found.days if found.timed else None,
        "items": [line_data(line, reads) for line in found.lines],
    }


def _term(term: Term) -> dict[str, Any]:
    return {
        "measure": term.measure, "label": term_said(term), "unit": MEASURES[term.measure].unit,
        "filter": {name: list(values) for name, values in term.filter},
        "valid_from": term.since and term.since.isoformat(),
        "valid_until": term.until and term.until.isoformat(),
    }


def _without(found: Explanation) -> dict[str, Any] | None:
    without = found.question.row.without
    absent = found.question.sought.absent if without else None
    if without is None or absent is None:
        return None
    return _term(absent) | {"days": without.days}


def as_read(line: dict[str, Any], reads: Reads) -> dict[str, Any]:
    """A posting as somebody reads it: who reads no such records reads what the figure needs."""
    if reads(line["kind"]):
        return line
    return {name: None if name in OF_RECORD else value for name, value in line.items()}


def reads_records(kind: str) -> bool:
    """Whether the caller of a route reads the records of a kind."""
    noun = _plurals().get(kind, "")
    return may(READ_CASES, noun)


def line_data(line: Evidence, reads: Reads) -> dict[str, Any]:
    """A posting: which measure, how much, on which day, where, of whom; and the ways on."""
    kind = stream_kind(line.stream)
    return as_read(record_links(line.stream, line.position) | {
        "position": line.position, "number": line.number, "measure": line.measure,
        "measure_label": MEASURES[line.measure].label, "amount": line.amount,
        "effective_on": line.effective_on.isoformat(), "recorded_at": local_time(line.recorded_at),
        "actor": line.actor, "approximation": line.approximation, "entity": line.entity,
        "counts_as": line.counts_as or None, "kind": kind, "kind_label": KINDS[kind].label,
        "label": EVENTS[line.topic].label, "id": stream_subject(line.stream), "entry": line.entry,
        "is_late": line.is_late, "days_late": line.days_late, "is_imported": line.is_imported,
        "values": {name: getattr(line, name) for name in DIMENSIONS}, "told": told_values(line),
    }, reads)


def told_values(line: Evidence) -> str:
    """A posting's dimensions as people read them."""
    by = MEASURES[line.measure].by
    return "，".join(
        value_said(by[name], getattr(line, name)) for name in DIMENSIONS
        if name in by and name != "community" and getattr(line, name)
    )


@cache
def _plurals() -> dict[str, str]:
    return {noun.kind.name: noun.plural for noun in NOUNS}


def record_links(stream: str, position: int | None) -> dict[str, Any]:
    """Where the record, its history and its proof are read."""
    plural = _plurals().get(stream_kind(stream))
    record = f"/api/v1/{plural}/{stream_subject(stream)}" if plural else None
    return {
        "record": record, "history": record and f"{record}/audit",
        "proof": position and f"/api/v1/log/proofs/{position}",
    }


def answer_data(found: Answer, opened: Opened) -> dict[str, Any]:
    """Whether something is in a figure, and by what or why not."""
    about = found.about
    return {
        "kind": about.kind, "id": about.id, "entry": about.entry,
        "indicator": found.row.code, "label": found.row.label,
        "verdict": found.verdict.value, "verdict_label": found.verdict.label,
        "is_in": found.verdict.is_in,
        "amount": plain_number(divided(found.share, 1)),
        "lines": [_line(line) for line in found.lines],
        "reasons": [_reason(reason, opened) for reason in found.reasons],
        "parts": [
            {"label": label, "sign": sign} | answer_data(part, opened)
            for label, sign, part in found.parts
        ],
        "is_cut": found.is_cut,
    }


def _line(line: Line) -> dict[str, Any]:
    row = line.row
    return record_links(row.stream, row.position) | {
        "position": row.position, "kind": stream_kind(row.stream),
        "kind_label": KINDS[stream_kind(row.stream)].label, "id": stream_subject(row.stream),
        "label": EVENTS[row.topic].label,
        "entry": row.entry, "effective_on": row.effective_on.isoformat(),
        "recorded_at": local_time(row.recorded_at), "measure": row.term.measure,
        "amount": line.amount, "entity": row.entity, "counts_as": line.counts_as or None,
    }


def _reason(reason: Reason, opened: Opened) -> dict[str, Any]:
    stream, entry = reason.record or (None, None)
    links = record_links(stream, reason.position) if stream else {}
    return links | {
        "because": reason.because.value, "because_label": reason.because.label,
        "said": reason.said, "kind": reason.kind,
        "kind_label": KINDS[reason.kind].label if reason.kind else None, "id": reason.id,
        "entry": entry, "label": reason.label or None, "on": reason.on and reason.on.isoformat(),
        "position": reason.position,
        "recorded_at": reason.recorded_at and local_time(reason.recorded_at),
        "actor": reason.actor, "dimension": reason.dimension, "got": reason.got,
        "wanted": list(reason.wanted) or None,
        "cause": opened(reason.cause, stream) if reason.cause and stream else None,
    }
