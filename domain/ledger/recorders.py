"""Where are events kept, in which order, and how is a request recorded only once?

Both recorders are the library's, with what the ledger needs beside it: an explicit,
never-reused position, full synchronisation, events that the database itself refuses
to change, and idempotency keys written in the transaction of their events.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import psycopg
from eventsourcing.persistence import IntegrityError, Notification, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore, PostgresFactory
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
    SQLiteFactory,
)
from psycopg.sql import SQL, Identifier


@dataclass(frozen=True, slots=True)
class RequestKey:
    """An idempotency key: the same key and body are the same request.

    ``fingerprint`` is a hash of the request's body; ``scope`` the station and actor
    whose key it is.
    """

    scope: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What the first request with a key recorded."""

    fingerprint: str
    stream: str
    version: int


class KeyAlreadyUsedError(IntegrityError):
    """The idempotency key was recorded before, or just now by a concurrent request."""


_KEY_COLUMNS = "scope, key, fingerprint, originator_id, originator_version"


class LedgerSQLitePool(SQLiteConnectionPool):
    """Connections that reach the disk before they acknowledge."""

    def _create_connection(self) -> SQLiteConnection:
        connection = super()._create_connection()
        connection.cursor().execute("PRAGMA synchronous=FULL")
        return connection


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

    def _insert_events(
        self,
        c: SQLiteCursor,
        stored_events: Sequence[StoredEvent],
        *,
        request_keys: Sequence[tuple[RequestKey, int]] = (),
        **kwargs: Any,
    ) -> Sequence[int] | None:
        for request, index in request_keys:
            row = _key_row(request, stored_events[index])
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


def _key_row(request: RequestKey, event: StoredEvent) -> tuple[str, str, str, str, int]:
    return (
        request.scope, request.key, request.fingerprint,
        str(event.originator_id), event.originator_version,
    )


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


class LedgerPostgresRecorder(PostgresApplicationRecorder):
    """The library's PostgreSQL recorder with request keys and an append-only log.

    The library's exclusive table lock stays: without it a tailing reader misses events
    whose positions were taken early and committed late.
    """

    MIGRATION_LOCK: ClassVar[int] = 0x7A_48_41_4E
    """Advisory lock: two programs that start at once create the tables one by one."""

    def __init__(
        self, datastore: PostgresDatastore, *, events_table_name: str = "stored_events"
    ) -> None:
        """Add the ledger's own tables and triggers to the library's."""
        super().__init__(datastore, events_table_name=events_table_name)
        names = {
            "schema": Identifier(datastore.schema),
            "table": Identifier(events_table_name),
            "trigger": Identifier(f"{events_table_name}_append_only"),
        }
        self.sql_create_statements += [
            SQL(
                "CREATE TABLE IF NOT EXISTS {schema}.request_keys ("
                "scope text NOT NULL, key text NOT NULL, fingerprint text NOT NULL, "
                "originator_id text NOT NULL, originator_version bigint NOT NULL, "
                "PRIMARY KEY (scope, key))"
            ).format(**names),
            SQL(
                "CREATE OR REPLACE FUNCTION {schema}.refuse_change() RETURNS trigger "
                "LANGUAGE plpgsql AS $BODY$ BEGIN "
                "RAISE EXCEPTION 'the ledger is append-only'; END; $BODY$"
            ).format(**names),
            SQL(
                "CREATE OR REPLACE TRIGGER {trigger} BEFORE UPDATE OR DELETE OR TRUNCATE "
                "ON {schema}.{table} EXECUTE FUNCTION {schema}.refuse_change()"
            ).format(**names),
        ]
        self._insert_key = SQL(
            "INSERT INTO {schema}.request_keys (scope, key, fingerprint, originator_id,"
            " originator_version) VALUES (%s, %s, %s, %s, %s)"
        ).format(**names)
        self._select_keys = SQL(
            "SELECT key, fingerprint, originator_id, originator_version"
            " FROM {schema}.request_keys WHERE scope=%s AND key = ANY(%s)"
        ).format(**names)
        self._select_streams = SQL(
            "SELECT * FROM {schema}.{table} WHERE originator_id = ANY(%s)"
            " AND notification_id <= %s ORDER BY notification_id"
        ).format(**names)

    def create_table(self) -> None:
        """Create what is missing, one program at a time."""
        with self.datastore.get_connection() as conn:
            conn.execute("SELECT pg_advisory_lock(%s)", (self.MIGRATION_LOCK,))
            try:
                super().create_table()
            finally:
                conn.execute("SELECT pg_advisory_unlock(%s)", (self.MIGRATION_LOCK,))

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        request_keys: Sequence[tuple[RequestKey, int]] = (),
        **kwargs: Any,
    ) -> Sequence[int] | None:
        """Insert events and request keys in one transaction.

        Not in the library's pipeline where there are keys: in a pipeline a key that was
        used just now would show as an aborted pipeline, and not as what it is.
        """
        if not request_keys:
            positions: Sequence[int] | None = super().insert_events(stored_events, **kwargs)
            return positions
        try:
            with self.datastore.transaction(commit=True) as curs:
                for request, index in request_keys:
                    curs.execute(self._insert_key, _key_row(request, stored_events[index]))
                self._insert_stored_events(curs, stored_events)
                return self._fetch_ids_after_insert_events(curs, stored_events)
        except IntegrityError as error:
            cause = error.__cause__
            if isinstance(cause, psycopg.Error) and cause.diag.table_name == "request_keys":
                raise KeyAlreadyUsedError(str(error)) from error
            raise

    def answered(self, scope: str, key: str) -> Answered | None:
        """What was recorded under a request key, if anything."""
        return self.answered_among(scope, [key]).get(key)

    def answered_among(self, scope: str, keys: Sequence[str]) -> dict[str, Answered]:
        """What was recorded under some request keys of a scope, by key."""
        with self.datastore.get_connection() as conn:
            rows = conn.execute(self._select_keys, (scope, list(keys))).fetchall()
            return {
                row["key"]: Answered(
                    row["fingerprint"], row["originator_id"], row["originator_version"]
                )
                for row in rows
            }

    def select_streams(self, stream_ids: Sequence[str], up_to: int) -> Sequence[Notification]:
        """Every event of some streams up to a position, in order of position."""
        with self.datastore.get_connection() as conn:
            rows = conn.execute(self._select_streams, (list(stream_ids), up_to)).fetchall()
            return [
                Notification(
                    row["originator_id"], row["originator_version"], row["topic"],
                    bytes(row["state"]), row["notification_id"],
                )
                for row in rows
            ]


