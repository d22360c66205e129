"""How does a log grow to millions of events? In the database itself, a slice a statement.

One station's year is kept beside the log as a template; every other station has the same
year under a code of its own. The stations of a city record side by side.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, text

from bench.places import Place
from domain.kernel import stream_station
from domain.ledger import Ledger, Notification
from projections.store import open_engine, writing

CITY: Final = 161
"""Stations that record at the same time."""
SLICE: Final = 200
"""Events of the template in one statement: each is inserted once a station."""
_BYTES: Final = {"sqlite": "CAST({} AS BLOB)", "postgresql": "convert_to({}, 'UTF8')"}
_TEMPLATE: Final = (
    "CREATE TABLE template (number BIGINT PRIMARY KEY, originator_id TEXT NOT NULL,"
    " originator_version BIGINT NOT NULL, topic TEXT NOT NULL, state TEXT NOT NULL)"
)
_STATIONS: Final = "CREATE TABLE city (code VARCHAR(20) PRIMARY KEY)"
_KEEP: Final = "INSERT INTO template VALUES (:number, :stream, :version, :topic, :state)"
_GROW: Final = (
    "INSERT INTO {log} (originator_id, originator_version, topic, state)"
    " SELECT replace(replace(t.originator_id, :own || '/', c.code || '/'),"
    " '/' || :own, '/' || c.code), t.originator_version, t.topic, {state}"
    " FROM template t CROSS JOIN city c WHERE t.number >= :first AND t.number < :end"
    " ORDER BY t.number, c.code"
)
_STATE: Final = "replace(t.state, '\"' || :own || '\"', '\"' || c.code || '\"')"


def codes(first: int, count: int) -> list[str]:
    """The codes of some stations."""
    return [f"g{number:05}" for number in range(first, first + count)]


def number_of(code: str) -> int:
    """Which station a code is, counted from one."""
    return int(code.removeprefix("g"))


def grow(place: Place, ledger: Ledger, template: list[Notification], events: int) -> None:
    """Let the log grow to a number of events, a city after the other."""
    own = stream_station(str(template[0].originator_id))
    state = _BYTES[place.database].format(_STATE)
    statement = text(_GROW.format(log=ledger.store.events_table_name, state=state))
    engine = open_engine(place.ledger_url)
    with writing(engine) as connection:
        _prepare(connection, template)
    head, first = 0, 1
    while head < events:
        wanted = min(CITY, 1 + (events - head) // len(template))
        begun = time.perf_counter()
        with writing(engine) as connection:
            connection.execute(text("DELETE FROM city"))
            named = [{"code": code} for code in codes(first, wanted)]
            connection.execute(text("INSERT INTO city VALUES (:code)"), named)
        for values in _slices(own, len(template)):
            with writing(engine) as connection:
                connection.execute(statement, values)
        first, before, head = first + wanted, head, ledger.head()
        pace = (head - before) / (time.perf_counter() - begun)
        say(f"{place.database}: {head:,} of {events:,} events in the log, {pace:,.0f} a second")
    engine.dispose()


def say(progress: str) -> None:
    """One line for whoever waits."""
    print(f"  … {progress}", flush=True)  # noqa: T201 - some parts take an hour


def _prepare(connection: Connection, template: list[Notification]) -> None:
    for table in (_TEMPLATE, _STATIONS):
        connection.execute(text(table))
    connection.execute(text(_KEEP), [
        {
            "number": number, "stream": n.originator_id, "version": n.originator_version,
            "topic": n.topic, "state": n.state.decode(),
        }
        for number, n in enumerate(template)
    ])


def _slices(own: str, count: int) -> Iterator[dict[str, object]]:
    for first in range(0, count, SLICE):
        yield {"own": own, "first": first, "end": first + SLICE}
