"""Do lists, status, timelines and figures follow merges, chains of them, and their ends?"""

from __future__ import annotations

from typing import Any

import pytest
from desk import STATION, Desk

from domain.household import HouseholdInfoUpdated
from domain.ledger import Ledger, Subject
from domain.merging import HOUSEHOLDS, HouseholdMergeProposed, MergeApproved, MergeEnded
from domain.referral import ReferralMade
from domain.visit import VISIT, VisitRecorded
from projections.aliases import Aliases, alias_changes, aliases_at
from projections.engine import ReadModels
from projections.figures import Period, evidence, figures
from projections.household_status import household_list, household_status
from projections.indicators import indicator_set
from projections.looking_back import (
    STATUS,
    Page,
    households_then,
    status_then,
    timeline_then,
)
from projections.moments import Moment
from projections.record_index import RecordIndex
from projections.referrals import referral_list
from projections.standing import standing
from projections.timeline import active_streams_about, records_of_kind, timeline_of

TODAY = "2024-12-02"
NOVEMBER = Period.of_month("2024-11")


class Book:
    """A station with four households, of which some turn out to be one."""

    def __init__(self, desk: Desk, read_models: ReadModels) -> None:
        self.desk, self.read_models = desk, read_models
        for name in ("h1", "h2", "h3", "h4"):
            desk.household(name)
            desk.record(name, HouseholdInfoUpdated(fields=("care",)), "2024-11-04")
            visit = VisitRecorded(mode="home", purpose="routine", persons_met=1, household=name)
            desk.record(f"v-{name}", visit, f"2024-11-0{name[1]}")

    def merge(self, merged: str, survivor: str) -> int:
        proposal = HouseholdMergeProposed(merged=merged, survivor=survivor, reason="重复建档")
        entry = self.desk.record(HOUSEHOLDS, proposal, TODAY).version
        return self.desk.record(
            HOUSEHOLDS, MergeApproved(entry=entry), TODAY, actor="lead-1"
        ).position

    def unmerge(self, entry: int) -> None:
        self.desk.record(HOUSEHOLDS, MergeEnded(entry=entry, reason="两户"), TODAY, actor="lead-1")

    def ask(self, question: Any, *about: Any, **how: Any) -> Any:
        self.read_models.advance(self.desk.ledger)
        with self.read_models.engine.connect() as connection:
            return question(connection, STATION, *about, **how)

    def updated(self, **when: Any) -> Any:
        found = self.ask(figures, indicator_set("lixia-2024"), NOVEMBER, **when)
        return found[0].value


@pytest.fixture
def book(desk: Desk, read_models: ReadModels) -> Book:
    return Book(desk, read_models)


def test_a_chain_is_resolved_to_its_end_and_undone_link_by_link(book: Book) -> None:
    first = book.merge("h3", "h2")
    second = book.merge("h2", "h1")
    assert book.updated() == 2
    assert [book.updated(known_at=p) for p in (first - 1, first, second)] == [4, 3, 2]
    found = book.ask(aliases_at)
    assert found.family("household", "h3") == ("h1", "h2", "h3")
    book.unmerge(3)
    assert book.ask(aliases_at).family("household", "h1") == ("h1",)
    assert book.updated() == 3
    book.unmerge(1)
    assert book.updated() == 4
    assert [c.amount for c in book.ask(alias_changes, second - 1, None)] == [1, -1, -1]


def test_the_evidence_of_a_distinct_figure_says_whom_each_posting_counts_as(book: Book) -> None:
    first = book.merge("h3", "h2")
    book.merge("h2", "h1")
    indicator = indicator_set("lixia-2024").indicators[0]
    now = book.ask(evidence, indicator, NOVEMBER)
    assert sorted({row.counts_as for row in now}) == ["h1", "h4"]
    then = book.ask(evidence, indicator, NOVEMBER, known_at=first)
    assert sorted({row.counts_as for row in then}) == ["h1", "h2", "h4"]


