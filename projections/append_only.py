"""How is a table kept that is only ever added to? By triggers, and by what a role may do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

_SQLITE: Final = """
CREATE TRIGGER IF NOT EXISTS {table}_no_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, '{called} is append-only'); END
"""
_REFUSE: Final = """
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '{called} is append-only'; END $$
"""
_POSTGRES: Final = """
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE
ON {table} EXECUTE FUNCTION {function}()
"""


def keep_append_only(connection: Connection, tables: Sequence[str], called: str) -> None:
    """Let the database itself refuse to change or delete the rows of some tables of ours."""
    if connection.dialect.name == "sqlite":
        statements = [
            _SQLITE.format(table=table, verb=verb, called=called)
            for table in tables for verb in ("update", "delete")
        ]
    else:
        function = f"refuse_change_of_{tables[0]}"
        statements = [
            _REFUSE.format(function=function, called=called),
            *(_POSTGRES.format(table=table, function=function) for table in tables),
        ]
    for statement in statements:
        connection.exec_driver_sql(statement)


def grant_appending(connection: Connection, tables: Sequence[str], role: str) -> None:
    """Let a PostgreSQL role read and add to some tables, and nothing else."""
    quoted, names = connection.dialect.identifier_preparer.quote(role), ", ".join(tables)
    connection.exec_driver_sql(f"REVOKE ALL ON {names} FROM PUBLIC, {quoted}")
    connection.exec_driver_sql(f"GRANT SELECT, INSERT ON {names} TO {quoted}")
