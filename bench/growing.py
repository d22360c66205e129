"""Do answers stay as fast when the log is a thousand times longer?"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

from bench.filling import CITY
from bench.grown import Grown, fresh, grown
from bench.long_log import OF_A_LONG_LOG
from bench.places import Place, Servers, bytes_in
from bench.ratios import Ratio, seconds
from bench.rebuilding import MIB
from domain.ledger import Ledger
from projections.engine import ReadModels
from projections.figures import Period, figures
from projections.household_status import household_list, household_status
from projections.indicators import indicator_set
from projections.timeline import timeline_of

ASKED: Final = 40
CYCLE: Final = (
    *(f"2024-{month:02}" for month in range(7, 13)), *(f"2025-{month:02}" for month in range(1, 7)),
)
SIZES: Final = {"quick": (10_000, 200_000), "full": (10_000, 10_000_000)}


@dataclass(frozen=True, slots=True)
class Asked:
    """The medians of some questions in seconds, the bytes an event takes, those of a worker."""

    of: dict[str, float]
    bytes_per_event: float
    peak_memory: int


def ask(
    place: Place, ledger: Ledger, read_models: ReadModels, stations: list[str], peak: int
) -> Asked:
    """Put each question to some stations; the first round is for warmth."""
    chosen, known = indicator_set("lixia-2024"), datetime(2025, 7, 31, tzinfo=UTC)
    month, year = Period.of_month("2024-11"), [Period.of_month(m) for m in CYCLE]
    found: dict[str, float] = {}
    with read_models.engine.connect() as connection:
        households = {
            s: household_list(connection, s, limit=1)[0].household for s in stations[:ASKED]
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
            figures(connection, s, chosen, month, known_at=known) for s in stations[:CITY]
        ])
    return Asked(found, bytes_in(place) / ledger.head(), peak)


def measured(found: Grown) -> Asked:
    """Everything asked of a log of any length."""
    read_models = ReadModels(found.place.read_url)
    with found.place.ledger() as ledger:
        chosen = found.stations[:: max(1, len(found.stations) // CITY)]
        asked = ask(found.place, ledger, read_models, chosen, found.peak_memory)
    read_models.close()
    return asked


def measure(servers: Servers, database: str, *, is_quick: bool) -> list[Ratio]:
    """A short log and a long one, side by side."""
    small, large = SIZES["quick" if is_quick else "full"]
    with fresh(servers, database, small) as found:
        before = measured(found)
    with grown(servers, database, large) as found:
        after = measured(found)
        alone = [ratio for question in OF_A_LONG_LOG for ratio in question(found, large)]
    lengths = f"{small:,} → {large:,} events"
    bounds = {"household": 2.0, "timeline": 1.5, "month": 2.0, "year as known": 2.0}
    ratios = [
        Ratio(
            f"growth {lengths}: {name}", database, after.of[name] / before.of[name], bound,
            f"{after.of[name] * 1000:.2f} ÷ {before.of[name] * 1000:.2f} ms", is_bound=True,
        )
        for name, bound in bounds.items()
    ]
    one, city = after.of["month as known"], after.of["month of 161 stations as known"]
    stored, stored_before = after.bytes_per_event, before.bytes_per_event
    return [
        *ratios,
        Ratio(f"storage an event, {lengths}", database, stored / stored_before, 1.2,
              f"{stored:,.0f} ÷ {stored_before:,.0f} bytes", is_bound=True),
        Ratio(f"a month as known, one station of {large:,} events ÷ 100 ms", database, one * 10, 1,
              f"{one * 1000:.1f} ms", is_bound=True),
        Ratio(f"a month as known, 161 stations of {large:,} events ÷ 2 s", database, city / 2, 1,
              f"{city * 1000:,.0f} ms", is_bound=True,
              reason="what 161 stations hold is read from the disk once after a start"),
        Ratio(f"a worker's peak memory, {large:,} events rebuilt ÷ 300 MiB", database,
              after.peak_memory / (300 * MIB), 1,
              f"{after.peak_memory / MIB:.0f} MiB after {large:,} events", is_bound=True,
              reason="many stations that record at once have more open streams than are kept"),
        *alone,
    ]
