"""Which statements about a household are accepted, and what is derived from them?"""

from __future__ import annotations

from datetime import date

import pytest
from domain_spec import Given, given, record, refused, said

from domain.household import (
    AssistanceAssigned,
    AssistanceChanged,
    AssistanceEnded,
    BenefitGranted,
    BenefitStopped,
    CaseFileClosed,
    CaseFileOpened,
    ConsentGiven,
    ConsentWithdrawn,
    HouseholdInfoUpdated,
    HouseholdInfoVerified,
    HouseholdMoved,
    HouseholdRegistered,
    Member,
    MemberAdded,
    MemberRemoved,
    TemporaryAssistanceGranted,
    UnitTransferred,
)
from domain.kernel import Event

REGISTERED = said(
    HouseholdRegistered(
        community="东路社区", address="东路 1 号",
        members=(
            Member(person="p1", name="测试甲", relation="head"),
            Member(person="p2", name="测试乙", relation="spouse"),
        ),
    ),
    "2024-07-01",
)
DIBAO = said(AssistanceAssigned(unit="u1", category="dibao", covered=("p1",)), "2024-08-01")


def household(*more: object) -> Given:
    """A household of two persons at the first community."""
    return given(REGISTERED, *more, subject="h1")  # type: ignore[arg-type]


# ---- members ----


def test_a_person_named_twice_at_registration_is_refused() -> None:
    twice = (Member(person="p1", name="测试甲"), Member(person="p1", name="测试乙"))
    with refused("person_named_twice"):
        given().when(HouseholdRegistered(community="东路社区", members=twice))


def test_a_household_is_registered_once() -> None:
    with refused("already_exists"):
        household().when(REGISTERED.event)


def test_an_impossible_id_number_is_refused_at_registration_and_when_joining() -> None:
    member = Member(person="p3", name="测试丙", id_number="370102194902300000")
    with refused("bad_id_number"):
        given().when(HouseholdRegistered(community="东路社区", members=(member,)))
    with refused("bad_id_number"):
        household().when(MemberAdded(member=member))


def test_a_member_joins_once() -> None:
    joined = household(MemberAdded(member=Member(person="p3", name="测试丙")))
    assert set(joined.state.members) == {"p1", "p2", "p3"}
    with refused("person_already_member"):
        joined.when(MemberAdded(member=Member(person="p3", name="测试丙")))


def test_a_person_who_left_is_known_but_no_longer_a_member() -> None:
    left = household(MemberRemoved(person="p2", reason="moved_out"))
    assert set(left.state.members) == {"p1"}
    assert left.state.has_known("p2")
    with refused("unknown_person"):
        left.when(MemberRemoved(person="p2", reason="death"))


def test_a_person_who_left_may_come_back() -> None:
    left = household(MemberRemoved(person="p2", reason="moved_out"))
    back = left.after(MemberAdded(member=Member(person="p2", name="测试乙")))
    assert "p2" in back.state.members


@pytest.mark.parametrize(
    "event",
    [
        MemberRemoved(person="p9", reason="death"),
        ConsentGiven(person="p9", scope="建档"),
        BenefitGranted(person="p9", benefit="heating_subsidy"),
        AssistanceAssigned(unit="u1", category="dibao", covered=("p9",)),
    ],
    ids=lambda event: event.topic,
)
def test_a_statement_about_a_stranger_is_refused(event: Event) -> None:
    with refused("unknown_person"):
        household().when(event)


# ---- information ----


@pytest.mark.parametrize(
    "event",
    [
        HouseholdInfoUpdated(fields=("phone",), phone="000-0000000"),
        HouseholdInfoVerified(),
        TemporaryAssistanceGranted(amount_fen=100_000, purpose="突发疾病"),
        CaseFileOpened(file_number="F-1"),
        AssistanceAssigned(unit="u1", category="dibao", covered=("p1",)),
    ],
    ids=lambda event: event.topic,
)
def test_an_event_carries_the_community_in_which_the_household_then_was(event: Event) -> None:
    moved = household(said(HouseholdMoved(community="西路社区"), "2024-09-01"))
    assert household().event(event).community == "东路社区"
    assert moved.event(event).community == "西路社区"


@pytest.mark.parametrize(
    "event",
    [HouseholdInfoUpdated(fields=("phone",)), CaseFileOpened(file_number="F-1")],
    ids=lambda event: event.topic,
)
def test_an_update_carries_the_category_that_the_household_then_had(event: Event) -> None:
    assert household().event(event).category is None
    assert household(DIBAO).event(event).category == "dibao"


def test_what_a_person_states_for_a_derived_field_does_not_count() -> None:
    assert household().event(HouseholdInfoVerified(community="西路社区")).community == "东路社区"


def test_updating_keeps_what_it_does_not_state() -> None:
    updated = household(HouseholdInfoUpdated(fields=("phone",), phone="000-0000000")).state
    assert (updated.address, updated.phone) == ("东路 1 号", "000-0000000")


def test_the_latest_confirmation_of_the_information_stands() -> None:
    checked = household(
        said(HouseholdInfoVerified(), "2024-10-01"),
        said(HouseholdInfoUpdated(fields=("income",)), "2024-09-01"),
    )
    assert checked.state.info_confirmed_on == date(2024, 10, 1)


