"""How fast do all read models catch up, beside the library's runner with one trivial count?"""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from typing import Any, Final

from eventsourcing.application import Application
from eventsourcing.persistence import Tracking, TrackingRecorder
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.sqlite import SQLiteDatastore, SQLiteTrackingRecorder
from psycopg.sql import SQL

from bench.places import Place, Servers, fill
from bench.ratios import Ratio, in_turns, rate
from bench.rebuilding import MIB, rebuild, workers
from domain.ledger import Ledger
from domain.ledger.recorders import library_settings
from projections.engine import ReadModels

_numbers = itertools.count(1)
ROWS: Final = (
    "an event becomes about ten rows of fourteen read models; Python takes about 36 µs to work "
    "them out and 6 to hand them over, the database about 35 to write and index them, beside it "
    "where a core is free"
)
"""Why the target is missed."""
_UPSERT: Final = (
    "INSERT INTO counted VALUES ({0}, 1) ON CONFLICT (topic) DO UPDATE SET n = counted.n + 1"
)
_CREATE: Final = "CREATE TABLE IF NOT EXISTS counted (topic text PRIMARY KEY, n bigint)"


class SQLiteCount(SQLiteTrackingRecorder):
    """How many events of each topic there are."""

    def __init__(self, datastore: SQLiteDatastore, **options: Any) -> None:
        """Have a table for the count."""
        super().__init__(datastore, **options)
        self.create_table_statements.append(_CREATE)

    def count(self, topic: str, tracking: Tracking) -> None:
        """Count one event, with its position in the same transaction."""
        with self.datastore.transaction(commit=True) as c:
            self._insert_tracking(c, tracking)
            c.execute(_UPSERT.format("?"), (topic,))


class PostgresCount(PostgresTrackingRecorder):
    """The same on PostgreSQL."""

    def __init__(self, datastore: PostgresDatastore, **options: Any) -> None:
        """Have a table for the count."""
        super().__init__(datastore, **options)
        self.sql_create_statements.append(SQL(_CREATE))

    def count(self, topic: str, tracking: Tracking) -> None:
        """Count one event, with its position in the same transaction."""
        with self.datastore.transaction(commit=True) as c:
            self._insert_tracking(c, tracking)
            c.execute(SQL(_UPSERT).format(SQL("%s")), (topic,), prepare=True)


class CountTopics(Projection[Any]):
    """The library's projection, as its documentation has it."""

    name = "count"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """Count the event."""
        self.view.count(domain_event.event.topic, tracking)


VIEWS: Final[dict[str, type[TrackingRecorder]]] = {
    "sqlite": SQLiteCount, "postgresql": PostgresCount,
}


def library_runner(source: Place, view: Place, count: int) -> float:
    """Events a second that the library's runner takes in, of a log on PostgreSQL.

    On SQLite the library has no subscriptions, so that only its view is there.
    """

    class Log(Ledger):
        name = Ledger.name

        def __init__(self, env: Any = None) -> None:  # noqa: ARG002 - as the runner calls it
            super().__init__(source.ledger_url, source.vault())

    module = {"sqlite": "eventsourcing.sqlite", "postgresql": "eventsourcing.postgres"}
    settings = library_settings(view.read_url)
    settings.pop("INFRASTRUCTURE_FACTORY")
    environment = settings | {"PERSISTENCE_MODULE": module[view.database]}
    application: type[Application[Any]] = Log
    begun = time.perf_counter()
    with ProjectionRunner(
        application_class=application, projection_class=CountTopics,
        view_class=VIEWS[view.database], env=environment,
    ) as runner:
        runner.wait(count, timeout=120)
        return count / (time.perf_counter() - begun)


def all_read_models(place: Place, events: int) -> float:
    """Events a second that every read model takes in, from empty tables."""
    read_url = place.read_url
    if place.database == "sqlite":
        read_url = f"sqlite:///{place.folder}/read-{next(_numbers)}.sqlite3"
    with place.ledger() as ledger:
        read_models = ReadModels(read_url)
        found = rate(events, lambda: read_models.advance(ledger))
        read_models.close()
    return found


def measure(servers: Servers, database: str, *, is_quick: bool) -> list[Ratio]:
    """All read models from zero to the head, and anew beside what is there."""
    stations, count = (10, 1_500) if is_quick else (50, 6_000)
    place = servers.place(database)
    source = servers.place("postgresql")
    with place.ledger() as ledger:
        events = fill(ledger, stations)
    with source.ledger() as ledger:
        fill(ledger, 1 + count // 1_500)
    all_read_models(place, events)

    def ours() -> float:
        fresh = place
        if database == "postgresql":
            fresh = servers.place("postgresql")
            fresh = replace(place, read_url=fresh.read_url)
        return all_read_models(fresh, events)

    with workers() as pool:
        peak = rebuild(pool, place)
        found = in_turns({
            "library": lambda: library_runner(source, servers.place(database), count),
            "ours": ours,
            "rebuild": lambda: rate(events, lambda: rebuild(pool, place)),
        }, 3)
    runner = found["library"]
    return [
        Ratio(
            f"{what} ÷ the library's runner with one count", database, found[name] / runner, 20,
            f"{found[name]:,.0f} ÷ {runner:,.0f} events/s", reason=ROWS,
        )
        for name, what in (
            ("ours", "catch-up of all read models"),
            ("rebuild", "rebuild of all read models by two processes"),
        )
    ] + [Ratio(
        "a worker's peak memory in a rebuild ÷ 300 MiB", database, peak / (300 * MIB), 1,
        f"{peak / MIB:.0f} MiB after {events:,} events", is_bound=True,
    )]
