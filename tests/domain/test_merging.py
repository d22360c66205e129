"""Who may merge what into what, and what may then still be recorded?"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import msgspec
import pytest
from domain_spec import CONTEXT, Given, correct, given, record, refused, reinstate, said, void

from domain.household import (
    AssistanceAssigned,
    AssistanceEnded,
    HouseholdInfoVerified,
    HouseholdRegistered,
    Member,
)
from domain.kernel import Reference
from domain.merging import (
    HouseholdMergeProposed,
    MergeApproved,
    MergeDeclined,
    MergeEnded,
    PersonMergeProposed,
)
from domain.visit import VisitRecorded

LEAD = msgspec.structs.replace(CONTEXT, actor="lead-1", role="lead")


def file_of(*persons: str, subject: str) -> Given:
    members = tuple(Member(person=person, name="测试") for person in persons)
    return given(
        said(HouseholdRegistered(community="东", members=members), "2024-07-01"), subject=subject
    )


FILES = {name: file_of(f"{name}-p", subject=name) for name in ("h1", "h2", "h3", "h4")}


def propose(merged: str, survivor: str) -> HouseholdMergeProposed:
    return HouseholdMergeProposed(merged=merged, survivor=survivor, reason="重复建档")


class Registry:
    """The merges of the station's households: a worker proposes, the lead approves."""

    def __init__(self, merges: Given | None = None) -> None:
        self.merges = merges or given(subject="households", related=FILES)

    def worker(self, event: Any) -> Registry:
        return Registry(replace(self.merges, context=CONTEXT).after(record(event)))

    def lead(self, event: Any) -> Registry:
        return Registry(replace(self.merges, context=LEAD).after(record(event)))

    def merge(self, merged: str, survivor: str) -> Registry:
        proposed = self.worker(propose(merged, survivor))
        assert proposed.merges.stream
        return proposed.lead(MergeApproved(entry=proposed.merges.stream.version))

    @property
    def state(self) -> Any:
        return self.merges.state


def beside(merges: Registry, stream: Given) -> Given:
    """A stream that is decided on with what is merged in mind."""
    return replace(stream, related={**stream.related, **FILES, "households": merges.merges})


# ---- two persons ----


def test_a_merge_counts_once_a_second_person_agreed() -> None:
    proposed = Registry().worker(propose("h2", "h1"))
    assert proposed.state.survivor_of("h2") == "h2"
    merged = proposed.lead(MergeApproved(entry=1))
    assert merged.state.survivor_of("h2") == "h1"
    assert merged.lead(MergeEnded(entry=1, reason="是两户")).state.survivor_of("h2") == "h2"


def test_ids_that_count_as_the_same_are_one_family_until_the_merge_ends() -> None:
    merged = Registry().merge("h2", "h1")
    assert merged.state.family("h1") == merged.state.family("h2") == {"h1", "h2"}
    assert merged.state.family("h3") == {"h3"}
    ended = merged.lead(MergeEnded(entry=1, reason="是两户"))
    assert ended.state.family("h2") == {"h2"}


def test_the_approval_says_whom_it_is_about() -> None:
    approval = Registry().merge("h2", "h1").merges.log[-1].event
    assert approval == MergeApproved(entry=1, merged_household="h2", surviving_household="h1")


def test_whoever_proposed_does_not_approve() -> None:
    with refused("second_person_needed"):
        Registry().worker(propose("h2", "h1")).worker(MergeApproved(entry=1))


def test_a_proposal_is_decided_once() -> None:
    declined = Registry().worker(propose("h2", "h1")).lead(
        MergeDeclined(entry=1, reason="并非一户")
    )
    for event in (
        MergeApproved(entry=1), MergeDeclined(entry=1, reason="又"),
        MergeEnded(entry=1, reason="又"),
    ):
        with refused("merge_step_refused"):
            declined.lead(event)
    assert declined.merge("h2", "h1").state.survivor_of("h2") == "h1"


def test_only_a_proposal_is_decided_on() -> None:
    merged = Registry().merge("h2", "h1")
    for entry in (2, 9):
        with refused("unknown_merge_proposal"):
            merged.lead(MergeEnded(entry=entry, reason="并非一户"))


# ---- what is not merged ----


def test_what_is_unknown_is_not_merged() -> None:
    with refused("unknown_household"):
        Registry().worker(propose("h9", "h1"))
    with refused("unknown_household"):
        Registry().worker(propose("h2", "h9"))


def test_nothing_is_merged_with_itself() -> None:
    with refused("merged_with_itself"):
        Registry().worker(propose("h1", "h1"))


def test_what_is_merged_is_not_merged_again_nor_merged_into() -> None:
    merged = Registry().merge("h2", "h1")
    with refused("already_merged") as caught:
        merged.worker(propose("h2", "h3"))
    assert caught.value.facts["survivor"] == "h1"
    with refused("already_merged"):
        merged.worker(propose("h3", "h2"))


def test_merges_make_chains_and_no_rings() -> None:
    chain = Registry().merge("h3", "h2").merge("h2", "h1")
    assert chain.state.survivor_of("h3") == "h1"
    for survivor in ("h2", "h3"):
        with refused("merge_cycle"):
            chain.worker(propose("h1", survivor))


