"""How long did casework take, and who was not contacted?"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from desk import STATION, Desk
from domain_spec import refused

from domain.case import (
    CASE,
    CaseAssessed,
    CaseClosed,
    CaseIntaken,
    CasePlanned,
    CaseReopened,
    CaseReviewed,
    CaseSessionHeld,
)
from domain.indicators import Aggregation, Indicator, Without
from domain.ledger import Ledger
from domain.merging import HouseholdMergeProposed, MergeApproved
from domain.referral import ReferralAccepted, ReferralCompleted, ReferralMade
from domain.survey import NeedMet, NeedsAssessed, NeedStated
from domain.visit import VISIT, VisitRecorded
from domain.vocabulary import Unit
from projections.difference import Difference, difference
from projections.engine import ReadModels
from projections.figures import Figure, Period, evidence, figures
from projections.indicators import alone, indicator_set

YEAR = Period.of("2024")
NOVEMBER = Period.of("2024-11")
LATER = datetime(2025, 3, 1, tzinfo=UTC)


class Asking:
    """Counts by a definition made up for the question."""

    def __init__(self, ledger: Ledger, read_models: ReadModels) -> None:
        self.ledger, self.read_models = ledger, read_models

    def figure(self, row: Indicator, period: Period = YEAR, **when: Any) -> Figure:
        self.read_models.advance(self.ledger)
        base = indicator_set("lixia-2024")
        with self.read_models.engine.connect() as connection:
            found = figures(connection, STATION, base, period, definitions=(row,), **when)
        return found[-1]

    def days(self, measure: str, period: Period = YEAR, **more: Any) -> Any:
        when = {k: more.pop(k) for k in ("as_of", "known_at") if k in more}
        row = Indicator(
            code="x", label="x", label_en="x", measure=measure, **{"unit": Unit.DAY} | more
        )
        return self.figure(row, period, **when).value

    def changed(self, since: Any, days: int = 30) -> Difference:
        """What changed of an absence since a moment."""
        self.read_models.advance(self.ledger)
        with self.read_models.engine.connect() as connection:
            return difference(connection, STATION, alone(absence(days)), NOVEMBER, since=since)

    def without_contact(self, days: int, period: Period = NOVEMBER, **when: Any) -> Any:
        return self.figure(absence(days), period, **when).value


def absence(days: int) -> Indicator:
    return Indicator(
        code="x", label="x", label_en="x", unit=Unit.HOUSEHOLD, measure="household.kept",
        without=Without(measure="contact.households", days=days),
    )


@pytest.fixture
def asking(desk: Desk, ledger: Ledger, read_models: ReadModels) -> Asking:
    for name in ("h1", "h2", "h3"):
        desk.household(name)
    return Asking(ledger, read_models)


def run_case(desk: Desk, name: str = "c1", closed: str = "2024-10-31") -> None:
    desk.record(name, CaseIntaken(household="h1", worker="周", problem="独居"), "2024-10-01")
    desk.record(name, CaseAssessed(), "2024-10-06")
    desk.record(name, CasePlanned(goals=("按时服药",)), "2024-10-10")
    desk.record(name, CaseSessionHeld(), "2024-10-15")
    desk.record(name, CaseSessionHeld(), "2024-10-20")
    desk.record(name, CaseReviewed(), "2024-10-25")
    desk.record(name, CaseClosed(reason="goals_met"), closed)


def test_a_case_takes_its_days_and_each_stage_its_own(desk: Desk, asking: Asking) -> None:
    run_case(desk)
    assert asking.days("case.days") == 30
    stages = {
        stage: asking.days("case.stage_days", filter={"kind": stage})
        for stage in ("intake", "assessed", "planned", "intervening", "reviewed")
    }
    assert stages == {
        "intake": 5, "assessed": 4, "planned": 5, "intervening": 10, "reviewed": 6
    }
    total = asking.days("case.stage_days", aggregation=Aggregation.SUM)
    assert total == asking.days("case.days", aggregation=Aggregation.SUM) == 30


def test_an_average_is_over_cases_and_of_nothing_is_none(desk: Desk, asking: Asking) -> None:
    assert asking.days("case.days") is None
    run_case(desk, "c1", "2024-10-31")
    run_case(desk, "c2", "2024-10-26")
    assert asking.days("case.days") == Decimal("27.5")
    counted = asking.days("case.days", unit=Unit.TIMES, aggregation=Aggregation.COUNT)
    assert counted == 2
    assert asking.days("case.days", NOVEMBER) is None


def test_a_day_of_0_still_counts_as_one(desk: Desk, asking: Asking) -> None:
    desk.record("c1", CaseIntaken(household="h1", worker="周", problem="独居"), "2024-10-01")
    desk.record("c1", CaseAssessed(), "2024-10-01")
    assert asking.days("case.stage_days") == 0


def test_a_corrected_intake_takes_the_durations_along(desk: Desk, asking: Asking) -> None:
    run_case(desk)
    intake = CaseIntaken(household="h1", worker="周", problem="独居")
    before = desk.ledger.head()
    desk.correct("c1", 1, intake, "2024-10-03", now=LATER)
    assert asking.days("case.days") == 28
    assert asking.days("case.stage_days", filter={"kind": "intake"}) == 3
    assert asking.days("case.days", known_at=before) == 30


def test_a_voided_closing_leaves_no_duration(desk: Desk, asking: Asking) -> None:
    run_case(desk)
    desk.void(CASE, "c1", 7)
    assert asking.days("case.days") is None
    desk.reinstate(CASE, "c1", 7)
    assert asking.days("case.days") == 30


def test_a_case_taken_up_again_counts_from_then(desk: Desk, asking: Asking) -> None:
    run_case(desk)
    desk.record("c1", CaseReopened(because="复发"), "2024-11-01")
    desk.record("c1", CaseSessionHeld(), "2024-11-03")
    desk.record("c1", CaseClosed(reason="goals_met", skipping_because="短"), "2024-11-05")
    assert asking.days("case.days", NOVEMBER) == 4


def test_the_evidence_of_an_average_is_its_days(desk: Desk, asking: Asking) -> None:
    run_case(desk)
    row = Indicator(code="x", label="x", label_en="x", unit=Unit.DAY, measure="case.days")
    asking.figure(row)
    with asking.read_models.engine.connect() as connection:
        assert [r.amount for r in evidence(connection, STATION, row, YEAR)] == [30]


def test_from_need_to_referral_to_completion(desk: Desk, asking: Asking) -> None:
    needs = (NeedStated(need="medical"), NeedStated(need="care"))
    desk.record("na1", NeedsAssessed(household="h1", needs=needs), "2024-09-01")
    referral = ReferralMade(
        household="h1", to_agency="医院", need="medical", basis="consent",
        needs_assessment="na1",
    )
    desk.record("r1", referral, "2024-09-11")
    desk.record("r1", ReferralAccepted(), "2024-09-15")
    desk.record("r1", ReferralCompleted(outcome="已安排"), "2024-09-30")
    desk.record("na1", NeedMet(need="care"), "2024-09-21")
    assert asking.days("need.days_to_referral") == 10
    assert asking.days("referral.days", filter={"kind": "medical"}) == 19
    assert asking.days("need.days_to_completion") == 29
    assert asking.days("need.days_to_met", filter={"kind": "care"}) == 20
    desk.correct("r1", 1, referral, "2024-09-06")
    assert asking.days("need.days_to_referral") == 5
    assert asking.days("referral.days") == 24


def test_a_referral_names_an_assessment_of_its_household_and_need(
    desk: Desk, asking: Asking
) -> None:
    assert asking.ledger is desk.ledger
    desk.record(
        "na1", NeedsAssessed(household="h1", needs=(NeedStated(need="care"),)), "2024-09-01"
    )
    for household, need in (("h2", "care"), ("h1", "medical")):
        with refused("need_of_another_assessment"):
            desk.record(
                "r1",
                ReferralMade(
                    household=household, to_agency="医院", need=need, basis="consent",
                    needs_assessment="na1",
                ),
                "2024-09-11",
            )


# ---- households without contact ----


def visited(desk: Desk, name: str, household: str, day: str, **more: Any) -> None:
    event = VisitRecorded(
        mode="phone", purpose="routine", household=household, persons_met=1
    )
    desk.record(name, event, day, **more)


def test_a_household_is_without_contact_where_nobody_met_it_for_so_many_days(
    desk: Desk, asking: Asking
) -> None:
    visited(desk, "v1", "h1", "2024-11-01")
    visited(desk, "v2", "h2", "2024-10-31")
    assert asking.without_contact(30) == 2
    assert asking.without_contact(31) == 1
    assert asking.without_contact(30, as_of=date(2024, 11, 10)) == 1
    assert asking.without_contact(30, Period.of("2024-12")) == 3


def test_what_is_recorded_or_voided_later_changes_it_but_not_what_was_known(
    desk: Desk, asking: Asking
) -> None:
    visited(desk, "v1", "h1", "2024-11-10")
    visited(desk, "v2", "h2", "2024-11-10", now=LATER)
    desk.void(VISIT, "v1", 1, now=LATER)
    known = datetime(2024, 12, 6, tzinfo=UTC)
    assert asking.without_contact(30) == 2
    assert asking.without_contact(30, known_at=known) == 2
    desk.reinstate(VISIT, "v1", 1, now=LATER)
    assert asking.without_contact(30) == 1
    assert asking.without_contact(30, known_at=known) == 2


def test_a_session_of_its_case_is_contact(desk: Desk, asking: Asking) -> None:
    run_case(desk)
    assert asking.without_contact(60) == 2
    desk.record("c2", CaseIntaken(household="h2", worker="周", problem="独居"), "2024-11-05")
    assert asking.without_contact(60) == 1


def test_the_evidence_names_the_households_that_nobody_met(desk: Desk, asking: Asking) -> None:
    visited(desk, "v1", "h1", "2024-11-10")
    assert asking.without_contact(30) == 2
    with asking.read_models.engine.connect() as connection:
        rows = evidence(connection, STATION, absence(30), NOVEMBER)
    assert {row.entity for row in rows} == {"h2", "h3"}


@pytest.mark.parametrize("by_position", [True, False])
def test_a_difference_names_the_contacts_that_ended_or_began_an_absence(
    desk: Desk, asking: Asking, *, by_position: bool
) -> None:
    visited(desk, "v1", "h1", "2024-11-10")
    known: Any = datetime(2024, 12, 6, tzinfo=UTC)
    if by_position:
        known = asking.ledger.head()
    visited(desk, "v2", "h2", "2024-11-11", now=LATER)
    visited(desk, "v3", "h1", "2024-11-12", now=LATER)  # was in contact before
    visited(desk, "v4", "h3", "2024-09-12", now=LATER)  # too long ago
    found = asking.changed(known)
    (figure,) = found.figures
    assert (figure.before.value, figure.after.value) == (2, 1)
    (record,) = found.records
    assert (record.stream, record.amounts) == (f"{STATION}/visit/v2", {"x": -1})
    desk.void(VISIT, "v1", 1, now=LATER)
    desk.void(VISIT, "v3", 1, now=LATER)
    desk.household("h4", now=LATER)
    found = asking.changed(known)
    (figure,) = found.figures
    assert (figure.before.value, figure.after.value) == (2, 3)
    assert {(r.stream.partition("/")[2], r.amounts["x"]) for r in found.records} == {
        ("visit/v1", 1), ("visit/v2", -1), ("household/h4", 1),
    }


def test_an_absence_that_a_merge_ended_is_named_by_contacts_of_either_file(
    desk: Desk, asking: Asking
) -> None:
    proposal = HouseholdMergeProposed(merged="h2", survivor="h1", reason="重复建档")
    entry = desk.record("households", proposal, "2024-12-02").version
    known = asking.ledger.head()
    lead = {"actor": "lead-1", "role": "lead"}
    visited(desk, "v2", "h2", "2024-11-11")
    desk.record("households", MergeApproved(entry=entry), "2024-12-02", **lead)
    found = asking.changed(known)
    assert [(f.before.value, f.after.value) for f in found.figures] == [(3, 1)]
    assert [(r.stream.partition("/")[2], r.amounts) for r in found.records] == [
        ("visit/v2", {"x": -1})
    ]
    assert len(found.merges) == 1
