"""How does SQLite keep the log?

SQLite has one writer at a time, and its commit waits for the disk. Appends that arrive
meanwhile therefore wait together and are committed together (group commit): the thread
whose turn it is writes for all, each append under a savepoint of its own.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Final

from eventsourcing.persistence import (
    DataError,
    IntegrityError,
    InterfaceError,
    Notification,
    StoredEvent,
)
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
    SQLiteFactory,
    SQLiteTransaction,
)

from domain.ledger.group_commit import GroupCommit, Outcome
from domain.ledger.request_keys import (
    Answered,
    KeyAlreadyUsedError,
    RequestKey,
    StoredRow,
    key_row,
)

STATEMENTS: Final = 64
"""How many statements a connection keeps prepared."""
LOCK_SECONDS: Final = 10
MOST_MARKS: Final = 500
"""How many positions one statement asks for."""
POSITIONS: Final = "SELECT position FROM {table} WHERE originator_id >= ? AND originator_id < ?"
ENDS: Final = (
    "SELECT (SELECT min(originator_id) FROM {table}), (SELECT max(originator_id) FROM {table})"
)
OF_ONE: Final = (IntegrityError, sqlite3.IntegrityError, sqlite3.DataError, UnicodeError)
"""What one append meets and others in its transaction do not."""
_KEY_COLUMNS: Final = "scope, key, fingerprint, originator_id, originator_version"


class LedgerSQLitePool(SQLiteConnectionPool):
    """Connections that reach the disk before they acknowledge, and keep statements prepared.

    The library's keep one (``cached_statements=True``): each that takes turns with another,
    as an insert with the questions before it, would be prepared anew at every use.
    """

    def _create_connection(self) -> SQLiteConnection:
        if not self.is_sqlite_memory_mode and not self.is_journal_mode_wal:
            super()._create_connection().close()  # which chooses the journal of the file
        try:
            connection = sqlite3.connect(
                self.db_name, uri=True, check_same_thread=False, isolation_level=None,
                timeout=self.lock_timeout or LOCK_SECONDS, cached_statements=STATEMENTS,
            )
            connection.execute("PRAGMA synchronous=FULL")
        except sqlite3.Error as error:
            raise InterfaceError(error) from error
        connection.row_factory = sqlite3.Row
        return SQLiteConnection(sqlite_conn=connection, max_age=self.max_age)


class _ByItself(SQLiteTransaction):
    """One statement that is its own transaction: nothing to begin, nothing to end."""

    def __enter__(self) -> SQLiteCursor:
        return self.connection.cursor()


_Append = tuple[Sequence[StoredEvent], dict[str, Any]]
"""What one thread wants appended: events, and the options that go with them."""
_Positions = Sequence[int] | None


class LedgerSQLiteRecorder(SQLiteApplicationRecorder):
    """The library's SQLite recorder with explicit positions and request keys.

    The library orders events by the implicit ``rowid``, which ``VACUUM`` may renumber
    and which is used again when the last event is deleted.
    """

    def __init__(
        self, datastore: SQLiteDatastore, events_table_name: str = "stored_events"
    ) -> None:
        """Prepare the statements for the ledger's own columns."""
        super().__init__(datastore, events_table_name)
        table = self.events_table_name
        self.insert_events_statement = (
            f"INSERT INTO {table} (originator_id, originator_version, topic, state)"  # noqa: S608 - a fixed name
            " VALUES (?,?,?,?)"
        )
        self._append = GroupCommit[_Append, _Positions](self._write)

    def construct_create_table_statements(self) -> list[str]:
        """The log, the request keys, and triggers that keep both append-only."""
        table = self.events_table_name
        refuse = "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        events = (
            f"CREATE TABLE IF NOT EXISTS {table} ("
            "position INTEGER PRIMARY KEY AUTOINCREMENT, "
            "originator_id TEXT NOT NULL, "
            "originator_version INTEGER NOT NULL, "
            "topic TEXT NOT NULL, "
            "state BLOB NOT NULL, "
            "UNIQUE (originator_id, originator_version))"
        )
        keys = (
            "CREATE TABLE IF NOT EXISTS request_keys ("
            "scope TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, "
            "originator_id TEXT NOT NULL, originator_version INTEGER NOT NULL, "
            "PRIMARY KEY (scope, key)) WITHOUT ROWID"
        )
        return [
            events,
            keys,
            *(
                f"CREATE TRIGGER IF NOT EXISTS {table}_no_{verb.lower()} "
                f"BEFORE {verb} ON {table} {refuse}"
                for verb in ("UPDATE", "DELETE")
            ),
        ]

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **options: Any
    ) -> Sequence[int] | None:
        """Append with whatever else is waiting, and answer once it is on the disk."""
        return self._append((stored_events, options))

    def _write(self, group: Sequence[_Append]) -> list[Outcome[_Positions]]:
        """Write waiting appends in one transaction, several each under a savepoint."""
        if len(group) == 1:
            [(events, options)] = group
            return [self._write_one(events, options)]
        found: list[Outcome[_Positions]] = []
        with self.datastore.transaction(commit=True) as c:
            for events, options in group:
                c.execute("SAVEPOINT append")
                try:
                    found.append(self._insert_events(c, events, **options))
                except OF_ONE as error:
                    c.execute("ROLLBACK TO append")
                    found.append(_as_the_librarys(error))
                c.execute("RELEASE append")
        return found

    def _write_one(self, events: Sequence[StoredEvent], options: dict[str, Any]) -> _Positions:
        """Write what one thread wants appended; a single event is a single statement."""
        is_one = len(events) == 1 and not options.get("request_keys")
        with self.datastore.get_connection(commit=True) as connection:
            begun = (_ByItself if is_one else SQLiteTransaction)(connection, commit=True)
            with begun as c, c:
                return self._insert_events(c, events, **options)

    def _insert_events(
        self,
        c: SQLiteCursor,
        stored_events: Sequence[StoredEvent],
        *,
        request_keys: Sequence[tuple[RequestKey, int]] = (),
        **kwargs: Any,
    ) -> Sequence[int] | None:
        for request, index in request_keys:
            row = key_row(request, stored_events[index])
            try:
                c.execute(
                    f"INSERT INTO request_keys ({_KEY_COLUMNS}) VALUES (?,?,?,?,?)",  # noqa: S608 - fixed names
                    row,
                )
            except sqlite3.IntegrityError as error:
                raise KeyAlreadyUsedError(request.key) from error
        if not stored_events:
            return None
        return super()._insert_events(c, stored_events, **kwargs)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Events in the order of their positions, as the library's recorder gives them."""
        clauses: list[str] = []
        params: list[Any] = []
        if start is not None:
            clauses.append("position >= ?" if inclusive_of_start else "position > ?")
            params.append(start)
        if stop is not None:
            clauses.append("position <= ?")
            params.append(stop)
        if topics:
            clauses.append(f"topic IN ({','.join('?' * len(topics))})")
            params.extend(topics)
        where = f"WHERE {' AND '.join(clauses)} " if clauses else ""
        statement = (
            "SELECT position, originator_id, originator_version, topic, state "  # noqa: S608 - fixed names
            f"FROM {self.events_table_name} {where}ORDER BY position LIMIT ?"
        )
        with self.datastore.transaction(commit=False) as c:
            c.execute(statement, [*params, limit])
            return [
                Notification(
                    id=row[0], originator_id=self.convert_originator_id(row[1]),
                    originator_version=row[2], topic=row[3], state=row[4],
                )
                for row in c.fetchall()
            ]

    def select_rows(self, after: int, limit: int) -> list[StoredRow]:
        """Events after a position as they are stored."""
        return self._rows("position > ? ORDER BY position LIMIT ?", [after, limit])

    def station_rows(self, station: str, after: int, until: int) -> Iterator[StoredRow]:
        """A station's events after a position and up to another, as they are stored.

        Where they are is read from the index over the streams' names alone, once.
        """
        names = f"{station}/", f"{station}0"  # the character after the slash
        with self.datastore.transaction(commit=False) as c:
            c.execute(POSITIONS.format(table=self.events_table_name), [*names])
            found = array("q", (row[0] for row in c.fetchall() if after < row[0] <= until))
        positions = sorted(found)
        for start in range(0, len(positions), MOST_MARKS):
            chunk = positions[start : start + MOST_MARKS]
            marks = ",".join("?" * len(chunk))
            yield from self._rows(f"position IN ({marks}) ORDER BY position", chunk)

    def has_several_stations(self) -> bool:
        """Whether more than one station has events: whose names are first and last differ."""
        with self.datastore.transaction(commit=False) as c:
            c.execute(ENDS.format(table=self.events_table_name))
            ends = {name and name.partition("/")[0] for name in c.fetchone()}
        return len(ends) > 1

    def _rows(self, where: str, values: Sequence[Any]) -> list[StoredRow]:
        with self.datastore.transaction(commit=False) as c:
            c.execute(
                "SELECT position, originator_id, originator_version, topic, state"  # noqa: S608 - fixed names
                f" FROM {self.events_table_name} WHERE {where}",
                values,
            )
            return [tuple(row) for row in c.fetchall()]

    def answered(self, scope: str, key: str) -> Answered | None:
        """What was recorded under a request key, if anything."""
        return self.answered_among(scope, [key]).get(key)

    def answered_among(self, scope: str, keys: Sequence[str]) -> dict[str, Answered]:
        """What was recorded under some request keys of a scope, by key."""
        marks = ",".join("?" * len(keys))
        with self.datastore.transaction(commit=False) as c:
            c.execute(
                "SELECT key, fingerprint, originator_id, originator_version"  # noqa: S608 - placeholders
                f" FROM request_keys WHERE scope=? AND key IN ({marks})",
                [scope, *keys],
            )
            return {row[0]: Answered(row[1], row[2], row[3]) for row in c.fetchall()}

    def select_streams(self, stream_ids: Sequence[str], up_to: int) -> Sequence[Notification]:
        """Every event of some streams up to a position, in order of position."""
        marks = ",".join("?" * len(stream_ids))
        with self.datastore.transaction(commit=False) as c:
            c.execute(
                "SELECT position, originator_id, originator_version, topic, state"  # noqa: S608 - placeholders
                f" FROM {self.events_table_name}"
                f" WHERE originator_id IN ({marks}) AND position <= ? ORDER BY position",
                [*stream_ids, up_to],
            )
            return [Notification(r[1], r[2], r[3], r[4], r[0]) for r in c.fetchall()]

    def select_positions(self, positions: Sequence[int]) -> Sequence[Notification]:
        """The events at some positions, in order of position."""
        marks = ",".join("?" * len(positions))
        with self.datastore.transaction(commit=False) as c:
            c.execute(
                "SELECT position, originator_id, originator_version, topic, state"  # noqa: S608 - placeholders
                f" FROM {self.events_table_name} WHERE position IN ({marks}) ORDER BY position",
                list(positions),
            )
            return [Notification(r[1], r[2], r[3], r[4], r[0]) for r in c.fetchall()]


def _as_the_librarys(error: Exception) -> Exception:
    match error:
        case sqlite3.IntegrityError():
            return IntegrityError(error)
        case sqlite3.DataError():
            return DataError(error)
        case _:
            return error


class LedgerSQLiteFactory(SQLiteFactory):
    """Builds the ledger's recorder over the ledger's pool."""

    application_recorder_class = LedgerSQLiteRecorder

    def __init__(self, env: Any) -> None:
        """Replace the library's pool by one that synchronises fully."""
        super().__init__(env)
        old = self.datastore.pool
        self.datastore.pool = LedgerSQLitePool(
            db_name=old.db_name, lock_timeout=old.lock_timeout,
            pool_size=old.pool_size, max_overflow=old.max_overflow,
        )
        old.close()
