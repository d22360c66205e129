"""In which tables are data keys, and how are they read and changed?"""

from __future__ import annotations

import json
import secrets
import time
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    Text,
    event,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ProgrammingError

from domain.kernel import stream_kind
from domain.ledger import LedgerNotPreparedError
from domain.vault import NONCE_BYTES, KeyState
from projections.direct import rows
from projections.store import open_engine, writing

CHUNK: Final = 400

metadata: Final = MetaData()

data_keys: Final = Table(
    "data_keys",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False),
    Column("wrapped", LargeBinary),
)
"""``wrapped`` is null where the key was destroyed; the row stays and says so.

``epoch`` is the second in which the key was made, or the next: a keyring that was
restored from an older copy must not give a new key the number of one that it lost.
"""

key_lookups: Final = Table(
    "key_lookups",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("owner", Text, primary_key=True),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
"""By which keyed hashes of name, ID number, phone or address an owner is found.

``epoch`` is that of the key which sealed the text: while it is locked, nothing is found.
"""

changes: Final = Table(
    "key_changes",
    metadata,
    Column("cause", Text, primary_key=True),
    Column("change", String(16), primary_key=True),
    Column("owners", Text, nullable=False),
)
"""What was carried out of which erasure: the state given, and whose keys got it, as JSON."""

settings: Final = Table(
    "keyring_settings",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)
"""The key of the keyed hashes, wrapped: it opens only with the right master key."""

generations: Final = Table(
    "keyring_generation",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("token", String(32), nullable=False),
)
"""Another token whenever a key is destroyed, locked or wrapped anew (``held_keys.py``)."""
ONLY: Final = 1


event.listen(data_keys, "after_create", DDL(  # type: ignore[no-untyped-call]
    "ALTER TABLE data_keys SET"
    " (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0)"
).execute_if(dialect="postgresql"))  # a destroyed key's row version does not stay about

GRANTS: Final = {
    data_keys: "SELECT, INSERT, UPDATE", key_lookups: "SELECT, INSERT, DELETE",
    changes: "SELECT, INSERT", settings: "SELECT, INSERT, UPDATE",
    generations: "SELECT, INSERT, UPDATE",
}
"""What the application's role may do on PostgreSQL: it forgets by overwriting."""

NEW_KEY: Final = "INSERT INTO data_keys (owner, epoch, state, wrapped) VALUES (?, ?, ?, ?)"
_KEYS_OF: Final = "SELECT owner, epoch, state, wrapped FROM data_keys WHERE owner"
_WITH_FIRST_EPOCH: Final = """
INSERT INTO {name} (digest, owner, epoch) SELECT l.digest, l.owner, min(k.epoch)
FROM {before} l JOIN data_keys k ON k.owner = l.owner GROUP BY l.digest, l.owner
"""


def grant_keyring(engine: Engine, role: str) -> None:
    """Let a PostgreSQL role work with the keyring, which stays its owner's."""
    quoted = engine.dialect.identifier_preparer.quote(role)
    with writing(engine) as connection:
        for table, verbs in GRANTS.items():
            connection.exec_driver_sql(f"GRANT {verbs} ON {table.name} TO {quoted}")


def open_tables(database_url: str) -> Engine:
    """A keyring's database, with the tables that were missing."""
    engine = open_engine(database_url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    try:
        with _creating(engine) as connection:
            _create(connection)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _create(connection: Connection) -> None:
    """Create what is missing; lookups that were kept without an epoch get one.

    Which key sealed them is not known: the owner's first, so that none is found that is
    locked. Every keyring that was never locked has just that.

    :raises LedgerNotPreparedError: where this PostgreSQL role may not.
    """
    name, before = key_lookups.name, f"{key_lookups.name}_before"
    found = inspect(connection)
    is_old = found.has_table(name) and "epoch" not in {c["name"] for c in found.get_columns(name)}
    try:
        if is_old:
            connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO {before}")
        metadata.create_all(connection)
        if is_old:
            connection.exec_driver_sql(_WITH_FIRST_EPOCH.format(name=name, before=before))
            connection.exec_driver_sql(f"DROP TABLE {before}")
    except ProgrammingError as error:
        if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            raise LedgerNotPreparedError from error
        raise


@contextmanager
def _creating(engine: Engine) -> Iterator[Connection]:
    with writing(engine) as connection:
        alone(connection)
        yield connection


def _prepare_sqlite(connection: object, _record: object) -> None:
    """Overwrite what is deleted, and reach the disk: a lost key is a lost text."""
    execute = connection.execute  # type: ignore[attr-defined]
    execute("PRAGMA secure_delete=ON")
    execute("PRAGMA synchronous=FULL")


def alone(connection: Connection) -> None:
    """Be the only one who makes keys or wraps them anew; SQLite's writers are alone anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": 0x7A48_4B59})


def upserting(connection: Connection, table: Table) -> Any:
    """An insert that may say what becomes of a row that is there already."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def upsert(connection: Connection, table: Table, row: Mapping[str, object]) -> Any:
    """An insert that leaves a row that is there already as it is."""
    return upserting(connection, table).values(row).on_conflict_do_nothing()


Lookup = tuple[str, str, int]


def known_lookups(connection: Connection, rows: Collection[Lookup]) -> set[Lookup]:
    """Which of some lookups (digest, owner, epoch) are there."""
    found: set[Lookup] = set()
    for some in chunks({digest for digest, _owner, _epoch in rows}):
        query = select(key_lookups).where(key_lookups.c.digest.in_(some))
        found |= {(row.digest, row.owner, row.epoch) for row in connection.execute(query)}
    return found


def alive_among(connection: Connection, owners: Collection[str]) -> set[tuple[str, int]]:
    """Owner and epoch of every key that nobody destroys before this transaction has ended."""
    found: set[tuple[str, int]] = set()
    for some in chunks(owners):
        query = select(data_keys.c.owner, data_keys.c.epoch).where(
            data_keys.c.owner.in_(some), data_keys.c.state != KeyState.ERASED
        )
        rows = connection.execute(query.with_for_update(read=True))
        found |= {(row.owner, row.epoch) for row in rows}
    return found


def rows_now(source: Engine | Connection, owners: Collection[str]) -> list[Sequence[Any]]:
    """The rows of some owners' keys, by owner and epoch: one round trip for each portion.

    Every record that says something of a person asks this.
    """
    found: list[Sequence[Any]] = []
    for some in chunks(owners):
        marks = ",".join("?" * len(some))
        found += rows(source, f"{_KEYS_OF} IN ({marks}) ORDER BY owner, epoch", some)
    return found


def generation_now(engine: Engine) -> str:
    """The keyring's generation; empty where no key was ever destroyed, locked or wrapped anew."""
    found = rows(engine, "SELECT token FROM keyring_generation")
    return str(found[0][0]) if found else ""


def begin_generation(connection: Connection) -> None:
    """Have every process read again what it held, once this transaction has ended."""
    row = {"id": ONLY, "token": secrets.token_hex(16)}
    insert = upserting(connection, generations).values(row)
    connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=row))


