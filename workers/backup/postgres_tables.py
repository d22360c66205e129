"""How are PostgreSQL's tables copied while they are written to, and filled again?

By COPY in one read-only snapshot: no client program is needed, whose version would have
to be at least the server's, and the application's own role may do it.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Collection, Sequence
from typing import Any, Final

import psycopg
from psycopg.sql import SQL, Identifier

from domain.ledger import Ledger
from projections.generation_tables import is_read_model
from workers.backup.archive import Archive, BadBackupError, Database, Member, copied

KIND: Final = "postgresql"
_EVENTS: Final = f"{Ledger.name}_events"
"""As the library names the table of the ledger's application."""
_TABLES: Final = """
SELECT table_name FROM information_schema.tables
WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY table_name
"""
_COLUMNS: Final = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position
"""
_COPY_OUT: Final = SQL("COPY {table} ({columns}) TO STDOUT (FORMAT binary)")

Connection = psycopg.Connection[Any]


def copy_out(name: str, url: str, archive: Archive) -> Database:
    """Put every table that is no read model into a backup, as all stand at one moment."""
    with psycopg.connect(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        tables = _tables(connection)
        members = [_table_out(name, table, archive, connection) for table in tables]
        head = _head(tables, connection)
    return Database(name, KIND, head, tuple(members))


def _head(tables: Sequence[str], connection: Connection) -> int:
    if _EVENTS not in tables:
        return 0
    query = SQL("SELECT max(notification_id) FROM {}").format(Identifier(_EVENTS))
    [head] = connection.execute(query).fetchone() or (0,)
    return head or 0


def _table_out(name: str, table: str, archive: Archive, connection: Connection) -> Member:
    columns = _columns(table, connection)
    member = f"{name}/{table}"
    with archive.member(member) as out, connection.cursor().copy(
        _with_names(_COPY_OUT, table, columns)
    ) as copy:
        for block in copy:
            out.write(bytes(block))
    return Member(member, out.digest, columns)


def is_empty(url: str) -> bool:
    """Whether there is no event where a ledger is to be restored."""
    with psycopg.connect(url) as connection:
        return _head(_tables(connection), connection) == 0


def has_others(database: Database, url: str, but: Collection[str]) -> bool:
    """Whether rows are there that the backup would replace, other than its own.

    Those of the tables ``but`` do not count.
    """
    with psycopg.connect(url) as connection:
        names = set(_tables(connection)) - set(but)
        if all(_is_vacant(name, connection) for name in names):
            return False
        connection.execute("SET synchronize_seqscans = off")  # rows in the order they came in
        return not all(_is_same(member, connection) for member in database.members)


def _is_same(member: Member, connection: Connection) -> bool:
    table = member.name.partition("/")[2]
    if not set(member.columns) <= set(_columns(table, connection)):
        return False
    found = hashlib.sha256()
    names = _with_names(_COPY_OUT, table, member.columns)
    with connection.cursor().copy(names) as copy:
        for block in copy:
            found.update(block)
    return found.hexdigest() == member.sha256


def copy_in(database: Database, url: str, bundle: zipfile.ZipFile) -> None:
    """Fill a prepared database's tables from a backup, all or none; run by its owner.

    :raises BadBackupError: where a table is damaged, or the database has no such table.
    """
    with psycopg.connect(url) as connection:
        known = set(_tables(connection))
        for member in database.members:
            table = member.name.partition("/")[2]
            if table not in known or not set(member.columns) <= set(_columns(table, connection)):
                raise BadBackupError(f"数据库中没有备份里的表 {table}：请用不旧于备份的程序恢复")
            if not _is_vacant(table, connection):
                connection.execute(SQL("DELETE FROM {}").format(Identifier(table)))
            statement = SQL("COPY {table} ({columns}) FROM STDIN (FORMAT binary)")
            names = _with_names(statement, table, member.columns)
            with connection.cursor().copy(names) as copy:
                copied(bundle, member, copy)
            _go_on_counting(table, member.columns, connection)


def _with_names(statement: SQL, table: str, columns: tuple[str, ...]) -> Any:
    names = SQL(", ").join(map(Identifier, columns))
    return statement.format(table=Identifier(table), columns=names)


def _tables(connection: Connection) -> list[str]:
    return [name for (name,) in connection.execute(_TABLES) if not is_read_model(name)]


def _columns(table: str, connection: Connection) -> tuple[str, ...]:
    return tuple(name for (name,) in connection.execute(_COLUMNS, (table,)))


def _is_vacant(table: str, connection: Connection) -> bool:
    found = connection.execute(SQL("SELECT 1 FROM {} LIMIT 1").format(Identifier(table)))
    return found.fetchone() is None


def _go_on_counting(table: str, columns: tuple[str, ...], connection: Connection) -> None:
    """Let sequences go on after the highest number that was restored."""
    for column in columns:
        [sequence] = connection.execute(
            "SELECT pg_get_serial_sequence(%s, %s)", (f'public."{table}"', column)
        ).fetchone() or (None,)
        if sequence:
            highest = SQL("SELECT setval(%s, max({column})) FROM {table} HAVING max({column}) > 0")
            connection.execute(
                highest.format(column=Identifier(column), table=Identifier(table)), (sequence,)
            )
