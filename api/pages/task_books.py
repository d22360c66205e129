"""How does each task book stand, and what can be done with it next?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from flask import render_template
from sqlalchemy import Connection

from api.identity import READ_FIGURES, action, caller, today
from api.moments import summed_at
from api.pages.record import steps_of
from api.pages.views import asked_moment, asked_times, pages
from api.pages.writing import may_state, own_write
from api.queries import one_station
from api.services import services
from domain.kernel import Event
from domain.task_book import (
    TASK_BOOK,
    TaskBook,
    TaskBookApproved,
    TaskBookDrafted,
    TaskBookStatus,
    TaskBookSubmitted,
)
from projections.task_progress import (
    Light,
    TaskBookProgress,
    TaskBookWithoutCycle,
    task_book_progress,
)
from projections.timeline import RecordRow, records_of_kind

NEXT: Final = {
    TaskBookStatus.DRAFT: TaskBookSubmitted, TaskBookStatus.SUBMITTED: TaskBookApproved,
}
"""The step that follows, as a task book stands."""


@dataclass(frozen=True, slots=True)
class BookLine:
    """A task book as the list shows it; without a cycle there is nothing to compare with."""

    row: RecordRow
    progress: TaskBookProgress | None

    @property
    def lights(self) -> list[tuple[Light, int]]:
        """How many targets stand how."""
        found = Counter(row.light for row in self.progress.rows) if self.progress else Counter()
        return [(light, found[light]) for light in Light if found[light]]

    @property
    def points(self) -> tuple[Any, int]:
        """The points so far, and the most that what is counted can give."""
        heads = self.progress.heads if self.progress else []
        return sum(h.points for h in heads), sum(h.weight - h.judged_weight for h in heads)


@pages.route("/task-books")
@action(READ_FIGURES)
def task_book_list() -> str:
    """All task books, the newest first, each with how it stands today."""
    station = one_station()
    with services().read_models.engine.connect() as connection:
        rows = records_of_kind(
            connection, station, TASK_BOOK.name, topic=TaskBookDrafted.topic
        )
        books = [BookLine(row, _progress(connection, station, row.id)) for row in rows]
    return render_template(
        "pages/task_books.html", books=books, may_draft=may_state(TaskBookDrafted.topic)
    )


def _progress(connection: Connection, station: str, subject: str) -> TaskBookProgress | None:
    try:
        return task_book_progress(
            connection, services().ledger, station, subject, as_of=today()
        )
    except TaskBookWithoutCycle:
        return None


@pages.route("/task-books/<subject>")
@action(READ_FIGURES)
def task_book_page(subject: str) -> str:
    """A task book: each target, what is expected by now, what was done, month by month."""
    own, moment = own_write(), asked_moment()
    with summed_at(moment) as then:
        progress = task_book_progress(
            then.connection, services().ledger, one_station(), subject,
            as_of=moment.as_of or today(), known_at=then.known_at,
        )
    return render_template(
        "pages/task_book.html", progress=progress, subject=subject, next_steps=_next(progress.book),
        **own, **asked_times(),
    )


def _next(book: TaskBook) -> list[type[Event]]:
    """The step that the caller may take: another than who submitted it approves it."""
    is_own = book.submitted_by == caller().actor
    due = None if is_own else NEXT.get(book.status)
    return [step for step in steps_of(TASK_BOOK.name) if step is due]
