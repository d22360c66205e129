"""How do competitions and task books run?"""

from __future__ import annotations

import pytest
from domain_spec import given, refused

from domain.kernel import Event
from domain.programme import (
    BrandRegistered,
    CompetitionAwarded,
    CompetitionEntered,
    ProjectReviewPresented,
    ServiceProjectDrafted,
    TaskBookApproved,
    TaskBookDrafted,
    TaskBookRevised,
    TaskBookStatus,
    TaskBookSubmitted,
    TaskIndicator,
)
from domain.vocabulary import Unit

VISITS = TaskIndicator(indicator="visits", label="走访", unit=Unit.HOUSEHOLD_TIMES, target=600)
DRAFTED = TaskBookDrafted(title="任务书", cycle="2024", indicators=(VISITS,))


@pytest.mark.parametrize(
    "event",
    [
        ServiceProjectDrafted(title="银龄守护"), ProjectReviewPresented(title="银龄守护"),
        BrandRegistered(name="红马甲"),
    ],
    ids=lambda e: e.topic,
)
def test_a_fact_that_is_said_once_stands_as_it_was_said(event: Event) -> None:
    assert given(event).state == event
    with refused("already_exists"):
        given(event).when(event)


def test_an_entry_wins_one_award() -> None:
    entered = given(CompetitionEntered(title="公益大赛"))
    won = entered.after(CompetitionAwarded(award="二等奖"))
    assert (entered.state, won.state) == (None, "二等奖")
    with refused("already_awarded"):
        won.when(CompetitionAwarded(award="一等奖"))


def test_a_task_book_is_approved_as_it_was_submitted() -> None:
    with refused("task_book_not_submitted"):
        given(DRAFTED).when(TaskBookApproved())
    submitted = given(DRAFTED, TaskBookSubmitted())
    assert submitted.state.status is TaskBookStatus.SUBMITTED
    assert submitted.state.indicators == (VISITS,)
    assert submitted.after(TaskBookApproved()).state.status is TaskBookStatus.APPROVED


def test_a_revised_task_book_is_submitted_again_before_it_is_approved() -> None:
    revised = given(DRAFTED, TaskBookSubmitted(), TaskBookRevised(indicators=()))
    assert revised.state.indicators == ()
    with refused("task_book_not_submitted"):
        revised.when(TaskBookApproved())


@pytest.mark.parametrize(
    "event", [TaskBookRevised(indicators=()), TaskBookSubmitted(), TaskBookApproved()],
    ids=lambda e: e.topic,
)
def test_an_approved_task_book_is_final(event: Event) -> None:
    with refused("task_book_approved"):
        given(DRAFTED, TaskBookSubmitted(), TaskBookApproved()).when(event)
