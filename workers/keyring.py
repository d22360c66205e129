"""Where are the data keys with which personal fields are sealed?

In a database of their own, apart from the log, each wrapped by the master key, which is
in no database. A destroyed key is overwritten; what it sealed stays sealed for ever.
Keys are held in memory for a moment only, and a destruction is answered after that
moment has passed, so that no process opens anything any more once it is.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
import time
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, assert_never

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import (
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
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from domain.kernel import Refused, stream_kind, stream_subject
from domain.vault import FREE_TEXT, NONCE_BYTES, DataKey, KeyState, PersonErased, PersonLocked
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
    sqlite_with_rowid=False,
)
"""By which keyed hashes of name, ID number, phone or address an owner is found."""

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


INDEX: Final = "index"


class BadMasterKeyError(ValueError):
    """The master key does not open this keyring."""


class DamagedKeyError(ValueError):
    """A key that the right master key does not open."""


class MasterKeyReplaced(
    Refused, code="master_key_replaced", status=503, title="主密钥已更换",
    detail="主密钥已更换，而本进程仍持有旧的主密钥；请用新的主密钥重新启动服务。",
):
    """The keyring was wrapped anew, and this process was not told the new key."""


class Keyring:
    """The data keys of one installation."""

    def __init__(
        self, database_url: str, master: bytes,
        others: Callable[[], Collection[bytes]] = tuple,
    ) -> None:
        """Open the keyring, or make an empty one.

        ``others`` answers the master keys that may have replaced this one meanwhile.

        :raises BadMasterKeyError: where another master key wrapped it.
        """
        self.engine = _open(database_url)
        self._master, self._others = master, others
        self._held: dict[tuple[str, int], tuple[float, DataKey | None]] = {}
        self._newest: dict[str, tuple[float, DataKey]] = {}
        self._lock = threading.Lock()
        self._index_key = self._index()

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
        now = time.monotonic()
        with self.engine.connect() as connection:
            found = self._read(connection, sorted(owners))
        with self._lock:
            self._held |= {(key.owner, key.epoch): (now, key) for key in found}

    def _read(self, connection: Connection, owners: Sequence[str]) -> list[DataKey]:
        """Every key of some owners, by epoch."""
        order = data_keys.c.owner, data_keys.c.epoch
        rows = [
            row
            for some in _chunks(owners)
            for row in connection.execute(
                select(data_keys).where(data_keys.c.owner.in_(some)).order_by(*order)
            )
        ]
        return self._data_keys(rows)

    def _data_keys(self, rows: Iterable[Row[Any]]) -> list[DataKey]:
        return [
            DataKey(
                row.owner, row.epoch, KeyState(row.state),
                self._unwrap(row.wrapped, f"{row.owner}/{row.epoch}") if row.wrapped else b"",
            )
            for row in rows
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
        _alone(connection)
        self._use_current_master(connection)
        known = self._read(connection, owners)
        found = self._usable(known)
        epochs, now = {key.owner: key.epoch for key in known}, int(time.time())
        for owner in owners:
            if owner not in found:
                found[owner] = DataKey(
                    owner, max(epochs.get(owner, 0) + 1, now), KeyState.ACTIVE,
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
        with self.engine.connect() as connection:
            missing = rows - _known_lookups(connection, rows)
        if not missing:
            return
        with writing(self.engine) as connection:
            missing -= _known_lookups(connection, missing)
            owners = sorted({owner for _digest, owner in missing})
            alive = _alive(connection, owners)  # whose erasure now waits for this
            for digest, owner in sorted(missing):
                if owner in alive:
                    row = {"digest": digest, "owner": owner}
                    connection.execute(upsert(connection, key_lookups, row))

    def owners_by(self, station: str, mark: str, said: str) -> set[str]:
        """The owners at a station of whom this was ever recorded, and who may be shown.

        A household is named as such, whichever of its keys sealed the text.
        """
        digest = self._digest(f"{station}/", mark, said)
        query = (
            select(key_lookups.c.owner)
            .join(data_keys, data_keys.c.owner == key_lookups.c.owner)
            .where(key_lookups.c.digest == digest, data_keys.c.state == KeyState.ACTIVE)
        )
        with self.engine.connect() as connection:
            found = connection.execute(query).scalars()
            return {owner.removesuffix(FREE_TEXT) for owner in found}

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
            gone = self._destroyed(connection, owners)
        self._settle()
        return gone

    def _destroyed(self, connection: Connection, owners: Collection[str]) -> int:
        gone = 0
        for some in _chunks(owners):
            alive = data_keys.c.owner.in_(some) & data_keys.c.wrapped.is_not(None)
            destroyed = update(data_keys).where(alive).values(state=KeyState.ERASED, wrapped=None)
            gone += connection.execute(destroyed).rowcount
            connection.execute(key_lookups.delete().where(key_lookups.c.owner.in_(some)))
        for owner in sorted(filter(_is_one_person, owners)):
            known = select(data_keys.c.owner).where(data_keys.c.owner == owner).limit(1)
            if connection.execute(known).first() is None:  # the keyring is an older copy
                stone = DataKey(owner, int(time.time()), KeyState.ERASED, b"")
                connection.execute(upsert(connection, data_keys, self._row(stone)))
        return gone

    def lock(self, owners: Collection[str], *, is_locked: bool = True) -> int:
        """Lock (or unlock) what some owners' keys sealed; answers how many keys changed."""
        with writing(self.engine) as connection:
            changed = _locked(connection, owners, is_locked=is_locked)
        self._settle()
        return changed

    def carry_out(self, cause: str, change: KeyState, owners: Collection[str]) -> bool:
        """Give the keys of some owners a state, once a cause; false where it was done.

        To unlock is to undo what the same cause locked, except what another one locks.
        """
        with writing(self.engine) as connection:
            _alone(connection)
            known = {(row.cause, row.change): row.owners for row in _changes(connection)}
            if (cause, change) in known:
                return False
            match change:
                case KeyState.ERASED:
                    self._destroyed(connection, owners)
                case KeyState.LOCKED:
                    _locked(connection, owners, is_locked=True)
                case KeyState.ACTIVE:
                    owners = _locked_by(cause, known)
                    _locked(connection, owners, is_locked=False)
                case _:
                    assert_never(change)
            row = {"cause": cause, "change": change, "owners": json.dumps(sorted(owners))}
            connection.execute(insert(changes).values(row))
        self._settle()
        return True

    def carried_out(self) -> set[tuple[str, KeyState]]:
        """What was carried out: the cause and the state that it gave."""
        with self.engine.connect() as connection:
            return {(row.cause, KeyState(row.change)) for row in _changes(connection)}

    def counts(self) -> dict[str, int]:
        """How many keys are in each state."""
        query = select(data_keys.c.state, func.count()).group_by(data_keys.c.state)
        with self.engine.connect() as connection:
            found = {str(state): count for state, count in connection.execute(query)}
        return {state.value: found.get(state, 0) for state in KeyState}

    def state_of(self, owner: str) -> KeyState | None:
        """The state of an owner's newest key."""
        with self.engine.connect() as connection:
            found = self._read(connection, [owner])
        return found[-1].state if found else None

    def states_of(self, owners: Collection[str]) -> dict[str, KeyState]:
        """The state of each owner's newest key; an owner without one is not named."""
        with self.engine.connect() as connection:
            return {key.owner: key.state for key in self._read(connection, sorted(owners))}

    def _settle(self) -> None:
        """Wait until no process holds what has changed, and leave no copy on the disk."""
        self._forget()
        self._truncate_journal()
        time.sleep(HELD_SECONDS)

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

        A process that has the old one asks for its successor, or refuses from now on.
        """
        with writing(self.engine) as connection:
            _alone(connection)
            self._use_current_master(connection)
            alive = select(data_keys).where(data_keys.c.wrapped.is_not(None))
            keys = self._data_keys(connection.execute(alive))
            for key in keys:
                mine = (data_keys.c.owner == key.owner) & (data_keys.c.epoch == key.epoch)
                wrapped = _wrapped(master, key.secret, f"{key.owner}/{key.epoch}")
                connection.execute(update(data_keys).where(mine).values(wrapped=wrapped))
            wrapped = _wrapped(master, self._index_key, f"setting/{INDEX}")
            connection.execute(update(settings).values(wrapped=wrapped))
        self._master = master
        self._forget()
        self._truncate_journal()
        return len(keys)

    def _index(self) -> bytes:
        """The key of the keyed hashes, made at first; only the right master key opens it."""
        with writing(self.engine) as connection:
            _alone(connection)
            wrapped = connection.execute(select(settings.c.wrapped)).scalar_one_or_none()
            if wrapped is None:
                made = secrets.token_bytes(KEY_BYTES)
                row = {"name": INDEX, "wrapped": _wrapped(self._master, made, f"setting/{INDEX}")}
                connection.execute(insert(settings).values(row))
                return made
            return self._use(wrapped)

    def _use_current_master(self, connection: Connection) -> None:
        """Be sure that the master key is the one that wraps this keyring now.

        :raises MasterKeyReplaced: where it is not, and nobody told this process the new one.
        """
        wrapped = connection.execute(select(settings.c.wrapped)).scalar_one()
        try:
            self._use(wrapped)
        except BadMasterKeyError:
            raise MasterKeyReplaced from None

    def _use(self, wrapped: bytes) -> bytes:
        """Use whichever known master key opens the index key; answers that."""
        for take in (lambda: (self._master,), self._others):
            for master in take():
                with suppress(InvalidTag):
                    opened = _unwrapped(master, wrapped, f"setting/{INDEX}")
                    self._master = master
                    return opened
        raise BadMasterKeyError("主密钥与密钥库不符")

    def _wrap(self, secret: bytes, place: str) -> bytes:
        return _wrapped(self._master, secret, place)

    def _unwrap(self, wrapped: bytes, place: str) -> bytes:
        try:
            return _unwrapped(self._master, wrapped, place)
        except InvalidTag:
            with self.engine.connect() as connection:
                self._use_current_master(connection)
        try:
            return _unwrapped(self._master, wrapped, place)
        except InvalidTag:
            raise DamagedKeyError(place) from None


def _wrapped(master: bytes, secret: bytes, place: str) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(master).encrypt(nonce, secret, place.encode())


def _unwrapped(master: bytes, wrapped: bytes, place: str) -> bytes:
    nonce, box = bytes(wrapped[:NONCE_BYTES]), bytes(wrapped[NONCE_BYTES:])
    return AESGCM(master).decrypt(nonce, box, place.encode())


def _alone(connection: Connection) -> None:
    """Be the only one who makes keys or wraps them anew; SQLite's writers are alone anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": 0x7A48_4B59})


