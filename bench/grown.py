"""On which log that has grown long are questions asked? On a fresh one, or on one that is kept.

Ten million events take half an hour and fifteen to thirty-five gigabytes. ``GROWN=/folder``
keeps them there from run to run, by database and length:

- ``sqlite-10000000/`` with ``ledger.sqlite3``, ``read.sqlite3`` and ``keys.sqlite3``;
- ``pgdata-10000000/``, the folder of a PostgreSQL server with the database ``grown``, and
  ``postgresql-10000000/`` with ``keys.sqlite3``;
- ``sqlite-10000000.json`` beside it, written last: ``{"peak_memory": BYTES}`` of a worker
  that rebuilt the read models.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import text

from bench.filling import codes, grow, number_of, say
from bench.places import Place, Servers, database_at, fill, on_sqlite, postgres_server
from bench.rebuilding import rebuild, workers
from domain.ledger import Notification
from projections.engine import ReadModels
from projections.store import open_engine

DATABASE: Final = "grown"
"""The name of a kept server's database."""


class NotKeptWholeError(RuntimeError):
    """What ``GROWN`` keeps is no whole log; says what to do."""


@dataclass(frozen=True, slots=True)
class Grown:
    """A place with a long log, its stations, and what its first making told."""

    place: Place
    stations: list[str]
    peak_memory: int
    """The most bytes that a worker held while it rebuilt the read models."""


@contextmanager
def grown(servers: Servers, database: str, events: int) -> Iterator[Grown]:
    """A log of some length: the one that ``GROWN`` keeps, or a fresh one, deleted afterwards."""
    folder = os.environ.get("GROWN")
    if folder:
        with _kept_place(Path(folder).resolve(), database, events) as place:
            yield _kept(servers, place, events)
    else:
        with fresh(servers, database, events) as found:
            yield found


@contextmanager
def fresh(servers: Servers, database: str, events: int) -> Iterator[Grown]:
    """A log that grows to some length now, and is deleted afterwards."""
    place = servers.place(database)
    peak = _build(place, _template(servers), events)
    yield Grown(place, _stations(place), peak)
    servers.discard(place)


@contextmanager
def _kept_place(folder: Path, database: str, events: int) -> Iterator[Place]:
    folder.mkdir(parents=True, exist_ok=True)
    own = folder / f"{database}-{events}"
    own.mkdir(exist_ok=True)
    if database == "sqlite":
        yield on_sqlite(own)
        return
    with postgres_server(folder / f"pgdata-{events}") as server_url:
        url = database_at(server_url, DATABASE)
        yield Place(database, own, url, url)


def _kept(servers: Servers, place: Place, events: int) -> Grown:
    """What is kept there, made where nothing is. The note is written last.

    :raises NotKeptWholeError: where there is something without a note.
    """
    note = place.folder.with_suffix(".json")
    with place.ledger() as ledger:
        is_empty = ledger.head() == 0
    if is_empty:
        peak = _build(place, _template(servers), events)
        note.write_text(json.dumps({"peak_memory": peak}) + "\n", encoding="utf-8")
    elif note.exists():
        _catch_up(place)
    else:
        raise NotKeptWholeError(
            f"{place.folder} was not built to its end, as {note.name} is missing beside it:"
            f" delete both it and, for PostgreSQL, pgdata-{events}; the next run builds them"
        )
    return Grown(place, _stations(place), int(json.loads(note.read_text())["peak_memory"]))


def _catch_up(place: Place) -> None:
    """Bring read models of another version to the head, as the program does when it starts."""
    read_models = ReadModels(place.read_url)
    with place.ledger() as ledger:
        if read_models.position() < ledger.head():
            behind = [c.name for c in read_models.checkpoints() if c.position < ledger.head()]
            say(f"{place.database}: to be caught up for this code: {', '.join(behind)}")
            read_models.advance(ledger)
    read_models.close()


def _build(place: Place, template: list[Notification], events: int) -> int:
    """Let the log grow and rebuild its read models; answers a worker's peak memory in bytes."""
    with place.ledger() as ledger:
        grow(place, ledger, template, events)
        head = ledger.head()
    ReadModels(place.read_url).close()
    begun = time.perf_counter()
    with workers() as pool:
        peak = rebuild(pool, place)
    pace = head / (time.perf_counter() - begun)
    say(f"{place.database}: {head:,} events rebuilt, {pace:,.0f} a second")
    return peak


def _template(servers: Servers) -> list[Notification]:
    """One station's year, which every station of a long log has."""
    with servers.place("sqlite").ledger() as ledger:
        fill(ledger, 1)
        return list(ledger.notifications(0, 100_000))


def _stations(place: Place) -> list[str]:
    """The codes of the stations; PostgreSQL learns on the way what its tables hold."""
    engine = open_engine(place.ledger_url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if place.database == "postgresql":
            connection.execute(text("ANALYZE"))
        last = connection.execute(text("SELECT max(code) FROM city")).scalar_one()
    engine.dispose()
    return codes(1, number_of(last))
