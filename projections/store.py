"""Where do the read models live? Connections, transactions and positions on either database.

Each projection's tables exist once a *generation* (``generation_tables``): a rebuild fills new
ones while the old serve, and then the views by which queries read are switched in one
transaction. Read models are disposable: there are no migrations, only a version number.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
from psycopg.pq import ExecStatus, TransactionStatus
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
    insert,
    text,
)
from sqlalchemy.exc import DisconnectionError, OperationalError

from domain.ledger import is_disturbed
from projections.columns import UtcDateTime
from projections.kernel import Changes

CHUNK: Final = 400
"""Rows or keys in one statement: both databases bound the number of parameters."""
SCHEMA: Final = "read_models"
"""Where the read models are on PostgreSQL, if ``grant`` has made it; else beside the log."""
FEW: Final = 20
"""Up to how many events PostgreSQL is sent row by row in a pipeline; more are copied."""
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


# ---- a snapshot, and what is parked ----


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