def test_a_move_takes_the_assistance_units_along_and_says_from_where() -> None:
    moved = household(DIBAO)
    event = moved.event(HouseholdMoved(community="西路社区"))
    assert event.transferred == (
        UnitTransferred(category="dibao", covered_count=1, from_community="东路社区"),
    )
    state = moved.after(HouseholdMoved(community="西路社区")).state
    assert state.community == "西路社区"
    assert state.units["u1"].community == "西路社区"


def test_a_move_without_assistance_transfers_nothing() -> None:
    assert household().event(HouseholdMoved(community="西路社区")).transferred == ()


# ---- file and consent ----


def test_a_household_has_one_open_file() -> None:
    opened = household(CaseFileOpened(file_number="F-1"))
    with refused("case_file_already_open"):
        opened.when(CaseFileOpened(file_number="F-2"))


def test_only_an_open_file_is_closed_and_only_once() -> None:
    with refused("case_file_not_open"):
        household().when(CaseFileClosed(reason="completed"))
    closed = household(CaseFileOpened(file_number="F-1"), CaseFileClosed(reason="completed"))
    assert closed.state.case_file is None
    with refused("case_file_not_open"):
        closed.when(CaseFileClosed(reason="completed"))


def test_a_closed_file_may_be_followed_by_another() -> None:
    closed = household(CaseFileOpened(file_number="F-1"), CaseFileClosed(reason="completed"))
    assert closed.after(CaseFileOpened(file_number="F-2")).state.case_file == "F-2"


def test_only_a_given_consent_is_withdrawn() -> None:
    with refused("consent_missing"):
        household().when(ConsentWithdrawn(person="p1", scope="建档"))
    agreed = household(ConsentGiven(person="p1", scope="建档"))
    assert agreed.state.consents == {("p1", "建档")}
    assert agreed.after(ConsentWithdrawn(person="p1", scope="建档")).state.consents == set()


# ---- assistance ----


def test_the_category_of_a_household_is_that_of_its_first_unit() -> None:
    assert household().state.category is None
    assert household(DIBAO).state.category == "dibao"


def test_a_unit_with_a_category_gets_another_only_by_a_change() -> None:
    with refused("unit_already_assisted"):
        household(DIBAO).when(AssistanceAssigned(unit="u1", category="tekun", covered=("p1",)))


def test_a_person_is_covered_by_one_unit() -> None:
    with refused("person_already_covered"):
        household(DIBAO).when(AssistanceAssigned(unit="u2", category="tekun", covered=("p1",)))
    two = household(
        DIBAO, said(AssistanceAssigned(unit="u2", category="tekun", covered=("p2",)), "2024-08-01")
    )
    with refused("person_already_covered"):
        two.when(AssistanceChanged(unit="u2", category="tekun", covered=("p1", "p2")))


def test_a_unit_names_a_person_once() -> None:
    with refused("person_named_twice"):
        household().when(AssistanceAssigned(unit="u1", category="dibao", covered=("p1", "p1")))


def test_a_change_says_what_was_before() -> None:
    moved = household(DIBAO, said(HouseholdMoved(community="西路社区"), "2024-09-01"))
    event = moved.event(AssistanceChanged(unit="u1", category="tekun", covered=("p1", "p2")))
    assert event.previous_category == "dibao"
    assert event.previous_covered_count == 1
    assert event.previous_community == "西路社区"
    assert event.community == "西路社区"


def test_an_end_says_what_was_before_and_ends_once() -> None:
    end = AssistanceEnded(unit="u1", reason="voluntary")
    event = household(DIBAO).event(end)
    assert event.previous_category == "dibao"
    assert event.previous_covered_count == 1
    assert event.previous_community == "东路社区"
    ended = household(DIBAO, end)
    assert ended.state.units == {}
    with refused("unit_not_assisted"):
        ended.when(end)


def test_a_unit_without_a_category_does_not_change() -> None:
    with refused("unit_not_assisted"):
        household().when(AssistanceChanged(unit="u1", category="tekun", covered=("p1",)))


@pytest.mark.parametrize(
    "event",
    [
        AssistanceChanged(unit="u1", category="tekun", covered=("p1",)),
        AssistanceEnded(unit="u1", reason="voluntary"),
    ],
    ids=lambda event: event.topic,
)
def test_what_comes_later_in_the_ledger_is_not_effective_earlier(event: Event) -> None:
    with refused("effective_before_latest"):
        household(DIBAO).when(record(event, "2024-07-31"))
    assert household(DIBAO).when(record(event, "2024-08-01"))


# ---- benefits ----


def test_a_benefit_starts_once_and_stops_once() -> None:
    begin = BenefitGranted(person="p1", benefit="heating_subsidy")
    stop = BenefitStopped(person="p1", benefit="heating_subsidy")
    running = household(begin)
    with refused("benefit_running"):
        running.when(begin)
    with refused("benefit_missing"):
        running.after(stop).when(stop)
    with refused("benefit_missing"):
        household().when(stop)


def test_a_household_is_registered_before_anything_else_is_said_of_it() -> None:
    with refused("unknown_record"):
        given(subject="h1").when(HouseholdInfoVerified())