def upsert(connection: Connection, table: Table, row: Mapping[str, object]) -> Any:
    """An insert that leaves a row that is there already as it is."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table).values(row).on_conflict_do_nothing()


Lookup = tuple[str, str]


def _known_lookups(connection: Connection, rows: Collection[Lookup]) -> set[Lookup]:
    found: set[Lookup] = set()
    for some in _chunks({digest for digest, _owner in rows}):
        query = select(key_lookups).where(key_lookups.c.digest.in_(some))
        found |= {(row.digest, row.owner) for row in connection.execute(query)}
    return found


def _alive(connection: Connection, owners: Collection[str]) -> set[str]:
    """The owners with a key, which nobody destroys before this transaction has ended."""
    found: set[str] = set()
    for some in _chunks(owners):
        query = select(data_keys.c.owner).where(
            data_keys.c.owner.in_(some), data_keys.c.state != KeyState.ERASED
        )
        found |= set(connection.execute(query.with_for_update(read=True)).scalars())
    return found


def _locked(connection: Connection, owners: Collection[str], *, is_locked: bool) -> int:
    before, after = KeyState.ACTIVE, KeyState.LOCKED
    if not is_locked:
        before, after = after, before
    changed = 0
    for some in _chunks(owners):
        mine = data_keys.c.owner.in_(some) & (data_keys.c.state == before)
        changed += connection.execute(update(data_keys).where(mine).values(state=after)).rowcount
    return changed


def _changes(connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(select(changes)).all()


def _locked_by(cause: str, known: Mapping[tuple[str, str], str]) -> set[str]:
    """The owners that a cause has locked and no other one keeps locked."""
    locks = {c: set(json.loads(o)) for (c, change), o in known.items() if change == "locked"}
    others = (o for c, o in locks.items() if c != cause and (c, KeyState.ACTIVE) not in known)
    return locks.get(cause, set()).difference(*others)


def _chunks(items: Collection[str]) -> Iterator[list[str]]:
    ordered = sorted(items)
    return (ordered[n : n + CHUNK] for n in range(0, len(ordered), CHUNK))


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
        _alone(connection)
        yield connection


def _prepare_sqlite(connection: object, _record: object) -> None:
    """Overwrite what is deleted, and reach the disk: a lost key is a lost text."""
    execute = connection.execute  # type: ignore[attr-defined]
    execute("PRAGMA secure_delete=ON")
    execute("PRAGMA synchronous=FULL")
