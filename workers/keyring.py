"""Where are the data keys with which personal fields are sealed?

In a database of their own, apart from the log, each wrapped by the master key, which is
in no database. A destroyed key is overwritten; what it sealed stays sealed for ever.
Keys are held in memory for a moment only, and a destruction is answered after that
moment has passed, so that no process opens anything any more once it is.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    event,
    insert,
    select,
    text,
    update,
)

from domain.kernel import stream_kind, stream_subject
from domain.vault import NONCE_BYTES, DataKey, KeyState, PersonErased, PersonLocked
from projections.store import open_engine, writing

KEY_BYTES: Final = 32
HELD_SECONDS: Final = 0.1
"""How long a key is held in memory before the database is asked again."""
MOST_HELD: Final = 20_000
CHUNK: Final = 400

metadata: Final = MetaData()

data_keys: Final = Table(
    "data_keys",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("wrapped", LargeBinary),
)
"""``wrapped`` is null where the key was destroyed; the row stays and says so."""

key_lookups: Final = Table(
    "key_lookups",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("owner", Text, primary_key=True),
    sqlite_with_rowid=False,
)
"""By which keyed hashes of name, ID number, phone or address an owner is found."""

settings: Final = Table(
    "keyring_settings",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)
"""The key of the keyed hashes, wrapped: it opens only with the right master key."""


class BadMasterKeyError(ValueError):
    """The master key does not open this keyring."""


class Keyring:
    """The data keys of one installation."""

    def __init__(self, database_url: str, master: bytes) -> None:
        """Open the keyring, or make an empty one.

        :raises BadMasterKeyError: where another master key wrapped it.
        """
        self.engine = _open(database_url)
        self._master = master
        self._held: dict[tuple[str, int], tuple[float, DataKey | None]] = {}
        self._newest: dict[str, tuple[float, DataKey]] = {}
        self._lock = threading.Lock()
        try:
            self._index_key = self._setting("index")
        except BaseException:
            self.engine.dispose()
            raise

    def close(self) -> None:
        """Forget every key and close every connection."""
        self._forget()
        self.engine.dispose()

    # ---- keys ----

    def to_seal(self, owners: Collection[str]) -> Mapping[str, DataKey]:
        """The newest key of each owner, made where there is none.

        :raises PersonErased: for a person whose key was destroyed.
        :raises PersonLocked: for a person whose information is locked.
        """
        now = time.monotonic()
        held = {o: self._newest[o] for o in owners if o in self._newest}
        found = {o: key for o, (since, key) in held.items() if now - since < HELD_SECONDS}
        missing = sorted(set(owners) - set(found))
        if missing:
            with self.engine.connect() as connection:
                found |= self._usable(self._read(connection, missing))
            missing = [owner for owner in missing if owner not in found]
        if missing:
            with writing(self.engine) as connection:
                found |= self._made(connection, missing)
        with self._lock:
            if len(self._newest) > MOST_HELD:
                self._newest.clear()
            self._newest |= {o: (now, key) for o, key in found.items() if o not in held}
            self._newest |= {o: (now, found[o]) for o in missing}
        return found

    def to_open(self, owner: str, epoch: int) -> DataKey | None:
        """A key, or ``None`` where there never was one."""
        now = time.monotonic()
        since, key = self._held.get((owner, epoch), (-HELD_SECONDS, None))
        if now - since < HELD_SECONDS:
            return key
        with self.engine.connect() as connection:
            keys = {k.epoch: k for k in self._read(connection, [owner])}
        with self._lock:
            if len(self._held) > MOST_HELD:
                self._held.clear()
            self._held[owner, epoch] = (now, keys.get(epoch))
        return keys.get(epoch)

    def read_ahead(self, owners: Collection[str]) -> None:
        """Have the keys of many owners at hand for the next moment."""
        with self.engine.connect() as connection:
            found = self._read(connection, sorted(owners))
        now = time.monotonic()
        with self._lock:
            self._held |= {(key.owner, key.epoch): (now, key) for key in found}

    def _read(self, connection: Connection, owners: Sequence[str]) -> list[DataKey]:
        """Every key of some owners, by epoch."""
        rows = [
            row
            for start in range(0, len(owners), CHUNK)
            for row in connection.execute(
                select(data_keys)
                .where(data_keys.c.owner.in_(owners[start : start + CHUNK]))
                .order_by(data_keys.c.owner, data_keys.c.epoch)
            )
        ]
        return [
            DataKey(r.owner, r.epoch, KeyState(r.state), self._unwrap(r.wrapped, r.owner, r.epoch))
            for r in rows
        ]

    def _usable(self, keys: Sequence[DataKey]) -> dict[str, DataKey]:
        """The newest key of each owner, where something may be sealed with it."""
        newest = {key.owner: key for key in keys}
        for owner, key in newest.items():
            if _is_one_person(owner):
                refuse_unless_active(key)
        return {o: key for o, key in newest.items() if key.state is KeyState.ACTIVE}

    def _made(self, connection: Connection, owners: Sequence[str]) -> dict[str, DataKey]:
        """A new key for each owner that has none to seal with."""
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": 0x7A48_4B59})
        known = self._read(connection, owners)
        found = self._usable(known)
        epochs = {key.owner: key.epoch for key in known}
        for owner in owners:
            if owner not in found:
                found[owner] = DataKey(
                    owner, epochs.get(owner, 0) + 1, KeyState.ACTIVE,
                    secrets.token_bytes(KEY_BYTES),
                )
                connection.execute(insert(data_keys).values(self._row(found[owner])))
        return found

    def _row(self, key: DataKey) -> dict[str, object]:
        wrapped = self._wrap(key.secret, f"{key.owner}/{key.epoch}") if key.secret else None
        return {"owner": key.owner, "epoch": key.epoch, "state": key.state, "wrapped": wrapped}

    # ---- finding ----

    def remember(self, texts: Collection[tuple[str, str, str]]) -> None:
        """Let owners be found by texts (owner, mark, text) that identify them."""
        rows = {(self._digest(owner, mark, said), owner) for owner, mark, said in texts}
        if not rows:
            return
        with writing(self.engine) as connection:
            for digest, owner in sorted(rows):
                known = select(key_lookups.c.owner).where(
                    key_lookups.c.digest == digest, key_lookups.c.owner == owner
                )
                if connection.execute(known).first() is None:
                    row = {"digest": digest, "owner": owner}
                    connection.execute(insert(key_lookups).values(row))

    def owners_by(self, station: str, mark: str, said: str) -> set[str]:
        """The owners at a station of whom this was ever recorded, and who are not erased."""
        query = select(key_lookups.c.owner).where(
            key_lookups.c.digest == self._digest(f"{station}/", mark, said)
        )
        with self.engine.connect() as connection:
            return set(connection.execute(query).scalars())

    def _digest(self, owner: str, mark: str, said: str) -> str:
        station = owner.partition("/")[0]
        return self.fingerprint("\x1f".join((station, mark, _comparable(said))).encode())

    def fingerprint(self, content: bytes) -> str:
        """A keyed hash: equal contents have equal ones, and it tells nothing else."""
        return hmac.new(self._index_key, content, hashlib.sha256).hexdigest()

    # ---- erasing and locking ----

    def destroy(self, owners: Collection[str]) -> int:
        """Destroy every key of some owners; answers how many there were.

        Returns when no process holds one of them any more.
        """
        with writing(self.engine) as connection:
            alive = data_keys.c.owner.in_(list(owners)) & data_keys.c.wrapped.is_not(None)
            gone = connection.execute(
                update(data_keys).where(alive).values(state=KeyState.ERASED, wrapped=None)
            ).rowcount
            connection.execute(key_lookups.delete().where(key_lookups.c.owner.in_(list(owners))))
        self._forget()
        self._truncate_journal()
        time.sleep(HELD_SECONDS)
        return int(gone)

    def lock(self, owners: Collection[str], *, is_locked: bool = True) -> int:
        """Lock (or unlock) what some owners' keys sealed; answers how many keys changed."""
        before, after = KeyState.ACTIVE, KeyState.LOCKED
        if not is_locked:
            before, after = after, before
        with writing(self.engine) as connection:
            mine = data_keys.c.owner.in_(list(owners)) & (data_keys.c.state == before)
            changed = connection.execute(update(data_keys).where(mine).values(state=after))
        self._forget()
        time.sleep(HELD_SECONDS)
        return int(changed.rowcount)

    def state_of(self, owner: str) -> KeyState | None:
        """The state of an owner's newest key."""
        with self.engine.connect() as connection:
            found = self._read(connection, [owner])
        return found[-1].state if found else None

    def _forget(self) -> None:
        with self._lock:
            self._held.clear()
            self._newest.clear()

    def _truncate_journal(self) -> None:
        """Leave no copy of an overwritten page in SQLite's journal."""
        if self.engine.dialect.name == "sqlite":
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
                c.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    # ---- the master key ----

    def rewrap(self, master: bytes) -> int:
        """Wrap every key with a new master key, all or none; answers how many.

        Processes that still have the old one must be started anew.
        """
        with writing(self.engine) as connection:
            rows = connection.execute(select(data_keys).where(data_keys.c.wrapped.is_not(None)))
            keys = [
                DataKey(
                    r.owner, r.epoch, KeyState(r.state), self._unwrap(r.wrapped, r.owner, r.epoch)
                )
                for r in rows
            ]
            old, self._master = self._master, master
            try:
                for key in keys:
                    mine = (data_keys.c.owner == key.owner) & (data_keys.c.epoch == key.epoch)
                    changed = update(data_keys).where(mine)
                    connection.execute(changed.values(wrapped=self._row(key)["wrapped"]))
                wrapped = self._wrap(self._index_key, "setting/index")
                connection.execute(update(settings).values(wrapped=wrapped))
            except BaseException:
                self._master = old
                raise
        self._forget()
        return len(keys)

    def _setting(self, name: str) -> bytes:
        query = select(settings.c.wrapped).where(settings.c.name == name)
        place = f"setting/{name}"
        with writing(self.engine) as connection:
            found = connection.execute(query).scalar_one_or_none()
            if found is None:
                made = secrets.token_bytes(KEY_BYTES)
                row = {"name": name, "wrapped": self._wrap(made, place)}
                connection.execute(insert(settings).values(row))
                return made
        return self._opened(found, place)

    def _wrap(self, secret: bytes, place: str) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(self._master).encrypt(nonce, secret, place.encode())

    def _unwrap(self, wrapped: bytes | None, owner: str, epoch: int) -> bytes:
        return b"" if wrapped is None else self._opened(wrapped, f"{owner}/{epoch}")

    def _opened(self, wrapped: bytes, place: str) -> bytes:
        nonce, box = bytes(wrapped[:NONCE_BYTES]), bytes(wrapped[NONCE_BYTES:])
        try:
            return AESGCM(self._master).decrypt(nonce, box, place.encode())
        except InvalidTag:
            raise BadMasterKeyError("主密钥与密钥库不符") from None


