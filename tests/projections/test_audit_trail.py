"""Are events found by who, when and about whom, on both databases, in order, a page at a time?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from desk import STATION, Desk

from domain.kernel import stream_id
from domain.ledger import Ledger
from domain.referral import ReferralAccepted, ReferralMade
from domain.visit import VISIT, VisitRecorded
from projections.audit_trail import AuditKey, AuditQuery, audit_events_of
from projections.engine import ReadModels


def at(day: int) -> datetime:
    return datetime(2024, 12, day, 9, tzinfo=UTC)


def a_visit(household: str, **changes: Any) -> VisitRecorded:
    return VisitRecorded(mode="home", purpose="routine", persons_met=1, household=household, **changes)


@pytest.fixture
def asked(desk: Desk, read_models: ReadModels, ledger: Ledger) -> Any:
    """Two households; a visit that moved from one to the other; a referral in two steps."""
    desk.household("h1", "a", "b", now=at(1))
    desk.household("h2", "c", now=at(1))
    desk.record("v1", a_visit("h1", persons=("b",)), "2024-11-05", now=at(4))
    desk.correct("v1", 1, a_visit("h2"), "2024-11-05", now=at(5), actor="lead-1")
    desk.void(VISIT, "v1", 1, now=at(6))
    referral = ReferralMade(household="h1", to_agency="医院", need="medical", basis="consent")
    desk.record("r1", referral, "2024-11-06", now=at(2))
    desk.record("r1", ReferralAccepted(), "2024-11-07", now=at(3))
    read_models.advance(ledger)

    def ask(after: Any = None, limit: int = 50, **said: Any) -> list[AuditKey]:
        with read_models.engine.connect() as connection:
            query = AuditQuery(**{"station": STATION} | said)
            return audit_events_of(connection, query, after=after, limit=limit)

    return ask


def days(keys: list[AuditKey]) -> list[int]:
    return [key.recorded_at.day for key in keys]


@pytest.mark.parametrize(("said", "found"), [
    ({"about": ("household:h1",)}, [5, 4, 3, 2, 1]),
    ({"about": ("household:h2",)}, [6, 5, 1]),
    ({"about": ("person:b",)}, [5, 4, 1]),
    ({"about": ("household:h1", "person:b")}, [5, 4, 1]),
    ({"about": ("household:h2", "person:a")}, []),
    ({"about": ("household:h1",), "actor": "lead-1"}, [5]),
    ({"actor": "lead-1"}, [5]),
    ({"stream": stream_id(STATION, "visit", "v1")}, [6, 5, 4]),
    ({"stream": stream_id(STATION, "household", "h1")}, [1]),
    ({"action": "corrected"}, [5]),
    ({"action": "voided", "about": ("household:h2",)}, [6]),
    ({"action": "recorded", "stream": stream_id(STATION, "visit", "v1")}, [4]),
    ({"first": at(3), "until": at(5)}, [4, 3]),
    ({"first": at(3), "about": ("household:h1",)}, [5, 4, 3]),
    ({"station": "elsewhere"}, []),
])
def test_events_are_found_the_last_recorded_first(asked: Any, said: dict[str, Any], found: list[int]) -> None:
    assert days(asked(**said)) == found


@pytest.mark.parametrize("said", [{}, {"about": ("household:h1",)}, {"actor": "worker-1"}])
def test_pages_follow_each_other(asked: Any, said: dict[str, Any]) -> None:
    pages: list[AuditKey] = []
    while page := asked(after=(pages[-1].recorded_at, pages[-1].position) if pages else None, limit=2, **said):
        pages += page
    assert pages == asked(**said)
    assert len(pages) > 3
