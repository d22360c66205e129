"""How do tests start real processes, kill them, and see that none is left?"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import psycopg
from desk import STATION, Desk, a_station, on
from redis import Redis
from redis.exceptions import RedisError
from rq.serializers import JSONSerializer

from domain.kernel import stream_id
from domain.ledger import Ledger, NewEntry
from domain.visit import VisitRecorded
from projections.engine import ReadModels
from workers import embedded
from workers.processes import LedgerWorker
from workers.queues import ADVANCE, open_queue
from workers.settings import Settings, settings_for

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_SECONDS = 40.0
_numbers = itertools.count(1)


@contextlib.contextmanager
def a_postgres_database(server: str, template: str = "template1") -> Iterator[str]:
    """A fresh database of a PostgreSQL server, like another and gone afterwards; its URL."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    base, query = server.split("?")
    yield f"{base.rsplit('/', 1)[0]}/{name}?{query}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def until(is_so: Callable[[], object], what: str) -> None:
    """Wait, bounded, until something is so."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < end, f"in vain: {what}"
        time.sleep(0.02)


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a process with these settings."""
    return {**os.environ, **settings.environment(), "PYTHONPATH": str(ROOT)}


def processes_of(home: Path) -> list[psutil.Process]:
    """Every living process that runs with a home folder.

    A Redis server writes its title over its environment; it is known by its socket.
    """
    socket = str(embedded.choose(settings_for(home)).socket)
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            is_of_home = process.environ().get("TAIZHANG_HOME") == str(home)
            is_of_home = is_of_home or socket in " ".join(process.cmdline())
            if is_of_home and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@dataclass
class RedisAtHand:
    """A real Redis-protocol server that a test starts and stops."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def server(self) -> embedded.RedisServer:
        return embedded.choose(settings_for(self.folder))

    def start(self) -> None:
        (self.folder / "run").mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(self.server.command(), stdout=subprocess.DEVNULL)
        until(self.answers, "Redis answers")

    def answers(self) -> bool:
        connection = embedded.connect(self.server.url, timeout_seconds=1)
        try:
            return bool(connection.ping())
        except RedisError:
            return False
        finally:
            connection.close()

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def working_off(connection: Redis) -> Iterator[Callable[..., None]]:
    """Does what waits in a queue, in this process, with the service's own worker.

    The worker takes the signals for itself; afterwards they are whose they were.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def work(queue: str = ADVANCE, max_jobs: int | None = None) -> None:
        worker = LedgerWorker(
            [open_queue(queue, connection)], connection=connection, serializer=JSONSerializer
        )
        worker.work(burst=True, max_jobs=max_jobs, logging_level="WARNING")

    yield work
    for number, handler in before.items():
        signal.signal(number, handler)


@dataclass
class Machine:
    """A station's machine: settings, a Redis at hand, and the processes that run on it."""

    settings: Settings
    redis: RedisAtHand
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run(self, *command: str) -> subprocess.Popen[bytes]:
        """Start ``taizhang run …``."""
        return self.python("-m", "api.cli", "run", *command)

    def python(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start Python on this machine."""
        with (self.settings.log_folder / "processes.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments], cwd=ROOT, env=environment(self.settings),
                stdout=log, stderr=log,
            )
        self.processes.append(process)
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a process without warning."""
        process.kill()
        process.wait()
        self.processes.remove(process)

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(20)
        self.redis.stop()

    def until_caught_up(self, read_models: ReadModels, ledger: Ledger) -> None:
        until(lambda: read_models.position() == ledger.head(), "the read models are at the head")


@contextlib.contextmanager
def a_machine(folder: Path) -> Iterator[Machine]:
    """A machine with a running Redis and nothing else."""
    redis = RedisAtHand(folder)
    redis.start()
    settings = replace(settings_for(folder), redis_url=redis.server.url)
    settings.prepare_home()
    machine = Machine(settings, redis)
    try:
        yield machine
    finally:
        machine.stop()


@dataclass
class Service:
    """``taizhang serve`` in a process of its own."""

    process: subprocess.Popen[str]
    info: dict[str, Any]
    home: Path

    def end(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


def start_service(settings: Settings, *options: str) -> subprocess.Popen[str]:
    """Start the service without waiting for it."""
    return subprocess.Popen(
        [sys.executable, "-m", "api.cli", "serve", "--json", *options], cwd=ROOT, text=True,
        env=environment(settings), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )


@contextlib.contextmanager
def a_service(settings: Settings, *options: str) -> Iterator[Service]:
    """A service that is ready."""
    with start_service(settings, *options) as process:
        try:
            assert process.stdout is not None
            text = ""
            while not text.endswith("\n}\n"):
                line = process.stdout.readline()
                assert line, process.stderr and process.stderr.read()
                text += line
            yield Service(process, json.loads(text), settings.home)
        finally:
            process.kill()
            process.wait()


def many_visits(desk: Desk, households: int, visits: int) -> None:
    """A station with a long log, appended at once."""
    desk.record(STATION, a_station(), "2024-01-01", role="administrator")
    for number in range(households):
        desk.household(f"h{number}")
    envelope = desk.context().envelope()
    entries = [
        NewEntry(
            stream_id(STATION, "visit", f"v{number}"), 1, on(f"2024-11-{1 + number % 28:02}"),
            envelope,
            VisitRecorded(
                mode="home", purpose="routine", persons_met=1 + number % 3,
                household=f"h{number % households}", community="东路社区",
            ),
        )
        for number in range(visits)
    ]
    desk.ledger.append(entries, [])


def equal_to_a_rebuild(read_models: ReadModels, ledger: Ledger) -> bool:
    """Whether every read model is, row for row, what the log gives from zero."""
    results = [read_models.rebuild(name, ledger) for name in read_models.names()]
    return all(r.differing_rows == 0 and r.parked == 0 for r in results)
