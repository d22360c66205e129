"""How does PostgreSQL keep the log?

An append is one round trip: a function of the database waits for its turn, writes the
request keys and the events, and the statement commits. Appends of one process that arrive
meanwhile go together with the next (group commit). The turn is an advisory lock that
is held until the commit, so that positions are given in the order in which readers come
to see them; without it a tailing reader misses events whose positions were taken early
and committed late. A lock of the table would do as well, but would keep autovacuum out.
"""

from __future__ import annotations

import select
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final

import psycopg
from eventsourcing.persistence import (
    DataError,
    IntegrityError,
    Notification,
    ProgrammingError,
    StoredEvent,
)
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore, PostgresFactory
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Composed, Identifier, Literal

from domain.ledger.group_commit import AnswerLostError, GroupCommit
from domain.ledger.request_keys import (
    PAGE,
    Answered,
    KeyAlreadyUsedError,
    RequestKey,
    StoredRow,
    key_row,
)

OPTIONS: Final = "-c lock_timeout=10s -c statement_timeout=60s"
"""Nothing that one request asks of the log takes longer, or waits longer for its turn."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS {schema}.request_keys (
    scope text NOT NULL, key text NOT NULL, fingerprint text NOT NULL,
    originator_id text NOT NULL, originator_version bigint NOT NULL,
    PRIMARY KEY (scope, key))
"""
_STATION: Final = "split_part(originator_id, '/', 1)"
"""The station in a stream's name: what the index of a station's events is over."""
_STATION_INDEX: Final = f"""
CREATE INDEX IF NOT EXISTS {{by_station}}
ON {{schema}}.{{table}} (({_STATION}), notification_id)
"""
_REFUSE: Final = """
CREATE OR REPLACE FUNCTION {schema}.refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$
"""
_TRIGGER: Final = """
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE
ON {schema}.{table} EXECUTE FUNCTION {schema}.refuse_change()
"""
_APPEND: Final = """
CREATE OR REPLACE FUNCTION {schema}.append_events(
    streams text[], versions bigint[], topics text[], states bytea[],
    scopes text[], keys text[], fingerprints text[], answers text[], answer_versions bigint[])
RETURNS SETOF bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ BEGIN
    PERFORM pg_advisory_xact_lock({turn});
    IF cardinality(keys) > 0 THEN
        INSERT INTO {schema}.request_keys
            (scope, key, fingerprint, originator_id, originator_version)
        SELECT * FROM unnest(scopes, keys, fingerprints, answers, answer_versions);
    END IF;
    PERFORM pg_notify({channel}, '');
    RETURN QUERY
        INSERT INTO {schema}.{table} (originator_id, originator_version, topic, state)
        SELECT e.stream, e.version, e.topic, e.state
        FROM unnest(streams, versions, topics, states)
            WITH ORDINALITY AS e (stream, version, topic, state, number)
        ORDER BY e.number
        RETURNING notification_id;
END $$
"""
_APPEND_ONE: Final = """
CREATE OR REPLACE FUNCTION {schema}.append_event(
    stream text, version bigint, topic text, state bytea,
    request_scope text, request_key text, request_fingerprint text)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ DECLARE position bigint; BEGIN
    PERFORM pg_advisory_xact_lock({turn});
    IF request_key IS NOT NULL THEN
        INSERT INTO {schema}.request_keys
            (scope, key, fingerprint, originator_id, originator_version)
        VALUES (request_scope, request_key, request_fingerprint, stream, version);
    END IF;
    PERFORM pg_notify({channel}, '');
    INSERT INTO {schema}.{table} (originator_id, originator_version, topic, state)
    VALUES (stream, version, topic, state) RETURNING notification_id INTO position;
    RETURN position;
END $$
"""
_GRANTS: Final = (
    "REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC",
    "REVOKE ALL ON {schema}.{table}, {schema}.request_keys FROM PUBLIC, {role}",
    "REVOKE ALL ON FUNCTION {schema}.append_event, {schema}.append_events FROM PUBLIC",
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
    "GRANT SELECT ON {schema}.{table}, {schema}.request_keys TO {role}",
    "GRANT EXECUTE ON FUNCTION {schema}.append_event, {schema}.append_events TO {role}",
)
"""What a role needs that reads and appends, and that can do nothing else."""
_CALL_ONE: Final = """
SELECT {schema}.append_event(%s::text, %s::bigint, %s::text, %b, %s, %s, %s) AS position
"""
_CALL: Final = """
SELECT * FROM {schema}.append_events(
    %b::text[], %b::bigint[], %b::text[], %b::bytea[],
    %b::text[], %b::text[], %b::text[], %b::text[], %b::bigint[]) AS position
"""

