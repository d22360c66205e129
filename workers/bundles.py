"""How does a reviewer take a station's events home, with the proof that none was altered?

One zip file (docs/bundle-format.md, ``domain/bundle.py``), written member by member. One
that lets a cycle be evaluated has all of the station's events, and the definitions that are
no events. Names, order, times and compression are fixed, so that the same question about
the same checkpoint gives the same bytes.
"""

from __future__ import annotations

import hashlib
import zipfile
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Final

import msgspec

from domain.bundle import (
    CHECKPOINT,
    DEFINITIONS,
    EVENTS,
    FORMAT,
    INDEX_BYTES,
    LEAVES,
    MANIFEST,
    PROOF,
    SIGNATURE,
    THRESHOLDS,
    VERSION,
    EventLine,
    Manifest,
    Member,
    manifest_text,
)
from domain.checkpoint import leaf_of, signer_of
from domain.kernel import Occurrence, Refused
from domain.ledger import Ledger, StoredRow
from domain.multiproof import multi_path
from domain.publication import canonical
from domain.signed_note import Signer
from projections.evaluation.covering import refuse_uncovered
from projections.evaluation.cycles import cycle_asked
from projections.evaluation.replaying import replay
from projections.indicators import indicator_set_codes, indicator_set_file
from projections.integrity import Thresholds
from workers.proving import Prover
from workers.runtime import sealer_of
from workers.seals import Sealed, Seals
from workers.settings import Settings
from workers.verifying import verify_log
from workers.whole_files import whole

PAGE: Final = 2_000
TIME: Final = (1980, 1, 1, 0, 0, 0)
README: Final = "README.txt"
ABOUT: Final = """\
台账导出包 · Taizhang bundle, version 1

这一个文件里有一个社工站在台账中的记录（个人信息仍为密文）、台账的签名检查点，以及这些
记录确在其中、未被改动、也没有缺漏的证明。离线核对，只需本文件和公钥：

    taizhang verify 本文件 --key 公钥

One station's events as they are stored, the signed checkpoint of the log they are part of,
and the proof that they are in it, unaltered and complete. To verify offline, run the line above.

manifest.json   what this bundle holds, with the SHA-256 of every other file
manifest.note   C2SP signed-note (Ed25519) over the SHA-256 of manifest.json
checkpoint      C2SP tlog-checkpoint of the whole log
events.jsonl    one event a line: index, position, stream, version, topic, state
leaves          for each event: 8 bytes index (big-endian), 32 bytes RFC 6962 leaf hash
proof           32 bytes each: the RFC 6962 subtrees without any of these leaves, left to right

leaf hash = SHA-256(0x00 || '[position,"stream",version,"topic"]' || 0x0A || state)
"""

ABOUT_EVALUATING: Final = """\

本包可用来复算项目周期 {cycle} 的年度评估（不联网、不用服务器）：

    taizhang evaluate 本文件 --key 公钥

This bundle reproduces the evaluation of cycle {cycle}: run the line above, offline.

definitions/*.json   the indicator sets (口径) that came as files; revisions are events
thresholds.json      from when on something counts as odd (核查标准)
"""

Progress = Callable[[int, int], None]


class NothingSealed(
    Refused, code="nothing_sealed", status=409, title="尚无检查点",
    detail="台账尚未存证，没有检查点可以导出；请稍后再试。",
):
    """There is no checkpoint yet."""


class NothingToBundle(
    Refused, code="nothing_to_bundle", status=404, title="没有可导出的记录",
    detail="社工站 {station} 在这段时间没有记录。",
):
    """A station or span without any event."""


class LogAltered(
    Refused, code="log_altered", status=409, title="台账与存证时不符",
    detail="台账与存证时不符，不能导出：{problem}（位置 {position}）。请运行 taizhang verify。",
):
    """A log in which something was changed, removed or added: no bundle of it is complete."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which events: a station's, and where days are given those about a day between them.

    With a ``cycle`` it is all that an evaluation of it needs; see ``for_evaluation``.
    """

    station: str
    first: date | None = None
    last: date | None = None
    cycle: str | None = None
    limits: Thresholds | None = None

    @classmethod
    def for_evaluation(cls, station: str, cycle: str, limits: Thresholds) -> Asked:
        """All of a station's events, so that a cycle can be evaluated.

        Whoever is on 低保 at the end of a month was registered years before: nothing that
        the station recorded can be left out.

        """
        return cls(station, cycle=cycle, limits=limits)

    def includes(self, row: StoredRow) -> bool:
        """Whether an event is asked for."""
        if self.first is None and self.last is None:
            return True
        first, last = self.first or date.min, self.last or date.max
        return any(o.on <= last and o.last_day >= first for o in occurrences(row[3], row[4]))


class _Dated(msgspec.Struct):
    occurred: Occurrence


class _Kept(msgspec.Struct):
    """What a record-keeping event says of the statements that it changes."""

    before: _Dated | None = None
    after: _Dated | None = None
    voided: _Dated | None = None
    reinstated: _Dated | None = None


class _KeptState(msgspec.Struct):
    data: _Kept


def occurrences(topic: str, state: bytes) -> list[Occurrence]:
    """Every time that an event is about: its own, and those of the statements it changes."""
    own = msgspec.json.decode(state, type=_Dated).occurred
    if not topic.startswith("record."):
        return [own]
    kept = msgspec.json.decode(state, type=_KeptState).data
    dated = (kept.before, kept.after, kept.voided, kept.reinstated)
    return [own, *(d.occurred for d in dated if d is not None)]