def test_lists_and_status_show_the_survivor_for_all(book: Book) -> None:
    book.merge("h3", "h2")
    book.merge("h2", "h1")
    referral = ReferralMade(household="h4", to_agency="医院", need="medical", basis="consent")
    book.desk.record("r1", referral, "2024-11-05")
    rows = book.ask(household_list)
    assert [(r.household, r.merged, r.member_count) for r in rows] == [
        ("h1", ("h2", "h3"), 3), ("h4", (), 1),
    ]
    assert [str(r.last_contact_on) for r in rows] == ["2024-11-03", "2024-11-04"]
    status = book.ask(household_status, "h3")
    assert (status.household.household, status.merged_into) == ("h1", "h1")
    assert [m.household for m in status.members] == ["h1", "h2", "h3"]
    assert book.ask(household_status, "h4").merged_into is None
    assert len(book.ask(household_list, limit=1)) == 1
    assert [r.referral for r in book.ask(referral_list, household="h4")] == ["r1"]


def test_a_timeline_has_each_record_of_all_files_once_and_in_pages(book: Book) -> None:
    book.merge("h2", "h1")
    whole = book.ask(timeline_of, "household:h2")
    assert [row.topic for row in whole].count("household.registered") == 2
    assert len({row.position for row in whole}) == len(whole) == 8
    first = book.ask(timeline_of, "household:h1", limit=3)
    last = first[-1]
    rest = book.ask(timeline_of, "household:h1", after=(last.occurred_on, last.position))
    assert [*first, *rest] == whole
    visits = book.ask(records_of_kind, "visit", subject="household:h1")
    assert [row.id for row in visits] == ["v-h2", "v-h1"]


def test_other_stations_are_not_concerned(book: Book) -> None:
    book.merge("h2", "h1")
    book.read_models.advance(book.desk.ledger)
    with book.read_models.engine.connect() as connection:
        assert aliases_at(connection, "other") == Aliases()


def test_a_ring_that_no_rule_allows_is_still_answered() -> None:
    ring = Aliases({("household", "a"): "b", ("household", "b"): "a"})
    assert ring.root("household", "a") in {"a", "b"}


def test_who_names_a_household_is_found_with_what_counts_first(
    book: Book, read_models: ReadModels, ledger: Ledger
) -> None:
    visit = VisitRecorded(mode="home", purpose="routine", persons_met=1, household="h1")
    book.desk.record("v-late", visit, "2024-11-20")
    book.desk.void(VISIT, "v-h1", 1)
    index = RecordIndex(lambda: read_models)
    read_models.advance(ledger)
    streams, position = index.streams_naming(Subject(STATION, "household", "h1"))
    assert position == ledger.head()
    names = list(dict.fromkeys(stream.partition("/")[2] for stream in streams))
    assert names == ["household/h1", "visit/v-late", "visit/v-h1"]
    everything, _position = index.streams_naming(Subject(STATION, "station", STATION))
    assert f"{STATION}/station/{STATION}" not in everything
    assert len(set(everything)) == 9
    assert book.ask(active_streams_about, "visit", ["household:h1"]) == [
        ("household:h1", f"{STATION}/visit/v-late")
    ]


def test_at_an_earlier_moment_nothing_was_merged_yet(book: Book, ledger: Ledger) -> None:
    position = book.merge("h2", "h1")
    book.read_models.advance(ledger)
    for known_at, households, merged_into in ((position - 1, 4, None), (position, 3, "h1")):
        moment = Moment(known_at=known_at)
        with standing(book.read_models, ledger, moment, *STATUS, "timeline") as then:
            assert len(households_then(then, STATION)) == households
            status = status_then(then, STATION, "h2")
            assert status is not None
            assert status.merged_into == merged_into
            timeline = timeline_then(then, STATION, "household:h2", Page(limit=500))
            assert [row.topic for row in timeline].count("visit.recorded") == 5 - households