_ROWS: Final = """
SELECT notification_id, originator_id, originator_version, topic, state FROM {schema}.{table}
WHERE notification_id > %s ORDER BY notification_id LIMIT %s
"""
_ENDS: Final = f"SELECT min({_STATION}) AS first, max({_STATION}) AS last FROM {{schema}}.{{table}}"  # noqa: S608 - a fixed expression
STATION_ROWS: Final = f"""
SELECT notification_id, originator_id, originator_version, topic, state FROM {{schema}}.{{table}}
WHERE {_STATION} = %s AND notification_id > %s AND notification_id <= %s
ORDER BY notification_id LIMIT %s
"""  # noqa: S608 - a fixed expression

OF_ONE: Final = (IntegrityError, DataError, UnicodeError)
"""What one append causes before anything is committed: a conflict, or unfit text."""
_Append = tuple[Sequence[StoredEvent], Sequence[tuple[RequestKey, int]]]
"""What one thread wants appended: events, and the request keys that they answer."""


class LedgerNotPreparedError(RuntimeError):
    """The log's tables are missing or old, and this role may not create them."""

    def __init__(self) -> None:
        """Say who has to do what."""
        super().__init__("数据库尚未准备好：请用数据库所有者的账号运行 taizhang migrate")


def _answered(cursor: psycopg.Cursor[Any], statement: bytes, values: Sequence[Any]) -> list[Any]:
    """What an append answers.

    :raises AnswerLostError: where the server did not say what came of it. It may be waiting
        for its turn, and goes on although nobody listens any more.
    """
    try:
        return cursor.execute(statement, values, prepare=True).fetchall()
    except (psycopg.InterfaceError, psycopg.OperationalError) as error:
        if error.sqlstate is None:
            raise AnswerLostError(str(error)) from error
        raise


