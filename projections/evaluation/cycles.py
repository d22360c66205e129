"""Which days does the name of a project cycle mean at a station, and which task book is scored?

A task book says its cycle's name and days. Where none has the name, it is a year from July
to June. Of several approved task books the one that was approved last is scored, and the
others are named: nothing is left out in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection

from domain.kernel import KINDS, Refused, Stream, stream_id, stream_subject
from domain.record_keeping import fold
from domain.task_book import TaskBook, TaskBookApproved, TaskBookDrafted, TaskBookStatus
from projections.evaluation.replaying import Replayed
from projections.evaluation.score_sheet import UnscoredBook
from projections.histories import Histories
from projections.indicator_versions import station_set
from projections.indicators import IndicatorSet
from projections.moments import KnownAt, known
from projections.monthly_report import station_profile
from projections.periods import Period
from projections.report_periods import report_period
from projections.task_book_set import task_book_set
from projections.task_progress import TaskBookWithoutCycle
from projections.timeline import RecordRow, records_of_kind

MOST_BOOKS: Final = 500
"""Task books of a station that are looked at: one a year."""
_CYCLE: Final = re.compile(r"(\d{4})-(\d{4})", re.ASCII)


class BadCycle(
    Refused, code="bad_cycle", status=400, title="项目周期写法不正确",
    detail="“{got}”不是项目周期，应写作 2024-2025（7 月至次年 6 月），或任务书写明的周期。",
):
    """A project cycle that is none."""


@dataclass(frozen=True, slots=True)
class CycleAsked:
    """The days of a cycle, its task book that is scored, and the approved ones that are not."""

    days: Period
    book: str | None
    others: tuple[UnscoredBook, ...]


@dataclass(frozen=True, slots=True)
class _Book:
    id: str
    drafted: TaskBookDrafted
    approved_at: datetime | None

    @property
    def days(self) -> Period | None:
        return _days_of(self.drafted.first_on, self.drafted.last_on)

    @property
    def unscored(self) -> UnscoredBook:
        stated = self.drafted
        return UnscoredBook(self.id, stated.title, stated.cycle, stated.first_on, stated.last_on)


def cycle_period(name: str) -> Period:
    """The days of a project cycle, like ``2024-2025``.

    :raises BadCycle: where it is none.
    """
    form = _CYCLE.fullmatch(name)
    if form is None or form[1] == "0000" or int(form[2]) != int(form[1]) + 1:
        raise BadCycle(got=name[:20])
    return report_period(name).period


# ---- in a replay, as known then ----


def cycle_asked(replayed: Replayed, name: str, known_at: KnownAt | None) -> CycleAsked:
    """What the name of a cycle means by the task books that were known.

    :raises BadCycle: where it means nothing.
    :raises TaskBookWithoutCycle: where its task book does not say from when to when it goes.
    """
    streams = [stream.id for stream in replayed.of_kind("task_book")]
    return _meant(list(_books(replayed, streams, known_at)), name)


def _meant(books: list[_Book], name: str) -> CycleAsked:
    named = [book for book in books if book.drafted.cycle == name]
    usual = _usual(name, is_needed=not named)
    approved = [book for book in books if book.approved_at is not None]
    fit = [book for book in approved if book in named or (usual and book.days == usual)]
    scored = max(fit, key=_last_approved, default=None)
    days = _days_meant(scored, named, usual)
    others = [
        book for book in approved
        if book is not scored and (book in fit or _overlap(book.days, days))
    ]
    return CycleAsked(days, scored.id if scored else None, tuple(b.unscored for b in others))


def _books(
    histories: Histories, streams: Iterable[str], known_at: KnownAt | None
) -> Iterator[_Book]:
    """The task books that were drafted, as known then, by name."""
    for _name, history in sorted(histories.histories(streams).items()):
        then: Stream[TaskBook] | None = fold(KINDS["task_book"], None, known(history, known_at))
        if then is not None and then.state.drafted is not None:
            yield _Book(stream_subject(then.id), then.state.drafted, _approved_at(then))


def _approved_at(stream: Stream[TaskBook]) -> datetime | None:
    if stream.state.status is not TaskBookStatus.APPROVED:
        return None
    return max(
        entry.recorded_at for entry in stream.active()
        if isinstance(entry.statement.event, TaskBookApproved)
    )


def _last_approved(book: _Book) -> tuple[datetime, str]:
    assert book.approved_at is not None
    return book.approved_at, book.id


def _days_meant(scored: _Book | None, named: list[_Book], usual: Period | None) -> Period:
    """The days of the book that is scored, or of one that has the name; else those of a year."""
    if scored is not None:
        if scored.days is None:
            raise TaskBookWithoutCycle(id=scored.id)
        return scored.days
    days = usual or next((book.days for book in named if book.days), None)
    if days is None:
        raise TaskBookWithoutCycle(id=named[0].id)
    return days


def _overlap(one: Period | None, other: Period) -> bool:
    return one is not None and one.first <= other.last and other.first <= one.last


# ---- beside the read models, or the tables of a replay ----


def stated_cycle(connection: Connection, station: str, name: str) -> Period:
    """The days of a cycle by its name, as task books now stand.

    :raises BadCycle: where it means nothing.
    """
    usual = _usual(name, is_needed=False)
    for row in _drafted(connection, station):
        first, last = (row.data.get(field) for field in ("first_on", "last_on"))
        days = _days_of(first and date.fromisoformat(first), last and date.fromisoformat(last))
        if days is not None and (row.data["cycle"] == name or days == usual):
            return days
    return cycle_period(name)


def cycle_set(
    connection: Connection, histories: Histories, station: str, name: str,
    known_at: KnownAt | None = None,
) -> IndicatorSet:
    """The set by which a cycle is counted: that of its task book, else the station's.

    :raises BadCycle: where the name means nothing.
    :raises TaskBookWithoutCycle: where its task book does not say from when to when it goes.
    """
    meant = cycle_stated(connection, histories, station, name, known_at)
    book = _stream_then(histories, station, meant.book, known_at)
    if book is None:
        code = station_profile(histories, station, known_at).indicator_set
    else:
        code = task_book_set(histories, station, book, known_at)
    return station_set(connection, station, code, meant.days)


def cycle_book(
    connection: Connection, histories: Histories, station: str, name: str,
    known_at: KnownAt | None = None,
) -> TaskBook | None:
    """The task book by which a cycle is scored; ``None`` where there is none."""
    meant = cycle_stated(connection, histories, station, name, known_at)
    book = _stream_then(histories, station, meant.book, known_at)
    return book.state if book else None


def cycle_stated(
    connection: Connection, histories: Histories, station: str, name: str,
    known_at: KnownAt | None = None,
) -> CycleAsked:
    """What ``cycle_asked`` says in a replay, without one."""
    streams = [
        stream_id(station, "task_book", row.id) for row in _drafted(connection, station)
    ]
    return _meant(list(_books(histories, streams, known_at)), name)


def _stream_then(
    histories: Histories, station: str, book: str | None, known_at: KnownAt | None
) -> Stream[TaskBook] | None:
    if book is None:
        return None
    history = histories.history(stream_id(station, "task_book", book))
    return fold(KINDS["task_book"], None, known(history, known_at))


def _drafted(connection: Connection, station: str) -> list[RecordRow]:
    return records_of_kind(
        connection, station, "task_book", topic="task_book.drafted", limit=MOST_BOOKS
    )


def _usual(name: str, *, is_needed: bool) -> Period | None:
    try:
        return cycle_period(name)
    except BadCycle:
        if is_needed:
            raise
        return None


def _days_of(first: date | None, last: date | None) -> Period | None:
    return None if first is None or last is None else Period(first, last)
