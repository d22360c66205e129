"""What may be written about a month?"""

from __future__ import annotations

import pytest
from domain_spec import Given, given, refused

from domain.kernel import Event
from domain.station_month import (
    NarrativeWritten,
    PlanItemAdded,
    PlanItemCarriedOver,
    PlanItemCompleted,
    PlanItemStatus,
    ReflectionWritten,
)
from domain.vocabulary import ReportSection

ADDED = PlanItemAdded(item="i1", text="探访独居老人")
COMPLETED = PlanItemCompleted(item="i1")
CARRIED_OVER = PlanItemCarriedOver(item="i1", to_month="2025-01")
NARRATIVE = NarrativeWritten(section=ReportSection.FEATURED, text="义剪")


def month(*events: Event) -> Given:
    return given(*events, subject="2024-11")


@pytest.mark.parametrize("subject", ["2024-13", "2024", "november", "2024-1"])
def test_a_month_is_named_by_the_month(subject: str) -> None:
    with refused("not_a_month"):
        given(subject=subject).when(ADDED)


@pytest.mark.parametrize(
    "event", [NARRATIVE, ReflectionWritten(text="要更早"), ADDED], ids=lambda e: e.topic
)
def test_a_month_begins_with_any_of_its_texts_and_takes_more(event: Event) -> None:
    assert month(event)
    assert month(NARRATIVE, event)


@pytest.mark.parametrize("event", [COMPLETED, CARRIED_OVER], ids=lambda e: e.topic)
def test_only_a_planned_item_is_settled(event: Event) -> None:
    with refused("unknown_record"):
        month().when(event)
    with refused("plan_item_unknown"):
        month(NARRATIVE).when(event)


def test_an_item_is_planned_once() -> None:
    with refused("plan_item_exists"):
        month(ADDED).when(ADDED)


@pytest.mark.parametrize(("first", "second"), [
    (COMPLETED, COMPLETED), (COMPLETED, CARRIED_OVER), (CARRIED_OVER, CARRIED_OVER),
])
def test_an_item_is_settled_once(first: Event, second: Event) -> None:
    with refused("plan_item_settled"):
        month(ADDED, first).when(second)


def test_what_was_put_off_is_done_or_put_off_again() -> None:
    further = PlanItemCarriedOver(item="i1", to_month="2025-02")
    assert month(ADDED, CARRIED_OVER, further).state.carried_to == {"i1": "2025-02"}
    assert month(ADDED, CARRIED_OVER, COMPLETED).state.items == {"i1": PlanItemStatus.COMPLETED}


def test_the_plan_says_what_became_of_each_item() -> None:
    plan = month(
        ADDED, PlanItemAdded(item="i2", text="家访"), PlanItemAdded(item="i3", text="培训"),
        COMPLETED, PlanItemCarriedOver(item="i2", to_month="2025-01"), NARRATIVE,
    )
    assert plan.state.items == {
        "i1": PlanItemStatus.COMPLETED, "i2": PlanItemStatus.CARRIED_OVER,
        "i3": PlanItemStatus.PLANNED,
    }