def index_key_box(source: Engine | Connection) -> bytes | None:
    """The wrapped key of the keyed hashes; ``None`` in a new keyring."""
    found = rows(source, "SELECT wrapped FROM keyring_settings")
    return bytes(found[0][0]) if found else None


def newest_states(connection: Connection, owners: Collection[str]) -> dict[str, KeyState]:
    """The state of each owner's newest key."""
    found: dict[str, KeyState] = {}
    for some in chunks(owners):
        mine = select(data_keys.c.owner, data_keys.c.state).where(data_keys.c.owner.in_(some))
        for row in connection.execute(mine.order_by(data_keys.c.epoch)):
            found[row.owner] = KeyState(row.state)
    return found


def locked(connection: Connection, owners: Collection[str], *, is_locked: bool) -> int:
    """Lock or unlock the keys of some owners; answers how many changed."""
    before, after = KeyState.ACTIVE, KeyState.LOCKED
    if not is_locked:
        before, after = after, before
    changed = 0
    for some in chunks(owners):
        mine = data_keys.c.owner.in_(some) & (data_keys.c.state == before)
        changed += connection.execute(update(data_keys).where(mine).values(state=after)).rowcount
    return changed


def recorded_changes(connection: Connection) -> Sequence[Row[Any]]:
    """Every change that was carried out."""
    return connection.execute(select(changes)).all()


def locked_by(cause: str, known: Mapping[tuple[str, str], str]) -> set[str]:
    """The owners that a cause has locked and no other one keeps locked."""
    locks = {c: set(json.loads(o)) for (c, change), o in known.items() if change == "locked"}
    others = (o for c, o in locks.items() if c != cause and (c, KeyState.ACTIVE) not in known)
    return locks.get(cause, set()).difference(*others)


def chunks(items: Collection[str]) -> Iterator[list[str]]:
    """Items in portions that one statement may name."""
    ordered = sorted(items)
    return (ordered[n : n + CHUNK] for n in range(0, len(ordered), CHUNK))


def destroyed(connection: Connection, owners: Collection[str]) -> int:
    """Destroy every key of some owners, and all by which they are found; answers how many.

    A person of whom there is no key (the keyring is an older copy) gets a destroyed one.
    """
    gone = 0
    for some in chunks(owners):
        alive = data_keys.c.owner.in_(some) & data_keys.c.wrapped.is_not(None)
        destroy = update(data_keys).where(alive).values(state=KeyState.ERASED, wrapped=None)
        gone += connection.execute(destroy).rowcount
        connection.execute(key_lookups.delete().where(key_lookups.c.owner.in_(some)))
    for owner in sorted(filter(is_one_person, owners)):
        known = select(data_keys.c.owner).where(data_keys.c.owner == owner).limit(1)
        if connection.execute(known).first() is None:
            row = {"owner": owner, "epoch": int(time.time()), "state": KeyState.ERASED}
            connection.execute(upsert(connection, data_keys, row))
    return gone


def is_one_person(owner: str) -> bool:
    """Whether an owner is a single person, and not a household or record."""
    return stream_kind(owner) in {"person", "volunteer"}


def wrapped(master: bytes, secret: bytes, place: str) -> bytes:
    """A key as it is kept: wrapped by the master key, for its own place."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(master).encrypt(nonce, secret, place.encode())


def unwrapped(master: bytes, box: bytes, place: str) -> bytes:
    """A key taken out again.

    :raises InvalidTag: where another master key wrapped it, or it was altered.
    """
    nonce, sealed = bytes(box[:NONCE_BYTES]), bytes(box[NONCE_BYTES:])
    return AESGCM(master).decrypt(nonce, sealed, place.encode())


def comparable(said: str) -> str:
    """A text as it is compared: width and case folded, without spaces and dashes."""
    folded = unicodedata.normalize("NFKC", said).casefold()
    return "".join(c for c in folded if not c.isspace() and c != "-")
