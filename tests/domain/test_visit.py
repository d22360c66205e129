"""Which visits are accepted, and what does a visit take over from its household?"""

from __future__ import annotations

from typing import Any

import pytest
from domain_spec import given, refused, said

from domain.household import (
    AssistanceAssigned,
    HouseholdRegistered,
    Member,
    MemberAdded,
    MemberRemoved,
)
from domain.visit import VisitRecorded

HOUSEHOLD = given(
    said(HouseholdRegistered(community="东路社区", members=(Member(person="p1", name="测试甲"),)),
         "2024-07-01"),
    said(AssistanceAssigned(unit="u1", category="dibao", covered=("p1",)), "2024-08-01"),
    subject="h1",
)


def a_visit(**changes: Any) -> VisitRecorded:
    return VisitRecorded(
        **{"mode": "home", "purpose": "routine", "persons_met": 1, "household": "h1"} | changes
    )


def visit(**changes: Any) -> VisitRecorded:
    decided: VisitRecorded = given(related={"h1": HOUSEHOLD}).event(a_visit(**changes))
    return decided


def test_a_visit_takes_over_category_and_community_of_its_household() -> None:
    decided = visit()
    assert (decided.category, decided.community) == ("dibao", "东路社区")


def test_a_stated_community_stands_even_where_the_household_has_another() -> None:
    assert visit(community="西路社区").community == "西路社区"


def test_a_talk_in_the_street_needs_no_household() -> None:
    decided = visit(mode="street", household=None)
    assert (decided.category, decided.community) == (None, None)


def test_a_visit_to_an_unknown_household_is_refused() -> None:
    with refused("unknown_household"):
        visit(household="h2")


@pytest.mark.parametrize(
    ("outcome", "persons_met"), [("met", 0), ("not_met", 1), ("refused", 1)]
)
def test_persons_met_that_contradict_the_outcome_are_refused(
    outcome: str, persons_met: int
) -> None:
    with refused("persons_met_contradicts_outcome"):
        visit(outcome=outcome, persons_met=persons_met)


@pytest.mark.parametrize("outcome", ["not_met", "refused"])
def test_a_visit_that_met_nobody_is_a_visit(outcome: str) -> None:
    assert visit(outcome=outcome, persons_met=0).persons_met == 0


def test_more_persons_named_than_met_are_refused() -> None:
    with refused("more_persons_than_met"):
        visit(persons=("p1", "p2"))


def test_a_person_of_another_household_is_refused() -> None:
    with refused("person_not_of_household"):
        visit(persons=("p9",))


def test_persons_are_named_with_their_household() -> None:
    with refused("persons_without_household"):
        visit(household=None, persons=("p1",))
    assert visit(household=None).persons == ()


def test_a_person_who_has_left_the_household_may_still_be_met() -> None:
    was_here = HOUSEHOLD.after(
        MemberAdded(member=Member(person="p2", name="测试乙")),
        MemberRemoved(person="p2", reason="moved_out"),
    )
    decided = given(related={"h1": was_here}).event(a_visit(persons=("p2",)))
    assert decided.persons == ("p2",)


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": "drone"}, {"purpose": "tea"}, {"outcome": "maybe"}, {"contents": ("magic",)},
        {"needs": ("gold",)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_code_that_its_list_does_not_have_is_refused(changes: dict[str, Any]) -> None:
    with refused("unknown_code"):
        visit(**changes)


def test_text_that_no_database_keeps_is_refused() -> None:
    with refused("unreadable_text"):
        visit(note="门锁着\0")
    assert visit(note="写作 \\u0000 的字样").note
