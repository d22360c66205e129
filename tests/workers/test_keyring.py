"""Are keys made once, destroyed for good, and found by what they sealed?"""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from stage import ROOT

from domain.vault import DataKey, KeyState, PersonErased, PersonLocked
from projections.store import writing
from workers.held_keys import HELD_SECONDS, HeldKeys, Pace
from workers.keyring import BadMasterKeyError, DamagedKeyError, Keyring, MasterKeyReplaced
from workers.keyring_tables import data_keys, key_lookups

MASTER, OTHER = bytes(32), bytes(31) + b"\1"
PERSON, HOUSEHOLD = "s/person/p1", "s/household/h1"


@pytest.fixture
def url(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    if database == "sqlite":
        return f"sqlite:///{tmp_path}/keys.sqlite3"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def opened(url: str) -> Iterator[Callable[..., Keyring]]:
    """Opens the keyring, as one of several processes does."""
    found: list[Keyring] = []

    def another(master: bytes = MASTER, **more: Any) -> Keyring:
        found.append(Keyring(url, master, **more))
        return found[-1]

    yield another
    for keyring in found:
        keyring.close()


@pytest.fixture
def keyring(opened: Callable[..., Keyring]) -> Keyring:
    return opened()


# ---- making ----


def test_a_key_is_made_once_and_kept(keyring: Keyring, opened: Callable[..., Keyring]) -> None:
    made = keyring.to_seal([PERSON, HOUSEHOLD])
    assert made == opened().to_seal([HOUSEHOLD, PERSON])
    assert made[PERSON].secret != made[HOUSEHOLD].secret
    assert keyring.to_open(PERSON, made[PERSON].epoch) == made[PERSON]
    assert keyring.to_open(PERSON, 1) is None


def _seal(url: str, ready: Any, answers: Any) -> None:
    keyring = Keyring(url, MASTER)
    ready.wait()
    answers.put({o: k.secret for o, k in keyring.to_seal([f"s/person/p{n}" for n in range(50)]).items()})
    keyring.close()


@pytest.mark.slow
def test_processes_that_need_a_new_owner_s_key_at_once_get_the_same(
    url: str, keyring: Keyring
) -> None:
    context = multiprocessing.get_context("spawn")
    ready, answers = context.Barrier(3), context.Queue()
    processes = [context.Process(target=_seal, args=(url, ready, answers)) for _ in range(2)]
    for process in processes:
        process.start()
    ready.wait(60)
    one, other = answers.get(timeout=60), answers.get(timeout=60)
    for process in processes:
        process.join(60)
    assert one == other
    assert len(set(one.values())) == 50
    assert {o: k.secret for o, k in keyring.to_seal(list(one)).items()} == one


KILLED = """
import sys, os, signal
from workers.keyring import Keyring
keyring = Keyring(sys.argv[1], bytes(32))
keyring.to_seal(["s/person/p1"])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_key_outlives_whoever_made_it_and_died_before_the_append(
    url: str, keyring: Keyring
) -> None:
    died = subprocess.run([sys.executable, "-c", KILLED, url], cwd=ROOT, check=False)
    assert died.returncode == -signal.SIGKILL
    assert keyring.state_of(PERSON) is KeyState.ACTIVE
    assert keyring.to_seal([PERSON])[PERSON].secret


# ---- the master key ----


def test_another_master_key_opens_nothing(
    keyring: Keyring, opened: Callable[..., Keyring]
) -> None:
    keyring.to_seal([PERSON])
    with pytest.raises(BadMasterKeyError):
        opened(OTHER)


def test_a_key_moved_to_another_owner_does_not_open(keyring: Keyring) -> None:
    key = keyring.to_seal([PERSON])[PERSON]
    with writing(keyring.engine) as connection:
        wrapped = connection.execute(select(data_keys.c.wrapped)).scalar_one()
        row = {"owner": "s/person/p2", "epoch": key.epoch, "state": "active", "wrapped": wrapped}
        connection.execute(insert(data_keys).values(row))
    with pytest.raises(DamagedKeyError):
        keyring.to_open("s/person/p2", key.epoch)


def test_wrapping_anew_keeps_every_key_and_hash(
    keyring: Keyring, opened: Callable[..., Keyring]
) -> None:
    made, hashed = keyring.to_seal([PERSON, HOUSEHOLD]), keyring.fingerprint(b"x")
    assert keyring.rewrap(OTHER) == 2
    again = opened(OTHER)
    assert again.to_seal([PERSON, HOUSEHOLD]) == made == keyring.to_seal([PERSON, HOUSEHOLD])
    assert again.fingerprint(b"x") == hashed
    with pytest.raises(BadMasterKeyError):
        opened(MASTER)


def test_a_process_with_the_old_master_key_refuses_or_takes_the_new_one(
    keyring: Keyring, opened: Callable[..., Keyring]
) -> None:
    made = keyring.to_seal([PERSON])
    untold, told = opened(), opened(others=lambda: (OTHER,))
    keyring.rewrap(OTHER)
    time.sleep(0.15)
    assert told.to_seal([PERSON]) == made
    with pytest.raises(MasterKeyReplaced):
        untold.to_seal([PERSON])
    with pytest.raises(MasterKeyReplaced):  # and makes no key that nobody else could open
        untold.to_seal(["s/person/p9"])
    assert told.to_seal(["s/person/p9"]) == keyring.to_seal(["s/person/p9"])


def test_wrapping_anew_is_all_or_nothing(
    keyring: Keyring, opened: Callable[..., Keyring]
) -> None:
    made = keyring.to_seal([PERSON, HOUSEHOLD])
    with writing(keyring.engine) as connection:
        damaged = update(data_keys).where(data_keys.c.owner == PERSON).values(wrapped=b"x" * 60)
        connection.execute(damaged)
    with pytest.raises(DamagedKeyError):
        keyring.rewrap(OTHER)
    assert opened(MASTER).to_seal([HOUSEHOLD])[HOUSEHOLD] == made[HOUSEHOLD]


# ---- finding ----


def test_remembering_twice_is_remembering_once(keyring: Keyring) -> None:
    person, household = PERSON, f"{HOUSEHOLD}#text"
    keys = keyring.to_seal([person, household])
    for _ in range(2):
        keyring.remember([(keys[person], "name", "测试甲"), (keys[household], "phone", "138 0000-0000")])
    assert keyring.owners_by("s", "name", "测试甲") == {PERSON}
    assert keyring.owners_by("s", "phone", "13800000000") == {HOUSEHOLD}
    with keyring.engine.connect() as connection:
        assert len(connection.execute(select(key_lookups)).all()) == 2


@pytest.mark.parametrize(("station", "mark", "said"), [
    ("s2", "name", "测试甲"), ("s", "phone", "测试甲"), ("s", "name", "测试"), ("s", "name", "%"),
])
def test_only_the_same_is_found(keyring: Keyring, station: str, mark: str, said: str) -> None:
    key = keyring.to_seal([PERSON])[PERSON]
    keyring.remember([(key, "name", "测试甲")])
    assert keyring.owners_by(station, mark, said) == set()


def test_nobody_is_found_after_being_erased_or_while_locked(keyring: Keyring) -> None:
    key = keyring.to_seal([PERSON])[PERSON]
    keyring.remember([(key, "name", "测试甲")])
    keyring.lock([PERSON])
    assert keyring.owners_by("s", "name", "测试甲") == set()
    keyring.lock([PERSON], is_locked=False)
    assert keyring.owners_by("s", "name", "测试甲") == {PERSON}
    keyring.destroy([PERSON])
    keyring.remember([(key, "name", "测试甲")])  # by whoever was on his way meanwhile
    assert keyring.owners_by("s", "name", "测试甲") == set()
    with keyring.engine.connect() as connection:
        assert connection.execute(select(key_lookups)).all() == []


def test_a_locked_text_is_not_found_by_the_newer_key_of_its_owner(keyring: Keyring) -> None:
    # given a household whose phone was sealed with a key that is locked now
    owner = f"{HOUSEHOLD}#text"
    first = keyring.to_seal([owner])[owner]
    keyring.remember([(first, "phone", "13800000001"), (first, "phone", "13800000002")])
    keyring.lock([owner])
    # when another of its phones is recorded, with a new key
    second = keyring.to_seal([owner])[owner]
    assert second.epoch != first.epoch
    keyring.remember([(second, "phone", "13800000002"), (second, "phone", "13800000003")])
    # then only what was recorded since is found
    found = [keyring.owners_by("s", "phone", f"1380000000{n}") for n in (1, 2, 3)]
    assert found == [set(), {HOUSEHOLD}, {HOUSEHOLD}]
    # and all of it once it is unlocked
    keyring.lock([owner], is_locked=False)
    assert keyring.owners_by("s", "phone", "13800000001") == {HOUSEHOLD}


def test_lookups_that_were_kept_without_an_epoch_get_that_of_the_first_key(
    keyring: Keyring, opened: Callable[..., Keyring]
) -> None:
    key = keyring.to_seal([PERSON])[PERSON]
    keyring.remember([(key, "name", "测试甲")])
    with writing(keyring.engine) as connection:
        for statement in (
            "CREATE TABLE older (digest VARCHAR(64), owner TEXT, PRIMARY KEY (digest, owner))",
            "INSERT INTO older SELECT digest, owner FROM key_lookups",
            "DROP TABLE key_lookups", "ALTER TABLE older RENAME TO key_lookups",
        ):
            connection.exec_driver_sql(statement)
    keyring.close()
    again = opened()
    assert again.owners_by("s", "name", "测试甲") == {PERSON}
    again.lock([PERSON])
    assert again.owners_by("s", "name", "测试甲") == set()


# ---- destroying ----


def test_no_other_process_opens_anything_once_a_destruction_is_answered(
    keyring: Keyring, opened: Callable[..., Keyring]
) -> None:
    key = keyring.to_seal([PERSON])[PERSON]
    other = opened()
    assert other.to_open(PERSON, key.epoch) == key
    assert other.to_seal([PERSON])
    keyring.destroy([PERSON])
    gone = other.to_open(PERSON, key.epoch)
    assert gone is not None
    assert (gone.state, gone.secret) == (KeyState.ERASED, b"")
    with pytest.raises(PersonErased):
        other.to_seal([PERSON])


class Moved:
    """Time that passes only where it is waited for; ``meanwhile`` happens all along."""

    def __init__(self) -> None:
        self.at, self.meanwhile = 1_000.0, list[Callable[[], None]]()

    def wait(self, seconds: float) -> None:
        end = self.at + seconds
        while self.at < end:
            for happens in self.meanwhile:
                happens()
            self.at += HELD_SECONDS / 100


def test_a_destruction_is_answered_as_long_again_after_the_longest_lease(
    opened: Callable[..., Keyring]
) -> None:
    clock = Moved()
    keyring, other = (opened(pace=Pace(lambda: clock.at, clock.wait)) for _ in range(2))
    key, used = keyring.to_seal([PERSON])[PERSON], list[float]()

    def use() -> None:
        found = other.to_open(PERSON, key.epoch)
        if found and found.secret:
            used.append(clock.at)

    use()  # the longest lease: asked in the moment before the destruction
    clock.meanwhile.append(use)
    keyring.destroy([PERSON])
    assert 0 < max(used) - 1_000 < HELD_SECONDS
    assert clock.at - max(used) >= HELD_SECONDS


def test_keys_are_held_until_the_keyring_changes(
    keyring: Keyring, opened: Callable[..., Keyring]
) -> None:
    key, other = keyring.to_seal([PERSON])[PERSON], opened()
    assert other.to_open(PERSON, key.epoch) == key
    with writing(keyring.engine) as connection:  # behind the keyring's back
        connection.execute(update(data_keys).values(wrapped=b"x" * 60))
    time.sleep(2 * HELD_SECONDS)
    assert other.to_open(PERSON, key.epoch) == other.to_seal([PERSON])[PERSON] == key
    keyring.lock([HOUSEHOLD])
    with pytest.raises(DamagedKeyError):
        other.to_open(PERSON, key.epoch)


def test_what_was_read_before_a_change_is_not_held_after_it() -> None:
    key = DataKey(PERSON, 1, KeyState.ACTIVE, bytes(32))
    generations = iter(["before", "after"])
    held = HeldKeys(lambda: next(generations))
    before = held.generation()
    held.forget()
    after = held.generation()
    held.hold(before, [key])
    assert held.of(PERSON) == ()
    held.hold(after, [key])
    assert held.of(PERSON) == (key,)


OPENING = """
import sys, time
from domain.vault import KeyState
from workers.keyring import Keyring
keyring, epoch = Keyring(sys.argv[1], bytes(32)), int(sys.argv[2])
while True:
    began = time.monotonic()
    if keyring.to_open("s/person/p1", epoch).state is KeyState.ERASED:
        break
    last = began
    print("opened", flush=True)
    time.sleep(0.001)
print(last)
"""


@pytest.mark.slow
def test_a_process_that_holds_a_key_for_long_does_not_once_its_destruction_is_answered(
    url: str, keyring: Keyring
) -> None:
    key = keyring.to_seal([PERSON])[PERSON]
    command = [sys.executable, "-c", OPENING, url, str(key.epoch)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert [child.stdout.readline() for _ in range(300)] == ["opened\n"] * 300
        keyring.destroy([PERSON])
        answered = time.monotonic()  # the same clock in every process
        *_, last = child.stdout
    assert float(last) < answered


def test_threads_that_need_new_keys_at_once_get_each_their_own(keyring: Keyring) -> None:
    keyring.destroy([PERSON])
    owners = [f"s/group/g{n}" for n in range(40)]

    def sealing(owner: str) -> bytes | None:
        try:
            return keyring.to_seal([owner])[owner].secret
        except PersonErased:
            return None

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(sealing, [*owners[:20], PERSON, *owners[20:]]))
    assert found[20] is None
    assert len(set(found)) == 41
    assert {o: k.secret for o, k in keyring.to_seal(owners).items()} == dict(
        zip(owners, found[:20] + found[21:], strict=True)
    )


def test_a_destroyed_key_is_nowhere_in_the_file(tmp_path: Path) -> None:
    keyring = Keyring(f"sqlite:///{tmp_path}/keys.sqlite3", MASTER)
    keyring.to_seal([PERSON])
    with keyring.engine.connect() as connection:
        wrapped = bytes(connection.execute(select(data_keys.c.wrapped)).scalar_one())
    assert any(wrapped in file.read_bytes() for file in tmp_path.iterdir())
    keyring.destroy([PERSON])
    assert not any(wrapped in file.read_bytes() for file in tmp_path.iterdir())
    keyring.close()


def test_a_person_without_a_key_is_erased_too(keyring: Keyring) -> None:
    keyring.destroy([PERSON, HOUSEHOLD])
    with pytest.raises(PersonErased):
        keyring.to_seal([PERSON])
    assert keyring.to_seal([HOUSEHOLD])


def test_thousands_of_owners_at_once(keyring: Keyring) -> None:
    owners = [f"s/person/p{n}" for n in range(1_000)]
    assert len(keyring.to_seal(owners)) == 1_000
    assert keyring.destroy(owners) == 1_000
    assert keyring.counts() == {"active": 0, "locked": 0, "erased": 1_000}


# ---- once a cause ----


def test_a_change_is_carried_out_once(keyring: Keyring) -> None:
    keyring.to_seal([HOUSEHOLD])
    assert keyring.carry_out("e1", KeyState.ERASED, [HOUSEHOLD])
    again = keyring.to_seal([HOUSEHOLD])[HOUSEHOLD]
    assert not keyring.carry_out("e1", KeyState.ERASED, [HOUSEHOLD])
    assert keyring.to_open(HOUSEHOLD, again.epoch) == again
    assert keyring.carried_out() == {("e1", KeyState.ERASED)}


def test_unlocking_leaves_locked_what_another_cause_locks(keyring: Keyring) -> None:
    keyring.to_seal(["s/person/p1", "s/person/p2", HOUSEHOLD])
    keyring.carry_out("e1", KeyState.LOCKED, ["s/person/p1", HOUSEHOLD])
    keyring.carry_out("e2", KeyState.LOCKED, ["s/person/p2", HOUSEHOLD])
    keyring.carry_out("e1", KeyState.ACTIVE, [])
    assert keyring.state_of("s/person/p1") is KeyState.ACTIVE
    assert keyring.state_of(HOUSEHOLD) is KeyState.LOCKED
    keyring.carry_out("e2", KeyState.ACTIVE, [])
    assert keyring.state_of(HOUSEHOLD) is KeyState.ACTIVE
    keyring.carry_out("e3", KeyState.LOCKED, ["s/person/p2"])
    with pytest.raises(PersonLocked):
        keyring.to_seal(["s/person/p2"])
