"""Do answers stay as fast when the log is a thousand times longer?"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

from eventsourcing.persistence import StoredEvent
from sqlalchemy import text

from bench.places import Place, Servers, bytes_in, fill
from bench.ratios import Ratio, seconds
from bench.rebuilding import MIB, rebuild, workers
from domain.ledger import Ledger
from projections.engine import ReadModels
from projections.figures import Period, figures
from projections.household_status import household_list, household_status
from projections.indicators import indicator_set
from projections.timeline import timeline_of

CITY: Final = 161
"""Stations that record at the same time."""
CHUNK: Final = 5_000
ASKED: Final = 40
CYCLE: Final = (
    *(f"2024-{month:02}" for month in range(7, 13)), *(f"2025-{month:02}" for month in range(1, 7)),
)
SIZES: Final = {"quick": (10_000, 200_000), "full": (10_000, 10_000_000)}


def stations_of(events: list[StoredEvent], number: int) -> Iterator[tuple[str, list[StoredEvent]]]:
    """The year of one station as that of other stations, each under a code of its own."""
    own = str(events[0].originator_id).partition("/")[0]
    for n in itertools.count(number):
        code = f"g{n:05}"
        yield code, [
            StoredEvent(
                str(e.originator_id).replace(f"{own}/", f"{code}/").replace(f"/{own}", f"/{code}"),
                e.originator_version, e.topic,
                e.state.replace(f'"{own}"'.encode(), f'"{code}"'.encode()),
            )
            for e in events
        ]


def grow(ledger: Ledger, template: list[StoredEvent], events: int) -> None:
    """Let the log grow to a number of events: cities of stations that record side by side."""
    first = 1
    while ledger.head() < events:
        wanted = min(CITY, 1 + (events - ledger.head()) // len(template))
        years = [y for _code, y in itertools.islice(stations_of(template, first), wanted)]
        first += wanted
        side_by_side = itertools.chain.from_iterable(zip(*years, strict=True))
        while some := list(itertools.islice(side_by_side, CHUNK)):
            ledger.store.insert_events(some)


@dataclass(frozen=True, slots=True)
class Asked:
    """The medians of some questions in seconds, the bytes an event takes, those of a worker."""

    of: dict[str, float]
    bytes_per_event: float
    peak_memory: int


def ask(
    place: Place, ledger: Ledger, read_models: ReadModels, codes: list[str], peak: int
) -> Asked:
    """Put each question to some stations; the first round is for warmth."""
    chosen, known = indicator_set("lixia-2024"), datetime(2025, 7, 31, tzinfo=UTC)
    month, year = Period.of_month("2024-11"), [Period.of_month(m) for m in CYCLE]
    found: dict[str, float] = {}
    with read_models.engine.connect() as connection:
        households = {
            code: household_list(connection, code, limit=1)[0].household for code in codes[:ASKED]
        }
        questions: dict[str, Callable[[str], object]] = {
            "household": lambda s: household_status(connection, s, households[s]),
            "timeline": lambda s: timeline_of(connection, s, f"household:{households[s]}"),
            "month": lambda s: figures(connection, s, chosen, month),
            "month as known": lambda s: figures(connection, s, chosen, month, known_at=known),
            "year as known": lambda s: [
                figures(connection, s, chosen, period, known_at=known) for period in year
            ],
        }
        for name, question in questions.items():
            for station in households:
                question(station)
            taken = [seconds(partial(question, station)) for station in households]
            found[name] = statistics.median(taken)
        found["month of 161 stations as known"] = seconds(lambda: [
            figures(connection, s, chosen, month, known_at=known) for s in codes[:CITY]
        ])
    return Asked(found, bytes_in(place) / ledger.head(), peak)


def measured(servers: Servers, database: str, template: list[StoredEvent], events: int) -> Asked:
    """Everything asked of a log of some length."""
    place = servers.place(database)
    with place.ledger() as ledger:
        grow(ledger, template, events)
        ReadModels(place.read_url).close()
        with workers() as pool:
            peak = rebuild(pool, place)
        read_models = ReadModels(place.read_url)
        if database == "postgresql":
            with read_models.engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))
        count = max(1, ledger.head() // len(template))
        codes = [f"g{n:05}" for n in range(1, count + 1)]
        codes = codes[:: max(1, len(codes) // CITY)]
        asked = ask(place, ledger, read_models, codes, peak)
        read_models.close()
    return asked


def measure(servers: Servers, database: str, *, is_quick: bool) -> list[Ratio]:
    """A short log and a long one, side by side."""
    small, large = SIZES["quick" if is_quick else "full"]
    with servers.place("sqlite").ledger() as ledger:
        fill(ledger, 1)
        template = [
            StoredEvent(n.originator_id, n.originator_version, n.topic, n.state)
            for n in ledger.notifications(0, 100_000)
        ]
    before = measured(servers, database, template, small)
    after = measured(servers, database, template, large)
    grown = f"{small:,} → {large:,} events"
    bounds = {"household": 2.0, "timeline": 1.5, "month": 2.0, "year as known": 2.0}
    ratios = [
        Ratio(
            f"growth {grown}: {name}", database, after.of[name] / before.of[name], bound,
            f"{after.of[name] * 1000:.2f} ÷ {before.of[name] * 1000:.2f} ms", is_bound=True,
        )
        for name, bound in bounds.items()
    ]
    one, city = after.of["month as known"], after.of["month of 161 stations as known"]
    stored, stored_before = after.bytes_per_event, before.bytes_per_event
    return [
        *ratios,
        Ratio(f"storage an event, {grown}", database, stored / stored_before, 1.2,
              f"{stored:,.0f} ÷ {stored_before:,.0f} bytes", is_bound=True),
        Ratio(f"a month as known, one station of {large:,} events ÷ 100 ms", database, one * 10, 1,
              f"{one * 1000:.1f} ms", is_bound=True),
        Ratio(f"a month as known, 161 stations of {large:,} events ÷ 2 s", database, city / 2, 1,
              f"{city * 1000:,.0f} ms", is_bound=True),
        Ratio("a worker's peak memory in its rebuild ÷ 300 MiB", database,
              after.peak_memory / (300 * MIB), 1,
              f"{after.peak_memory / MIB:.0f} MiB after {large:,} events", is_bound=True),
    ]
