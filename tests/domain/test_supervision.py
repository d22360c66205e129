"""When does a supervision count?"""

from __future__ import annotations

from datetime import date

import pytest
from domain_spec import given, refused

from domain.kernel import Event
from domain.supervision import (
    SupervisionCancelled,
    SupervisionReceived,
    SupervisionScheduled,
    SupervisionStatus,
)

SCHEDULED = SupervisionScheduled(
    planned_on=date(2024, 12, 20), supervisor="测试督导", kind="group", mode="on_site"
)
RECEIVED = SupervisionReceived(supervisor="测试督导", kind="group", mode="on_site")
CANCELLED = SupervisionCancelled(because="生病")


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ((SCHEDULED,), SupervisionStatus.SCHEDULED),
        ((SCHEDULED, RECEIVED), SupervisionStatus.RECEIVED),
        ((RECEIVED,), SupervisionStatus.RECEIVED),
        ((SCHEDULED, CANCELLED), SupervisionStatus.CANCELLED),
    ],
)
def test_a_supervision_is_scheduled_and_then_received_or_cancelled_or_received_at_once(
    events: tuple[Event, ...], status: SupervisionStatus
) -> None:
    assert given(*events).state is status


@pytest.mark.parametrize("event", [RECEIVED, CANCELLED], ids=lambda e: e.topic)
def test_a_cancelled_supervision_is_neither_received_nor_cancelled_again(event: Event) -> None:
    with refused("supervision_cancelled"):
        given(SCHEDULED, CANCELLED).when(event)


@pytest.mark.parametrize("event", [RECEIVED, CANCELLED], ids=lambda e: e.topic)
def test_a_received_supervision_is_neither_received_again_nor_cancelled(event: Event) -> None:
    with refused("supervision_already_received"):
        given(SCHEDULED, RECEIVED).when(event)


def test_a_supervision_is_scheduled_once() -> None:
    with refused("already_exists"):
        given(SCHEDULED).when(SCHEDULED)


def test_a_supervision_that_was_never_agreed_is_not_cancelled() -> None:
    with refused("unknown_record"):
        given().when(CANCELLED)
