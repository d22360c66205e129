"""What makes a figure: its postings, or the figures that it is the difference or mean of?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import func, select

from projections.aliases import roots
from projections.counting import Term, conditions
from projections.explaining.question import Question, is_mean
from projections.figures import EVIDENCE_LIMIT, Evidence, Figure, evidence, figures
from projections.indicators import alone
from projections.measures import TIMED
from projections.periods import Period
from projections.postings import postings


@dataclass(frozen=True, slots=True)
class Explanation:
    """A figure and what it is made of.

    ``lines`` is a page of its postings, of which there are ``posting_count`` about
    ``record_count`` records; ``parts`` are the figures of a remainder, the total first;
    ``months`` the ends of months of a mean; ``timed`` how many durations an average is of,
    and ``days`` their sum; ``terms`` what is counted, and in which days each version.
    """

    question: Question
    figure: Figure
    terms: tuple[Term, ...] = ()
    lines: Sequence[Evidence] = ()
    posting_count: int = 0
    record_count: int = 0
    days: int = 0
    timed: int = 0
    parts: tuple[Figure, ...] = ()
    months: tuple[tuple[Period, Figure], ...] = ()

    def showing(self, lines: Sequence[Evidence]) -> Explanation:
        """The same with other lines: a page of them."""
        return replace(self, lines=lines)


def explained(
    question: Question, *, after: tuple[int, int] | None = None, limit: int = EVIDENCE_LIMIT
) -> Explanation:
    """A figure with a page of its postings, those after one of them."""
    row = question.row
    every = {figure.indicator.code: figure for figure in question.figures()}
    found = Explanation(question, every[row.code])
    if row.remainder_of is not None:
        codes = (row.remainder_of, *row.minus)
        return replace(found, parts=tuple(every[code] for code in codes))
    if is_mean(row):
        ends = ((month.period, _only_figure(month)) for month in question.month_ends())
        found = replace(found, months=tuple(ends))
    lines = evidence(
        question.connection, question.station, row, question.period, as_of=question.as_of,
        known_at=question.known_at, after=after or 0, limit=limit,
        indicators=question.indicators,
    )
    return _summed(replace(found, terms=question.sought.terms, lines=lines))


def _only_figure(question: Question) -> Figure:
    [figure] = figures(
        question.connection, question.station, alone(question.row), question.period,
        known_at=question.known_at,
    )
    return figure


def _summed(found: Explanation) -> Explanation:
    """How many postings and records there are, and what an average is of."""
    question = found.question
    is_merged = bool(question.merged.into)
    where = conditions(
        postings, question.sought, question.moment, roots(question.moment) if is_merged else None
    )
    of_records = (
        select(
            postings.c.approximation, func.count().label("postings"),
            func.sum(postings.c.amount).label("amount"),
        )
        .where(*where).group_by(postings.c.stream, postings.c.entry, postings.c.approximation)
        .subquery()
    )
    query = select(
        of_records.c.approximation, func.sum(of_records.c.postings), func.count(),
        func.sum(of_records.c.amount),
    ).group_by(of_records.c.approximation)
    rows = [
        (approximation, int(count), int(of), int(amount)) for approximation, count, of, amount
        in question.connection.execute(query, question.values)
    ]
    timed = sum(amount for approximation, _c, _of, amount in rows if approximation == TIMED)
    shown = [row for row in rows if row[0] != TIMED]
    return replace(
        found, posting_count=sum(row[1] for row in shown),
        record_count=sum(row[2] for row in shown),
        days=sum(row[3] for row in shown), timed=timed,
    )
