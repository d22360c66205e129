"""Is no wake-up lost, is none done twice, and does recording never wait for Redis?"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from desk import STATION, Desk, a_station
from redis import Redis
from stage import Machine
from tampering import Log

from domain.ledger import Ledger
from workers import sealing, verdicts
from workers.jobs import seal as seal_job
from workers.queues import (
    ADVANCE,
    LONG,
    SEAL,
    SEAL_FLAG,
    QueueUnavailableError,
    Wakeups,
    open_queue,
)
from workers.runtime import Runtime
from workers.sealing import SealBrokenError
from workers.verdicts import VERIFICATION, Kept

NOW = datetime(2024, 12, 5, 9, tzinfo=UTC)


def test_many_wake_ups_are_one_job(wakeups: Wakeups, redis: Redis) -> None:
    assert all(wakeups.wake() for _ in range(10))
    assert open_queue(ADVANCE, redis).count == 1


def test_the_job_brings_the_read_models_to_the_head(
    wakeups: Wakeups, here: Runtime, work: Callable[..., None]
) -> None:
    Desk(here.ledger).record(STATION, a_station(), "2024-01-01", role="administrator")
    wakeups.wake()
    work()
    assert here.read_models.position() == here.ledger.head() == 1


class LedgerWithAColleague(Ledger):
    """While the job reads, a colleague records something and wakes the workers."""

    colleague: Callable[[], None] | None = None

    def head(self) -> int:
        head = super().head()
        if self.colleague:
            colleague, self.colleague = self.colleague, None
            colleague()
        return head


def test_a_wake_up_while_the_job_runs_is_not_lost(
    machine: Machine, wakeups: Wakeups, here: Runtime, redis: Redis, work: Callable[..., None]
) -> None:
    here.ledger.close()
    ledger = LedgerWithAColleague(machine.settings.database_url, here.ledger.vault)
    here.ledger = ledger
    woken: list[bool] = []

    def record_and_wake() -> None:
        Desk(ledger).record(STATION, a_station(), "2024-01-01", role="administrator")
        woken.append(wakeups.wake())

    # given a job that is reading the log, when somebody records and wakes
    wakeups.wake()
    ledger.colleague = record_and_wake
    work(max_jobs=1)
    # then another job waits, and brings the rest
    assert woken == [True]
    assert open_queue(ADVANCE, redis).count == 1
    work()
    assert here.read_models.position() == ledger.head() == 1


def test_jobs_are_json(wakeups: Wakeups, redis: Redis) -> None:
    wakeups.wake()
    wakeups.rebuild("timeline")
    for key in redis.scan_iter("rq:job:*"):
        written = json.loads(zlib.decompress(redis.hget(key, "data")))
        assert written[0].startswith("workers.jobs.")


def test_one_rebuild_at_a_time(
    wakeups: Wakeups, here: Runtime, redis: Redis, work: Callable[..., None]
) -> None:
    Desk(here.ledger).record(STATION, a_station(), "2024-01-01", role="administrator")
    # given a rebuild that waits, then asking again joins it
    job = wakeups.rebuild("timeline")
    assert wakeups.rebuild("timeline") == job
    assert open_queue(LONG, redis).count == 1
    assert wakeups.rebuild("postings") != job
    # when it has run, then its progress and result can be seen
    work(LONG)
    state = wakeups.job(job)
    assert state is not None
    assert (state.status, state.done, state.total) == ("finished", 1, 1)
    assert [result["position"] for result in state.result] == [1]
    # and another may begin
    wakeups.rebuild("timeline")
    assert open_queue(LONG, redis).count == 1


def test_who_starts_an_ended_job_again_at_the_same_moment_joins(
    machine: Machine, redis: Redis, work: Callable[..., None]
) -> None:
    # given several at once, each with connections of his own
    many, rounds, meet = 6, 15, Barrier(6)
    all_wakeups = [Wakeups(machine.settings.redis_url) for _ in range(many)]

    def start(wakeups: Wakeups) -> str:
        meet.wait()
        return wakeups.start_long("again", "time.time")

    def pushed() -> int:
        return int(redis.info("commandstats").get("cmdstat_rpush", {}).get("calls", 0))

    before = pushed()
    with ThreadPoolExecutor(many) as pool:
        for _round in range(rounds):
            # when they start it, and it ends
            assert set(pool.map(start, all_wakeups)) == {"again"}
            work(LONG)
    # then it was handed over once each time
    assert pushed() - before == rounds
    for wakeups in all_wakeups:
        wakeups.close()


def test_the_state_of_the_queues(wakeups: Wakeups) -> None:
    wakeups.wake()
    wakeups.rebuild("timeline")
    state = wakeups.state()
    assert state.server is not None
    assert {queue.name: queue.waiting for queue in state.queues} == {
        ADVANCE: 1, SEAL: 0, LONG: 1,
    }
    assert [(job.id, job.status) for job in state.jobs] == [("rebuild-timeline", "queued")]
    assert wakeups.job("unknown") is None


@pytest.mark.parametrize("url", [None, "unix:///nowhere/redis.sock", "redis://127.0.0.1:1"])
def test_without_redis_nothing_is_raised_but_for_long_jobs(url: str | None) -> None:
    wakeups = Wakeups(url)
    assert [wakeups.wake(), wakeups.wake()] == [False, False]
    assert wakeups.state().server is None
    with pytest.raises(QueueUnavailableError):
        wakeups.rebuild("timeline")
    with pytest.raises(QueueUnavailableError):
        wakeups.job("rebuild-timeline")
    wakeups.close()


def test_the_first_wake_up_after_redis_was_restarted_goes_through(
    machine: Machine, wakeups: Wakeups
) -> None:
    assert wakeups.wake()
    machine.redis.stop()
    machine.redis.start()
    assert wakeups.wake()
    assert [queue.waiting for queue in wakeups.state().queues] == [1, 0, 0]


def test_a_deleted_read_database_is_made_anew_under_a_running_worker(
    machine: Machine, here: Runtime, wakeups: Wakeups, work: Callable[..., None]
) -> None:
    Desk(here.ledger).record(STATION, a_station(), "2024-01-01", role="administrator")
    wakeups.wake()
    work()
    for path in Path(machine.settings.home).glob("read.sqlite3*"):
        path.unlink()
    wakeups.wake()
    work()
    assert (machine.settings.home / "read.sqlite3").exists()
    assert here.read_models.position() == 1


# ---- sealing ----


def record_something(here: Runtime) -> None:
    Desk(here.ledger).record(STATION, a_station(), "2024-01-01", role="administrator")


def test_what_was_recorded_is_sealed_soon(
    wakeups: Wakeups, here: Runtime, redis: Redis, work: Callable[..., None]
) -> None:
    record_something(here)
    wakeups.wake()
    work()
    assert open_queue(SEAL, redis).count == 1
    work(SEAL)
    (sealed,) = here.seals.checkpoints()
    assert sealed.position == here.ledger.head() == 1
    assert here.settings.noted_file.read_text(encoding="utf-8") == sealed.note


def test_many_appends_are_sealed_together(
    wakeups: Wakeups, here: Runtime, redis: Redis, work: Callable[..., None]
) -> None:
    record_something(here)
    for number in range(3):
        Desk(here.ledger).household(f"h{number}")
        wakeups.wake()
        work()
    assert open_queue(SEAL, redis).count == 1
    work(SEAL)
    assert [s.size for s in here.seals.checkpoints()] == [4]
    # given that the moment has not passed, then nobody asks again; when it has, the sweep does
    Desk(here.ledger).household("h3")
    wakeups.wake()
    work()
    assert open_queue(SEAL, redis).count == 0
    assert redis.pttl(SEAL_FLAG) > 0
    redis.delete(SEAL_FLAG)
    open_queue(ADVANCE, redis).enqueue("workers.jobs.sweep.sweep")
    work()
    work(SEAL)
    assert [s.size for s in here.seals.checkpoints()] == [5, 4]


def test_nothing_new_asks_for_no_seal(
    here: Runtime, redis: Redis, work: Callable[..., None]
) -> None:
    record_something(here)
    for _ in range(2):
        open_queue(ADVANCE, redis).enqueue("workers.jobs.sweep.sweep")
        work()
        work(SEAL)
        redis.delete(SEAL_FLAG)
    assert [s.size for s in here.seals.checkpoints()] == [1]
    assert open_queue(SEAL, redis).count == 0


def test_a_long_sealing_goes_on_in_a_further_job(
    here: Runtime, redis: Redis, work: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    record_something(here)
    for number in range(5):
        Desk(here.ledger).household(f"h{number}")
    monkeypatch.setattr(sealing, "MOST", 2)
    monkeypatch.setattr(seal_job, "MOST_SECONDS", 0.0)
    open_queue(SEAL, redis).enqueue("workers.jobs.seal.seal")
    work(SEAL, max_jobs=1)
    assert [s.size for s in here.seals.checkpoints()] == [2]
    work(SEAL)
    assert [s.size for s in here.seals.checkpoints()] == [6, 4, 2]


def test_a_broken_seal_fails_no_job_and_is_seen(
    here: Runtime, redis: Redis, work: Callable[..., None]
) -> None:
    record_something(here)
    open_queue(SEAL, redis).enqueue("workers.jobs.seal.seal")
    work(SEAL)
    log = Log(here.ledger, here.settings.database_url)
    log.append(1)
    log.set("topic = 'visit.recorded'", "= 1")
    open_queue(SEAL, redis).enqueue("workers.jobs.seal.seal")
    work(SEAL)
    assert open_queue(SEAL, redis).failed_job_registry.count == 0
    assert [s.size for s in here.seals.checkpoints()] == [1]
    assert "位置 1 " in (here.sealer.state().alarm or "")


def verdict(here: Runtime, redis: Redis, work: Callable[..., None]) -> str | None:
    """What the job that verifies the whole log has found wrong."""
    open_queue(LONG, redis).enqueue("workers.jobs.verify.verify")
    work(LONG)
    assert open_queue(LONG, redis).failed_job_registry.count == 0
    return here.sealer.kept_state().alarm


def test_a_hole_far_back_is_found_by_the_daily_verification_and_stops_the_sealing(
    here: Runtime, redis: Redis, work: Callable[..., None]
) -> None:
    # given a sealed log
    record_something(here)
    assert verdict(here, redis, work) is None
    assert verdicts.read(here.settings.home, VERIFICATION) is None  # there is nothing to verify
    log = Log(here.ledger, here.settings.database_url)
    log.append(600)
    while here.sealer.seal(NOW):
        pass
    assert verdict(here, redis, work) is None
    # when an event is removed that the sealer does not look at
    log.remove("= 2")
    log.append(1)
    assert verdict(here, redis, work) is None  # the day is not over
    kept = verdicts.read(here.settings.home, VERIFICATION)
    assert kept
    verdicts.keep(here.settings.home, VERIFICATION, Kept(kept.at - timedelta(days=1)))
    # then the next verification says so, and nothing more is signed
    assert "第 1 条之后" in (verdict(here, redis, work) or "")
    with pytest.raises(SealBrokenError, match="第 1 条之后"):
        here.sealer.seal(NOW)
    assert "第 1 条之后" in (here.sealer.state().alarm or "")


def test_an_alarm_ends_with_the_next_verification_that_finds_nothing(
    here: Runtime, redis: Redis, work: Callable[..., None]
) -> None:
    record_something(here)
    here.sealer.seal(NOW)
    log = Log(here.ledger, here.settings.database_url)
    log.set("topic = 'visit.recorded'", "= 1")
    assert "第 1 条" in (verdict(here, redis, work) or "")
    with pytest.raises(SealBrokenError):
        here.sealer.seal(NOW)
    log.set("topic = 'station.registered'", "= 1")
    assert verdict(here, redis, work) is not None  # the sealer has not looked again yet
    here.sealer.seal(NOW)
    assert here.sealer.kept_state().alarm is None


def test_a_verdict_that_cannot_be_read_is_an_alarm(here: Runtime) -> None:
    record_something(here)
    (here.settings.home / VERIFICATION).write_text("{")
    assert "无法读取" in (here.sealer.kept_state().alarm or "")
