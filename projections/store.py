"""Where do the read models live? The only module that knows SQL dialects.

Each projection's tables exist once a *generation*: a rebuild fills new ones while the
old serve, and then the views by which queries read are switched in one transaction.
Read models are disposable: there are no migrations, only a version number.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    delete,
    event,
    func,
    insert,
    inspect,
    quoted_name,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from projections.columns import UtcDateTime
from projections.kernel import Changes

CHUNK: Final = 400
"""Rows or keys in one statement: both databases bound the number of parameters."""
BUSY_SECONDS: Final = 10

control: Final = MetaData()

generations: Final = Table(
    "projection_generations",
    control,
    Column("projection", String(64), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("is_serving", Boolean, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

parked: Final = Table(
    "parked_events",
    control,
    Column("projection", String(64), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("stream", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("parked_at", UtcDateTime, nullable=False),
)


def open_engine(database_url: str) -> Engine:
    """An engine for the read models (``sqlite:///path`` or ``postgresql://…``)."""
    if urlsplit(database_url).scheme.startswith("sqlite"):
        engine = create_engine(
            database_url, hide_parameters=True,  # errors are logged, and rows may be personal
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    rest = database_url.partition("://")[2]
    return create_engine(
        f"postgresql+psycopg://{rest}", pool_size=5, max_overflow=15, pool_pre_ping=True,
        hide_parameters=True,
    )


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    assert isinstance(connection, sqlite3.Connection)
    connection.isolation_level = None  # SQLAlchemy's BEGIN below, not the driver's
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")  # the position goes with the rows


def _begin_sqlite(connection: Connection) -> None:
    is_writer = connection.get_execution_options().get("taizhang_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writer else "BEGIN")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes; SQLite takes its lock at the start, so none deadlocks."""
    options = {"taizhang_writes": True}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


def create_control_tables(engine: Engine) -> None:
    """Create the checkpoints, one program at a time."""
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": 0x7A48_5250})
        control.create_all(connection)


# ---- tables of a generation ----


def physical(table: Table, generation: int) -> Table:
    """The table that holds a projection's rows in one generation."""
    copy = table.to_metadata(MetaData(), name=f"{table.name}__g{generation}")
    for number, index in enumerate(sorted(copy.indexes, key=lambda i: str(i.name))):
        index.name = quoted_name(f"ix_{copy.name}_{number}", quote=None)
    return copy


def create_tables(connection: Connection, tables: Sequence[Table], generation: int) -> None:
    """Create empty tables for a generation."""
    drop_tables(connection, tables, generation)
    for table in tables:
        physical(table, generation).create(connection)


def drop_tables(connection: Connection, tables: Sequence[Table], generation: int) -> None:
    """Drop the tables of a generation that no longer serves."""
    for table in tables:
        physical(table, generation).drop(connection, checkfirst=True)


def serve(connection: Connection, tables: Sequence[Table], generation: int) -> None:
    """Let queries read a generation: switch the views."""
    for table in tables:
        connection.execute(text(f'DROP VIEW IF EXISTS "{table.name}"'))
        columns = ", ".join(f'"{column.name}"' for column in table.columns)
        source = physical(table, generation).name
        connection.execute(
            text(f'CREATE VIEW "{table.name}" AS SELECT {columns} FROM "{source}"')  # noqa: S608 - names of our own tables
        )


def is_missing(connection: Connection, tables: Sequence[Table], generation: int) -> bool:
    """Whether a generation's tables are not (all) there."""
    present = set(inspect(connection).get_table_names())
    return any(physical(table, generation).name not in present for table in tables)


# ---- writing a batch ----


def apply(connection: Connection, changes: Changes, generation: int) -> None:
    """Write a batch's row changes, set-based."""
    for table, streams in changes.deleted.items():
        target = physical(table, generation)
        for chunk in _chunks(sorted(streams)):
            connection.execute(delete(target).where(target.c.stream.in_(chunk)))
    for table, sums in changes.added.items():
        _add(connection, physical(table, generation), sums)
    for table, rows in changes.inserted.items():
        target = physical(table, generation)
        for chunk in _chunks(rows):
            connection.execute(insert(target), chunk)


def _add(connection: Connection, table: Table, sums: dict[tuple[Any, ...], int]) -> None:
    """Add amounts to rows by key, inserting the keys that are new."""
    names = [column.name for column in table.primary_key]
    rows = [dict(zip(names, key, strict=True)) | {"amount": sums[key]} for key in sorted(sums)]
    make = postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert
    statement = make(table)
    upsert = statement.on_conflict_do_update(
        index_elements=names, set_={"amount": table.c.amount + statement.excluded.amount}
    )
    for chunk in _chunks(rows):
        connection.execute(upsert, chunk)


def differing_rows(
    connection: Connection, tables: Sequence[Table], one: int, other: int
) -> int:
    """How many rows two generations do not share."""
    count = 0
    for table in tables:
        left, right = physical(table, one), physical(table, other)
        for a, b in ((left, right), (right, left)):
            only_here = a.select().except_(b.select()).subquery()
            count += connection.execute(select(func.count()).select_from(only_here)).scalar_one()
    return count


def _chunks(items: Sequence[Any]) -> Iterator[Any]:
    return (items[n : n + CHUNK] for n in range(0, len(items), CHUNK))


def park(
    connection: Connection, projection: str, generation: int, changes: Changes, now: datetime
) -> None:
    """Keep a batch's faults beside the projection; an event is parked once."""
    faults = {fault.position: fault for fault in changes.faults}
    mine = (parked.c.projection == projection) & (parked.c.generation == generation)
    for chunk in _chunks(sorted(faults)):
        connection.execute(delete(parked).where(mine, parked.c.position.in_(chunk)))
        rows = [
            {
                "projection": projection, "generation": generation, "position": position,
                "stream": faults[position].stream, "error": faults[position].error,
                "parked_at": now,
            }
            for position in chunk
        ]
        connection.execute(insert(parked), rows)