def test_the_middle_of_a_chain_may_be_taken_out() -> None:
    chain = Registry().merge("h3", "h2").merge("h2", "h1")
    ended = chain.lead(MergeEnded(entry=3, reason="是两户"))
    assert [ended.state.survivor_of(h) for h in ("h3", "h2")] == ["h2", "h2"]


@pytest.mark.parametrize(("merged", "survivor"), [("h2", "h3"), ("h1", "h2"), ("h3", "h2")])
def test_a_second_proposal_waits_for_the_first(merged: str, survivor: str) -> None:
    with refused("merge_proposal_open"):
        Registry().worker(propose("h2", "h1")).worker(propose(merged, survivor))


def test_several_files_may_be_proposed_for_one_survivor() -> None:
    three = Registry().worker(propose("h2", "h1")).worker(propose("h3", "h1"))
    both = three.lead(MergeApproved(entry=1)).lead(MergeApproved(entry=2))
    assert {both.state.survivor_of(h) for h in ("h2", "h3")} == {"h1"}


def test_there_is_no_third_register_and_each_takes_its_own() -> None:
    person = PersonMergeProposed(
        merged="h2-p", merged_household="h2", survivor="h1-p", survivor_household="h1",
        reason="同一人",
    )
    for subject, event in (("others", propose("h2", "h1")), ("persons", propose("h2", "h1")),
                           ("households", person)):
        with refused("unknown_record"):
            given(subject=subject, related=FILES).when(event)


# ---- persons ----


def test_persons_are_merged_where_a_file_lists_them() -> None:
    def proposal(merged: str = "h2-p") -> PersonMergeProposed:
        return PersonMergeProposed(
            merged=merged, merged_household="h2", survivor="h1-p", survivor_household="h1",
            reason="同一身份证号",
        )

    persons = given(subject="persons", related=FILES)
    with refused("person_not_of_household"):
        persons.when(proposal("h9-p"))
    proposed = Registry(persons.after(record(proposal())))
    merged = proposed.lead(MergeApproved(entry=1))
    assert merged.state.survivor_of("h2-p") == "h1-p"
    assert merged.merges.log[-1].event == MergeApproved(
        entry=1, merged_person="h2-p", merged_household="h2", surviving_person="h1-p",
        surviving_household="h1",
    )


# ---- a merge is ended, not amended ----


def test_nothing_of_a_merge_is_corrected_voided_or_reinstated() -> None:
    merged = Registry().merge("h2", "h1").merges
    for command in (void(1), void(2), reinstate(2), correct(1, propose("h2", "h3"))):
        with refused("not_correctable"):
            merged.when(command)


# ---- what a merge means for others ----


def test_nothing_new_is_recorded_of_a_merged_household() -> None:
    merges = Registry().merge("h2", "h1")
    with refused("household_merged") as caught:
        beside(merges, FILES["h2"]).when(HouseholdInfoVerified())
    assert caught.value.facts == {"id": "h2", "survivor": "h1"}
    visit = VisitRecorded(mode="home", purpose="routine", persons_met=1, household="h2")
    with refused("household_merged"):
        beside(merges, given()).when(visit)
    assert beside(merges, given()).when(msgspec.structs.replace(visit, household="h1"))


def test_what_a_merged_household_had_may_still_end() -> None:
    merges = Registry().merge("h2", "h1")
    assigned = AssistanceAssigned(unit="u1", category="dibao", covered=("h2-p",))
    with refused("household_merged"):
        beside(merges, FILES["h2"]).when(assigned)
    assisted = beside(merges, FILES["h2"].after(record(assigned, "2024-08-01")))
    assert assisted.when(AssistanceEnded(unit="u1", reason="voluntary"))
    assert assisted.when(void(2))


def test_what_was_recorded_of_it_before_is_still_corrected() -> None:
    merges = Registry().merge("h2", "h1")
    visit = VisitRecorded(mode="home", purpose="routine", persons_met=1, household="h2")
    after = beside(merges, given(related=FILES).after(record(visit)))
    corrected = msgspec.structs.replace(visit, persons_met=2)
    assert after.when(correct(1, corrected))
    assert after.after(void(1)).when(reinstate(1))
    of_another = msgspec.structs.replace(visit, household="h3")
    with refused("household_merged"):
        beside(merges, given(related=FILES).after(record(of_another))).when(correct(1, corrected))


# ---- a registration that others name ----


def test_a_registration_is_not_voided_while_others_name_it() -> None:
    named = Reference("s/visit/v1", 1, "走访", date(2024, 11, 5))
    with refused("still_referred_to") as caught:
        replace(FILES["h1"], named_by=(named,)).when(void(1))
    assert "走访 v1（2024-11-05，走访）" in str(caught.value)


def test_a_registration_that_a_merge_rests_on_is_not_voided() -> None:
    proposed = Registry().worker(propose("h2", "h1"))
    for household in ("h1", "h2"):
        with refused("household_of_merge"):
            beside(proposed, FILES[household]).when(void(1))
    declined = proposed.lead(MergeDeclined(entry=1, reason="并非一户"))
    assert beside(declined, FILES["h2"]).when(void(1))
    ended = Registry().merge("h2", "h1").lead(MergeEnded(entry=1, reason="是两户"))
    assert beside(ended, FILES["h2"]).when(void(1))
