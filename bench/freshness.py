"""How long after an append does a query see it, through Redis and an RQ worker?"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from threading import Event, Thread
from typing import Final

from bench.appending import a_visit
from bench.places import MASTER_KEY, Place, Servers
from bench.ratios import Ratio, percentile
from projections.engine import ReadModels
from workers import embedded
from workers.queues import ADVANCE, LONG, SEAL, Wakeups
from workers.settings import Settings, settings_for

ROOT: Final = Path(__file__).resolve().parents[1]
WORKERS: Final = ((ADVANCE, SEAL), (SEAL, LONG))
"""The workers' queues, as workers/service.py has them."""
WRITES_A_SECOND: Final = 500
LOOK_SECONDS: Final = 0.001
"""How long the watcher waits between two looks: oftener, and it took half a core."""
LIMIT_MILLISECONDS: Final = {"sqlite": 25, "postgresql": 10}


@dataclass
class Service:
    """Settings and the processes that run with them."""

    settings: Settings
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run(self, *arguments: str) -> None:
        """Start one process of the service."""
        environment = {**os.environ, **self.settings.environment()}
        log = (self.settings.log_folder / "bench.log").open("ab")
        command = [sys.executable, "-m", "api.cli", "run", *arguments]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)  # noqa: S603 - our own
        self.processes.append(process)


@contextmanager
def service(place: Place, port: int = 8000, home: Path | None = None) -> Iterator[Service]:
    """Redis and a worker at work on a place; what they need beside it is in a home."""
    settings = settings_for(
        home or place.folder / "home", database_url=place.ledger_url,
        read_database_url=place.read_url, port=port, log_level="warning",
        keys_database_url=place.keys_url,
        master_key_text=base64.b64encode(MASTER_KEY).decode(),
    )
    settings.prepare_home()
    server = embedded.choose(settings)
    found = Service(settings)
    redis = subprocess.Popen(server.command(), stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    found.processes.append(redis)
    for queues in WORKERS:
        found.run("worker", *chain.from_iterable(("--queue", queue) for queue in queues))
    try:
        yield found
    finally:
        for process in reversed(found.processes):
            process.terminate()
        for process in found.processes:
            process.wait(20)


def _await(read_models: ReadModels, position: int) -> None:
    assert read_models.wait_for(position, 60), "the worker did not come up"


def delays(place: Place, seconds: float) -> list[float]:
    """Milliseconds from each acknowledged append until every read model has it."""
    appended: list[tuple[int, float]] = []
    seen: list[tuple[int, float]] = []
    is_over = Event()
    with service(place) as running, place.ledger() as ledger:
        read_models = ReadModels(place.read_url)
        wakeups = Wakeups(embedded.choose(running.settings).url)

        def watch() -> None:
            while not is_over.is_set() or not seen or seen[-1][0] < appended[-1][0]:
                position = read_models.position()
                if not seen or position > seen[-1][0]:
                    seen.append((position, time.perf_counter()))
                time.sleep(LOOK_SECONDS)

        while len(wakeups.state().workers) < len(WORKERS):
            time.sleep(0.1)  # a program that starts takes a core
        first = ledger.append([a_visit()], ())
        assert wakeups.wake()
        _await(read_models, first)
        watcher = Thread(target=watch)
        watcher.start()
        begun = time.perf_counter()
        for number in range(int(seconds * WRITES_A_SECOND)):
            pause = begun + number / WRITES_A_SECOND - time.perf_counter()
            if pause > 0:
                time.sleep(pause)
            position = ledger.append([a_visit()], ())
            appended.append((position, time.perf_counter()))
            wakeups.wake()
        is_over.set()
        watcher.join(60)
        read_models.close()
        wakeups.close()
    return list(_between(appended, seen))


def _between(
    appended: list[tuple[int, float]], seen: list[tuple[int, float]]
) -> Iterator[float]:
    moments = iter(seen)
    position, moment = next(moments)
    for wanted, acknowledged in appended:
        while position < wanted:
            position, moment = next(moments)
        yield max(0.0, moment - acknowledged) * 1000


def measure(servers: Servers, database: str, *, is_quick: bool) -> list[Ratio]:
    """The 99th percentile beside the limit."""
    found = delays(servers.place(database), 5 if is_quick else 20)
    limit, p99 = LIMIT_MILLISECONDS[database], percentile(found, 0.99)
    return [Ratio(
        f"append → visible at {WRITES_A_SECOND}/s, p99 ÷ {limit} ms", database, p99 / limit, 1,
        f"p50 {percentile(found, 0.5):.1f} ms, p99 {p99:.1f} ms", is_bound=True,
        reason="fourteen read models are written for each page, on cores shared with the writers",
    )]