class LedgerPostgresRecorder(PostgresApplicationRecorder):
    """The library's PostgreSQL recorder with request keys and an append-only log."""

    MIGRATION_LOCK: ClassVar[int] = 0x7A_48_41_4E
    """Advisory lock: two programs that start at once create the tables one by one."""
    TURN: ClassVar[int] = 0x7A_48_54_55
    """Advisory lock: whoever appends holds it until the commit."""
    LAYOUT: ClassVar[str] = "taizhang ledger 2"
    """Kept as the table's comment; changed whenever a statement below is."""

    def __init__(
        self, datastore: PostgresDatastore, *, events_table_name: str = "stored_events"
    ) -> None:
        """Add the ledger's own tables, trigger and function to the library's table."""
        super().__init__(datastore, events_table_name=events_table_name)
        names = {
            "schema": Identifier(datastore.schema),
            "table": Identifier(events_table_name),
            "by_station": Identifier(f"{events_table_name}_by_station"),
            "channel": Literal(self.channel_name),
            "layout": Literal(self.LAYOUT),
            "turn": Literal(self.TURN),
        }

        def statement(template: str) -> Composed:
            return SQL(template).format(**names)

        # The library's own insert function takes no lock, so it is not created.
        own = [s for s in self.sql_create_statements if _is_table_or_index(s.as_string())]
        self.sql_create_statements[:] = [
            *own,
            statement("SET LOCAL statement_timeout = 0"),  # a filled log is indexed in minutes
            *map(statement, (
                _TABLES, _STATION_INDEX, _REFUSE, _TRIGGER, _APPEND, _APPEND_ONE,
            )),
            statement("ANALYZE {schema}.{table}"),  # or the index is not thought worth using
            statement("COMMENT ON TABLE {schema}.{table} IS {layout}"),
        ]
        self._append = GroupCommit[_Append, list[int]](self._write, apart=OF_ONE)
        # As bytes: psycopg would otherwise put the parts together at every call.
        self._call = statement(_CALL).as_bytes()
        self._call_one = statement(_CALL_ONE).as_bytes()
        self._table = f"{datastore.schema}.{events_table_name}"
        self._select_keys = statement(
            "SELECT key, fingerprint, originator_id, originator_version"
            " FROM {schema}.request_keys WHERE scope=%s AND key = ANY(%s)"
        )
        self._select_streams = statement(
            "SELECT * FROM {schema}.{table} WHERE originator_id = ANY(%s)"
            " AND notification_id <= %s ORDER BY notification_id"
        )
        self._select_ends = statement(_ENDS)
        self._select_rows = statement(_ROWS)
        self._select_station_rows = statement(STATION_ROWS)
        self._select_positions = statement(
            "SELECT * FROM {schema}.{table} WHERE notification_id = ANY(%s)"
            " ORDER BY notification_id"
        )

    def create_table(self) -> None:
        """Create what is missing, one program at a time; nothing where all is there."""
        if self._is_laid_out():
            return
        with self.datastore.get_connection() as conn:
            conn.execute("SELECT pg_advisory_lock(%s)", (self.MIGRATION_LOCK,))
            try:
                if not self._is_laid_out():
                    super().create_table()
            except ProgrammingError as error:
                if isinstance(error.__cause__, psycopg.errors.InsufficientPrivilege):
                    raise LedgerNotPreparedError from error
                raise
            finally:
                conn.execute("SELECT pg_advisory_unlock(%s)", (self.MIGRATION_LOCK,))

    def grant(self, role: str) -> None:
        """Let a role read the log and append to it; it can neither change nor delete."""
        names = {
            "schema": Identifier(self.datastore.schema),
            "table": Identifier(self.events_table_name), "role": Identifier(role),
        }
        with self.datastore.transaction(commit=True) as curs:
            for statement in _GRANTS:
                curs.execute(SQL(statement).format(**names))

    def _is_laid_out(self) -> bool:
        with self.datastore.get_connection() as conn:
            row = conn.execute(
                "SELECT obj_description(to_regclass(%s), 'pg_class') AS layout", (self._table,)
            ).fetchone()
        return row is not None and row["layout"] == self.LAYOUT

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        request_keys: Sequence[tuple[RequestKey, int]] = (),
        **_: Any,
    ) -> Sequence[int] | None:
        """Insert events and request keys in one transaction and one round trip.

        What other threads append meanwhile goes with the next one. Not tried again as the
        library does: who lost the answer must look whether the events are there, and only
        the ledger can.
        """
        return self._append((stored_events, request_keys))

    def _write(self, group: Sequence[_Append]) -> list[list[int]]:
        """Insert what several threads append, all of it or nothing."""
        events = [event for stored, _keys in group for event in stored]
        keys, before = list[tuple[RequestKey, int]](), 0
        for stored, request_keys in group:
            keys += [(request, before + index) for request, index in request_keys]
            before += len(stored)
        positions = iter(self._inserted(events, keys))
        return [[next(positions) for _ in stored] for stored, _keys in group]

    def _inserted(
        self, events: Sequence[StoredEvent], request_keys: Sequence[tuple[RequestKey, int]]
    ) -> list[int]:
        statement, values = self._statement(events, request_keys)
        try:
            with self.datastore.get_connection() as conn:
                found = _answered(conn.cursor(row_factory=tuple_row), statement, values)
        except IntegrityError as error:
            cause = error.__cause__
            if isinstance(cause, psycopg.Error) and cause.diag.table_name == "request_keys":
                raise KeyAlreadyUsedError(str(error)) from error
            raise
        return [position for (position,) in found]

    def _statement(
        self, events: Sequence[StoredEvent], request_keys: Sequence[tuple[RequestKey, int]]
    ) -> tuple[bytes, Sequence[Any]]:
        """The call for one event with at most one key, or the one for any number."""
        if len(events) == 1 and len(request_keys) <= 1:
            event = events[0]
            key = request_keys[0][0] if request_keys else None
            named = (key.scope, key.key, key.fingerprint) if key else (None, None, None)
            stream = str(event.originator_id)
            row = (stream, event.originator_version, event.topic, event.state, *named)
            return self._call_one, row
        columns: list[list[Any]] = [
            [str(e.originator_id) for e in events],
            [e.originator_version for e in events],
            [e.topic for e in events],
            [e.state for e in events],
        ]
        rows = [key_row(request, events[index]) for request, index in request_keys]
        columns += [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * 5
        return self._call, columns

    def select_rows(self, after: int, limit: int) -> list[StoredRow]:
        """Events after a position as they are stored."""
        return self._rows(self._select_rows, (after, limit))

    def station_rows(self, station: str, after: int, until: int) -> Iterator[StoredRow]:
        """A station's events after a position and up to another, as they are stored.

        Found by the index over the station, which has them in the order of the log.
        """
        while page := self._rows(self._select_station_rows, (station, after, until, PAGE)):
            yield from page
            after = page[-1][0]

    def has_several_stations(self) -> bool:
        """Whether more than one station has events: whose names are first and last differ."""
        with self.datastore.get_connection() as conn:
            ends = conn.execute(self._select_ends).fetchone()
        return ends is not None and ends["first"] != ends["last"]

    def _rows(self, query: Composed, values: Sequence[Any]) -> list[StoredRow]:
        with self.datastore.get_connection() as conn:
            cursor = conn.cursor(binary=True, row_factory=tuple_row)
            return cursor.execute(query, values).fetchall()

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
        return self._found(self._select_streams, (list(stream_ids), up_to))

    def select_positions(self, positions: Sequence[int]) -> Sequence[Notification]:
        """The events at some positions, in order of position."""
        return self._found(self._select_positions, (list(positions),))

    def _found(self, query: Composed, values: Sequence[Any]) -> Sequence[Notification]:
        with self.datastore.get_connection() as conn:
            return [
                Notification(
                    row["originator_id"], row["originator_version"], row["topic"],
                    bytes(row["state"]), row["notification_id"],
                )
                for row in conn.execute(query, values).fetchall()
            ]


def _is_table_or_index(statement: str) -> bool:
    return statement.lstrip().startswith(("CREATE TABLE", "CREATE UNIQUE INDEX", "CREATE INDEX"))


def ping_where_disturbed(connection: psycopg.Connection[Any]) -> None:
    """Ask the server only where an idle connection has something to say.

    A server that went away has closed it, which shows without a round trip.
    """
    if is_disturbed(connection):
        connection.execute("")


def is_disturbed(connection: psycopg.Connection[Any]) -> bool:
    """Whether an idle connection has something to read, such as its end."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


class LedgerPostgresFactory(PostgresFactory):
    """Builds the ledger's recorder over connections that wait for nothing for ever."""

    application_recorder_class = LedgerPostgresRecorder

    def __init__(self, env: Any) -> None:
        """Bound what a statement may take, and meet a restarted server by a new connection."""
        super().__init__(env)
        pool = self.datastore.pool
        pool.kwargs = pool.kwargs | {"options": OPTIONS}  # type: ignore[operator]
        pool._check = ping_where_disturbed  # noqa: SLF001 - the library offers only a full ping
