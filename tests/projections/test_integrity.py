"""Is what cannot have happened so pointed out, and an ordinary month left alone?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from desk import STATION, Desk, on

from domain.kernel import Occurrence
from domain.ledger import Ledger
from domain.visit import VISIT, VisitRecorded
from domain.volunteer import VolunteerRegistered, VolunteerServiceRecorded
from projections.engine import ReadModels
from projections.integrity import (
    BadThresholds,
    Observed,
    Signal,
    SignalKind,
    odd,
    thresholds_of,
)
from projections.integrity.observing import TooMuchToCheck, observed
from workers.demo import DEMO_SOURCE, DEMO_STATION, demo_history
from workers.history import import_history

LIMITS = thresholds_of(Path("nowhere"))
DAY = date(2024, 11, 5)


def entered(day: str, hour: int = 10, minute: int = 0) -> datetime:
    """An instant of the station's clock."""
    return datetime.fromisoformat(f"{day}T{hour:02}:{minute:02}:00+08:00")


def a_record(number: int, **said: Any) -> Observed:
    """A visit of 5 November, entered that morning."""
    first: date = said.get("occurred_on", DAY)
    return Observed(**{
        "stream": f"st/visit/v{number}", "entry": 1, "position": number, "topic": "visit.recorded",
        "label": "走访", "actor": "张社工", "recorded_at": entered(str(first)), "occurred_on": DAY,
        "last_day": first, "workers": ("张社工",),
    } | said)


def when(records: list[Observed], kind: SignalKind) -> list[Signal]:
    return odd(records, LIMITS, [kind])


# ---- when it was recorded ----


@pytest.mark.parametrize(("days", "is_late"), [(60, False), (61, True)])
def test_given_a_service_entered_after_so_many_days_then_it_is_late(
    days: int, *, is_late: bool
) -> None:
    record = a_record(1, recorded_at=entered("2024-11-05") + timedelta(days=days))
    found = when([record], SignalKind.LATE)
    assert bool(found) is is_late
    if found:
        assert "张社工" in found[0].text
        assert "晚 61 天" in found[0].text


def test_given_many_late_records_of_an_evening_then_they_are_one_sign() -> None:
    late = [a_record(n, recorded_at=entered("2025-03-01", 10, n)) for n in range(7)]
    (signal,) = when(late, SignalKind.LATE)
    assert len(signal.records) == 7


def test_given_assistance_effective_long_ago_then_it_is_not_late() -> None:
    record = a_record(1, topic="assistance.assigned", recorded_at=entered("2025-03-01"))
    assert when([record], SignalKind.LATE) == []


@pytest.mark.parametrize(("entered_on", "count", "found"), [
    ("2024-11-21", 5, 1), ("2024-11-21", 4, 0), ("2024-11-19", 5, 0), ("2024-11-23", 5, 0),
])
def test_given_old_services_entered_the_day_before_a_review_then_they_stand_out(
    entered_on: str, count: int, found: int
) -> None:
    review = a_record(
        0, topic="project_review.presented", occurred_on=date(2024, 11, 22),
        last_day=date(2024, 11, 22), recorded_at=entered("2024-11-22"),
    )
    filled = [a_record(n, recorded_at=entered(entered_on)) for n in range(1, count + 1)]
    assert len(when([review, *filled], SignalKind.EVALUATION_EVE)) == found


@pytest.mark.parametrize(("changes", "found"), [
    ({}, 1), ({"is_imported": True}, 0), ({"recorded_at": entered("2024-11-05", 22, 59)}, 0),
])
def test_given_records_typed_at_night_then_they_stand_out(changes: dict[str, Any], found: int) -> None:
    hours = [entered("2024-11-05", 23, 30), entered("2024-11-06", 1), entered("2024-11-06", 5, 59)]
    records = [a_record(n, **({"recorded_at": at} | changes)) for n, at in enumerate(hours)]
    assert len(when(records, SignalKind.ODD_HOURS)) == found


@pytest.mark.parametrize(("minutes", "days", "found"), [(1, 5, 1), (2, 5, 0), (1, 4, 0)])
def test_given_many_days_entered_within_minutes_then_it_is_a_burst(
    minutes: int, days: int, found: int
) -> None:
    records = [
        a_record(
            n, recorded_at=entered("2024-11-20", 10, minutes * n),
            occurred_on=DAY + timedelta(days=n % days),
        )
        for n in range(10)
    ]
    assert len(when(records, SignalKind.BURST)) == found
    imported = [a_record(n, recorded_at=entered("2024-11-20"), is_imported=True) for n in range(10)]
    assert when(imported, SignalKind.BURST) == []


# ---- whether it is possible ----


@pytest.mark.parametrize(("count", "minutes", "found"), [(20, 36, 0), (21, 1, 1), (13, 60, 1), (12, 60, 0)])
def test_given_more_in_a_day_than_a_worker_has_then_it_stands_out(
    count: int, minutes: int, found: int
) -> None:
    records = [a_record(n, minutes=minutes) for n in range(count)]
    assert len(when(records, SignalKind.DENSITY)) == found
    assert when([a_record(n, minutes=60, is_day_known=False) for n in range(99)], SignalKind.DENSITY) == []