def refuse_unless_active(key: DataKey) -> None:
    """Refuse to go on with a person who was erased or locked.

    :raises PersonErased: where the key was destroyed.
    :raises PersonLocked: where it is locked.
    """
    if key.state is KeyState.ERASED:
        raise PersonErased(owner=stream_subject(key.owner))
    if key.state is KeyState.LOCKED:
        raise PersonLocked(owner=stream_subject(key.owner))


def _is_one_person(owner: str) -> bool:
    return stream_kind(owner) in {"person", "volunteer"}


def _comparable(said: str) -> str:
    """A text as it is compared: width and case folded, without spaces and dashes."""
    folded = unicodedata.normalize("NFKC", said).casefold()
    return "".join(c for c in folded if not c.isspace() and c != "-")


def _open(database_url: str) -> Engine:
    engine = open_engine(database_url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    with _creating(engine) as connection:
        metadata.create_all(connection)
    return engine


@contextmanager
def _creating(engine: Engine) -> Iterator[Connection]:
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": 0x7A48_4B59})
        yield connection


def _prepare_sqlite(connection: object, _record: object) -> None:
    """Overwrite what is deleted, and reach the disk: a lost key is a lost text."""
    execute = connection.execute  # type: ignore[attr-defined]
    execute("PRAGMA secure_delete=ON")
    execute("PRAGMA synchronous=FULL")
