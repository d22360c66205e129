"""Which tables does a generation of a projection have, and which do queries read?

A rebuild fills tables of its own while the old ones serve; then the views are switched.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, cast

from sqlalchemy import (
    Connection,
    Engine,
    FromClause,
    MetaData,
    String,
    Table,
    and_,
    create_engine,
    func,
    inspect,
    quoted_name,
    select,
    text,
)
from sqlalchemy.pool import NullPool, StaticPool

from projections.store import control

_GENERATION: Final = re.compile(r"__g[0-9]+$")


def table_name(table: Table, generation: int) -> str:
    """What the table of a generation is called."""
    return f"{table.name}__g{generation}"


@lru_cache(maxsize=256)
def physical(table: Table, generation: int) -> Table:
    """The table that holds a projection's rows in one generation."""
    copy = table.to_metadata(MetaData(), name=table_name(table, generation))
    for number, index in enumerate(sorted(copy.indexes, key=lambda i: str(i.name))):
        index.name = quoted_name(f"ix_{copy.name}_{number}", quote=None)
    return copy


def create_tables(connection: Connection, tables: Sequence[Table], generation: int) -> None:
    """Create empty tables for a generation, without indexes."""
    drop_tables(connection, tables, generation)
    for table in tables:
        bare = physical(table, generation).to_metadata(MetaData())
        bare.indexes.clear()
        if connection.dialect.name == "postgresql":
            _order_by_code_point(bare)
        bare.create(connection)


def _order_by_code_point(table: Table) -> None:
    """Compare and sort texts as SQLite does, whatever the server's language is."""
    for column in table.columns:
        if isinstance(column.type, String):
            column.type = type(column.type)(column.type.length, collation="C")


def create_next_index(connection: Connection, tables: Sequence[Table], generation: int) -> bool:
    """Create one of a generation's missing indexes; answers whether any was missing."""
    for table in (physical(table, generation) for table in tables):
        there = {index["name"] for index in inspect(connection).get_indexes(table.name)}
        for index in table.indexes:
            if index.name not in there:
                index.create(connection)
                return True
    return False


def take_statistics(
    connection: Connection, tables: Sequence[Table], generation: int
) -> None:
    """Let PostgreSQL know what filled tables hold, before anybody asks them.

    Its own daemon comes a minute later; until then a question would be planned, once for
    all (``SHORT``), as of tables that are nearly empty.
    """
    if connection.dialect.name == "postgresql":
        for table in tables:
            connection.exec_driver_sql(f'ANALYZE "{table_name(table, generation)}"')


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


def is_read_model(table: str) -> bool:
    """Whether a table of the database can be made again from the log."""
    return table in control.tables or _GENERATION.search(table) is not None


def differing_rows(
    connection: Connection, tables: Sequence[Table], one: int, other: int
) -> int:
    """How many rows two generations do not share.

    Those they share are found by their keys, which both databases do several times faster
    than EXCEPT.
    """
    count = 0
    for table in tables:
        left, right = physical(table, one), physical(table, other)
        same = and_(*(
            left.c[c.name] == right.c[c.name]
            if c.primary_key
            else left.c[c.name].is_not_distinct_from(right.c[c.name])
            for c in table.columns
        ))
        shared = _count(connection, left.join(right, same))
        count += _count(connection, left) + _count(connection, right) - 2 * shared
    return count


def _count(connection: Connection, rows: FromClause) -> int:
    return connection.execute(select(func.count()).select_from(rows)).scalar_one()


# ---- a database in memory ----


@lru_cache(maxsize=16)
def in_memory(tables: tuple[Table, ...]) -> Engine:
    """An engine whose every connection is an empty database of its own with some tables."""
    model = create_engine("sqlite://", poolclass=StaticPool)
    with model.begin() as connection:
        create_tables(connection, tables, 0)
        while create_next_index(connection, tables, 0):
            pass
        serve(connection, tables, 0)
    raw = cast("sqlite3.Connection", model.raw_connection().driver_connection)
    shape = "\n".join(raw.iterdump())

    def opened() -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:")
        connection.executescript(shape)
        return connection

    return create_engine("sqlite://", creator=opened, poolclass=NullPool, hide_parameters=True)
