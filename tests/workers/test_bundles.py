"""Does a bundle prove a station's events to somebody who has nothing but the file and a key?"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from desk import STATION, Desk
from tampering import Log, members, rewritten

from domain.bundle import (
    CHECKPOINT,
    EVENTS,
    LEAVES,
    MANIFEST,
    NEEDED,
    PROOF,
    SIGNATURE,
    opened_bundle,
    verify_bundle,
)
from domain.checkpoint import signer_of
from domain.kernel import Refused
from domain.ledger import Ledger
from domain.visit import VISIT, VisitRecorded
from workers.bundles import Asked, write_bundle
from workers.sealing import Sealer
from workers.seals import Seals

NOW = datetime(2024, 12, 5, 9, tzinfo=UTC)
SIGNER = signer_of(bytes(range(32)))
KEY = SIGNER.verifier
Write = Callable[..., Path]


@pytest.fixture
def seals(ledger: Ledger, ledger_url: str) -> Iterator[Seals]:
    assert ledger.name
    seals = Seals(ledger_url)
    yield seals
    seals.close()


@pytest.fixture
def log(ledger: Ledger, ledger_url: str, seals: Seals, tmp_path: Path) -> Log:
    """A log of two stations whose events take turns, sealed."""
    log = Log(ledger, ledger_url)
    for count, station in ((3, STATION), (500, "other"), (300, STATION), (7, "other")):
        log.append(count, station)
    seal(log, seals, tmp_path)
    return log


def seal(log: Log, seals: Seals, folder: Path) -> None:
    while Sealer(log.ledger, seals, lambda: SIGNER, folder / "checkpoint").seal(NOW):
        pass


@pytest.fixture
def write(log: Log, seals: Seals, tmp_path: Path) -> Write:
    def write(station: str = STATION, name: str = "b.zip", **asked: date) -> Path:
        target = tmp_path / name
        write_bundle(target, Asked(station, **asked), log.ledger, seals, signer=SIGNER)
        return target

    return write


def faults(file: Path) -> list[tuple[str, int]]:
    _manifest, verdict = verify_bundle(file, KEY)
    assert verdict.is_ok == (not verdict.faults)
    return [(fault.code, fault.position) for fault in verdict.faults]


def refused(file: Path, problem: str, code: str = "bad_bundle") -> None:
    with pytest.raises(Refused) as refusal:
        verify_bundle(file, KEY)
    assert refusal.value.code == code
    assert problem in str(refusal.value)


# ---- what is true ----


@pytest.mark.parametrize(("station", "count"), [(STATION, 303), ("other", 507)])
def test_a_bundle_has_the_station_s_events_and_proves_them(
    write: Write, log: Log, station: str, count: int
) -> None:
    file = write(station)
    manifest, verdict = verify_bundle(file, KEY)
    assert verdict.is_ok
    assert (manifest.events, verdict.events, manifest.size) == (count, count, 810)
    with opened_bundle(file, KEY) as bundle:
        rows = [event.row for event in bundle.events()]
    assert rows == list(log.ledger.station_rows(station))
    # one proof for all is far less than a path for each
    assert len(members(file)[PROOF]) < 40 * 32


def test_the_same_question_gives_the_same_bytes(write: Write) -> None:
    assert write(name="a.zip").read_bytes() == write(name="b.zip").read_bytes()


def test_a_span_takes_what_is_about_its_days(write: Write) -> None:
    file = write(first=date(2024, 11, 5), last=date(2024, 11, 7))
    with opened_bundle(file, KEY) as bundle:
        days = {json.loads(bytes(e.state))["occurred"]["on"] for e in bundle.events()}
    assert days == {"2024-11-05", "2024-11-06", "2024-11-07"}
    assert faults(file) == []


def test_a_correction_goes_with_the_days_that_it_changes(
    desk: Desk, seals: Seals, ledger_url: str, tmp_path: Path
) -> None:
    visit = VisitRecorded(mode="home", purpose="routine", persons_met=1)
    desk.record("v1", visit, "2024-11-05")
    desk.correct("v1", 1, visit, "2024-10-05")
    desk.record("v2", visit, "2024-09-05")
    desk.void(VISIT, "v2", 1)
    log = Log(desk.ledger, ledger_url)
    seal(log, seals, tmp_path)

    def topics(month: int) -> list[str]:
        target = tmp_path / "b.zip"
        asked = Asked(STATION, date(2024, month, 1), date(2024, month, 28))
        write_bundle(target, asked, desk.ledger, seals, signer=SIGNER)
        with opened_bundle(target, KEY) as bundle:
            return [event.topic for event in bundle.events()]

    assert topics(11) == ["visit.recorded", "record.corrected"]
    assert topics(10) == ["record.corrected"]
    assert topics(9) == ["visit.recorded", "record.voided"]


def test_a_bundle_may_be_of_an_earlier_checkpoint(
    log: Log, seals: Seals, write: Write, tmp_path: Path
) -> None:
    before = write().read_bytes()
    sealed = seals.newest()
    log.append(400)
    seal(log, seals, tmp_path)
    target = tmp_path / "again.zip"
    write_bundle(target, Asked(STATION), log.ledger, seals, signer=SIGNER, sealed=sealed)
    assert target.read_bytes() == before


def test_what_does_not_exist_is_no_bundle(write: Write, tmp_path: Path) -> None:
    for asked in ({"station": "nowhere"}, {"first": date(2030, 1, 1)}):
        with pytest.raises(Refused) as refusal:
            write(name="none.zip", **asked)
        assert refusal.value.code == "nothing_to_bundle"
    assert not (tmp_path / "none.zip").exists()
    assert [f.name for f in tmp_path.iterdir() if f.name.startswith("tmp")] == []


def test_an_altered_event_is_not_exported(log: Log, write: Write) -> None:
    log.change("= 600")
    with pytest.raises(Refused) as refusal:
        write()
    assert refusal.value.code == "log_altered"
    assert "600" in str(refusal.value)


@pytest.mark.parametrize("position", [2, 400, 809])
def test_a_log_with_a_hole_is_not_exported_as_complete(
    log: Log, write: Write, tmp_path: Path, position: int
) -> None:
    log.remove(f"= {position}")
    with pytest.raises(Refused) as refusal:
        write()
    assert refusal.value.code == "log_altered"
    assert f"位置 {position}）" in str(refusal.value)
    assert not (tmp_path / "b.zip").exists()


# ---- what is not ----


def test_an_altered_event_is_named_by_its_position(write: Write) -> None:
    file = write()
    lines = members(file)[EVENTS].splitlines(keepends=True)
    for number in (0, 100, len(lines) - 1):
        position = json.loads(lines[number])["position"]
        changed = lines[number].replace(b'"home"', b'"home "', 1)
        events = b"".join([*lines[:number], changed, *lines[number + 1 :]])
        found = faults(rewritten(file, events__jsonl=events))
        assert set(found) == {("changed", position), ("member", 0)}


@pytest.mark.parametrize("field", ["position", "version", "index", "stream", "topic"])
def test_any_part_of_a_line_is_covered(write: Write, field: str) -> None:
    file = write()
    first, *rest = members(file)[EVENTS].splitlines(keepends=True)
    said = json.loads(first)
    other = said[field] + (1 if isinstance(said[field], int) else "x")
    changed = first.replace(
        json.dumps({field: said[field]})[1:-1].replace(": ", ":").encode(),
        json.dumps({field: other})[1:-1].replace(": ", ":").encode(), 1,
    )
    assert changed != first
    found = faults(rewritten(file, events__jsonl=b"".join([changed, *rest])))
    assert found[0][0] in {"changed", "member"}
    assert "changed" in {code for code, _position in found}


def test_an_event_that_was_left_out_is_missed(write: Write) -> None:
    file = write()
    content = members(file)
    lines = content[EVENTS].splitlines(keepends=True)
    # with its leaf, and without
    shorter = b"".join(lines[:-1])
    assert "missing" in dict(faults(rewritten(file, events__jsonl=shorter)))
    # each by its position alone: those that stand are not called altered
    for gone in (0, 1, len(lines) // 2, len(lines) - 1):
        position = json.loads(lines[gone])["position"]
        events = b"".join([*lines[:gone], *lines[gone + 1 :]])
        found = faults(rewritten(file, events__jsonl=events))
        assert found == [("missing", position), ("member", 0)]
    both = rewritten(file, events__jsonl=shorter, leaves=content[LEAVES][:-40])
    assert {"missing", "proof"} <= set(dict(faults(both)))


def test_an_event_that_was_added_is_noticed(write: Write) -> None:
    file = write()
    content = members(file)
    lines = content[EVENTS].splitlines(keepends=True)
    far, middle = len(lines) - 1, len(lines) // 2
    positions = [json.loads(line)["position"] for line in lines]
    forged = lines[0].replace(b'"home"', b'"home "', 1)
    for at, line, position in (
        (far + 1, lines[far], positions[far]), (1, lines[far], positions[far]),
        (middle, lines[0], positions[0]), (0, forged, positions[0]),
    ):
        events = b"".join([*lines[:at], line, *lines[at:]])
        found = faults(rewritten(file, events__jsonl=events))
        assert found == [("added", position), ("member", 0)]
    events = b"".join([*lines[1:middle], lines[0], *lines[middle:]])
    assert faults(rewritten(file, events__jsonl=events)) == [("moved", positions[0]), ("member", 0)]


def test_changed_proofs_are_noticed(write: Write) -> None:
    file = write()
    content = members(file)
    for name in (PROOF, LEAVES):
        changed = bytes([content[name][-1] ^ 1])
        found = faults(rewritten(file, **{name: content[name][:-1] + changed}))
        assert "proof" in dict(found)
    assert "proof" in dict(faults(rewritten(file, proof=content[PROOF][32:])))
    assert "proof" in dict(faults(rewritten(file, proof=content[PROOF] + bytes(32))))
    refused(rewritten(file, proof=content[PROOF][:-1]), "长度")


def test_a_manifest_is_what_was_signed(write: Write) -> None:
    file = write()
    content = members(file)
    changed = content[MANIFEST].replace(b'"events": 303', b'"events": 302')
    assert changed != content[MANIFEST]
    refused(rewritten(file, manifest__json=changed), "签名与内容不符", "bad_note")
    other = signer_of(bytes(32))
    signature = other.signed(content[SIGNATURE].decode().partition("\n\n")[0] + "\n").encode()
    refused(rewritten(file, manifest__note=signature), "没有", "bad_note")
    with pytest.raises(Refused) as refusal:
        verify_bundle(file, other.verifier)
    assert refusal.value.code == "bad_note"


def test_another_checkpoint_does_not_fit(
    write: Write, log: Log, seals: Seals, tmp_path: Path
) -> None:
    file = write()
    log.append(5)
    seal(log, seals, tmp_path)
    newest = seals.newest()
    assert newest
    refused(rewritten(file, checkpoint=newest.note.encode()), "与清单不符", "bad_note")


# ---- bad files ----


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_member_is_named(write: Write, name: str) -> None:
    refused(rewritten(write(), **{name.replace(".", "__"): None}), name)


def test_a_member_that_the_manifest_does_not_name_is_refused(write: Write) -> None:
    refused(rewritten(write(), extra=b"x"), "extra")


def test_a_truncated_file_is_refused(write: Write, tmp_path: Path) -> None:
    whole = write().read_bytes()
    cut = tmp_path / "cut.zip"
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        cut.write_bytes(whole[:length])
        refused(cut, "已损坏")


def test_a_damaged_file_is_refused_or_named(write: Write, tmp_path: Path) -> None:
    whole = bytearray(write().read_bytes())
    damaged = tmp_path / "damaged.zip"
    for place in range(40, len(whole), len(whole) // 60):
        changed = bytes([whole[place] ^ 0x40])
        damaged.write_bytes(whole[:place] + changed + whole[place + 1 :])
        try:
            _manifest, verdict = verify_bundle(damaged, KEY)
        except Refused:
            continue
        content, same = members(damaged), members(write())
        assert not verdict.is_ok or content == same, place


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_member_is_named_however_it_is_packed(
    write: Write, tmp_path: Path, packing: int
) -> None:
    whole, packed = members(write()), tmp_path / "packed.zip"
    with zipfile.ZipFile(packed, "w", packing) as archive:
        for name, content in whole.items():
            archive.writestr(name, content)
    assert faults(packed) == []
    content = bytearray(packed.read_bytes())
    with zipfile.ZipFile(packed) as archive:
        info = archive.getinfo(EVENTS)
    begin = info.header_offset + 30 + len(EVENTS)
    for start in (0, 4, 9, info.compress_size // 2):
        damaged = bytearray(content)
        for at in range(begin + start, begin + start + 40):
            damaged[at] ^= 0x5A
        packed.write_bytes(damaged)
        refused(packed, EVENTS)


def test_a_line_that_is_no_json_is_named(write: Write) -> None:
    file = write()
    lines = members(file)[EVENTS].splitlines(keepends=True)
    lines[41] = lines[41][:-3] + b"\n"
    refused(rewritten(file, events__jsonl=b"".join(lines)), f"{EVENTS} 第 42 行 的 JSON 不合格式")
    refused(rewritten(file, checkpoint=b"\xff\xfe"), f"{CHECKPOINT} 不是 UTF-8")


def test_a_bomb_is_refused_before_it_is_unpacked(write: Write) -> None:
    refused(rewritten(write(), leaves=bytes(300 * 1024 * 1024)), "过大")


def test_a_line_without_end_is_refused(write: Write) -> None:
    import random

    noise = random.Random(1).randbytes(4_500_000).hex().encode()
    refused(rewritten(write(), events__jsonl=b'"' + noise), "过长")


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a//b", "a b", ".hidden"])
def test_an_unusable_name_is_refused(write: Write, name: str) -> None:
    refused(rewritten(write(), **{name.replace(".", "__"): b"x"}), "文件名")


def test_a_member_twice_is_refused(write: Write) -> None:
    file = rewritten(write())
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(file, "a") as archive:
        archive.writestr(CHECKPOINT, b"x")
    refused(file, "重名")
