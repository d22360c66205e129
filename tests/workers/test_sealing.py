"""Is everything sealed once, in order, whoever seals and whenever he is killed?"""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from desk import Desk
from sqlalchemy.exc import DBAPIError
from tampering import Log

from domain.checkpoint import Checkpoint, leaf_of, signer_of
from domain.ledger import Ledger, StoredRow
from domain.merkle import (
    complete,
    mth,
    path,
    proof,
    verify_consistency,
    verify_inclusion,
)
from domain.signed_note import Signer
from domain.tiles import WIDTH, hashes_in, node_from, tile_of, tiles_of
from workers import sealing, verifying
from workers.sealing import SealBrokenError, Sealer
from workers.seals import Seals
from workers.verifying import verify_log

NOW = datetime(2024, 12, 5, 9, tzinfo=UTC)
SIGNER = signer_of(bytes(range(32)))


@pytest.fixture
def seals(ledger: Ledger, ledger_url: str) -> Iterator[Seals]:
    assert ledger.name
    seals = Seals(ledger_url)
    yield seals
    seals.close()


@pytest.fixture
def noted(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint"


@pytest.fixture
def sealer(ledger: Ledger, seals: Seals, noted: Path) -> Sealer:
    return Sealer(ledger, seals, lambda: SIGNER, noted)


@pytest.fixture
def log(ledger: Ledger, ledger_url: str) -> Log:
    return Log(ledger, ledger_url)


def seal_all(sealer: Sealer) -> None:
    while sealer.seal(NOW):
        pass


def leaves_of(ledger: Ledger) -> list[bytes]:
    return [leaf_of(n) for n in ledger.rows(0, 100_000)]


def verified(log: Log, seals: Seals, *noted: Checkpoint) -> list[tuple[str, int]]:
    found = verify_log(log.ledger, seals, SIGNER.verifier, noted)
    assert found.is_ok == (not found.faults)
    return [(fault.code, fault.position) for fault in found.faults]


# ---- sealing ----


def test_an_empty_log_has_no_checkpoint(sealer: Sealer, seals: Seals, log: Log) -> None:
    assert sealer.seal(NOW) is False
    assert seals.newest() is None
    assert sealer.state().alarm is None
    assert verified(log, seals) == []


def test_a_log_sealed_in_steps_is_the_tree_of_its_leaves(
    sealer: Sealer, seals: Seals, log: Log
) -> None:
    # given checkpoints at many sizes around the edges of tiles
    sizes = []
    for count in (1, 1, 253, 1, 1, 255, 300, 700, 17, 256):
        log.append(count)
        seal_all(sealer)
        sizes.append(log.count)
    leaves = leaves_of(log.ledger)
    positions = [n[0] for n in log.ledger.rows(0, 10_000)]

    def naive(height: int, index: int) -> bytes:
        return complete(leaves[index << height : (index + 1) << height])

    # then each is signed, and is the root over the leaves that were there
    kept = seals.checkpoints_from(0, 100)
    assert [s.size for s in kept] == sizes
    for sealed in kept:
        checkpoint = Checkpoint.opened(sealed.note, SIGNER.verifier)
        assert (checkpoint.size, checkpoint.root) == (sealed.size, mth(sealed.size, naive))
        assert sealed.position == positions[sealed.size - 1]
        assert sealed.sealed_at == NOW
        # and every tile of its tree can be given
        for tile in tiles_of(sealed.size):
            assert len(seals.hashes(tile.level, tile.index, sealed.size)) == 32 * tile.width
        node = node_from(seals.reader(sealed.size))
        for index in {0, sealed.size // 2, sealed.size - 1}:
            found = path(index, sealed.size, node)
            assert verify_inclusion(index, sealed.size, leaves[index], found, checkpoint.root)
    # and each goes on from the one before
    node = node_from(seals.reader(sizes[-1]))
    roots = {size: mth(size, naive) for size in sizes}
    for first, size in itertools.pairwise(sizes):
        node = node_from(seals.reader(size))
        found = proof(first, size, node)
        assert verify_consistency(first, size, found, roots[first], roots[size])
    assert verified(log, seals) == []


def test_nothing_new_makes_no_checkpoint(sealer: Sealer, seals: Seals, log: Log) -> None:
    log.append(3)
    seal_all(sealer)
    assert sealer.seal(NOW) is False
    assert len(seals.checkpoints()) == 1


def test_what_is_recorded_while_a_sealer_signs_is_left_for_the_next_time(
    ledger: Ledger, seals: Seals, noted: Path, log: Log
) -> None:
    def sign_while_somebody_records() -> Signer:
        log.append(1)
        return SIGNER

    log.append(3)
    sealer = Sealer(ledger, seals, sign_while_somebody_records, noted)
    assert sealer.seal(NOW) is False
    assert sealer.state().unsealed > 0


def test_a_tree_of_three_levels(
    sealer: Sealer, seals: Seals, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "MOST", 30_000)
    log.append(WIDTH * WIDTH + 300)
    seal_all(sealer)
    assert [s.size for s in seals.checkpoints_from(0, 9)] == [30_000, 60_000, 65_836]
    assert tile_of(65_836, 2, 0) is not None
    assert len(seals.hashes(2, 0, 65_836)) == 32
    assert verified(log, seals) == []


def test_only_the_last_tile_and_new_events_are_read(
    sealer: Sealer, seals: Seals, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(20_000)
    seal_all(sealer)
    log.append(5)
    read: list[int] = []
    rows = log.ledger.rows

    def reading(after: int, limit: int) -> list[StoredRow]:
        found = rows(after, limit)
        read.extend(n[0] for n in found)
        return found

    monkeypatch.setattr(log.ledger, "rows", reading)
    assert sealer.seal(NOW) is False
    assert len(read) <= WIDTH + 5
    assert [s.size for s in seals.checkpoints(limit=1)] == [20_005]


def test_sealers_at_once_make_one_chain(
    seals: Seals, log: Log, noted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "MOST", 100)
    log.append(3_000)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            seal_all(Sealer(log.ledger, seals, lambda: SIGNER, noted))
        except BaseException as error:  # noqa: BLE001 - looked at below
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [s.size for s in seals.checkpoints_from(0, 100)] == list(range(100, 3_001, 100))
    assert verified(log, seals) == []


def test_a_sealer_that_was_overtaken_adds_nothing(
    sealer: Sealer, seals: Seals, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(10)
    add = seals.add

    def overtaken(*arguments: object) -> bool:
        monkeypatch.setattr(seals, "add", add)
        log.append(5)
        seal_all(sealer)
        return add(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(seals, "add", overtaken)
    sealer.seal(NOW)
    assert [s.size for s in seals.checkpoints_from(0, 9)] == [15]
    assert verified(log, seals) == []


def test_the_database_refuses_to_change_what_was_sealed(
    sealer: Sealer, seals: Seals, log: Log
) -> None:
    log.append(300)
    seal_all(sealer)
    for statement in (
        "UPDATE log_tiles SET root = root", "DELETE FROM log_tiles",
        "UPDATE log_checkpoints SET note = note", "DELETE FROM log_checkpoints",
    ):
        with pytest.raises(DBAPIError, match="append-only"), seals.engine.begin() as connection:
            connection.exec_driver_sql(statement)


def test_the_newest_checkpoint_is_noted_outside_the_database(
    sealer: Sealer, seals: Seals, log: Log, noted: Path
) -> None:
    for _ in range(2):
        log.append(3)
        seal_all(sealer)
        (newest, *_earlier) = seals.checkpoints()
        assert noted.read_text(encoding="utf-8") == newest.note
        assert sealer.noted() == Checkpoint.opened(newest.note, SIGNER.verifier)


# ---- what is not signed any more ----

def refused(sealer: Sealer, log: Log, seals: Seals, about: str) -> None:
    """Sealing goes no further, and says so to whoever asks."""
    before = seals.checkpoints()
    log.append(5)
    with pytest.raises(SealBrokenError, match=about):
        sealer.seal(NOW)
    assert seals.checkpoints() == before
    assert about in (sealer.state().alarm or "")


@pytest.mark.parametrize("count", [100, 256, 300])
def test_a_change_of_the_last_tile_stops_the_sealing(
    sealer: Sealer, seals: Seals, log: Log, count: int
) -> None:
    log.append(count)
    seal_all(sealer)
    log.change(f"= {count - 3}")
    refused(sealer, log, seals, f"位置 {count - 3} ")


def test_a_cut_off_tail_stops_the_sealing(sealer: Sealer, seals: Seals, log: Log) -> None:
    log.append(300)
    seal_all(sealer)
    log.remove("> 295")
    assert "不见了" in (sealer.state().alarm or "")
    refused(sealer, log, seals, "位置")


def test_changed_hashes_stop_the_sealing(sealer: Sealer, seals: Seals, log: Log) -> None:
    log.append(600)
    seal_all(sealer)
    log.set_tile(0, bytes(8192), bytes(32))
    refused(sealer, log, seals, "散列")


def test_another_key_stops_the_sealing(seals: Seals, log: Log, sealer: Sealer, noted: Path) -> None:
    log.append(3)
    seal_all(sealer)
    noted.unlink()
    refused(Sealer(log.ledger, seals, lambda: signer_of(bytes(32)), noted), log, seals, "检查点")


def test_an_older_copy_of_everything_is_told_by_the_note(
    sealer: Sealer, seals: Seals, log: Log, noted: Path
) -> None:
    log.append(300)
    seal_all(sealer)
    log.append(300)
    seal_all(sealer)
    # given the database as it was at 300
    log.remove("> 300")
    log.unseal(300)
    log.count = 300
    assert "旧的副本" in (sealer.state().alarm or "")
    # then it is not sealed while it is shorter, nor when it has grown beyond the note
    with pytest.raises(SealBrokenError, match="旧的副本"):
        sealer.seal(NOW)
    log.append(400)
    refused(sealer, log, seals, "数据库外")
    # and without the note nobody could tell
    noted.unlink()
    assert sealer.state().alarm is None


def test_checkpoints_that_were_lost_are_made_again_from_the_note(
    sealer: Sealer, seals: Seals, log: Log
) -> None:
    log.append(300)
    seal_all(sealer)
    log.append(300)
    seal_all(sealer)
    log.unseal(300)
    log.append(50)
    seal_all(sealer)
    assert [s.size for s in seals.checkpoints_from(0, 9)] == [300, 600, 650]
    assert verified(log, seals) == []


# ---- verifying ----


@pytest.fixture
def sealed(sealer: Sealer, log: Log) -> Log:
    """A log of 1,200 events with a checkpoint every 300, and ten that are not sealed."""
    for _ in range(4):
        log.append(300)
        seal_all(sealer)
    log.append(10)
    return log


def test_a_log_that_nobody_touched_is_as_it_was_sealed(sealed: Log, seals: Seals) -> None:
    found = verify_log(sealed.ledger, seals, SIGNER.verifier)
    assert (found.events, found.sealed, found.checkpoints) == (1_210, 1_200, 4)
    assert found.is_ok


@pytest.mark.parametrize("position", [1, 256, 257, 700, 1_200])
def test_one_changed_byte_is_named(sealed: Log, seals: Seals, position: int) -> None:
    sealed.change(f"= {position}")
    assert verified(sealed, seals) == [("changed", position)]


@pytest.mark.parametrize("change", [
    "originator_id = 'other/visit/v'", "originator_version = 7", "topic = 'visit.recorded2'",
])
def test_any_column_is_covered(sealed: Log, seals: Seals, change: str) -> None:
    sealed.set(change, "= 40")
    assert verified(sealed, seals) == [("changed", 40)]


@pytest.mark.parametrize("position", [1, 256, 700, 1_199])
def test_a_removed_row_is_named(sealed: Log, seals: Seals, position: int) -> None:
    sealed.remove(f"= {position}")
    assert verified(sealed, seals) == [("missing", position)]


def test_swapped_rows_are_named(sealed: Log, seals: Seals) -> None:
    sealed.move((500, 9_999), (900, 500), (9_999, 900))
    assert verified(sealed, seals) == [("changed", 500), ("changed", 900)]


def test_a_cut_off_tail_is_named(sealed: Log, seals: Seals) -> None:
    sealed.remove("> 1150")
    assert verified(sealed, seals) == [("cut_off", 1_151)]


def test_an_emptied_log_is_named(sealed: Log, seals: Seals) -> None:
    sealed.remove()
    assert verified(sealed, seals) == [("cut_off", 1)]


def test_a_row_that_was_put_in_is_named(sealed: Log, seals: Seals) -> None:
    sealed.remove("= 40")
    sealed.move((1_204, 40))
    assert verified(sealed, seals) == [("changed", 40)]  # in the place of another
    sealed.remove("= 40")
    assert verified(sealed, seals) == [("missing", 40)]


def test_a_change_hidden_in_the_tiles_is_caught_by_the_checkpoint(
    sealed: Log, seals: Seals
) -> None:
    # given somebody who changed a row and knows how the tiles are made
    sealed.change("= 700")
    tile = seals.tile(0, 2)
    assert tile
    changed = leaf_of(sealed.ledger.rows(699, 1)[0])
    at = (699 - 512) * 32
    hashes = tile.hashes[:at] + changed + tile.hashes[at + 32 :]
    root = complete(hashes_in(hashes))
    sealed.set_tile(2, hashes, root)
    # then the first checkpoint over it differs: the change is after the one before
    assert verified(sealed, seals) == [("root", 601)]


def test_changed_hashes_alone_are_named_as_such(sealed: Log, seals: Seals) -> None:
    tile = seals.tile(0, 1)
    assert tile
    sealed.set_tile(1, tile.hashes, bytes(32))
    assert verified(sealed, seals) == [("tile", 257)]


def test_a_changed_checkpoint_is_named(sealed: Log, seals: Seals) -> None:
    sealed.tamper("UPDATE log_checkpoints SET note = replace(note, '600', '601') WHERE size = 600")
    assert verified(sealed, seals) == [("checkpoint", 600)]


def test_a_log_without_any_checkpoint_is_no_verified_log(
    sealed: Log, seals: Seals, sealer: Sealer
) -> None:
    noted = sealer.noted()
    assert noted
    sealed.change("= 5")
    sealed.tamper("DELETE FROM log_tiles", "DELETE FROM log_checkpoints")
    assert verified(sealed, seals) == [("nothing_sealed", 1)]
    assert verified(sealed, seals, noted) == [("root", 1)]


@pytest.mark.parametrize("wrong", ["9000", "255", "NULL"])
def test_a_tile_that_ends_elsewhere_is_named(sealed: Log, seals: Seals, wrong: str) -> None:
    sealed.tamper(f"UPDATE log_tiles SET last_position = {wrong} WHERE level = 0 AND number = 0")
    assert verified(sealed, seals) == [("position", 256)]
    sealed.tamper("UPDATE log_tiles SET last_position = 2 WHERE level = 0 AND number = 2")
    assert verified(sealed, seals) == [("position", 256), ("position", 768)]


@pytest.mark.parametrize(("size", "wrong"), [(600, 0), (600, 601), (1_200, 1_210)])
def test_a_checkpoint_that_ends_elsewhere_is_named(
    sealed: Log, seals: Seals, size: int, wrong: int
) -> None:
    sealed.tamper(f"UPDATE log_checkpoints SET position = {wrong} WHERE size = {size}")
    assert verified(sealed, seals) == [("position", size)]


def test_a_wrong_end_is_named_beside_other_changes(
    sealed: Log, seals: Seals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "PAGE", 100)
    sealed.change("= 5")
    sealed.remove("= 300")
    sealed.tamper("UPDATE log_tiles SET last_position = 1 WHERE level = 0 AND number IN (0, 2)")
    assert verified(sealed, seals) == [
        ("changed", 5), ("position", 256), ("missing", 300), ("position", 768),
    ]


def test_an_older_copy_with_its_checkpoints_needs_a_note_from_outside(
    sealed: Log, seals: Seals, sealer: Sealer
) -> None:
    noted = sealer.noted()
    assert noted
    assert noted.size == 1_200
    sealed.remove("> 900")
    sealed.unseal(900)
    assert verified(sealed, seals) == []  # nothing in it contradicts itself
    assert verified(sealed, seals, noted) == [("older_copy", 901)]
    # and when it has grown beyond the note
    sealed.append(400)
    assert verified(sealed, seals, noted) == [("root", 901)]


def test_a_note_agrees_with_any_later_log(sealed: Log, seals: Seals) -> None:
    notes = [Checkpoint.opened(s.note, SIGNER.verifier) for s in seals.checkpoints()]
    assert verified(sealed, seals, *notes) == []
    # also one that is ahead of the checkpoints in the database
    sealed.unseal(900)
    assert verified(sealed, seals, *notes) == []


@pytest.mark.parametrize("seed", range(4))
def test_many_changes_at_once_are_all_named(
    sealed: Log, seals: Seals, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "PAGE", 100)
    chosen = sorted(random.Random(seed).sample(range(2, 1_200, 3), 12))
    removed, changed = chosen[::2], chosen[1::2]
    sealed.remove(f"IN ({','.join(map(str, removed))})")
    sealed.change(f"IN ({','.join(map(str, changed))})")
    expected = [("missing", p) for p in removed] + [("changed", p) for p in changed]
    assert sorted(verified(sealed, seals)) == sorted(expected)


def test_a_long_stretch_that_is_missing_is_one_fault(
    sealed: Log, seals: Seals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "PAGE", 300)
    sealed.remove("BETWEEN 120 AND 1000")
    found = verify_log(sealed.ledger, seals, SIGNER.verifier).faults
    assert {fault.code for fault in found} == {"missing"}
    assert found[0].position == 120
    assert sum(int(f.detail.split("缺 ")[1].split(" ")[0]) for f in found) == 881


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # SQLite leaves no gaps
def test_a_gap_between_positions_is_no_fault(sealer: Sealer, seals: Seals, log: Log) -> None:
    log.append(10)
    with psycopg.connect(log.url, autocommit=True) as connection:  # as a failed append does
        connection.execute("SELECT nextval('taizhang_events_notification_id_seq')")
    log.append(400)
    seal_all(sealer)
    (newest,) = seals.checkpoints()
    assert (newest.size, newest.position) == (410, 411)
    assert verified(log, seals) == []
    log.remove("= 300")
    assert verified(log, seals) == [("missing", 300)]
    # and a row that is put into the gap is
    log.move((411, 11))
    assert verified(log, seals)[0] == ("added", 11)


def test_a_station_of_its_own(desk: Desk, seals: Seals, sealer: Sealer) -> None:
    """Given events as the desk records them, when they are sealed, then all are as sealed."""
    desk.household("h1", "a", "b")
    seal_all(sealer)
    assert verify_log(desk.ledger, seals, SIGNER.verifier).is_ok
