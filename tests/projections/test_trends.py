"""Do the parts of a figure make the whole, as it is known now and as it was known before?"""

from __future__ import annotations

from datetime import date

import pytest
from desk import STATION, Desk

from domain.ledger import Ledger
from domain.visit import VisitRecorded
from projections.engine import ReadModels
from projections.figures import Period
from projections.indicator_versions import station_set
from projections.moments import KnownAt, Moment
from projections.standing import summed
from projections.trends import months_until, parts, trend
from workers.settings import settings_for
from workers.storage import storage_of

MONTH = Period.of_month("2024-11")


def visit(household: str, met: int) -> VisitRecorded:
    """Some persons met in a household."""
    return VisitRecorded(
        household=household, mode="home", purpose="routine", persons_met=met, workers=("张",)
    )


@pytest.fixture
def corrected(desk: Desk, ledger: Ledger, read_models: ReadModels) -> int:
    """A visit in the east that turns out to have been in the west; answers when it was known."""
    desk.household("east-1", day="2024-07-01")
    desk.household("west-1", day="2024-07-01", community="西路社区")
    desk.record("v1", visit("east-1", 3), "2024-11-05", actor="甲")
    known = desk.record("v2", visit("east-1", 2), "2024-11-06", actor="乙").position
    desk.correct("v2", 1, visit("west-1", 4), "2024-10-31", actor="甲")
    desk.record("v3", visit("west-1", 7), "2024-11-30", actor="乙")
    read_models.advance(ledger)
    return known


def split(
    read_models: ReadModels, by: str, known_at: KnownAt | None = None, as_of: date | None = None
) -> dict[str, int]:
    with summed(read_models, Moment(as_of, known_at)) as then:
        chosen = station_set(then.connection, STATION, "lixia-2024", MONTH, known_at=known_at)
        found = parts(then, STATION, chosen, "person_visits", MONTH, by=by)
    return {value: int(figure.value or 0) for value, figure in found}


def test_parts_are_those_of_the_moment(corrected: int, read_models: ReadModels) -> None:
    assert split(read_models, "community") == {"西路社区": 7, "东路社区": 3}
    assert split(read_models, "staff") == {"乙": 7, "甲": 3}
    assert split(read_models, "community", known_at=corrected) == {"东路社区": 5}
    assert split(read_models, "staff", known_at=corrected) == {"甲": 3, "乙": 2}
    assert split(read_models, "community", as_of=date(2024, 11, 29)) == {"东路社区": 3}


@pytest.mark.usefixtures("corrected")
def test_a_trend_has_a_figure_for_each_month(read_models: ReadModels) -> None:
    with summed(read_models, Moment()) as then:
        months = list(trend(
            then, STATION, "lixia-2024", ["person_visits"], months_until(MONTH, 3)
        ))
    assert [(m.name, m.figures["person_visits"].value) for m in months] == [
        ("2024-09", 0), ("2024-10", 4), ("2024-11", 10),
    ]
    assert [m.late["person_visits"].late if m.late else 0 for m in months] == [0, 1, 2]


@pytest.mark.usefixtures("corrected")
def test_the_room_of_log_and_read_models_is_told(
    ledger_url: str, read_url: str, read_models: ReadModels, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    settings = settings_for(home, database_url=ledger_url, read_database_url=read_url)
    found = storage_of(settings, read_models.engine, read_models.engine)
    assert found.log_bytes > 0
    assert found.read_model_bytes > 0
