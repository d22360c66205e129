"""How does a batch of row changes get into the tables, past SQLAlchemy's work for each row?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import chain, islice
from operator import itemgetter
from typing import Any, Final

import msgspec
import psycopg
from sqlalchemy import BigInteger, Boolean, Connection, Date, Integer, String, Table
from sqlalchemy.types import TypeEngine

from projections.columns import UtcDateTime
from projections.generation_tables import table_name
from projections.kernel import Changes, Row

AT_ONCE: Final = (256, 64, 16, 4, 1)
"""Rows in one statement on SQLite: few lengths, so that each is prepared once."""

def apply(connection: Connection, changes: Changes, generation: int) -> None:
    """Write a batch's row changes, set-based."""
    write = _Postgres if connection.dialect.name == "postgresql" else _SQLite
    writer = write(connection)
    for table, streams in changes.deleted.items():
        writer.delete(table_name(table, generation), sorted(streams))
    for table, sums in changes.added.items():
        writer.add(table_name(table, generation), table, sums)
    for table, rows in changes.inserted.items():
        writer.insert(table_name(table, generation), table, rows)


Convert = Callable[[Any], Any]


@lru_cache(maxsize=256)
def _conversions(table: Table, *, is_sqlite: bool) -> list[tuple[int, Convert]]:
    """Which places of a row the driver is handed in another form, and how."""
    return [
        (place, convert)
        for place, column in enumerate(table.columns)
        if (convert := _conversion(column.type, is_sqlite=is_sqlite))
    ]


def _conversion(kind: TypeEngine[Any], *, is_sqlite: bool) -> Convert | None:
    if isinstance(kind, UtcDateTime):
        return _sqlite_instant if is_sqlite else _utc
    return _sqlite_day if is_sqlite and isinstance(kind, Date) else None


def _tuples(
    table: Table, rows: Sequence[Row], *, is_sqlite: bool
) -> Iterable[tuple[Any, ...]]:
    """Each row's values in the order of the table's columns, converted a column at a time."""
    values = itemgetter(*table.columns.keys())
    ordered = (row if isinstance(row, tuple) else values(row) for row in rows)
    columns: list[Iterable[Any]] = list(zip(*ordered, strict=True))
    for place, convert in _conversions(table, is_sqlite=is_sqlite) if columns else ():
        columns[place] = map(convert, columns[place])
    return zip(*columns, strict=True)


def _summed_rows(sums: dict[tuple[Any, ...], int]) -> list[Row]:
    """The sums as rows, in the order of their keys."""
    return [(*key, sums[key]) for key in sorted(sums)]


@lru_cache(maxsize=8_192)
def _utc(instant: datetime | None) -> datetime | None:
    return instant and instant.astimezone(UTC).replace(tzinfo=None)


@lru_cache(maxsize=8_192)
def _sqlite_instant(instant: datetime | None) -> str | None:
    """As SQLAlchemy writes it: UTC, always with microseconds."""
    utc = _utc(instant)
    return None if utc is None else utc.isoformat(" ", "microseconds")


@lru_cache(maxsize=8_192)
def _sqlite_day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


