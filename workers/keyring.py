"""Where are the data keys with which personal fields are sealed?

In a database of their own, apart from the log, each wrapped by the master key, which is
in no database. A destroyed key is overwritten; what it sealed stays sealed for ever.
Keys are held in memory until one is destroyed or locked; a destruction is answered once
every process has had to notice, so that none begins to open anything by then.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, assert_never

from cryptography.exceptions import InvalidTag
from sqlalchemy import Connection, func, insert, select, update

from domain.kernel import Refused
from domain.ledger import GroupCommit, Outcome
from domain.owners import FREE_TEXT
from domain.vault import DataKey, KeyState, refuse_unless_active
from projections.direct import add
from projections.store import writing
from workers.held_keys import REAL_TIME, SETTLED_SECONDS, HeldKeys, Pace
from workers.keyring_tables import (
    NEW_KEY,
    alive_among,
    alone,
    begin_generation,
    changes,
    comparable,
    data_keys,
    destroyed,
    generation_now,
    index_key_box,
    is_one_person,
    key_lookups,
    known_lookups,
    locked,
    locked_by,
    newest_states,
    open_tables,
    recorded_changes,
    rows_now,
    settings,
    unwrapped,
    upsert,
    wrapped,
)

KEY_BYTES: Final = 32
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
        others: Callable[[], Collection[bytes]] = tuple, pace: Pace = REAL_TIME,
    ) -> None:
        """Open the keyring, or make an empty one.

        ``others`` answers the master keys that may have replaced this one meanwhile.

        :raises BadMasterKeyError: where another master key wrapped it.
        """
        self.engine = open_tables(database_url)
        self._master, self._others, self._pace = master, others, pace
        self._held = HeldKeys(lambda: generation_now(self.engine), pace.now)
        self._make = GroupCommit[Sequence[str], list[DataKey]](self._made_for, apart=(Refused,))
        try:
            self._index_key = self._index()
        except BaseException:
            self.engine.dispose()
            raise

    @property
    def master(self) -> bytes:
        """The master key that wraps this keyring, as far as this process knows."""
        return self._master

    def close(self) -> None:
        """Forget every key and close every connection."""
        self._held.forget()
        self.engine.dispose()

    # ---- keys ----

    def to_seal(self, owners: Collection[str]) -> Mapping[str, DataKey]:
        """The newest key of each owner, made where there is none.

        :raises PersonErased: for a person whose key was destroyed.
        :raises PersonLocked: for a person whose information is locked.
        """
        generation = self._held.generation()
        keys = self._usable(key for owner in owners for key in self._held.of(owner))
        for read in (self._keys_now, self._make):
            if missing := sorted(set(owners) - set(keys)):
                found = read(missing)
                self._held.hold(generation, found)
                keys |= self._usable(found)
        return keys

    def to_open(self, owner: str, epoch: int) -> DataKey | None:
        """A key, or ``None`` where there never was one."""
        generation = self._held.generation()
        for key in self._held.of(owner):
            if key.epoch == epoch:
                return key
        found = self._keys_now([owner])
        self._held.hold(generation, found)
        return next((key for key in found if key.epoch == epoch), None)

    def generation(self) -> str:
        """What changes with every key that is destroyed or locked, a tenth of a second old at most.

        Whoever keeps something opened has read it before it was kept, and keeps it no longer.
        """
        return self._held.generation()

    def read_ahead(self, owners: Collection[str]) -> None:
        """Have the keys of many owners at hand for the next moment."""
        generation = self._held.generation()
        if missing := self._held.missing(owners):
            self._held.hold(generation, self._keys_now(missing))

    def _keys_now(self, owners: Sequence[str]) -> list[DataKey]:
        """Every key of some owners as the database has them, by epoch."""
        return self._data_keys(rows_now(self.engine, owners))

    def _data_keys(self, rows: Iterable[Sequence[Any]]) -> list[DataKey]:
        return [
            DataKey(
                owner, epoch, KeyState(state),
                self._unwrap(box, f"{owner}/{epoch}") if box else b"",
            )
            for owner, epoch, state, box in rows
        ]

    def _usable(self, keys: Iterable[DataKey]) -> dict[str, DataKey]:
        """The newest key of each owner, where something may be sealed with it."""
        newest = {key.owner: key for key in keys}
        for owner, key in sorted(newest.items()):  # of several, the same one is named each time
            if is_one_person(owner):
                refuse_unless_active(key)
        return {o: key for o, key in newest.items() if key.state is KeyState.ACTIVE}

    def _made_for(self, group: Sequence[Sequence[str]]) -> list[Outcome[list[DataKey]]]:
        """New keys for what several threads are to seal, in one commit."""
        with writing(self.engine) as connection:
            made = self._made(connection, sorted(set().union(*group)))
        return [[made[owner] for owner in owners] for owners in group]

    def _made(self, connection: Connection, owners: Sequence[str]) -> dict[str, DataKey]:
        """A new key for each owner that has none to seal with."""
        alone(connection)
        self._use_current_master(connection)
        known = self._data_keys(rows_now(connection, owners))
        found = self._usable(known)
        epochs, now = {key.owner: key.epoch for key in known}, int(time.time())
        made = [
            DataKey(
                owner, max(epochs.get(owner, 0) + 1, now), KeyState.ACTIVE,
                secrets.token_bytes(KEY_BYTES),
            )
            for owner in owners if owner not in found
        ]
        add(connection, NEW_KEY, [self._row(key) for key in made])
        return found | {key.owner: key for key in made}

    def _row(self, key: DataKey) -> tuple[object, ...]:
        box = wrapped(self._master, key.secret, f"{key.owner}/{key.epoch}")
        return key.owner, key.epoch, key.state.value, box

    # ---- finding ----

    def remember(self, texts: Collection[tuple[DataKey, str, str]]) -> None:
        """Let owners be found by texts (key, mark, text) that identify them."""
        rows = {(self._digest(k.owner, mark, said), k.owner, k.epoch) for k, mark, said in texts}
        if not rows:
            return
        with self.engine.connect() as connection:
            missing = rows - known_lookups(connection, rows)
        if not missing:
            return
        with writing(self.engine) as connection:
            missing -= known_lookups(connection, missing)
            owners = sorted({owner for _digest, owner, _epoch in missing})
            alive = alive_among(connection, owners)  # whose erasure now waits for this
            for digest, owner, epoch in sorted(missing):
                if (owner, epoch) in alive:
                    row = {"digest": digest, "owner": owner, "epoch": epoch}
                    connection.execute(upsert(connection, key_lookups, row))

    def owners_by(self, station: str, mark: str, said: str) -> set[str]:
        """The owners at a station of whom this was ever recorded, and who may be shown.

        A text is found by the key that sealed it: one that is locked is not, although its
        owner has a newer key. A household is named as such, whichever of its keys it was.
        """
        digest = self._digest(f"{station}/", mark, said)
        is_of = (data_keys.c.owner == key_lookups.c.owner) & (
            data_keys.c.epoch == key_lookups.c.epoch
        )
        query = (
            select(key_lookups.c.owner)
            .join(data_keys, is_of)
            .where(key_lookups.c.digest == digest, data_keys.c.state == KeyState.ACTIVE)
        )
        with self.engine.connect() as connection:
            found = connection.execute(query).scalars()
            return {owner.removesuffix(FREE_TEXT) for owner in found}

    def _digest(self, owner: str, mark: str, said: str) -> str:
        station = owner.partition("/")[0]
        return self.fingerprint("\x1f".join((station, mark, comparable(said))).encode())

    def fingerprint(self, content: bytes) -> str:
        """A keyed hash: equal contents have equal ones, and it tells nothing else."""
        return hmac.new(self._index_key, content, hashlib.sha256).hexdigest()

    # ---- erasing and locking ----

    def destroy(self, owners: Collection[str]) -> int:
        """Destroy every key of some owners; answers how many there were.

        Returns when no process holds one of them any more.
        """
        with writing(self.engine) as connection:
            gone = destroyed(connection, owners)
            begin_generation(connection)
        self._settle()
        return gone

    def lock(self, owners: Collection[str], *, is_locked: bool = True) -> int:
        """Lock (or unlock) what some owners' keys sealed; answers how many keys changed."""
        with writing(self.engine) as connection:
            changed = locked(connection, owners, is_locked=is_locked)
            begin_generation(connection)
        self._settle()
        return changed

    def carry_out(self, cause: str, change: KeyState, owners: Collection[str]) -> bool:
        """Give the keys of some owners a state, once a cause; false where it was done.

        To unlock is to undo what the same cause locked, except what another one locks.
        """
        with writing(self.engine) as connection:
            alone(connection)
            known = {(row.cause, row.change): row.owners for row in recorded_changes(connection)}
            if (cause, change) in known:
                return False
            match change:
                case KeyState.ERASED:
                    destroyed(connection, owners)
                case KeyState.LOCKED:
                    locked(connection, owners, is_locked=True)
                case KeyState.ACTIVE:
                    owners = locked_by(cause, known)
                    locked(connection, owners, is_locked=False)
                case _:
                    assert_never(change)
            row = {"cause": cause, "change": change, "owners": json.dumps(sorted(owners))}
            connection.execute(insert(changes).values(row))
            begin_generation(connection)
        self._settle()
        return True

    def carried_out(self) -> set[tuple[str, KeyState]]:
        """What was carried out: the cause and the state that it gave."""
        with self.engine.connect() as connection:
            return {(row.cause, KeyState(row.change)) for row in recorded_changes(connection)}

    def counts(self) -> dict[str, int]:
        """How many keys are in each state."""
        query = select(data_keys.c.state, func.count()).group_by(data_keys.c.state)
        with self.engine.connect() as connection:
            found = {str(state): count for state, count in connection.execute(query)}
        return {state.value: found.get(state, 0) for state in KeyState}

    def state_of(self, owner: str) -> KeyState | None:
        """The state of an owner's newest key."""
        return self.states_of([owner]).get(owner)

    def states_of(self, owners: Collection[str]) -> dict[str, KeyState]:
        """The state of each owner's newest key; an owner without one is not named."""
        with self.engine.connect() as connection:
            return newest_states(connection, owners)

    def _settle(self) -> None:
        """Wait until no process holds what has changed, and leave no copy on the disk."""
        self._held.forget()
        self._truncate_journal()
        self._pace.wait(SETTLED_SECONDS)

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
            alone(connection)
            self._use_current_master(connection)
            alive = select(data_keys).where(data_keys.c.wrapped.is_not(None))
            keys = self._data_keys(connection.execute(alive))
            for key in keys:
                mine = (data_keys.c.owner == key.owner) & (data_keys.c.epoch == key.epoch)
                box = wrapped(master, key.secret, f"{key.owner}/{key.epoch}")
                connection.execute(update(data_keys).where(mine).values(wrapped=box))
            box = wrapped(master, self._index_key, f"setting/{INDEX}")
            connection.execute(update(settings).values(wrapped=box))
            begin_generation(connection)
        self._master = master
        self._held.forget()
        self._truncate_journal()
        return len(keys)

    def _index(self) -> bytes:
        """The key of the keyed hashes, made at first; only the right master key opens it."""
        with writing(self.engine) as connection:
            alone(connection)
            box = index_key_box(connection)
            if box is None:
                made = secrets.token_bytes(KEY_BYTES)
                row = {"name": INDEX, "wrapped": wrapped(self._master, made, f"setting/{INDEX}")}
                connection.execute(insert(settings).values(row))
                return made
            return self._use(box)

    def _use_current_master(self, connection: Connection) -> None:
        """Be sure that the master key is the one that wraps this keyring now.

        :raises MasterKeyReplaced: where it is not, and nobody told this process the new one.
        """
        box = index_key_box(connection)
        assert box is not None, "an opened keyring has a key of the keyed hashes"
        try:
            self._use(box)
        except BadMasterKeyError:
            raise MasterKeyReplaced from None

    def _use(self, box: bytes) -> bytes:
        """Use whichever known master key opens the index key; answers that."""
        for take in (lambda: (self._master,), self._others):
            for master in take():
                with suppress(InvalidTag):
                    opened = unwrapped(master, box, f"setting/{INDEX}")
                    self._master = master
                    return opened
        raise BadMasterKeyError("主密钥与密钥库不符")

    def _unwrap(self, box: bytes, place: str) -> bytes:
        try:
            return unwrapped(self._master, box, place)
        except InvalidTag:
            with self.engine.connect() as connection:
                self._use_current_master(connection)
        try:
            return unwrapped(self._master, box, place)
        except InvalidTag:
            raise DamagedKeyError(place) from None
