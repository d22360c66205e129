"""How is work handed to the workers, and how are the queues doing? What the API imports.

Redis holds no truth: a wake-up that is lost is made good by the next sweep, so waking
the workers never fails a write and never makes it wait.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, cast

from redis import Redis
from redis.exceptions import RedisError, WatchError
from rq import Queue, Retry, Worker
from rq.exceptions import DuplicateJobError, InvalidJobOperation, NoSuchJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from workers.embedded import connect, server_name

ADVANCE: Final = "advance"
"""The queue of short jobs that bring the read models to the head of the log."""
SEAL: Final = "seal"
"""The queue of jobs that seal the log; the workers take them where nothing is to advance."""
LONG: Final = "long"
"""The queue of jobs that take more than a second: rebuilding, importing, reporting."""
QUEUES: Final = (ADVANCE, SEAL, LONG)

WAITING_FLAG: Final = "taizhang:advance-is-waiting"
FLAG_MILLISECONDS: Final = 5_000
"""When the flag of a lost job expires. Until then the sweep brings things forward."""
SEAL_FLAG: Final = "taizhang:seal-was-asked-for"
SEAL_MILLISECONDS: Final = 10_000
"""In each span of this length one seal job is handed over; it seals all that is there."""
TIMEOUT_SECONDS: Final = 0.2
PAUSE_SECONDS: Final = 1.0
"""How long nothing is tried after Redis did not answer."""
ADVANCE_SECONDS: Final = 600
"""The longest one advancing job may run; the position it has reached is kept."""
LONG_SECONDS: Final = 6 * 3600
KEPT_SECONDS: Final = 24 * 3600
"""How long the result of a long job, or the trace of a failed one, is kept."""
MOST_JOBS: Final = 50
"""How many jobs of one kind a report lists."""
MOST_ATTEMPTS: Final = 100
"""How often it is tried again where others changed a queue in the same moment."""
WAITING: Final = frozenset({"queued", "started", "scheduled", "deferred"})
"""The words for a job that has not ended."""
ENDED: Final = frozenset(
    {JobStatus.FINISHED, JobStatus.FAILED, JobStatus.STOPPED, JobStatus.CANCELED}
)


class QueueUnavailableError(RuntimeError):
    """Redis is away, so a long job cannot be handed over."""


class EvaluationAsked(NamedTuple):
    """What a job is handed of an evaluation: who asks what, under which id, as plain texts."""

    identity: str
    cycle: str
    as_of: str | None
    known_at: str | None
    actor: str
    role: str


@dataclass(frozen=True, slots=True)
class JobState:
    """A long job. ``status`` is RQ's word; ``done`` of ``total`` is its progress."""

    id: str
    status: str
    done: int = 0
    total: int = 0
    result: Any = None


@dataclass(frozen=True, slots=True)
class QueueState:
    """How many jobs of a queue wait, run and have failed."""

    name: str
    waiting: int
    running: int
    failed: int


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker as it last reported itself."""

    name: str
    state: str
    queues: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueuesState:
    """The queues' health. Without Redis ``server`` is ``None`` and the rest is empty."""

    server: str | None
    queues: Sequence[QueueState] = field(default_factory=list)
    workers: Sequence[WorkerState] = field(default_factory=list)
    jobs: Sequence[JobState] = field(default_factory=list)


def open_queue(name: str, connection: Redis) -> Queue:
    """A queue whose jobs are JSON: reading a pickle would be running its writer's code."""
    return Queue(name, connection=connection, serializer=JSONSerializer)


def enqueue_advance(connection: Redis, function: str = "workers.jobs.advance.advance") -> None:
    """Put a short job into the queue, unconditionally."""
    open_queue(ADVANCE, connection).enqueue(
        function, job_timeout=ADVANCE_SECONDS, result_ttl=0, failure_ttl=KEPT_SECONDS
    )


def enqueue_seal(connection: Redis) -> None:
    """Hand over a seal job, unconditionally."""
    open_queue(SEAL, connection).enqueue(
        "workers.jobs.seal.seal", job_timeout=ADVANCE_SECONDS, result_ttl=0,
        failure_ttl=KEPT_SECONDS,
    )


def ask_for_seal(connection: Redis) -> None:
    """Hand over a seal job, unless that was done a moment ago; the sweep asks again."""
    if connection.set(SEAL_FLAG, 1, nx=True, px=SEAL_MILLISECONDS):
        enqueue_seal(connection)


