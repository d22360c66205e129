"""Where do the read models live? The only module that knows SQL dialects.

Each projection's tables exist once a *generation*: a rebuild fills new ones while the
old serve, and then the views by which queries read are switched in one transaction.
Read models are disposable: there are no migrations, only a version number.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import chain, islice
from operator import itemgetter
from typing import Any, Final, cast
from urllib.parse import urlsplit

import msgspec
import psycopg
from psycopg.pq import ExecStatus, TransactionStatus
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    Engine,
    FromClause,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    and_,
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
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.pool import NullPool, StaticPool
from sqlalchemy.types import TypeEngine

from domain.ledger import is_disturbed
from projections.columns import UtcDateTime
from projections.kernel import Changes, Row

CHUNK: Final = 400
"""Rows or keys in one statement: both databases bound the number of parameters."""
SCHEMA: Final = "read_models"
"""Where the read models are on PostgreSQL, if ``grant`` has made it; else beside the log."""
FEW: Final = 20
"""Up to how many events PostgreSQL is sent row by row in a pipeline; more are copied."""
AT_ONCE: Final = (256, 64, 16, 4, 1)
"""Rows in one statement on SQLite: few lengths, so that each is prepared once."""
STATEMENTS: Final = 512
"""How many statements a connection to SQLite keeps prepared: each table's of each length."""
SHORT: Final = (
    "-c plan_cache_mode=force_generic_plan -c max_parallel_workers_per_gather=0 -c jit=off"
)
"""How PostgreSQL answers short questions by indexes: planning those of a month's report with
each value anew, or starting processes for them, takes ten times what answering takes."""
BUSY_SECONDS: Final = 10
PATIENCE_SECONDS: Final = 1800
"""How long whoever fills read models waits while another indexes or compares long ones."""

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

