"""What is kept of accounts? Beside the ledger, so that read models can be deleted.

Of whatever lets somebody in only a hash is kept: of passwords Argon2id's, of sessions,
links and tokens, which nobody can guess, SHA-256.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
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

from domain.ledger import LedgerNotPreparedError
from projections.append_only import grant_appending, keep_append_only
from projections.columns import UtcDateTime
from projections.store import one_at_a_time, open_engine, writing

metadata: Final = MetaData()

tokens: Final = Table(
    "access_tokens",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("actor", String(100), nullable=False),
    Column("role", String(40), nullable=False),
    Column("station", String(64), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("expires_at", DateTime, nullable=False),
    Column("revoked_at", DateTime),
)
token_owners: Final = Table(
    "access_token_owners",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("account", String(32), nullable=False, index=True),
    Column("label", String(100), nullable=False),
)
"""Whose account a token belongs to: it then does what the account may do at that moment."""

accounts: Final = Table(
    "staff_accounts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("login", String(64), nullable=False, unique=True),
    Column("actor", String(100), nullable=False),
    Column("role", String(40), nullable=False),
    Column("district", String(100)),
    Column("is_everywhere", Boolean, nullable=False),
    Column("password", Text),
    Column("identity", Text, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
)
"""``login`` is what one types, ``actor`` the name that stands in events. A district is as
many stations as it has at the moment; ``identity`` is who an OIDC provider says it is."""

account_stations: Final = Table(
    "staff_account_stations",
    metadata,
    Column("account", String(32), primary_key=True),
    Column("station", String(64), primary_key=True),
)

sessions: Final = Table(
    "staff_sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("account", String(32), nullable=False, index=True),
    Column("began_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("device", String(100), nullable=False),
    Column("station", String(64)),
)
"""``station`` is which of several one looks at."""

links: Final = Table(
    "one_time_links",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("purpose", String(20), nullable=False),
    Column("account", String(32), index=True),
    Column("detail", Text, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
)

attempts: Final = Table(
    "sign_in_attempts",
    metadata,
    Column("subject", String(80), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("since", UtcDateTime, nullable=False, index=True),
    Column("locked_until", UtcDateTime),
)
"""How often it was tried of late, by whom (a hash of the name typed) and from where."""

name_permissions: Final = Table(
    "name_permissions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("station", String(64), nullable=False),
    Column("actor", String(100), nullable=False),
    Column("permitted_by", String(100), nullable=False),
    Column("reason", Text, nullable=False),
    Column("permitted_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Index("ix_name_permissions", "station", "actor"),
)
"""授权查看姓名: which reviewer sees names at a station, until when, and who said so."""

saved_views: Final = Table(
    "saved_views",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("station", String(64), nullable=False),
    Column("account", String(32), nullable=False),
    Column("name", String(100), nullable=False),
    Column("query", Text, nullable=False),
    Column("is_shared", Boolean, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Index("ix_saved_views", "station", "account"),
)
"""Tables of the ledger under a name; ``query`` is what their address says, as JSON."""

start_views: Final = Table(
    "start_views",
    metadata,
    Column("account", String(32), primary_key=True),
    Column("station", String(64), primary_key=True),
    Column("view", String(32), nullable=False),
)
"""With which of them an account begins at a station."""

security_log: Final = Table(
    "security_log",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("action", String(40), nullable=False),
    Column("actor", String(100), nullable=False),
    Column("about", String(100), nullable=False),
    Column("station", String(64), nullable=False),
    Column("address", String(64), nullable=False),
    Column("request_id", String(100), nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_security_log_at", "station", "at", "id"),
    sqlite_autoincrement=True,
)
"""登录与权限记录. ``station`` is ``*`` for what is no single station's."""

CHANGED: Final = (tokens, token_owners, accounts, sessions, links, name_permissions)
CLEARED: Final = (attempts, account_stations, saved_views, start_views)
"""From which rows are removed as well."""


def tokens_engine(database_url: str) -> Engine:
    """Where accounts, sessions and tokens are kept.

    :raises LedgerNotPreparedError: where this PostgreSQL role may not create the tables.
    """
    engine = open_engine(database_url)
    try:
        _create(engine)
    except ProgrammingError as error:
        engine.dispose()
        raise LedgerNotPreparedError from error
    return engine


def _create(engine: Engine) -> None:
    with writing(engine) as connection:
        one_at_a_time(connection)
        if set(metadata.tables) <= set(inspect(connection).get_table_names()):
            return
        metadata.create_all(connection)
        keep_append_only(connection, [security_log.name], "the security log")


def grant_tokens(engine: Engine, role: str) -> None:
    """Let a PostgreSQL role do with accounts what the service does, and add to their log."""
    quoted = engine.dialect.identifier_preparer.quote(role)
    with writing(engine) as connection:
        for tables, verbs in (
            (CHANGED, "SELECT, INSERT, UPDATE"), (CLEARED, "SELECT, INSERT, UPDATE, DELETE"),
        ):
            names = ", ".join(table.name for table in tables)
            connection.exec_driver_sql(f"GRANT {verbs} ON {names} TO {quoted}")
        grant_appending(connection, [security_log.name], role)
        connection.exec_driver_sql(f"GRANT USAGE ON SEQUENCE security_log_id_seq TO {quoted}")


def digest(secret: str) -> str:
    """What is kept of a secret that nobody can guess."""
    return hashlib.sha256(secret.encode()).hexdigest()


def naive(instant: datetime) -> datetime:
    """An instant as the table of tokens has it."""
    return instant.replace(tzinfo=None)