def write_bundle(
    target: Path, asked: Asked, ledger: Ledger, seals: Seals, *, signer: Signer,
    progress: Progress = lambda _done, _total: None, sealed: Sealed | None = None,
) -> Manifest:
    """Write a bundle, whole or not at all; ``sealed`` is the newest checkpoint if not given.

    :raises NothingSealed: where there is no checkpoint.
    :raises NothingToBundle: where there is no such event.
    :raises LogAltered: where the log is not what was sealed: a bundle proves of each event
        that it is in the log, and only a log without a hole has all of the station's.
    :raises BadCycle: for what is no project cycle.
    :raises CycleNotCovered: where there is nothing to evaluate in the cycle.
    """
    sealed = sealed or seals.newest()
    if sealed is None:
        raise NothingSealed
    verdict = verify_log(ledger, seals, signer.verifier)
    if not verdict.is_ok:
        fault = verdict.faults[0]
        raise LogAltered(position=fault.position, problem=fault.detail)
    if asked.cycle is not None:
        _refuse_uncovered(ledger, asked.station, asked.cycle, sealed.position)
    with whole(target) as file, zipfile.ZipFile(file, "w") as archive:
        writing = _Writing(archive, asked, Prover(seals, sealed))
        return writing.write(ledger, signer, progress)


def _refuse_uncovered(ledger: Ledger, station: str, cycle: str, position: int) -> None:
    """Refuse a cycle that would have no score sheet; a station without events is refused later."""
    with replay(ledger.station_rows(station, until=position), station, position) as replayed:
        if replayed.events:
            refuse_uncovered(replayed, cycle, cycle_asked(replayed, cycle, position).days)


def seal_and_write(
    target: Path, asked: Asked, ledger: Ledger, seals: Seals, settings: Settings, *,
    now: datetime, progress: Progress = lambda _done, _total: None, sealed: Sealed | None = None,
) -> Manifest:
    """Write a bundle of the log as it is now, sealed first, or as of an earlier checkpoint.

    :raises SealBrokenError: where the log contradicts what was signed.
    """
    sealer = sealer_of(ledger, seals, settings)
    while sealed is None and sealer.seal(now):
        pass
    signer = signer_of(settings.sealing_key())
    return write_bundle(
        target, asked, ledger, seals, signer=signer, progress=progress, sealed=sealed
    )


@dataclass
class _Writing:
    """A bundle on its way: its members so far, and which leaves its events are."""

    archive: zipfile.ZipFile
    asked: Asked
    prover: Prover
    members: list[Member] = field(default_factory=list)
    sets: set[str] = field(default_factory=set)
    indexes: array[int] = field(default_factory=lambda: array("Q"))
    leaves: bytearray = field(default_factory=bytearray)

    def write(self, ledger: Ledger, signer: Signer, progress: Progress) -> Manifest:
        """Write every member; the manifest, which names the others, comes last."""
        sealed = self.prover.sealed
        self._add(README, [self._about().encode()])
        self._add(CHECKPOINT, [sealed.note.encode()])
        self._add(EVENTS, self._lines(ledger, progress))
        if not self.indexes:
            raise NothingToBundle(station=self.asked.station)
        for code in sorted(self.sets):
            self._add(f"{DEFINITIONS}/{code}.json", [indicator_set_file(code)])
        if self.asked.limits is not None:
            self._add(THRESHOLDS, [canonical(self.asked.limits)])
        self._add(LEAVES, [bytes(self.leaves)])
        self._add(PROOF, multi_path(self.indexes, sealed.size, self.prover.node))
        manifest = Manifest(
            format=FORMAT, version=VERSION, station=self.asked.station,
            first=self.asked.first, last=self.asked.last,
            events=len(self.indexes), origin=signer.name, size=sealed.size,
            key=signer.verifier.vkey, members=self.members, cycle=self.asked.cycle,
            position=sealed.position if self.asked.cycle else None,
        )
        self._write(MANIFEST, [manifest.text])
        self._write(SIGNATURE, [signer.signed(manifest_text(manifest.text)).encode()])
        return manifest

    def _about(self) -> str:
        cycle = self.asked.cycle
        return ABOUT if cycle is None else ABOUT + ABOUT_EVALUATING.format(cycle=cycle)

    def _lines(self, ledger: Ledger, progress: Progress) -> Iterator[bytes]:
        """The events that are asked for, up to the checkpoint."""
        end = self.prover.sealed.position
        named = {c: f'"{c}"'.encode() for c in indicator_set_codes()} if self.asked.cycle else {}
        rows = ledger.station_rows(self.asked.station, until=end)
        for number, row in enumerate(rows, start=1):
            if self.asked.includes(row):
                self.sets |= {code for code, name in named.items() if name in row[4]}
                yield self._line(row)
            if number % PAGE == 0:
                progress(row[0], end)
        progress(end, end)

    def _line(self, row: StoredRow) -> bytes:
        index = self.prover.index(row)
        self.indexes.append(index)
        self.leaves += index.to_bytes(INDEX_BYTES, "big") + leaf_of(row)
        position, stream, version, topic, state = row
        line = EventLine(index, position, stream, version, topic, msgspec.Raw(state))
        return msgspec.json.encode(line) + b"\n"

    def _add(self, name: str, parts: Iterable[bytes]) -> None:
        size, digest = self._write(name, parts)
        self.members.append(Member(name, size, digest))

    def _write(self, name: str, parts: Iterable[bytes]) -> tuple[int, str]:
        about = zipfile.ZipInfo(name, TIME)
        about.compress_type, about.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
        about.create_system = 3  # the same on every machine
        size, digest = 0, hashlib.sha256()
        with self.archive.open(about, "w", force_zip64=True) as file:
            for part in parts:
                file.write(part)
                digest.update(part)
                size += len(part)
        return size, digest.hexdigest()
