"""What is the answer, once it is known which postings count: by which records, or why not?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

from sqlalchemy import select

from domain.indicators import Indicator
from domain.vocabulary import Labelled
from projections.explaining.one_record import reasons_of_record, what_posts
from projections.explaining.question import Question
from projections.explaining.reasons import Because, Reason, term_said
from projections.explaining.sought_records import About
from projections.explaining.tested import Tested, by_record, net
from projections.measures import TIMED
from projections.timeline import records

MOST_REASONS: Final = 30
"""How many records are told of; an answer about more says that it is cut."""
MOST_OUTSIDE: Final = 3
"""How many records are named that are only outside the period, the nearest first."""
FAR: Final = {Because.POSTS_NOTHING: 1, Because.OTHER_MEASURE: 2}
"""Reasons of records further from being counted: of the kind with no amount, of other kinds."""
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

    ``amount`` is what it adds, in the measure's unit; an entity that is counted adds 1, by the
    first record that counts it. To a mean of months it adds the mean of what it adds to each.
    ``parts`` are the figures that a remainder is the difference of, or the ends of the months
    of a mean, each with its name and sign.
    """

    about: About
    row: Indicator
    verdict: Verdict
    amount: int | Fraction
    lines: tuple[Line, ...] = ()
    reasons: tuple[Reason, ...] = ()
    parts: tuple[tuple[str, int, Answer], ...] = ()
    is_cut: bool = False

    @property
    def share(self) -> Fraction:
        """What it adds to the figure, in the figure's unit and not rounded."""
        is_divided = self.row.measure is not None  # a remainder is of figures divided already
        return Fraction(self.amount) / (self.row.divide_by if is_divided else 1)


def counted(rows: Iterable[Tested]) -> list[Tested]:
    """The postings that the figure counts."""
    return [row for row in rows if row.is_counted]


def lines_of(question: Question, rows: Sequence[Tested]) -> tuple[Line, ...]:
    """What each record adds that the figure counts, in the order of recording.

    A duration is one line, also where it took no day.
    """
    found = []
    for of_record in by_record(counted(rows)).values():
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


def not_counted(
    question: Question, about: About, rows: Sequence[Tested], first: Sequence[Reason]
) -> Answer:
    """Why nothing of somebody, or of a record, is in the figure: what came nearest first."""
    told = [
        (record, reasons) for record, found in by_record(rows).items()
        if (reasons := reasons_of_record(question, record, found))
    ]
    others = _others(question, about, set(by_record(rows)))
    told += [(record, reasons_of_record(question, record, ())) for record in others[:MOST_OTHERS]]
    told.sort(key=lambda one: _distance(question, one[1]))
    near = _without_the_far(told)
    shown = sorted(near[:MOST_REASONS], key=lambda one: _as_read(question, one[1]))
    reasons = [reason for _record, found in shown for reason in found]
    if not rows and not about.is_record:
        said_of = "、".join(term_said(term) for term in question.sought.terms)
        posts = what_posts(question)
        said = f"{about.label} {about.id} 没有一条记录计入“{said_of}”；能计入的记录有：{posts}"
        reasons.insert(0, Reason(Because.NO_RECORD, said))
    return Answer(
        about, question.row, Verdict.NOT_COUNTED, 0, (), (*first[-MOST_REASONS:], *reasons),
        is_cut=max(len(near), len(first)) > MOST_REASONS or len(near) < len(told)
        or len(others) > MOST_OTHERS,
    )


def _without_the_far(
    told: list[tuple[tuple[str, int], list[Reason]]],
) -> list[tuple[tuple[str, int], list[Reason]]]:
    """Of the records of which nothing is to be said but their day or kind, only the nearest."""
    left = list(told)
    for because in (Because.OUTSIDE_PERIOD, Because.OTHER_MEASURE):
        far = [one for one in told if {r.because for r in one[1]} == {because}]
        left = [one for one in left if one not in far[MOST_OUTSIDE:]]
    return left


def _distance(question: Question, reasons: Sequence[Reason]) -> tuple[int, int, date, int]:
    """How near a record came to being counted: of a kind that counts, near days, by day."""
    on, cut = reasons[0].on, question.cut
    days = max((cut.first - on).days, (on - cut.last).days, 0) if on else 0
    return FAR.get(reasons[0].because, 0), days, on or date.min, reasons[0].position or 0


def _as_read(question: Question, reasons: Sequence[Reason]) -> tuple[int, bool, date, int]:
    """In which order they are told: what counts, in the period, then outside it, each by day."""
    far, days, on, position = _distance(question, reasons)
    return far, days > 0, on, position


def _others(
    question: Question, about: About, told: set[tuple[str, int]]
) -> list[tuple[str, int]]:
    """The records of the period that post nothing to the figure, the newest first.

    It is one more than are named where there are more.
    """
    own = about.records_of(question.station).subquery()
    query = (
        select(records.c.stream, records.c.entry)
        .join(own, (own.c.stream == records.c.stream) & (own.c.entry == records.c.entry))
        .order_by(records.c.occurred_on.desc(), records.c.position.desc())
        .distinct()
        .limit(MOST_OTHERS + 1 + len(told))
    )
    if not about.is_record:
        cut = question.cut
        query = query.where(records.c.occurred_on.between(cut.first, cut.last))
    query = query.add_columns(records.c.occurred_on, records.c.position)
    found = [(row.stream, row.entry) for row in question.connection.execute(query)]
    return [record for record in found if record not in told][: MOST_OTHERS + 1]
