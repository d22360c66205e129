"""Which surveys, needs, groups, activities and resources are accepted?"""

from __future__ import annotations

from typing import Any

import pytest
from domain_spec import given, refused, said

from domain.activity import ActivityHeld
from domain.group import GroupClosed, GroupOpened, GroupSessionHeld
from domain.household import AssistanceAssigned, HouseholdRegistered, Member
from domain.kernel import Event
from domain.meeting import MeetingHeld
from domain.programme import ServiceProjectDrafted
from domain.resource import ResourceDelivered, ResourceLinked
from domain.survey import (
    CommunityNeedsSurveyHeld,
    NeedMet,
    NeedsAssessed,
    NeedStated,
    SurveyHeld,
)
from domain.training import TrainingDelivered, TrainingReceived

HOUSEHOLD = given(
    said(HouseholdRegistered(community="东路社区", members=(Member(person="p1", name="测试甲"),)),
         "2024-07-01"),
    said(AssistanceAssigned(unit="u1", category="dibao", covered=("p1",)), "2024-08-01"),
    subject="h1",
)

# ---- facts said once ----


@pytest.mark.parametrize(
    "event",
    [
        SurveyHeld(kind="elderly_alone", community="东路社区"),
        CommunityNeedsSurveyHeld(community="东路社区"),
        MeetingHeld(title="例会", kind="work"),
        TrainingDelivered(title="急救", audience="volunteers", community="东路社区"),
        TrainingReceived(title="个案"),
        ActivityHeld(title="重阳节", kind="festival", role="assist"),
    ],
    ids=lambda e: e.topic,
)
def test_a_fact_stands_as_it_was_said(event: Event) -> None:
    assert given(event).state == event


def test_an_activity_of_an_unknown_project_is_refused() -> None:
    activity = ActivityHeld(title="重阳节", kind="festival", role="host", project="pr1")
    with refused("unknown_reference"):
        given().when(activity)
    project = given(ServiceProjectDrafted(title="银龄守护"), subject="pr1")
    assert given(related={"pr1": project}).event(activity) == activity


# ---- needs ----


def assessed(**changes: Any) -> NeedsAssessed:
    needs = (NeedStated(need="medical"), NeedStated(need="care"))
    return NeedsAssessed(**{"household": "h1", "needs": needs} | changes)


def test_an_assessment_carries_category_and_community_of_its_household() -> None:
    event = given(related={"h1": HOUSEHOLD}).event(assessed(person="p1"))
    assert (event.category, event.community) == ("dibao", "东路社区")


def test_an_assessment_names_a_need_once() -> None:
    twice = (NeedStated(need="care"), NeedStated(need="care"))
    with refused("need_stated_twice"):
        given(related={"h1": HOUSEHOLD}).when(assessed(needs=twice))


def test_an_assessment_of_an_unknown_household_or_person_is_refused() -> None:
    with refused("unknown_household"):
        given().when(assessed())
    with refused("person_not_of_household"):
        given(related={"h1": HOUSEHOLD}).when(assessed(person="p9"))


def test_a_stated_need_is_met_once() -> None:
    needs = given(assessed(), related={"h1": HOUSEHOLD})
    with refused("need_not_stated"):
        needs.when(NeedMet(need="legal"))
    met = needs.after(NeedMet(need="care"))
    assert met.state.met == {"care"}
    with refused("need_already_met"):
        met.when(NeedMet(need="care"))


# ---- groups ----

OPENED = GroupOpened(title="手工小组", audience="residents", community="东")


@pytest.mark.parametrize("event", [GroupSessionHeld(), GroupClosed()], ids=lambda e: e.topic)
def test_what_a_group_does_carries_its_community(event: Event) -> None:
    assert given(OPENED).event(event).community == "东路社区"


@pytest.mark.parametrize("event", [GroupSessionHeld(), GroupClosed()], ids=lambda e: e.topic)
def test_a_closed_group_takes_no_more(event: Event) -> None:
    with refused("group_closed"):
        given(OPENED, GroupClosed()).when(event)


def test_a_group_counts_its_sessions() -> None:
    held = given(OPENED, GroupSessionHeld(), GroupSessionHeld())
    assert held.state.sessions == 2


# ---- resources ----


def linked(**changes: Any) -> ResourceLinked:
    return ResourceLinked(**{"title": "米面", "kind": "goods", "provider": "示例公司"} | changes)


def test_a_resource_for_a_household_takes_over_its_community() -> None:
    related = {"h1": HOUSEHOLD}
    assert given(related=related).event(linked(household="h1")).community == "东路社区"
    stated = linked(household="h1", community="西路社区")
    assert given(related=related).event(stated).community == "西路社区"
    with refused("unknown_household"):
        given().when(linked(household="h1"))


def test_a_delivery_carries_kind_and_community_and_may_come_in_parts() -> None:
    resource = given(linked(community="西路社区"), ResourceDelivered(persons_served=3))
    event = resource.event(ResourceDelivered(households_served=2))
    assert (event.kind, event.community) == ("goods", "西路社区")
    assert resource.after(ResourceDelivered()).state.deliveries == 2
