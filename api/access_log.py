"""Who read or exported what is personal? A log of its own, which is only ever added to.

One row a call: when, who, in which role, by which request, how (read, export, search),
by which route, and about whom, by id. Never what was read, and never a query. A call
whose row cannot be written is not answered (``docs/decisions/0013``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    inspect,
)
from sqlalchemy.exc import ProgrammingError

from api.access_index import EVERYBODY, AccessIndex, take_over
from domain.ledger import GroupCommit, LedgerNotPreparedError
from domain.vocabulary import Labelled
from projections.append_only import grant_appending, keep_append_only
from projections.columns import UtcDateTime
from projections.direct import add, rows
from projections.store import one_at_a_time, open_engine, writing

MOST_NAMED: Final = 500
"""About how many subjects a row names them; a call about more is about the whole station."""

metadata: Final = MetaData()

accesses: Final = Table(
    "access_log",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("role", String(40), nullable=False),
    Column("station", String(64), nullable=False),
    Column("request_id", String(100), nullable=False),
    Column("action", String(16), nullable=False),
    Column("route", Text, nullable=False),
    Column("subjects", Text, nullable=False),
    Column("subject_count", Integer, nullable=False),
    Column("is_whole_station", Boolean, nullable=False),
    Index("ix_access_log_at", "station", "at", "id"),
    Index("ix_access_log_actor", "station", "actor", "at", "id"),
    sqlite_autoincrement=True,
)
"""``subjects`` is a JSON list of ``household:…``, ``person:…``, ``visit:…`` and so on."""

access_subjects: Final = Table(
    "access_subjects",
    metadata,
    Column("station", String(64), primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("call", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
"""By whom a call is found; the same as ``subjects``, the other way round (``access_index.py``)."""

TABLES: Final = (accesses.name, access_subjects.name)
_COLUMNS: Final = tuple(column.name for column in accesses.columns if column.name != "id")
_CALL: Final = (
    f"INSERT INTO access_log ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - fixed names
)
_APPEND_POSTGRES: Final = (
    f"WITH made AS ({_CALL} RETURNING id, station)"  # noqa: S608 - fixed names
    " INSERT INTO access_subjects SELECT station, unnest(?::text[]), id FROM made"
    " RETURNING call"
)
"""One statement, so that a row costs one round trip."""


class AccessAction(Labelled):
    """How personal data was come by."""

    READ = "read", "查看"
    EXPORT = "export", "导出"
    SEARCH = "search", "查找"


@dataclass(frozen=True, slots=True)
class Access:
    """A call that read something personal."""

    at: datetime
    actor: str
    role: str
    station: str
    request_id: str
    action: AccessAction
    route: str
    subjects: tuple[str, ...]

    @property
    def is_whole_station(self) -> bool:
        """Whether it was about more than a row names."""
        return len(self.subjects) > MOST_NAMED

    @property
    def found_by(self) -> list[str]:
        """By whom the call is found."""
        return [EVERYBODY] if self.is_whole_station else sorted(self.subjects)

    def row(self) -> tuple[Any, ...]:
        """The call as it is kept, in the order of the columns."""
        at = self.at.astimezone(UTC).replace(tzinfo=None)
        named = [] if self.is_whole_station else sorted(self.subjects)
        return (
            at.isoformat(" ", "microseconds"), self.actor, self.role, self.station,
            self.request_id, self.action.value, self.route,
            msgspec.json.encode(named).decode(), len(self.subjects), self.is_whole_station,
        )


class AccessLog:
    """The access log of one installation."""

    def __init__(self, database_url: str) -> None:
        """Open the log, or make an empty one.

        :raises LedgerNotPreparedError: where this PostgreSQL role may not create it.
        """
        self.engine = open_engine(database_url)
        self._index = AccessIndex(self.engine)
        self._append = GroupCommit[Access, None](self._append_sqlite, apart=(UnicodeError,))
        try:
            _create(self.engine)
            if self._is_in_turns:
                take_over(self.engine)
        except ProgrammingError as error:
            self.close()
            raise LedgerNotPreparedError from error

    def close(self) -> None:
        """Close every connection."""
        self._index.close()
        self.engine.dispose()

    @property
    def _is_in_turns(self) -> bool:
        """Whether the index is entered after the calls, as on SQLite."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def questions(self) -> Iterator[Connection]:
        """A connection for questions; every call that was written down is in the index."""
        if self._is_in_turns:
            self._index.bring_up()
        with self.engine.connect() as connection:
            yield connection

    def append(self, access: Access) -> None:
        """Add a row; it is kept when this returns."""
        if self._is_in_turns:
            self._append(access)
        else:
            rows(self.engine, _APPEND_POSTGRES, (*access.row(), access.found_by))

    def _append_sqlite(self, group: Sequence[Access]) -> list[None]:
        """Add the rows of all who wait in one transaction, so that none waits for SQLite's lock."""
        with self._index.turn, writing(self.engine) as connection:
            add(connection, _CALL, [access.row() for access in group])
        self._index.added(len(group))
        return [None] * len(group)


def _create(engine: Engine) -> None:
    """Create the tables with their triggers, one program at a time."""
    with writing(engine) as connection:
        one_at_a_time(connection)
        if set(TABLES) <= set(inspect(connection).get_table_names()):
            return
        metadata.create_all(connection)
        keep_append_only(connection, TABLES, "the access log")


def grant_access_log(engine: Engine, role: str) -> None:
    """Let a PostgreSQL role add to the log and read it, and nothing else."""
    quoted = engine.dialect.identifier_preparer.quote(role)
    with writing(engine) as connection:
        grant_appending(connection, TABLES, role)
        connection.exec_driver_sql(f"GRANT USAGE ON SEQUENCE access_log_id_seq TO {quoted}")