rebuilds: Final = Table(
    "projection_rebuilds",
    control,
    Column("projection", String(64), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("claim", Text, nullable=False),
)
"""Who fills a generation that does not serve yet."""

unindexed: Final = Table(
    "projection_unindexed",
    control,
    Column("projection", String(64), primary_key=True),
    Column("generation", Integer, primary_key=True),
)
"""Which generations have not reached the head yet: they are indexed once they have."""

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


def open_engine(
    database_url: str, *, is_disposable: bool = False, is_replica: bool = False
) -> Engine:
    """An engine for a database (``sqlite:///path`` or ``postgresql://…``).

    What is disposable is written without waiting for PostgreSQL's disk. After a crash the
    last commits may be missing, whole and in order; the positions of the read models are
    missing with them, and the next advance takes the events in again.
    """
    if urlsplit(database_url).scheme.startswith("sqlite"):
        engine = create_engine(
            database_url, hide_parameters=True,  # errors are logged, and rows may be personal
            connect_args={
                "timeout": BUSY_SECONDS, "check_same_thread": False,
                "cached_statements": STATEMENTS,
            },
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    rest = database_url.partition("://")[2]
    options = "-c statement_timeout=10min -c lock_timeout=60s"
    if is_disposable:
        options += f" -c synchronous_commit=off -c search_path={SCHEMA},public {SHORT}"
    if is_replica:
        options += " -c default_transaction_read_only=on"
    engine = create_engine(
        f"postgresql+psycopg://{rest}", pool_size=5, max_overflow=15, pool_use_lifo=True,
        hide_parameters=True, connect_args={"options": options},
    )
    event.listen(engine, "do_connect", _keep_prepared)
    event.listen(engine, "checkout", _replace_closed)
    return engine


class _Keeping(psycopg.Connection[Any]):
    """A connection whose statements stay prepared when a transaction that only read ends.

    SQLAlchemy ends it by a rollback, at which psycopg forgets what it prepared, as tables
    that were made within may be gone. Every question was planned anew: of a month's report
    that was most of the time. Where something failed it still forgets.
    """

    def rollback(self) -> None:
        """End the transaction."""
        about = self.pgconn
        if about.transaction_status == TransactionStatus.INTRANS and not about.pipeline_status:
            with self.lock:
                ended = about.exec_(b"ROLLBACK")
            if ended.status == ExecStatus.COMMAND_OK:
                return
        super().rollback()


def _keep_prepared(
    _dialect: Any, _record: Any, arguments: Sequence[Any], options: dict[str, Any]
) -> Any:
    return _Keeping.connect(*arguments, **options)


def _replace_closed(connection: Any, _record: Any, _proxy: Any) -> None:
    """Meet a restarted server by a new connection, without asking the old one each time."""
    if is_disturbed(connection):
        raise DisconnectionError


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    assert isinstance(connection, sqlite3.Connection)
    connection.isolation_level = None  # SQLAlchemy's BEGIN below, not the driver's
    _use_wal(connection)
    connection.execute("PRAGMA synchronous=NORMAL")  # the position goes with the rows
    connection.execute("PRAGMA cache_size=-32000")  # KiB: indexes are written in no order


def _use_wal(connection: sqlite3.Connection) -> None:
    """Choose the journal; SQLite does not wait by itself while another program opens or closes."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= until:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    patience = connection.get_execution_options().get("taizhang_writes")
    if patience is None:
        connection.exec_driver_sql("BEGIN")
        return
    until = time.monotonic() + patience
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= until:
                raise
        else:
            return


@contextmanager
def writing(engine: Engine, *, patience: int = 0) -> Iterator[Connection]:
    """A transaction that writes; SQLite takes its lock at the start, so none deadlocks.

    With patience it waits for SQLite's that many seconds, else ``BUSY_SECONDS``.
    """
    options = {"taizhang_writes": patience}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


def take_time(connection: Connection) -> None:
    """Let PostgreSQL index or compare as long as it takes, with all it has, in this transaction."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL max_parallel_workers_per_gather = 2")


@contextmanager
def pipelined(connection: Connection, count: int) -> Iterator[None]:
    """Send the writes of few events without waiting for the answer of each."""
    if connection.dialect.name == "postgresql" and count <= FEW:
        driver: Any = connection.connection.driver_connection
        with driver.pipeline():
            yield
    else:
        yield


def grant(engine: Engine, role: str) -> None:
    """Give the read models a schema of their own, in which a PostgreSQL role makes tables."""
    quoted = engine.dialect.identifier_preparer.quote(role)
    with writing(engine) as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        connection.exec_driver_sql(f"GRANT USAGE, CREATE ON SCHEMA {SCHEMA} TO {quoted}")


def one_at_a_time(connection: Connection) -> None:
    """Wait until no other program creates tables; SQLite's writers are alone anyway.

    A lock of its own: whoever writes a page or switches never waits for it.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": 0x7A48_5250})


def create_control_tables(engine: Engine) -> None:
    """Create the checkpoints."""
    with writing(engine) as connection:
        one_at_a_time(connection)
        control.create_all(connection)


# ---- a snapshot, and a database in memory ----


@contextmanager
def snapshot(engine: Engine, tables: Sequence[Table]) -> Iterator[Connection]:
    """A connection that sees all of some tables as they are at one moment.

    The lock comes before PostgreSQL's snapshot, so that no rebuild switches between them.
    """
    if engine.dialect.name != "postgresql":
        with engine.connect() as connection:
            yield connection
        return
    options = {"isolation_level": "REPEATABLE READ"}
    names = ", ".join(f'"{table.name}"' for table in tables)
    with engine.connect().execution_options(**options) as connection:
        connection.exec_driver_sql(f"LOCK TABLE {names} IN ACCESS SHARE MODE")
        yield connection


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


# ---- tables of a generation ----


@lru_cache(maxsize=256)
def physical(table: Table, generation: int) -> Table:
    """The table that holds a projection's rows in one generation."""
    copy = table.to_metadata(MetaData(), name=_name(table, generation))
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
            connection.exec_driver_sql(f'ANALYZE "{_name(table, generation)}"')


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


# ---- writing a batch ----


def apply(connection: Connection, changes: Changes, generation: int) -> None:
    """Write a batch's row changes, set-based and past SQLAlchemy's work for each row."""
    write = _Postgres if connection.dialect.name == "postgresql" else _SQLite
    writer = write(connection)
    for table, streams in changes.deleted.items():
        writer.delete(_name(table, generation), sorted(streams))
    for table, sums in changes.added.items():
        writer.add(_name(table, generation), table, sums)
    for table, rows in changes.inserted.items():
        writer.insert(_name(table, generation), table, rows)


_GENERATION: Final = re.compile(r"__g[0-9]+$")


def _name(table: Table, generation: int) -> str:
    return f"{table.name}__g{generation}"


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