def evaluation_job(identity: str, station: str) -> str:
    """Under which id a station is evaluated."""
    return _of_station("evaluate", station, identity)


def bundle_job(station: str, cycle: str) -> str:
    """Under which id a bundle is written."""
    return _of_station("bundle", station, cycle)


def _of_station(work: str, station: str, what: str) -> str:
    """The id of a job about something of a station's: of no other, and with no sign RQ refuses."""
    return f"{work}-{hashlib.sha256(f'{station}/{what}'.encode()).hexdigest()}"


class Wakeups:
    """Wakes the workers after an append. One object serves all threads of a process."""

    def __init__(self, redis_url: str | None) -> None:
        """Remember the address; nothing is opened before the first use."""
        self._connection = (
            connect(redis_url, timeout_seconds=TIMEOUT_SECONDS) if redis_url else None
        )
        self._silent_until = 0.0
        self._lock = threading.Lock()

    def wake(self) -> bool:
        """Let the read models be advanced; false where Redis could not be told.

        At most one wake-up waits at any time. The job removes the flag *before* it
        reads the log, so a wake-up that comes while it runs puts in another.
        """
        if self._connection is None or time.monotonic() < self._silent_until:
            return False
        try:
            if self._connection.set(WAITING_FLAG, 1, nx=True, px=FLAG_MILLISECONDS):
                enqueue_advance(self._connection)
        except RedisError:
            with self._lock:
                self._silent_until = time.monotonic() + PAUSE_SECONDS
            return False
        return True

    def rebuild(self, *projections: str) -> str:
        """Start rebuilding projections, or join that rebuild under way; answers the job's id.

        :raises QueueUnavailableError: where Redis is away.
        """
        job_id = "-".join(("rebuild", *projections))
        return self.start_long(job_id, "workers.jobs.rebuild.rebuild", *projections)

    def retry(self, projection: str) -> str:
        """Start trying a projection's parked events again, or join it; answers the job's id.

        :raises QueueUnavailableError: where Redis is away.
        """
        return self.start_long(f"retry-{projection}", "workers.jobs.retry.retry", projection)

    def evaluate(self, asked: EvaluationAsked, stations: Iterable[str]) -> list[str]:
        """Start evaluating stations, a job each, or join those; answers the jobs' ids.

        :raises QueueUnavailableError: where Redis is away.
        """
        return [
            self.start_long(
                evaluation_job(asked.identity, station), "workers.jobs.evaluate.evaluate",
                station, *asked,
            )
            for station in stations
        ]

    def cancel(self, job_ids: Iterable[str]) -> list[str]:
        """Take jobs out of the queue that have not begun; answers which.

        What has begun goes on to its end, so that nothing is left half done.

        :raises QueueUnavailableError: where Redis is away.
        """
        connection = self._connected()
        try:
            return [job_id for job_id in job_ids if _taken_back(job_id, connection)]
        except RedisError as error:
            raise QueueUnavailableError(str(error)) from error

    def jobs(self, job_ids: Sequence[str]) -> dict[str, JobState]:
        """Several long jobs by id, without those that are unknown or forgotten.

        :raises QueueUnavailableError: where Redis is away.
        """
        connection = self._connected()
        try:
            found = Job.fetch_many(job_ids, connection=connection, serializer=JSONSerializer)
            return {job.id: _job_state(job) for job in found if job is not None}
        except RedisError as error:
            raise QueueUnavailableError(str(error)) from error

    def bundle(self, station: str, cycle: str) -> str:
        """Start writing a bundle for a station's evaluation, or join it; answers the job's id.

        :raises QueueUnavailableError: where Redis is away.
        """
        return self.start_long(
            bundle_job(station, cycle), "workers.jobs.bundle.bundle", station, cycle
        )

    def start_long(self, job_id: str, function: str, *arguments: str | int | None) -> str:
        """Hand over a long job, of which one with this id runs at a time.

        :raises QueueUnavailableError: where Redis is away.
        """
        connection = self._connected()
        try:
            _forget_ended(job_id, connection)
            open_queue(LONG, connection).enqueue(
                function, args=arguments, job_id=job_id, unique=True, retry=Retry(max=2),
                job_timeout=LONG_SECONDS, result_ttl=KEPT_SECONDS, failure_ttl=KEPT_SECONDS,
            )
        except DuplicateJobError:
            return job_id
        except RedisError as error:
            raise QueueUnavailableError(str(error)) from error
        return job_id

    def job(self, job_id: str) -> JobState | None:
        """A long job, or ``None`` where it is unknown or forgotten.

        :raises QueueUnavailableError: where Redis is away.
        """
        connection = self._connected()
        try:
            return _job_state(_fetch(job_id, connection))
        except NoSuchJobError:
            return None
        except RedisError as error:
            raise QueueUnavailableError(str(error)) from error

    def state(self) -> QueuesState:
        """How the queues are doing; never raises when Redis is away."""
        if self._connection is None:
            return QueuesState(server=None)
        try:
            return _state(self._connection)
        except RedisError:
            return QueuesState(server=None)

    def close(self) -> None:
        """Close every connection."""
        if self._connection is not None:
            self._connection.close()

    def _connected(self) -> Redis:
        if self._connection is None:
            raise QueueUnavailableError("REDIS_URL")
        return self._connection