@pytest.mark.parametrize(("changes", "found"), [
    ({}, 1), ({"place": "h1"}, 0), ({"workers": ("李社工",)}, 0), ({"starts_at": entered("2024-11-05", 9, 40)}, 0),
    ({"starts_at": None}, 0),
])
def test_given_a_worker_in_two_places_at_once_then_both_are_named(
    changes: dict[str, Any], found: int
) -> None:
    one = a_record(1, place="h1", starts_at=entered("2024-11-05", 9), minutes=40)
    other = a_record(2, **({"place": "h2", "starts_at": entered("2024-11-05", 9, 30), "minutes": 30} | changes))
    signals = when([one, other], SignalKind.OVERLAP)
    assert len(signals) == found
    if signals:
        assert "走访 v1（09:00 至 09:40）" in signals[0].text


@pytest.mark.parametrize(("changes", "because"), [
    ({"starts_at": entered("2024-11-05", 9, 30)}, "时间重叠"), ({"activity": "a1"}, "计了两次"),
    ({"minutes": 550}, "超过 600 分钟"), ({"minutes": 30}, None),
])
def test_given_a_volunteer_s_hours_that_do_not_fit_then_it_says_why(
    changes: dict[str, Any], because: str | None
) -> None:
    served = {"topic": "volunteer.service_recorded", "stream": "st/volunteer/vol", "minutes": 60}
    one = a_record(1, **served, starts_at=entered("2024-11-05", 9), activity="a1")
    other = a_record(2, **(served | {"entry": 2} | changes))
    found = when([one, other], SignalKind.VOLUNTEER_HOURS)
    assert [because in signal.text for signal in found if because] == [True] * len(found)
    assert bool(found) is (because is not None)


@pytest.mark.parametrize(("count", "text", "found"), [
    (4, "入户了解近况，老人身体尚可。", 1), (3, "入户了解近况，老人身体尚可。", 0), (9, "无变化。", 0),
])
def test_given_the_same_longer_text_in_many_visits_then_they_are_named(
    count: int, text: str, found: int
) -> None:
    records = [a_record(n, texts=(text + " " * n,)) for n in range(count)]
    assert len(when(records, SignalKind.SAME_TEXT)) == found


# ---- thresholds are data ----


def test_a_station_s_own_thresholds_replace_the_others(tmp_path: Path) -> None:
    own = tmp_path / "integrity.json"
    own.write_text('{"late_days": 5}')
    assert thresholds_of(own).late_days == 5
    assert thresholds_of(own).burst_records == LIMITS.burst_records


@pytest.mark.parametrize("text", ['{"late_dayz": 5}', '{"late_days": "5"}', "[]", "{"])
def test_thresholds_that_make_no_sense_are_refused_by_name(text: str, tmp_path: Path) -> None:
    own = tmp_path / "integrity.json"
    own.write_text(text)
    with pytest.raises(BadThresholds, match=r"integrity\.json"):
        thresholds_of(own)


# ---- from the log ----


def look(read_models: ReadModels, ledger: Ledger, station: str = STATION) -> list[Observed]:
    read_models.advance(ledger)
    with read_models.engine.connect() as connection:
        return observed(
            connection, ledger, station, datetime(2024, 1, 1, tzinfo=UTC),
            datetime(2026, 1, 1, tzinfo=UTC),
        )


def test_records_are_seen_as_they_stand(
    desk: Desk, read_models: ReadModels, ledger: Ledger
) -> None:
    visit = VisitRecorded(mode="home", purpose="routine", persons_met=1, workers=("张社工",), minutes=30)
    at = Occurrence.at_instant(entered("2024-11-05", 9))
    desk.record("v1", visit, at)
    desk.record("v2", visit, at)
    desk.correct("v1", 1, VisitRecorded(mode="home", purpose="routine", persons_met=1, minutes=50), at)
    desk.void(VISIT, "v2", 1)
    desk.record("vol", VolunteerRegistered(name="志愿者甲"), "2024-07-01")
    desk.record("vol", VolunteerServiceRecorded(title="探访", minutes=60), on("2024-11-05"))
    seen = {(r.stream, r.entry): r for r in look(read_models, ledger)}
    assert (f"{STATION}/visit/v2", 1) not in seen
    corrected = seen[f"{STATION}/visit/v1", 1]
    assert (corrected.minutes, corrected.workers, corrected.starts_at) == (50, (), at.at)
    assert seen[f"{STATION}/volunteer/vol", 2].minutes == 60


def test_too_many_records_are_refused(
    desk: Desk, read_models: ReadModels, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.household("h1", "a")
    monkeypatch.setattr("projections.integrity.observing.MOST_RECORDS", 1)
    with pytest.raises(TooMuchToCheck):
        look(read_models, ledger)


@pytest.mark.slow
def test_an_ordinary_year_shows_nothing_odd_but_its_repeated_sentences(
    read_models: ReadModels, ledger: Ledger
) -> None:
    import_history(ledger, demo_history(), DEMO_STATION, DEMO_SOURCE, datetime(2026, 1, 1, tzinfo=UTC))
    records = [
        # as if it had been typed here: its own clock is looked at as well
        Observed(**{f: getattr(r, f) for f in r.__slots__} | {"is_imported": False})
        for r in look(read_models, ledger, DEMO_STATION)
    ]
    assert len(records) > 2000
    assert odd(records, LIMITS) == []
