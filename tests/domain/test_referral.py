"""Which steps does a referral take?"""

from __future__ import annotations

from typing import Any

import pytest
from domain_spec import Given, given, refused, said

from domain.household import AssistanceAssigned, HouseholdRegistered, Member
from domain.kernel import Event
from domain.referral import (
    ReferralAccepted,
    ReferralClosed,
    ReferralCompleted,
    ReferralDeclined,
    ReferralMade,
    ReferralStatus,
)

HOUSEHOLD = given(
    said(HouseholdRegistered(community="东路社区", members=(Member(person="p1", name="测试甲"),)),
         "2024-07-01"),
    said(AssistanceAssigned(unit="u1", category="dibao", covered=("p1",)), "2024-08-01"),
    subject="h1",
)
ACCEPTED, DECLINED = ReferralAccepted(), ReferralDeclined(because="名额已满")
COMPLETED, CLOSED = ReferralCompleted(outcome="已安排"), ReferralClosed()


def made(**changes: Any) -> ReferralMade:
    return ReferralMade(
        **{"household": "h1", "to_agency": "示例医院", "need": "medical", "basis": "consent"}
        | changes
    )


def referral(*events: Event) -> Given:
    return given(*events, subject="r1", related={"h1": HOUSEHOLD})


def test_a_referral_carries_category_and_community_of_its_household() -> None:
    event = referral().event(made(person="p1"))
    assert (event.category, event.community) == ("dibao", "东路社区")


@pytest.mark.parametrize(
    ("before", "step", "status"),
    [
        ((), ACCEPTED, ReferralStatus.ACCEPTED),
        ((), DECLINED, ReferralStatus.DECLINED),
        ((), CLOSED, ReferralStatus.CLOSED),
        ((ACCEPTED,), COMPLETED, ReferralStatus.COMPLETED),
        ((ACCEPTED,), CLOSED, ReferralStatus.CLOSED),
        ((DECLINED,), CLOSED, ReferralStatus.CLOSED),
        ((ACCEPTED, COMPLETED), CLOSED, ReferralStatus.CLOSED),
    ],
)
def test_each_step_follows_the_one_before_and_carries_the_community(
    before: tuple[Event, ...], step: Event, status: ReferralStatus
) -> None:
    so_far = referral(made(), *before)
    assert so_far.event(step).community == "东路社区"
    assert so_far.after(step).state.status is status


@pytest.mark.parametrize(
    ("before", "step"),
    [
        ((), COMPLETED), ((ACCEPTED,), ACCEPTED), ((ACCEPTED,), DECLINED),
        ((DECLINED,), ACCEPTED), ((DECLINED,), COMPLETED), ((ACCEPTED, COMPLETED), COMPLETED),
        ((CLOSED,), CLOSED), ((CLOSED,), ACCEPTED),
    ],
)
def test_a_step_out_of_order_is_refused(before: tuple[Event, ...], step: Event) -> None:
    with refused("referral_step_refused"):
        referral(made(), *before).when(step)


def test_a_referral_without_a_known_ground_is_refused() -> None:
    with refused("unknown_code"):
        referral().when(made(basis="gossip"))


def test_a_referral_of_an_unknown_household_or_person_is_refused() -> None:
    with refused("unknown_household"):
        referral().when(made(household="h2"))
    with refused("person_not_of_household"):
        referral().when(made(person="p9"))
