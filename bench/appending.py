"""How long does an append take, beside a bare commit of one row?"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Final

import psycopg

from bench.places import Place, Servers
from bench.ratios import ROUNDS, Ratio, in_turns, rate
from domain.catalog import encode_state
from domain.kernel import Envelope, Occurrence
from domain.ledger import Ledger, NewEntry
from domain.visit import VisitRecorded

WRITERS: Final = 8
NOW: Final = datetime(2024, 11, 5, 9, tzinfo=UTC)
_numbers = itertools.count(1)


def a_visit(station: str = "bench") -> NewEntry:
    """A visit of an ordinary size, with a stream of its own."""
    number = next(_numbers)
    envelope = Envelope(
        station=station, recorded_at=NOW, actor="worker-1", role="social_worker",
        request_id=f"request-{number:012}",
    )
    event = VisitRecorded(
        mode="home", purpose="routine", persons_met=2, household=f"h{number % 100}",
        category="dibao", community="东路社区", note="身体尚可，米面够用，下月再来看看。",
    )
    return NewEntry(
        f"{station}/visit/v{number:09}", 1, Occurrence(on=date(2024, 11, 5)), envelope, event
    )


def _state() -> bytes:
    entry = a_visit()
    return encode_state(entry.event, entry.occurred, entry.envelope)


def bare_sqlite(place: Place, count: int) -> float:
    """One row a commit, fully synchronised, through the standard library's driver."""
    connection = sqlite3.connect(place.folder / "bare.sqlite3", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS e (position INTEGER PRIMARY KEY AUTOINCREMENT,"
        " stream TEXT NOT NULL, version INTEGER NOT NULL, topic TEXT NOT NULL,"
        " state BLOB NOT NULL, UNIQUE (stream, version))"
    )
    state, insert = _state(), "INSERT INTO e (stream, version, topic, state) VALUES (?,?,?,?)"

    def write() -> None:
        for _ in range(count):
            connection.execute(insert, (f"bench/visit/v{next(_numbers):09}", 1, "t", state))

    found = rate(count, write)
    connection.close()
    return found


def bare_postgresql(place: Place, count: int) -> float:
    """One row a commit through psycopg, prepared."""
    with psycopg.connect(place.ledger_url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS bare (position bigserial, stream text NOT NULL,"
            " version bigint NOT NULL, topic text NOT NULL, state bytea NOT NULL,"
            " PRIMARY KEY (stream, version))"
        )
        connection.execute("CREATE UNIQUE INDEX IF NOT EXISTS bare_position ON bare (position)")
        state = _state()
        insert = "INSERT INTO bare (stream, version, topic, state) VALUES (%s,%s,%s,%b)"

        def write() -> None:
            for _ in range(count):
                row = (f"bench/visit/v{next(_numbers):09}", 1, "t", state)
                connection.execute(insert, row, prepare=True)

        return rate(count, write)


def one_writer(ledger: Ledger, count: int) -> float:
    """Appends of one event each, encoded and acknowledged one after the other."""
    return rate(count, lambda: [ledger.append([a_visit()], ()) for _ in range(count)])


def many_writers(ledger: Ledger, count: int) -> float:
    """The same from eight threads."""
    with ThreadPoolExecutor(WRITERS) as pool:
        return rate(count, lambda: list(pool.map(
            lambda _n: [ledger.append([a_visit()], ()) for _ in range(count // WRITERS)],
            range(WRITERS),
        )))


BARE: Final[dict[str, Callable[[Place, int], float]]] = {
    "sqlite": bare_sqlite, "postgresql": bare_postgresql,
}
ENCODED: Final = (
    "between two commits the event is checked, sealed under a key of its own and encoded,"
    " while the bare writer sends the same bytes again"
)
GROUPS: Final = (
    "where the disk acknowledges in a fifth of a millisecond, waiting together saves less than"
    " Python's turns between eight threads cost; the slower the disk, the more it saves"
)
TARGETS: Final = {"sqlite": (0.7, 1.0), "postgresql": (0.8, 0.8)}


def measure(servers: Servers, database: str, *, is_quick: bool) -> list[Ratio]:
    """Appends by one writer and by eight, each beside bare commits."""
    count = 800 if is_quick else 4_000
    place = servers.place(database)
    with place.ledger() as ledger:
        found = in_turns({
            "bare": lambda: BARE[database](place, count),
            "one": lambda: one_writer(ledger, count),
            "eight": lambda: many_writers(ledger, count),
        }, ROUNDS)
    one, eight = TARGETS[database]
    bare = found["bare"]
    return [
        Ratio("append, one writer ÷ bare commit", database, found["one"] / bare, one,
              f"{found['one']:,.0f} ÷ {bare:,.0f} events/s", reason=ENCODED),
        Ratio("append, eight writers ÷ bare commit", database, found["eight"] / bare, eight,
              f"{found['eight']:,.0f} ÷ {bare:,.0f} events/s", reason=GROUPS),
    ]
