"""Which database keeps the log?

Both recorders are the library's, with what the ledger needs beside it: an explicit,
never-reused position, full synchronisation, events that the database itself refuses
to change, and idempotency keys written in the transaction of their events.
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from domain.ledger.postgres_recorder import LedgerPostgresRecorder
from domain.ledger.sqlite_recorder import LedgerSQLiteRecorder

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
            "INFRASTRUCTURE_FACTORY": "domain.ledger.sqlite_recorder:LedgerSQLiteFactory",
            "SQLITE_DBNAME": "file:" + unquote(url.path[1:] or "/:memory:"),
            "SQLITE_LOCK_TIMEOUT": "10",
        }
    if url.scheme in {"postgresql", "postgres"}:
        return common | {
            "INFRASTRUCTURE_FACTORY": "domain.ledger.postgres_recorder:LedgerPostgresFactory",
            "POSTGRES_DBNAME": unquote(url.path[1:]),
            "POSTGRES_HOST": unquote(url.hostname or "") or _socket_host(url.query),
            "POSTGRES_PORT": str(url.port or 5432),
            "POSTGRES_USER": unquote(url.username or ""),
            "POSTGRES_PASSWORD": unquote(url.password or ""),
            "POSTGRES_POOL_SIZE": "1",
            "POSTGRES_MAX_OVERFLOW": "15",
        }
    raise BadDatabaseUrlError(url.scheme)


def _socket_host(query: str) -> str:
    """The directory of a local socket: ``postgresql:///name?host=/run/postgresql``."""
    pairs = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
    return unquote(pairs.get("host", "127.0.0.1"))
