"""What does each process of the service run? A worker, the scheduler, the Redis server."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.cron import CronJob, CronScheduler
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.utils import now

from projections.engine import ProjectionFailedError
from workers import embedded, runtime
from workers.erasing import carry_out_all
from workers.jobs.advance import catch_up
from workers.jobs.seal import seal
from workers.jobs.sweep import sweep
from workers.jobs.verify import verify
from workers.queues import (
    ADVANCE,
    ADVANCE_SECONDS,
    KEPT_SECONDS,
    LONG,
    LONG_SECONDS,
    SEAL,
    open_queue,
)
from workers.settings import Settings

SWEEP_SECONDS: Final = 2
SEAL_SECONDS: Final = 60
"""How often the sealer looks at what it signed last, also where nothing is new."""
VERIFY_SECONDS: Final = 3600
"""How often the verification of the whole log is handed over; it runs where it is due."""
LEASE_SECONDS: Final = 45
"""How long a worker that has stopped reporting is believed to be at work."""
PR_SET_PDEATHSIG: Final = 1
LOST: Final = 3
"""Exit code of a process whose Redis went away; the supervisor starts it again."""

log = structlog.get_logger(__name__)


def die_with_parent(parent: int) -> None:
    """Let this process end when the supervisor does, even by SIGKILL.

    Linux delivers a signal; elsewhere a thread looks every second. ``parent`` is the
    process that started this one: it may have died before this line was reached.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def run_redis(socket: Path) -> None:
    """Become the Redis server; the signal at the parent's death survives ``exec``."""
    command = embedded.server_on(socket).command()
    os.execv(command[0], command)  # noqa: S606 - our own command line, no shell


class LedgerWorker(SimpleWorker):
    """A worker that runs jobs in its own process and keeps its leases short.

    RQ's SimpleWorker reports only between jobs, so that after a SIGKILL a job of hours
    would be believed to run for hours. This one reports from a thread while it works.
    """

    max_connection_wait_time = 2.0
    is_stopped = False

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Remember that it was told to stop, whatever it is doing."""
        self.is_stopped = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:  # noqa: ARG002 - RQ's signature
        """How long a job is believed to run without a further report."""
        return LEASE_SECONDS

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run a job here, reporting meanwhile."""
        execution = self.prepare_execution(job)
        with self._reporting(job, execution):
            self.perform_job(job, queue, execution)
        self.set_state("idle")

    @contextmanager
    def _reporting(self, job: Job, execution: Execution) -> Iterator[None]:
        is_over = threading.Event()

        def report() -> None:
            while not is_over.wait(LEASE_SECONDS / 3):
                with suppress(RedisError):
                    self.maintain_heartbeats(job, execution)

        thread = threading.Thread(target=report, daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()


def run_worker(settings: Settings, queues: Sequence[str]) -> int:
    """Work until told to stop; answers the exit code."""
    runtime.start(settings)
    if ADVANCE in queues:
        _catch_up_at_start()
    connection = _await_redis(settings)
    worker = LedgerWorker(
        [open_queue(name, connection) for name in queues], connection=connection,
        serializer=JSONSerializer, worker_ttl=LEASE_SECONDS, maintenance_interval=LEASE_SECONDS,
        log_job_description=False,
    )
    log.info("worker started", queue=",".join(queues))
    gc.collect()
    gc.freeze()  # what is loaded stays: no collection looks through it again
    worker.work(logging_level="WARNING")
    return 0 if worker.is_stopped else LOST


def _catch_up_at_start() -> None:
    """What was recorded while no worker ran needs neither a wake-up nor Redis."""
    try:
        behind = catch_up()
        carry_out_all(runtime.current())
    except ProjectionFailedError:
        log.exception("start-up catch-up failed; the sweep tries again")
    else:
        log.info("start-up catch-up is done", behind=behind)


def _await_redis(settings: Settings) -> Redis:
    """A connection, as soon as Redis answers."""
    connection = embedded.connect(embedded.choose(settings).url)
    is_reported = False
    while True:
        try:
            connection.ping()
        except RedisError as error:
            if not is_reported:
                log.warning("waiting for Redis", exc_info=error)
            is_reported = True
            time.sleep(1)
        else:
            return connection


class Schedule(CronScheduler):
    """RQ's scheduler with JSON jobs, and no pile of sweeps while no worker takes them.

    RQ's own `CronJob.enqueue` opens its queue with the default serializer, pickle.
    """

    def enqueue_jobs(self) -> list[CronJob]:
        """Enqueue what is due, unless the queue has something waiting that does as well."""
        due = [job for job in self.get_jobs() if job.should_run()]
        for job in due:
            queue = open_queue(job.queue_name, self.connection)
            if queue.count == 0:
                queue.enqueue(job.func_name, **job.job_options)
            job.set_enqueue_time(now())
        return due


def run_scheduler(settings: Settings) -> int:
    """Schedule sweep, sealing and verification until told to stop; answers the exit code."""
    connection = _await_redis(settings)
    schedule = Schedule(connection=connection, logging_level="WARNING")
    schedule.register(
        sweep, ADVANCE, interval=SWEEP_SECONDS, job_timeout=ADVANCE_SECONDS,
        result_ttl=0, failure_ttl=KEPT_SECONDS,
    )
    schedule.register(
        seal, SEAL, interval=SEAL_SECONDS, job_timeout=ADVANCE_SECONDS,
        result_ttl=0, failure_ttl=KEPT_SECONDS,
    )
    schedule.register(
        verify, LONG, interval=VERIFY_SECONDS, job_timeout=LONG_SECONDS,
        result_ttl=0, failure_ttl=KEPT_SECONDS,
    )
    log.info("scheduler started")
    try:
        schedule.start()  # type: ignore[no-untyped-call]
    except RedisError:
        log.warning("Redis went away", exc_info=True)
        return LOST
    return 0
