"""Do the figures come out the same when Redis or a worker is lost in the middle of the work?"""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest
from desk import STATION, Desk
from stage import Machine, a_service, equal_to_a_rebuild, many_visits, until

from domain.ledger import Ledger
from domain.visit import VisitRecorded
from projections.engine import ReadModels
from projections.evaluation.evaluating import Question
from workers import embedded
from workers.evaluating import Workshop, evaluate, run_of, sheet_of
from workers.queues import EvaluationAsked, Wakeups

pytestmark = pytest.mark.slow


def record_visits(desk: Desk, wakeups: Wakeups, first: int, count: int) -> list[bool]:
    """Record as the web does: append, then wake the workers."""
    woken = []
    for number in range(first, first + count):
        visit = VisitRecorded(mode="home", purpose="routine", persons_met=2, household="h1")
        desk.record(f"v{number}", visit, "2024-11-05")
        woken.append(wakeups.wake())
    return woken


def test_redis_stops_in_the_middle_of_recording(
    machine: Machine, desk: Desk, ledger: Ledger, read_models: ReadModels
) -> None:
    desk.household("h1")
    wakeups = Wakeups(machine.settings.redis_url)
    with a_service(replace(machine.settings, port=0)) as service:
        # given recording under way
        assert all(record_visits(desk, wakeups, 0, 10))
        machine.until_caught_up(read_models, ledger)
        # when Redis, which is not the service's own, stops
        machine.redis.stop()
        # then writes go on, and what is projected is still served
        assert not any(record_visits(desk, wakeups, 10, 10))
        assert wakeups.state().server is None
        assert read_models.position() >= 12
        # and when it returns, the figures catch up by themselves: nobody records or wakes
        machine.redis.start()
        machine.until_caught_up(read_models, ledger)
        assert service.end(signal.SIGTERM) == 0
    assert equal_to_a_rebuild(read_models, ledger)
    wakeups.close()


def test_flushing_redis_loses_nothing(
    machine: Machine, desk: Desk, ledger: Ledger, read_models: ReadModels
) -> None:
    desk.household("h1")
    wakeups = Wakeups(machine.settings.redis_url)
    # given a wake-up that waits, with no worker there
    assert all(record_visits(desk, wakeups, 0, 5))
    # when Redis is emptied, and a worker comes whose start-up catch-up is over
    connection = embedded.connect(machine.redis.server.url)
    connection.flushall()
    machine.run("worker")
    machine.until_caught_up(read_models, ledger)
    # and emptied again just after more was recorded
    record_visits(desk, wakeups, 5, 5)
    connection.flushall()
    machine.run("scheduler")
    # then the sweep brings the figures to the head
    machine.until_caught_up(read_models, ledger)
    assert equal_to_a_rebuild(read_models, ledger)
    connection.close()
    wakeups.close()


def test_a_worker_is_killed_in_the_middle_of_a_batch(
    machine: Machine, ledger: Ledger, read_models: ReadModels
) -> None:
    many_visits(Desk(ledger), households=40, visits=30_000)

    def progress() -> int:
        return sum(checkpoint.position for checkpoint in read_models.checkpoints())

    # given a worker that is killed as often as it has come a bit further
    for _kill in range(3):
        before = progress()
        worker = machine.run("worker")
        until(lambda before=before: progress() > before, "the worker has come further")
        machine.kill(worker)
    assert read_models.position() < ledger.head()
    # when one is left to finish
    machine.run("worker")
    machine.until_caught_up(read_models, ledger)
    # then nothing is missing and nothing is counted twice
    assert equal_to_a_rebuild(read_models, ledger)


SHORT_LEASE = """
from workers import logs, processes, settings
processes.LEASE_SECONDS = 6
here = settings.Settings.from_environment()
logs.configure(here.logging_level)
processes.run_worker(here, ["long"])
"""


def test_a_rebuild_goes_on_after_its_worker_was_killed(
    machine: Machine, ledger: Ledger, read_models: ReadModels
) -> None:
    many_visits(Desk(ledger), households=40, visits=30_000)
    read_models.advance(ledger)
    wakeups = Wakeups(machine.settings.redis_url)
    # given a rebuild under way
    worker = machine.python("-c", SHORT_LEASE)
    job = wakeups.rebuild("timeline")
    until(lambda: (state := wakeups.job(job)) and state.done > 0, "the rebuild has begun")
    # when its worker is killed, then the tables that serve are untouched
    machine.kill(worker)
    assert read_models.position() == ledger.head()
    (left,) = read_models.rebuilds_under_way()
    assert left.position > 0
    # and the next worker takes the job over when the lease has run out
    machine.python("-c", SHORT_LEASE)
    claims = {left.claim}

    def has_ended() -> bool:
        claims.update(r.claim for r in read_models.rebuilds_under_way())
        state = wakeups.job(job)
        return state is not None and state.status == "finished"

    until(has_ended, "it has ended")
    assert claims == {left.claim}
    until(lambda: (state := wakeups.job(job)) and state.status == "finished", "it has ended")
    assert equal_to_a_rebuild(read_models, ledger)
    wakeups.close()


def test_an_evaluation_whose_worker_was_killed_is_recorded_once_with_the_same_sheet(
    machine: Machine, ledger: Ledger, read_models: ReadModels
) -> None:
    many_visits(Desk(ledger), households=40, visits=30_000)
    read_models.advance(ledger)
    wakeups = Wakeups(machine.settings.redis_url)
    shop, head = Workshop(machine.settings, ledger, read_models), ledger.head()
    sheet = evaluate(shop, STATION, Question("2024-2025"))
    # given a worker in the middle of the evaluation, and killed there
    asked = EvaluationAsked("e1", "2024-2025", None, str(head), "评审", "reviewer")
    [job] = wakeups.evaluate(asked, [STATION])
    worker = machine.python("-c", SHORT_LEASE)
    until(
        lambda: (state := wakeups.job(job)) and state.status == "started" and state.total > 0,
        "the evaluation has begun",
    )
    machine.kill(worker)
    assert run_of(ledger, STATION, "e1") is None
    # when another worker comes, and somebody presses the button once more
    wakeups.evaluate(asked, [STATION])
    machine.python("-c", SHORT_LEASE)
    until(lambda: run_of(ledger, STATION, "e1") is not None, "the evaluation is recorded")
    # then the log has the run once, with the sheet that it would have been
    run = run_of(ledger, STATION, "e1")
    assert run is not None
    shown = sheet_of(shop, STATION, "e1")
    assert (shown.code, shown.heads, shown.totals) == (run.code, sheet.heads, sheet.totals)
    until(lambda: (s := wakeups.job(job)) and s.status == "finished", "the job has ended")
    assert ledger.head() == head + 1
    wakeups.close()