def _fetch(job_id: str, connection: Redis) -> Job:
    return Job.fetch(job_id, connection=connection, serializer=JSONSerializer)


def _taken_back(job_id: str, connection: Redis) -> bool:
    """Take a job out of the queue and mark it as cancelled, both or neither.

    False where it does not wait, or a worker takes it just now. Cancelled only in part it
    would seem to wait for ever, and could not be started again.
    """
    queue = open_queue(LONG, connection).key
    with connection.pipeline() as pipe:
        for _attempt in range(MOST_ATTEMPTS):
            pipe.watch(queue)  # type: ignore[no-untyped-call]
            try:
                if pipe.lpos(queue, job_id) is None:
                    return False
                job = _fetch(job_id, connection)
                pipe.multi()
                job.cancel(pipeline=pipe)
                pipe.execute()
            except WatchError:  # something came or went: perhaps this one
                continue
            except (NoSuchJobError, InvalidJobOperation):
                return False
            return True
    raise QueueUnavailableError(f"{queue}: busy")


def _forget_ended(job_id: str, connection: Redis) -> None:
    """Make room for a new job: RQ keeps an ended one under its id for a while.

    Only the ended one is taken away: who starts it anew in the same moment has another
    under its id, which others join.
    """
    with connection.pipeline() as pipe:
        for _attempt in range(MOST_ATTEMPTS):
            pipe.watch(Job.key_for(job_id))  # type: ignore[no-untyped-call]
            try:
                job = _fetch(job_id, connection)
                if job.get_status(refresh=False) not in ENDED:
                    return
                pipe.multi()
                job.delete(pipeline=pipe)
                pipe.execute()
            except (NoSuchJobError, InvalidJobOperation):  # somebody else has taken it away
                return
            except WatchError:  # or does so just now, and may have handed over another
                continue
            return
    raise QueueUnavailableError(f"{job_id}: busy")


def _job_state(job: Job) -> JobState:
    status = job.get_status(refresh=False)  # it was just fetched
    result = job.return_value() if status is JobStatus.FINISHED else None
    meta = job.get_meta(refresh=False)
    return JobState(
        job.id, str(status.value if status else "unknown"), int(meta.get("done", 0)),
        int(meta.get("total", 0)), result,
    )


def _state(connection: Redis) -> QueuesState:
    queues = [open_queue(name, connection) for name in QUEUES]
    workers = cast(
        "list[Worker]", Worker.all(connection=connection, serializer=JSONSerializer)
    )
    return QueuesState(
        server=server_name(connection),
        queues=[
            QueueState(
                q.name, q.count, q.started_job_registry.count, q.failed_job_registry.count
            )
            for q in queues
        ],
        workers=[
            WorkerState(w.name, str(w.get_state()), tuple(w.queue_names())) for w in workers
        ],
        jobs=_long_jobs(queues[-1], connection),
    )


def _long_jobs(queue: Queue, connection: Redis) -> list[JobState]:
    """The long jobs that wait, run or have ended lately."""
    ids = [
        *queue.started_job_registry.get_job_ids(0, MOST_JOBS),
        *queue.get_job_ids(0, MOST_JOBS),
        *queue.failed_job_registry.get_job_ids(0, MOST_JOBS),
        *queue.finished_job_registry.get_job_ids(0, MOST_JOBS),
    ]
    fetched = Job.fetch_many(
        list(dict.fromkeys(ids)), connection=connection, serializer=JSONSerializer
    )
    return [_job_state(job) for job in fetched if job is not None]
