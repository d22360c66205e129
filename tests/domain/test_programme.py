"""How do competitions and task books run?"""

from __future__ import annotations

from dataclasses import replace as in_context
from datetime import date
from typing import Any

import msgspec
import pytest
from domain_spec import CONTEXT, Given, correct, given, refused, reinstate, void
from msgspec.structs import replace

from domain.kernel import Context, Event
from domain.programme import (
    BrandRegistered,
    CompetitionAwarded,
    CompetitionEntered,
    ProjectReviewPresented,
    ServiceProjectDrafted,
)
from domain.record_keeping import Command
from domain.scoring import Scoring, ScoringRule, Step
from domain.task_book import (
    TaskBookApproved,
    TaskBookDrafted,
    TaskBookRevised,
    TaskBookStatus,
    TaskBookSubmitted,
    TaskIndicator,
)
from domain.vocabulary import Unit

VISITS = TaskIndicator(indicator="visits", label="走访", unit=Unit.HOUSEHOLD_TIMES, target=600)
BUREAU = msgspec.structs.replace(CONTEXT, actor="bureau-1", role="reviewer")
DRAFTED = TaskBookDrafted(title="任务书", cycle="2024", indicators=(VISITS,))


def by_the_bureau(book: Given) -> Given:
    """The task book approved by somebody of the bureau."""
    return in_context(book, context=BUREAU).after(TaskBookApproved())


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
    assert by_the_bureau(submitted).state.status is TaskBookStatus.APPROVED


def test_a_task_book_is_approved_by_another_person_than_submitted_it() -> None:
    with refused("second_person_needed"):
        given(DRAFTED, TaskBookSubmitted()).when(TaskBookApproved())


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
        by_the_bureau(given(DRAFTED, TaskBookSubmitted())).when(event)


LEAD_2 = msgspec.structs.replace(CONTEXT, actor="lead-2", role="lead")
OTHERWISE = replace(DRAFTED, indicators=(replace(VISITS, target=1),))


@pytest.mark.parametrize("context", [CONTEXT, LEAD_2, BUREAU], ids=lambda c: c.actor)
@pytest.mark.parametrize("command", [correct(1, OTHERWISE), void(1), void(2)], ids=repr)
def test_what_was_approved_is_not_changed_under_its_approval(
    context: Context, command: Command
) -> None:
    approved = by_the_bureau(given(DRAFTED, TaskBookSubmitted()))
    with refused("entry_settled") as caught:
        in_context(approved, context=context).when(command)
    assert caught.value.facts["label"] in {"任务书提交", "任务书审定"}


def test_what_one_submitted_is_not_changed_by_who_then_approves_it() -> None:
    submitted = given(DRAFTED, TaskBookSubmitted())
    with refused("entry_settled"):
        in_context(submitted, context=BUREAU).when(correct(1, OTHERWISE))
    assert by_the_bureau(submitted).state.indicators == (VISITS,)


def test_a_voided_approval_is_given_anew_for_what_is_then_submitted() -> None:
    opened = in_context(by_the_bureau(given(DRAFTED, TaskBookSubmitted())), context=LEAD_2).after(
        void(3), void(2), correct(1, OTHERWISE)
    )
    assert opened.state.status is TaskBookStatus.DRAFT
    with refused("not_settled_again"):
        opened.when(reinstate(3))
    with refused("task_book_not_submitted"):
        by_the_bureau(opened)
    again = by_the_bureau(opened.after(TaskBookSubmitted()))
    assert (again.state.status, again.state.indicators) == (
        TaskBookStatus.APPROVED, OTHERWISE.indicators,
    )
    with refused("entry_settled"):
        again.when(reinstate(2))


def test_an_approval_itself_is_kept_right() -> None:
    approved = by_the_bureau(given(DRAFTED, TaskBookSubmitted()))
    named = approved.after(correct(3, TaskBookApproved(approver="示例区民政局")))
    assert named.state.status is TaskBookStatus.APPROVED


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2024, 7, 1), None), (None, date(2025, 6, 30)),
        (date(2025, 7, 1), date(2025, 6, 30)), (date(2020, 1, 1), date(2025, 1, 1)),
    ],
)
def test_a_cycle_has_a_first_and_a_last_day(first: date | None, last: date | None) -> None:
    with refused("bad_project_cycle"):
        given().when(replace(DRAFTED, first_on=first, last_on=last))


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"plan": (600,)}, "plan"), ({"plan": (50,) * 12}, None), ({"plan": (49,) * 12}, "plan"),
        ({"scoring": ScoringRule(kind=Scoring.STEPS)}, "scoring/steps"),
        ({"scoring": ScoringRule(steps=(Step(from_percent=1, gives_percent=1),))}, "scoring/steps"),
    ],
)
def test_a_target_that_cannot_be_followed_is_refused_at_its_place(
    changes: dict[str, Any], where: str | None
) -> None:
    drafted = replace(
        DRAFTED, first_on=date(2024, 7, 1), last_on=date(2025, 6, 30),
        indicators=(replace(VISITS, **changes),),
    )
    if where is None:
        assert given(drafted).state.indicators == drafted.indicators
        return
    with refused("bad_target") as caught:
        given().when(drafted)
    assert caught.value.facts["where"] == f"/indicators/0/{where}"


def test_an_indicator_has_one_target() -> None:
    with refused("bad_target"):
        given(DRAFTED).when(TaskBookRevised(indicators=(VISITS, VISITS)))
