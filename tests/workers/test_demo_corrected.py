"""What does the demo's November say after a void, a retroactive end and a merge?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from desk import Desk, a_vault
from sqlalchemy import select

from domain.household import AssistanceEnded, Household
from domain.ledger import Ledger
from domain.merging import HOUSEHOLDS, HouseholdMergeProposed, MergeApproved, MergeEnded
from domain.visit import VISIT
from projections.difference import Difference, difference
from projections.engine import ReadModels
from projections.figures import KnownAt, Period, figures
from projections.indicators import indicator_set
from projections.postings import postings
from projections.timeline import records
from workers.demo import DEMO_SOURCE, DEMO_STATION, demo_history
from workers.history import import_history

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JANUARY = datetime(2025, 1, 8, 2, 0, tzinfo=UTC)
FIFTH_OF_DECEMBER = datetime(2024, 12, 5, 16, 0, tzinfo=UTC)
MONTHS = [f"2024-{m:02}" for m in range(7, 13)] + [f"2025-{m:02}" for m in range(1, 7)]
NOVEMBER = Period.of_month("2024-11")
SET = indicator_set("lixia-2024")
NAMED = ("person_visits", "dibao_households", "dibao_persons")


@dataclass
class Year:
    """The demo's year, and what is done to it afterwards."""

    ledger: Ledger
    read_models: ReadModels

    @property
    def desk(self) -> Desk:
        return Desk(self.ledger, DEMO_STATION)

    def figures(self, month: str = "2024-11", known_at: KnownAt | None = None) -> dict[str, str]:
        self.read_models.advance(self.ledger)
        with self.read_models.engine.connect() as connection:
            found = figures(
                connection, DEMO_STATION, SET, Period.of_month(month), known_at=known_at
            )
        return {figure.indicator.code: figure.display for figure in found}

    def named(self, known_at: KnownAt | None = None) -> tuple[str, ...]:
        found = self.figures(known_at=known_at)
        return tuple(found[code] for code in NAMED)

    def every_month(self, known_at: KnownAt | None = None) -> dict[str, dict[str, str]]:
        return {month: self.figures(month, known_at) for month in MONTHS}

    def difference(self, since: KnownAt, until: KnownAt | None = None) -> Difference:
        self.read_models.advance(self.ledger)
        with self.read_models.engine.connect() as connection:
            return difference(
                connection, DEMO_STATION, SET, NOVEMBER, since=since,
                until=until,
            )

    def a_visit(self) -> str:
        """A visit in November that met one person."""
        with self.read_models.engine.connect() as connection:
            query = select(records.c.stream).where(
                records.c.topic == "visit.recorded", records.c.status == "active",
                records.c.occurred_on.between(NOVEMBER.first, NOVEMBER.last),
            )
            streams = connection.execute(query.order_by(records.c.position)).scalars().all()
        for stream in streams:
            subject = stream.rpartition("/")[2]
            found = self.ledger.stream(DEMO_STATION, "visit", subject)
            if found is not None and found.state.persons_met == 1:
                return subject
        raise AssertionError

    def updated_in_november(self) -> list[str]:
        """Households with updated information in November: each counts as one of the 125."""
        query = select(postings.c.entity).where(
            postings.c.measure == "household.updated", postings.c.amount > 0,
            postings.c.effective_on.between(NOVEMBER.first, NOVEMBER.last),
        )
        with self.read_models.engine.connect() as connection:
            return sorted(set(connection.execute(query).scalars()))

    def on_dibao(self, household: str) -> bool:
        """Whether one unit of one person is on 低保, since before November."""
        found = self.ledger.stream(DEMO_STATION, "household", household)
        assert found is not None
        state: Household = found.state
        units = list(state.units.values())
        return (
            [(u.category, len(u.covered)) for u in units] == [("dibao", 1)]
            and units[0].since < NOVEMBER.first
        )


@pytest.fixture
def year(tmp_path: Path) -> Iterator[Year]:
    read_models = ReadModels(f"sqlite:///{tmp_path}/read.sqlite3")
    with Ledger(f"sqlite:///{tmp_path}/ledger.sqlite3", a_vault()) as ledger:
        faults = import_history(ledger, demo_history(), DEMO_STATION, DEMO_SOURCE, NOW).faults
        assert faults == []
        read_models.advance(ledger)
        yield Year(ledger, read_models)
    read_models.close()


def test_a_void_and_a_retroactive_end_change_today_and_not_what_was_known(year: Year) -> None:
    # given the November that was published on 5 December
    assert year.named() == year.named(FIFTH_OF_DECEMBER) == ("25", "86", "102")
    visit = year.a_visit()
    household = next(h for h in year.updated_in_november() if year.on_dibao(h))
    unit = next(iter(year.ledger.stream(DEMO_STATION, "household", household).state.units))
    # when a visit is voided and a household's 低保 ended, in January for November
    year.desk.void(VISIT, visit, 1, now=JANUARY)
    ended = AssistanceEnded(unit=unit, reason="deceased")
    end = year.desk.record(household, ended, "2024-11-20", now=JANUARY)
    # then today's figures differ from those known on 5 December
    assert year.named() == ("24", "85", "101")
    assert year.named(FIFTH_OF_DECEMBER) == ("25", "86", "102")
    # and the difference names exactly the two records
    found = year.difference(FIFTH_OF_DECEMBER)
    assert {(r.stream, r.entry) for r in found.records} == {
        (f"{DEMO_STATION}/visit/{visit}", 1),
        (f"{DEMO_STATION}/household/{household}", end.version),
    }
    changed = {f.before.indicator.code: (f.before.display, f.after.display) for f in found.figures}
    assert changed["person_visits"] == ("25", "24")
    assert changed["dibao_households"] == ("86", "85")
    assert changed["dibao_persons"] == ("102", "101")
    assert (found.merges, found.is_cut) == ((), False)


def test_merging_a_double_registration_and_ending_it_brings_every_month_back(year: Year) -> None:
    before = year.every_month()
    kept, double = year.updated_in_november()[:2]
    head = year.ledger.head()
    desk = year.desk
    proposal = HouseholdMergeProposed(merged=double, survivor=kept, reason="重复建档")
    desk.record(HOUSEHOLDS, proposal, "2025-12-01", now=NOW)
    approval = desk.record(HOUSEHOLDS, MergeApproved(entry=1), "2025-12-01", **_lead())
    merged = year.every_month()
    # then sums stay, and what counts households counts one less where both were updated
    assert merged["2024-11"]["households_updated"] == "124"
    assert merged["2024-11"]["dibao_persons"] == before["2024-11"]["dibao_persons"]
    assert year.every_month(head) == before
    found = year.difference(head)
    assert found.records == ()
    assert [(m.alias, m.survivor, m.amount) for m in found.merges] == [(double, kept, 1)]
    assert "households_updated" in {f.before.indicator.code for f in found.figures}
    # when it is ended again, every figure of every month is as it was
    desk.record(HOUSEHOLDS, MergeEnded(entry=1, reason="确是两户"), "2025-12-01", **_lead())
    assert year.every_month() == before
    assert year.every_month(approval.position) == merged
    assert year.difference(head).figures == ()


def _lead() -> dict[str, Any]:
    return {"now": NOW, "actor": "站长", "role": "lead"}
