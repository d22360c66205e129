"""Through which stages does a case go, and what is each counted by?"""

from __future__ import annotations

from typing import Any

import pytest
from domain_spec import given, refused, said

from domain.case import (
    CaseAssessed,
    CaseClosed,
    CaseFollowedUp,
    CaseIntaken,
    CasePlanned,
    CaseReopened,
    CaseReviewed,
    CaseSessionHeld,
    Stage,
)
from domain.household import AssistanceAssigned, HouseholdRegistered, Member
from domain.kernel import Event

HOUSEHOLD = given(
    said(HouseholdRegistered(community="东路社区", members=(Member(person="p1", name="测试甲"),)),
         "2024-07-01"),
    said(AssistanceAssigned(unit="u1", category="dibao", covered=("p1",)), "2024-08-01"),
    subject="h1",
)
INTAKE = CaseIntaken(household="h1", worker="测试社工", problem="独居")
STEPS = (
    INTAKE, CaseAssessed(), CasePlanned(goals=("按时服药",)), CaseSessionHeld(), CaseReviewed(),
    CaseClosed(reason="goals_met"),
)


def case(*events: Event) -> Any:
    return given(*events, subject="c1", related={"h1": HOUSEHOLD})


def test_a_case_runs_from_intake_to_closing() -> None:
    stages = [case(*STEPS[:n]).state.stage for n in range(1, 7)]
    assert stages == list(Stage)[1:]


@pytest.mark.parametrize("n", range(6), ids=lambda n: STEPS[n].topic)
def test_each_step_carries_category_and_community(n: int) -> None:
    event = case(*STEPS[:n]).event(STEPS[n])
    assert (event.category, event.community) == ("dibao", "东路社区")


@pytest.mark.parametrize(
    "event", [CaseReopened(because="复发"), CaseFollowedUp(mode="phone")], ids=lambda e: e.topic
)
def test_only_a_closed_case_is_reopened_or_followed_up(event: Event) -> None:
    with refused("case_not_closed"):
        case(*STEPS[:-1]).when(event)
    decided = case(*STEPS).event(event)
    assert (decided.category, decided.community) == ("dibao", "东路社区")


@pytest.mark.parametrize("event", STEPS[1:], ids=lambda e: e.topic)
def test_a_closed_case_takes_no_more_of_its_stages(event: Event) -> None:
    with refused("case_closed"):
        case(*STEPS).when(event)


def test_a_reopened_case_goes_on_from_its_plan() -> None:
    reopened = case(*STEPS, CaseReopened(because="复发"))
    assert reopened.state.stage is Stage.PLANNED
    assert reopened.when(CaseSessionHeld())


def test_a_follow_up_leaves_the_case_closed() -> None:
    assert case(*STEPS, CaseFollowedUp(mode="phone")).state.stage is Stage.CLOSED


def test_a_stage_is_skipped_only_with_a_reason() -> None:
    with refused("stage_skipped") as caught:
        case(INTAKE).when(CaseClosed(reason="moved_away"))
    assert caught.value.facts["skipped"] == "预估、计划、介入、评估"
    skipped = CaseClosed(reason="moved_away", skipping_because="搬走")
    assert case(INTAKE, skipped).state.stage is Stage.CLOSED


def test_a_case_may_have_many_sessions_and_return_to_its_plan() -> None:
    again = case(*STEPS[:4], CaseSessionHeld(), CasePlanned(goals=("出门",)))
    assert again.state.stage is Stage.PLANNED


def test_a_case_of_an_unknown_household_is_refused() -> None:
    with refused("unknown_household"):
        given().when(INTAKE)


def test_a_case_of_a_person_of_another_household_is_refused() -> None:
    with refused("person_not_of_household"):
        case().when(CaseIntaken(household="h1", worker="测试社工", problem="独居", person="p9"))


def test_a_case_begins_with_its_intake_and_only_once() -> None:
    with refused("unknown_record"):
        case().when(CaseAssessed())
    with refused("already_exists"):
        case(INTAKE).when(INTAKE)
