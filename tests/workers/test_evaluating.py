"""Do workers evaluate many stations, once each, with progress, and stop when they are told to?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from desk import Desk, a_station
from redis import Redis
from rq.job import Job

from domain.meeting import MeetingHeld
from projections.evaluations import evaluations_of
from workers.evaluating import run_of
from workers.queues import (
    LONG,
    EvaluationAsked,
    Wakeups,
    bundle_job,
    evaluation_job,
    open_queue,
)
from workers.runtime import Runtime

STATIONS = ("st1", "st2", "st3")
ASKED = EvaluationAsked("e1", "2024-2025", None, None, "评审", "reviewer")


@pytest.fixture
def stations(here: Runtime) -> Runtime:
    for station in STATIONS:
        open_station(here, station)
    return here


def open_station(here: Runtime, station: str) -> None:
    """A station with something to evaluate."""
    desk = Desk(here.ledger, station)
    desk.record(station, a_station(), "2024-01-01", role="administrator")
    desk.record("m1", MeetingHeld(title="站务例会", kind="work"), "2024-11-05")


def test_every_station_is_evaluated_once_by_a_job_of_its_own(
    stations: Runtime, wakeups: Wakeups, work: Callable[..., None]
) -> None:
    jobs = wakeups.evaluate(ASKED, STATIONS)
    work(LONG)
    assert {job.status for job in wakeups.jobs(jobs).values()} == {"finished"}
    assert {(job.done, job.total) for job in wakeups.jobs(jobs).values()} == {(3, 3)}
    head = stations.ledger.head()
    # asked again, as when a worker was killed before it said so, nothing is recorded twice
    wakeups.evaluate(ASKED, STATIONS)
    work(LONG)
    assert stations.ledger.head() == head
    stations.read_models.advance(stations.ledger)
    with stations.read_models.engine.connect() as connection:
        runs = {station: evaluations_of(connection, station) for station in STATIONS}
    assert [[run.id for run in runs[station]] for station in STATIONS] == [["e1"]] * 3


def test_no_station_s_job_is_another_s_whatever_signs_its_code_has(
    here: Runtime, wakeups: Wakeups, work: Callable[..., None]
) -> None:
    for station in ("b", "a-b", "st.1"):
        open_station(here, station)
    asked = ASKED._replace(identity="X")
    jobs = wakeups.evaluate(asked, ["a-b", "st.1"])
    assert wakeups.job(evaluation_job("X-a", "b")) is None
    work(LONG)
    assert {job.status for job in wakeups.jobs(jobs).values()} == {"finished"}
    assert wakeups.bundle("st.1", "2024-2025") == bundle_job("st.1", "2024-2025")


def test_what_is_cancelled_is_not_begun_and_what_was_done_stays(
    stations: Runtime, wakeups: Wakeups, work: Callable[..., None]
) -> None:
    jobs = wakeups.evaluate(ASKED, STATIONS)
    work(LONG, max_jobs=1)
    assert wakeups.cancel(jobs) == jobs[1:]
    work(LONG)
    done = [run_of(stations.ledger, station, "e1") is not None for station in STATIONS]
    assert done == [True, False, False]
    states = wakeups.jobs(jobs)
    assert [states[job].status for job in jobs] == ["finished", "canceled", "canceled"]


def test_what_a_worker_takes_in_the_same_moment_is_not_cancelled(
    wakeups: Wakeups, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen waiting, then taken by a worker, then cancelled: it would be both."""
    jobs, cancel = wakeups.evaluate(ASKED, STATIONS[:2]), Job.cancel

    def taken_first(job: Job, **options: Any) -> object:
        redis.lrem(open_queue(LONG, redis).key, 1, jobs[0])
        return cancel(job, **options)

    monkeypatch.setattr(Job, "cancel", taken_first)
    assert wakeups.cancel(jobs) == jobs[1:]
    assert [wakeups.jobs(jobs)[job].status for job in jobs] == ["queued", "canceled"]


def test_what_is_refused_is_said_and_not_tried_again(
    stations: Runtime, wakeups: Wakeups, work: Callable[..., None]
) -> None:
    wakeups.evaluate(ASKED._replace(cycle="2024-11"), STATIONS[:1])
    work(LONG)
    state = wakeups.job(evaluation_job("e1", "st1"))
    assert state is not None
    assert (state.status, state.result["refused"]) == ("finished", "bad_cycle")
    assert run_of(stations.ledger, "st1", "e1") is None