class _SQLite:
    """Writes through the standard library's driver, many rows in one statement.

    While a statement runs other threads may; between two of them the driver waits for its
    turn, so that one a row would never work while the next page is worked out.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection.connection

    def delete(self, name: str, streams: Sequence[str]) -> None:
        into = f'DELETE FROM "{name}" WHERE stream IN (VALUES'  # noqa: S608 - our own names
        self._many(into, ((s,) for s in streams), 1, ")")

    def add(self, name: str, table: Table, sums: dict[tuple[Any, ...], int]) -> None:
        """Add amounts to rows by key, inserting the keys that are new."""
        rows = _tuples(table, _summed_rows(sums), is_sqlite=True)
        into = f'INSERT INTO "{name}" AS held VALUES'
        self._many(into, rows, len(table.columns), _or_add(table))

    def insert(self, name: str, table: Table, rows: Sequence[Row]) -> None:
        into = f'INSERT INTO "{name}" VALUES'
        self._many(into, _tuples(table, rows, is_sqlite=True), len(table.columns), "")

    def _many(self, into: str, rows: Iterable[Sequence[Any]], width: int, rest: str) -> None:
        """Run a statement over rows, by as few calls as a few lengths of it allow."""
        cursor, left = self._connection.cursor(), iter(rows)
        try:
            for count in AT_ONCE:
                while len(some := list(islice(left, count))) == count:
                    values = list(chain.from_iterable(some))
                    cursor.execute(_values(into, width, count, rest), values)
                left = iter(some)
        finally:
            cursor.close()


@lru_cache(maxsize=1_024)
def _values(into: str, width: int, count: int, rest: str) -> str:
    """A statement with marks for some rows of values."""
    row = f"({', '.join('?' * width)})"
    return f"{into} {', '.join([row] * count)}{rest}"


class _Postgres:
    """Writes through psycopg: many rows by COPY in PostgreSQL's own form, few in a pipeline."""

    def __init__(self, connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        self._connection: psycopg.Connection[Any] = driver

    def delete(self, name: str, streams: Sequence[str]) -> None:
        statement = f'DELETE FROM "{name}" WHERE stream = ANY(%s)'  # noqa: S608 - our own names
        self._connection.execute(statement.encode(), (list(streams),))

    def add(self, name: str, table: Table, sums: dict[tuple[Any, ...], int]) -> None:
        """Add amounts to rows by key, inserting the keys that are new."""
        rows = _tuples(table, _summed_rows(sums), is_sqlite=False)
        if self._connection.pgconn.pipeline_status:
            self._connection.execute(*_few(table, rows, _upsert(name, table, _from_json(name))))
            return
        self._connection.execute(
            f'CREATE TEMPORARY TABLE added (LIKE "{name}") ON COMMIT DROP'.encode()
        )
        self._copy("added", table, rows)
        self._connection.execute(_upsert(name, table, "SELECT * FROM added").encode())
        self._connection.execute(b"DROP TABLE added")

    def insert(self, name: str, table: Table, rows: Sequence[Row]) -> None:
        values = _tuples(table, rows, is_sqlite=False)
        if self._connection.pgconn.pipeline_status:  # in which there is no COPY
            into = f'INSERT INTO "{name}" {_from_json(name)}'
            self._connection.execute(*_few(table, values, into))
        else:
            self._copy(name, table, values)

    def _copy(self, name: str, table: Table, rows: Iterable[Sequence[Any]]) -> None:
        into = f'COPY "{name}" FROM STDIN (FORMAT BINARY)'
        with self._connection.cursor().copy(into.encode()) as copy:
            copy.set_types([_postgres_type(column.type) for column in table.columns])
            for row in rows:
                copy.write_row(row)


def _upsert(name: str, table: Table, source: str) -> str:
    return f'INSERT INTO "{name}" AS held {source}{_or_add(table)}'


def _or_add(table: Table) -> str:
    """What a statement that inserts sums does where a key is there."""
    key = ", ".join(f'"{column.name}"' for column in table.primary_key)
    return f" ON CONFLICT ({key}) DO UPDATE SET amount = held.amount + excluded.amount"


def _from_json(name: str) -> str:
    """Rows of a table out of one parameter: a statement a table, planned once."""
    return f'SELECT * FROM json_populate_recordset(NULL::"{name}", %s::json)'  # noqa: S608 - our own names


def _few(
    table: Table, rows: Iterable[tuple[Any, ...]], statement: str
) -> tuple[bytes, tuple[str]]:
    """A statement with its rows as that parameter."""
    names = table.columns.keys()
    said = msgspec.json.encode([dict(zip(names, row, strict=True)) for row in rows])
    return statement.encode(), (said.decode(),)


def _postgres_type(kind: TypeEngine[Any]) -> str:
    match kind:
        case Date():
            return "date"
        case UtcDateTime():
            return "timestamp"
        case Boolean():
            return "bool"
        case BigInteger():
            return "int8"
        case Integer():
            return "int4"
        case String():
            return "text"
        case _:
            raise TypeError(kind)
