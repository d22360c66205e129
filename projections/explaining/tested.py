"""Which conditions of a figure does each posting of some records meet, and which not?

The conditions are those that count the figure (``counting.py``), asked one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, case, func, select

from domain.kernel import EVENTS, Refused
from projections.counting import Condition, Term, asked_conditions, seen_conditions, term_conditions
from projections.explaining.question import Question
from projections.figures import OF_RECORD
from projections.postings import DIMENSIONS, ENVELOPE_DIMENSIONS, postings
from projections.timeline import records

MOST_POSTINGS: Final = 20_000
"""How many postings of those asked about are looked at; about more nothing is said."""
WHERE: Final = ("station", "measure")
"""Conditions by which postings are looked up; what fails these is no posting of the figure's."""

COLUMNS: Final = (
    "position", "number", "stream", "entry", "effective_on", "recorded_at", "amount", "entity",
    "approximation",
)
SAID: Final = (*COLUMNS, "topic")
VALUES: Final = (*DIMENSIONS, *ENVELOPE_DIMENSIONS)


class TooManyPostings(
    Refused, code="too_many_postings", status=409, title="涉及的分录太多",
    detail="所问的涉及 {count} 条分录，逐条说明最多 {most} 条，只说一部分会说错；"
    "请改问其中一条记录（种类/编号/第几条），或在这个数的明细中翻页查看。",
):
    """An answer by some of the postings would be a wrong one."""


@dataclass(frozen=True, slots=True)
class Tested:
    """A posting to a measure of the figure, and by name the conditions that it fails.

    ``term`` is what of the definition it comes nearest to; ``values`` are its dimensions.
    """

    term: Term
    failed: tuple[str, ...]
    position: int
    number: int
    stream: str
    entry: int
    effective_on: date
    recorded_at: datetime
    amount: int
    entity: str
    approximation: str
    topic: str
    values: dict[str, str]

    @property
    def is_counted(self) -> bool:
        """Whether the figure counts it."""
        return not self.failed

    @property
    def is_known(self) -> bool:
        """Whether it was known at the moment that is asked about."""
        return "known" not in self.failed

    @property
    def record(self) -> tuple[str, int]:
        """The record that it is about."""
        return self.stream, self.entry

    @property
    def label(self) -> str:
        """What people read for the record."""
        return record_said(self.topic, self.entry)

    @property
    def said(self) -> tuple[object, ...]:
        """What it says: the same in a posting and in its reversal."""
        return (
            self.term.measure, self.effective_on, self.entity, self.approximation,
            *self.values.values(),
        )


def tested(question: Question, where: ColumnElement[bool]) -> list[Tested]:
    """The postings of some records to what the figure counts, in the order of recording.

    :raises TooManyPostings: where they are more than are looked at.
    """
    return _nearest(
        row
        for term in question.sought.terms
        for row in _of_term(question, term, term_conditions(postings, term), where)
    )


def tested_seen(question: Question, where: ColumnElement[bool]) -> list[Tested]:
    """The same of what ends an absence."""
    row = question.sought
    if row.absent is None:
        return []
    conditions = seen_conditions(postings, row)
    return _nearest(_of_term(question, row.absent, conditions, where))


def _of_term(
    question: Question, term: Term, conditions: Sequence[Condition], where: ColumnElement[bool]
) -> list[Tested]:
    """The postings to a term's measure."""
    every = [*asked_conditions(postings, question.moment), *conditions]
    needed = [condition.holds for condition in every if condition.name in WHERE]
    asked = [condition for condition in every if condition.name not in WHERE]
    query = select(
        *(postings.c[name] for name in COLUMNS), records.c.topic,
        *(postings.c[name] for name in VALUES),
        *(case((c.holds, 1), else_=0).label(f"holds_{n}") for n, c in enumerate(asked)),
    ).join_from(postings, records, OF_RECORD).where(*needed, where)
    names, found = [condition.name for condition in asked], []
    for row in _rows(question, query):
        said, told, holds = row[: len(SAID)], row[len(SAID) : -len(names)], row[-len(names) :]
        failed = dict.fromkeys(n for n, is_so in zip(names, holds, strict=True) if not is_so)
        own: dict[str, Any] = dict(zip(SAID, said, strict=True))
        values = dict(zip(VALUES, told, strict=True))
        found.append(Tested(term=term, failed=tuple(failed), values=values, **own))
    return found


def _rows(question: Question, query: Select[Any]) -> Sequence[Any]:
    """The rows of a query about postings, in the order of recording, all of them or none."""
    ordered = query.order_by(postings.c.position, postings.c.number)
    rows = question.connection.execute(ordered.limit(MOST_POSTINGS + 1), question.values).all()
    if len(rows) > MOST_POSTINGS:
        every = select(func.count()).select_from(query.subquery())
        count = question.connection.execute(every, question.values).scalar_one()
        raise TooManyPostings(count=count, most=MOST_POSTINGS)
    return rows


def _nearest(rows: Iterable[Tested]) -> list[Tested]:
    """Each posting once, by the term of which it fails the fewest conditions."""
    nearest: dict[tuple[int, int], Tested] = {}
    for row in rows:
        key = row.position, row.number
        if key not in nearest or len(row.failed) < len(nearest[key].failed):
            nearest[key] = row
    return [nearest[key] for key in sorted(nearest)]


def record_said(topic: str, entry: int) -> str:
    """How a record is named in a sentence; whose it is, is said beside it."""
    return f"{EVENTS[topic].label}（第 {entry} 条）"


def net(rows: Iterable[Tested]) -> dict[tuple[str, str], int]:
    """What postings add up to, by entity and approximation, without what cancels out."""
    sums: dict[tuple[str, str], int] = {}
    for row in rows:
        key = row.entity, row.approximation
        sums[key] = sums.get(key, 0) + row.amount
    return {key: amount for key, amount in sums.items() if amount}


def by_record(rows: Iterable[Tested]) -> dict[tuple[str, int], list[Tested]]:
    """Postings by the record that they are about, in the order of recording."""
    found: dict[tuple[str, int], list[Tested]] = {}
    for row in rows:
        found.setdefault(row.record, []).append(row)
    return found


def standing(rows: Iterable[Tested]) -> list[Tested]:
    """The postings that say what still holds: those that no reversal takes back."""
    sums: dict[tuple[object, ...], int] = {}
    last: dict[tuple[object, ...], Tested] = {}
    for row in rows:
        sums[row.said] = sums.get(row.said, 0) + row.amount
        last[row.said] = row
    return [last[said] for said, amount in sums.items() if amount]
