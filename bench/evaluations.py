"""Is one station's year replayed in a second out of the long log, and a city's in a minute?"""

from __future__ import annotations

import secrets
import statistics
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.filling import CITY
from bench.freshness import Service, service
from bench.grown import Grown
from bench.ratios import Ratio, seconds
from projections.engine import ReadModels
from projections.evaluation.evaluating import Question
from workers import embedded
from workers.evaluating import Workshop, replayed_sheet
from workers.queues import ENDED, EvaluationAsked, Wakeups
from workers.settings import settings_for

CYCLE: Final = "2024-2025"
ONE_SECONDS: Final = 1.0
CITY_SECONDS: Final = 60.0
ASKED: Final = 5
"""How many stations are replayed one by one."""
PATIENCE_SECONDS: Final = 1_800.0
WORKERS: Final = 2
SHARED: Final = "the jobs share the cores with the database, and each records its run"
FOLDED: Final = "every event of the station is read, decoded and counted anew in one process"


def evaluated(found: Grown, events: int) -> list[Ratio]:
    """One station's cycle in this process, and a city's by two RQ workers."""
    one, city = one_station(found), stations_by_workers(found)
    count = min(CITY, len(found.stations))
    return [
        Ratio(
            f"{events:,} events: one station's year replayed ÷ 1 s", found.place.database,
            one / ONE_SECONDS, 1, f"{one * 1000:,.0f} ms", is_bound=True, reason=FOLDED,
        ),
        Ratio(
            f"{events:,} events: {count} stations evaluated by two workers ÷ 1 min",
            found.place.database, city / CITY_SECONDS, 1, f"{city:.1f} s", is_bound=True,
            reason=SHARED,
        ),
    ]


def one_station(found: Grown) -> float:
    """The median time in which one station's log becomes its score sheet, in seconds."""
    read_models = ReadModels(found.place.read_url)
    with TemporaryDirectory() as home, found.place.ledger() as ledger:
        shop = Workshop(settings_for(Path(home)), ledger, read_models)
        stations = found.stations[:: max(1, len(found.stations) // ASKED)][:ASKED]
        taken = [
            seconds(partial(replayed_sheet, shop, station, Question(CYCLE)))
            for station in stations
        ]
    read_models.close()
    return statistics.median(taken)


def stations_by_workers(found: Grown) -> float:
    """The seconds from the request until the last station of a city is evaluated."""
    stations = found.stations[:CITY]
    asked = EvaluationAsked(secrets.token_hex(8), CYCLE, None, None, "bench", "administrator")
    with TemporaryDirectory() as home, service(found.place, home=Path(home)) as running:
        running.run("worker")  # beside the one that is there
        wakeups = _awake(running)
        begun = time.perf_counter()
        ids = wakeups.evaluate(asked, stations)
        taken = _until_done(wakeups, ids, begun)
        wakeups.close()
    return taken


def _awake(running: Service) -> Wakeups:
    """The queues, once both workers listen to them."""
    wakeups = Wakeups(embedded.choose(running.settings).url)
    until = time.monotonic() + 60
    while len(wakeups.state().workers) < WORKERS:
        assert time.monotonic() < until, "the workers did not come up"
        time.sleep(0.1)
    return wakeups


def _until_done(wakeups: Wakeups, ids: list[str], begun: float) -> float:
    """How long after its beginning the last job has ended, in seconds; all must have succeeded."""
    while True:
        states = wakeups.jobs(ids)
        ended = [state for state in states.values() if state.status in ENDED]
        wrong = [s for s in ended if s.status != "finished" or "refused" in (s.result or {})]
        assert not wrong, wrong[:3]
        taken = time.perf_counter() - begun
        if len(ended) == len(ids):
            return taken
        assert taken < PATIENCE_SECONDS, "the city is not done"
        time.sleep(0.05)