class LedgerPostgresFactory(PostgresFactory):
    """Builds the ledger's recorder."""

    application_recorder_class = LedgerPostgresRecorder


Recorder = LedgerSQLiteRecorder | LedgerPostgresRecorder


class BadDatabaseUrlError(ValueError):
    """The setting DATABASE_URL names no database that the ledger can use."""


def library_settings(database_url: str) -> dict[str, str]:
    """The library's settings for ``sqlite:///path`` or ``postgresql://…``.

    :raises BadDatabaseUrlError: for any other kind of database.
    """
    url = urlsplit(database_url)
    common = {"ORIGINATOR_ID_TYPE": "text"}
    if url.scheme == "sqlite":
        return common | {
            "INFRASTRUCTURE_FACTORY": "domain.ledger.recorders:LedgerSQLiteFactory",
            "SQLITE_DBNAME": "file:" + unquote(url.path[1:] or "/:memory:"),
            "SQLITE_LOCK_TIMEOUT": "10",
        }
    if url.scheme in {"postgresql", "postgres"}:
        return common | {
            "INFRASTRUCTURE_FACTORY": "domain.ledger.recorders:LedgerPostgresFactory",
            "POSTGRES_DBNAME": unquote(url.path[1:]),
            "POSTGRES_HOST": unquote(url.hostname or "") or _socket_host(url.query),
            "POSTGRES_PORT": str(url.port or 5432),
            "POSTGRES_USER": unquote(url.username or ""),
            "POSTGRES_PASSWORD": unquote(url.password or ""),
            "POSTGRES_POOL_SIZE": "1",
            "POSTGRES_MAX_OVERFLOW": "15",
            "POSTGRES_LOCK_TIMEOUT": "10",
            "POSTGRES_PRE_PING": "y",  # a restarted server is met by a new connection
        }
    raise BadDatabaseUrlError(url.scheme)


def _socket_host(query: str) -> str:
    """The directory of a local socket: ``postgresql:///name?host=/run/postgresql``."""
    pairs = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
    return unquote(pairs.get("host", "127.0.0.1"))


