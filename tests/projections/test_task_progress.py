"""How far along is a task book, as of a day and as known at a moment?"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from desk import STATION, Desk

from domain.kernel import UnknownRecord
from domain.ledger import Ledger
from domain.scoring import Direction
from domain.task_book import Head, TaskBookDrafted, TaskBookRevised, TaskIndicator
from domain.visit import VISIT, VisitRecorded
from domain.vocabulary import Unit
from projections.engine import ReadModels
from projections.task_progress import (
    Light,
    Progress,
    TaskBookProgress,
    TaskBookWithoutCycle,
    task_book_progress,
)

CYCLE = {"first_on": date(2024, 7, 1), "last_on": date(2025, 6, 30)}
MIDDLE = date(2024, 12, 31)
AT_END = date(2025, 6, 30)
NOW = datetime(2025, 7, 1, tzinfo=UTC)


def target(code: str = "person_visits", amount: int = 365, **more: Any) -> TaskIndicator:
    return TaskIndicator(
        **{
            "indicator": code, "label": "走访", "unit": Unit.PERSON_TIMES, "target": amount,
            "weight": 10,
        }
        | more
    )


class Books:
    """Asks how a task book stands, with the read models brought up to date."""

    def __init__(self, ledger: Ledger, read_models: ReadModels, desk: Desk) -> None:
        self.ledger, self.read_models, self.desk = ledger, read_models, desk

    def draft(self, *targets: TaskIndicator, **more: Any) -> None:
        drafted = TaskBookDrafted(
            title="任务书", cycle="2024-2025", indicators=targets, **CYCLE | more
        )
        self.desk.record("b1", drafted, "2024-07-02", now=NOW)

    def visit(self, day: str, persons: int, name: str = "", **more: Any) -> None:
        event = VisitRecorded(mode="home", purpose="routine", persons_met=persons)
        self.desk.record(name or f"v{day}", event, day, **{"now": NOW} | more)

    def progress(self, as_of: date = MIDDLE, **when: Any) -> TaskBookProgress:
        self.read_models.advance(self.ledger)
        with self.read_models.engine.connect() as connection:
            return task_book_progress(
                connection, self.ledger, STATION, "b1", as_of=as_of, **when
            )

    def row(self, as_of: date = MIDDLE, **when: Any) -> Progress:
        return self.progress(as_of, **when).rows[0]


@pytest.fixture
def books(desk: Desk, ledger: Ledger, read_models: ReadModels) -> Books:
    return Books(ledger, read_models, desk)


def test_a_target_is_expected_day_by_day_and_forecast_by_the_pace_so_far(books: Books) -> None:
    books.draft(target())
    books.visit("2024-08-01", 92)
    books.visit("2025-03-01", 400)
    row = books.row()
    assert row.actual is not None
    assert (row.expected, row.actual.value, row.forecast) == (184, 92, Decimal("182.50"))
    assert (row.completed_percent, row.points) == (Decimal("25.21"), Decimal("2.52"))
    assert row.light is Light.RED


def test_a_plan_by_month_says_what_is_expected(books: Books) -> None:
    plan = (0, 60, *(0,) * 9, 305)
    books.draft(target(plan=plan))
    books.visit("2024-08-10", 30)
    row = books.row(date(2024, 8, 15))
    assert row.expected == Decimal("29.03")
    assert row.light is Light.GREEN
    assert row.forecast == Decimal("377.17")
    assert [month.planned for month in row.months] == [*plan]


def test_months_show_what_was_done_up_to_the_day(books: Books) -> None:
    books.draft(target())
    books.visit("2024-07-05", 3)
    books.visit("2024-08-05", 4)
    row = books.row(date(2024, 8, 31))
    done = [month.actual and month.actual.value for month in row.months]
    assert done == [3, 4, *[None] * 10]
    assert sum(month.planned for month in row.months) == 365


def test_the_light_follows_actual_over_expected(books: Books) -> None:
    books.draft(target())
    for persons, light in ((137, Light.RED), (1, Light.AMBER), (37, Light.GREEN)):
        books.visit("2024-08-01", persons, name=f"v{light.value}")
        assert books.row().light is light


def test_before_its_first_day_nothing_is_expected(books: Books) -> None:
    books.draft(target())
    row = books.row(date(2024, 6, 1))
    assert (row.expected, row.light, row.forecast) == (0, Light.NONE, None)


def test_a_level_is_expected_to_stand_where_the_target_is(books: Books) -> None:
    books.draft(
        target("dibao_households", 2, unit=Unit.HOUSEHOLD, direction=Direction.AT_MOST)
    )
    row = books.row()
    assert row.is_level
    assert row.actual is not None
    assert (row.expected, row.actual.value, row.forecast, row.points) == (2, 0, 0, 10)
    assert row.light is Light.GREEN


def test_a_target_without_an_indicator_is_judged_by_people(books: Books) -> None:
    books.draft(target("file_keeping", 1, head=Head.ADMINISTRATION), target())
    judged = books.row()
    assert (judged.actual, judged.points, judged.light) == (None, None, Light.NONE)
    heads = [(s.head, s.weight, s.points) for s in books.progress().heads]
    assert heads == [(Head.ADMINISTRATION, 10, 0), (Head.SERVICE, 10, 0)]


def test_a_remainder_may_be_a_target(books: Books) -> None:
    books.draft(target("other_households", 5, unit=Unit.HOUSEHOLD))
    row = books.row()
    assert row.actual is not None
    assert row.actual.value == 0


def test_progress_is_as_it_was_known(books: Books) -> None:
    early = datetime(2024, 8, 2, tzinfo=UTC)
    books.desk.record(
        "b1", TaskBookDrafted(title="任务书", cycle="c", indicators=(target(),), **CYCLE),
        "2024-07-02", now=datetime(2024, 7, 3, tzinfo=UTC),
    )
    books.visit("2024-08-01", 5, now=early)
    books.visit("2024-08-01", 7, name="late")
    revised = TaskBookRevised(indicators=(target(amount=100),))
    books.desk.record("b1", revised, "2025-01-05", now=NOW)
    then = books.row(known_at=early)
    assert then.actual is not None
    assert (then.target.target, then.actual.value) == (365, 5)
    now = books.row()
    assert now.actual is not None
    assert (now.target.target, now.actual.value) == (100, 12)
    with pytest.raises(UnknownRecord):
        books.progress(known_at=datetime(2024, 7, 1, tzinfo=UTC))


def test_a_voided_visit_leaves_the_progress(books: Books) -> None:
    books.draft(target())
    books.visit("2024-08-01", 5, name="v1")
    books.desk.void(VISIT, "v1", 1, now=NOW)
    row = books.row(AT_END)
    assert row.actual is not None
    assert (row.actual.value, row.points) == (0, 0)


def test_a_task_book_without_its_days_cannot_be_followed(books: Books) -> None:
    books.draft(target(), first_on=None, last_on=None)
    with pytest.raises(TaskBookWithoutCycle, match="first_on"):
        books.progress()
