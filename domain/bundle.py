"""What is in a bundle, and is it true? Verified with nothing but the file and a public key.

A bundle is a zip file (docs/bundle-format.md): a station's events as they are stored, the
checkpoint of the log they are part of, their leaf hashes, and one proof for all of them.
The leaf hashes and the proof give the signed root, so the leaf hashes are right; an event
that differs from its own is the one that was changed. The manifest, signed too, says which
events there must be, so that none can be left out. A bundle for an evaluation (``cycle``)
also holds what is no event and yet decides on figures and signals: the indicator sets and
the thresholds, as the station's files had them.
"""

from __future__ import annotations

import hashlib
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import msgspec

from domain.bundle_order import Seen, compare
from domain.checkpoint import Checkpoint, leaf_of
from domain.kernel import Refused
from domain.merkle import HASH_BYTES
from domain.multiproof import Leaf, root_from_leaves
from domain.shapes import shape_said
from domain.signed_note import BadNote, Verifier
from domain.verdict import Verdict

_Read = TypeVar("_Read")
FORMAT: Final = "taizhang-bundle"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.note"
CHECKPOINT: Final = "checkpoint"
EVENTS: Final = "events.jsonl"
LEAVES: Final = "leaves"
PROOF: Final = "proof"
DEFINITIONS: Final = "definitions"
"""The folder of the indicator sets that came as files; what a station defined are events."""
THRESHOLDS: Final = "thresholds.json"
"""From when on the station's integrity signals take something for odd."""
NEEDED: Final = (MANIFEST, SIGNATURE, CHECKPOINT, EVENTS, LEAVES, PROOF)
INDEX_BYTES: Final = 8

MOST_MEMBERS: Final = 200
MOST_SMALL_BYTES: Final = 1024 * 1024
"""How large the manifest and other members that are read as a whole may be."""
MOST_LINE_BYTES: Final = 8 * 1024 * 1024
MOST_BYTES: Final = 64 * 1024**3
MOST_RATIO: Final = 200
"""How many times larger than in the file a member may be: more is a bomb, not a ledger."""
CHUNK: Final = 64 * 1024
UNREADABLE: Final = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError,
    NotImplementedError,
)
"""What reading a damaged file fails with, whichever way its members are packed."""
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")


class BadBundle(
    Refused, code="bad_bundle", title="不是可用的导出包",
    detail="{file} 不能验证：{problem}。",
):
    """A file that is no bundle, is damaged, or is not bounded."""


class Member(msgspec.Struct, frozen=True):
    """A file in a bundle, as its manifest names it."""

    name: str
    bytes: int
    sha256: str


class Manifest(
    msgspec.Struct, frozen=True, omit_defaults=True, rename={"first": "from", "last": "to"}
):
    """What a bundle holds, and of what. Later versions may say more; names keep their meaning.

    ``cycle`` is the period that a bundle lets evaluate: it then has all of the station's
    events up to the checkpoint, since what stands at a day follows from all before it.
    ``position`` is how far the whole log had come at the checkpoint: an evaluation as known
    at it is the same here as there.
    """

    format: str
    version: int
    station: str
    first: date | None
    last: date | None
    events: int
    origin: str
    size: int
    key: str
    members: list[Member]
    cycle: str | None = None
    position: int | None = None

    @property
    def text(self) -> bytes:
        """The canonical bytes of the manifest."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


class EventLine(msgspec.Struct, frozen=True):
    """A line of ``events.jsonl``: a stored event, with its state byte for byte."""

    index: int
    position: int
    stream: str
    version: int
    topic: str
    state: msgspec.Raw

    @property
    def row(self) -> tuple[int, str, int, str, bytes]:
        """The event as the log stores it."""
        return self.position, self.stream, self.version, self.topic, bytes(self.state)


def manifest_text(manifest: bytes) -> str:
    """What is signed of a manifest."""
    return f"{FORMAT} v{VERSION}\n{hashlib.sha256(manifest).hexdigest()}\n"


@dataclass(frozen=True, slots=True)
class Bundle:
    """An open bundle whose manifest and checkpoint a key signed."""

    name: str
    archive: zipfile.ZipFile
    manifest: Manifest
    checkpoint: Checkpoint

    def events(self) -> Iterator[EventLine]:
        """The events of the bundle, one in memory at a time."""
        number = 0
        with _member(self.name, self.archive, EVENTS) as file:
            while line := file.readline(MOST_LINE_BYTES + 1):
                number += 1
                if len(line) > MOST_LINE_BYTES:
                    raise BadBundle(file=self.name, problem="有一条记录过长")
                yield _decoded(self.name, f"{EVENTS} 第 {number} 行", line, EventLine)

    def leaves(self) -> Iterator[Leaf]:
        """Which leaves of the log the events are, and their hashes."""
        for record in self._records(LEAVES, INDEX_BYTES + HASH_BYTES):
            yield int.from_bytes(record[:INDEX_BYTES], "big"), record[INDEX_BYTES:]

    def proof(self) -> Iterator[bytes]:
        """The hashes that the leaves need to give the root."""
        return self._records(PROOF, HASH_BYTES)

    def definitions(self) -> dict[str, bytes]:
        """The files of the indicator sets, by their codes."""
        names = [m.name for m in self.manifest.members if m.name.startswith(f"{DEFINITIONS}/")]
        return {
            name.removeprefix(f"{DEFINITIONS}/").removesuffix(".json"):
                _small(self.name, self.archive, name)
            for name in names
        }

    def thresholds(self) -> bytes | None:
        """The thresholds of the integrity signals; ``None`` where the bundle has none."""
        named = any(member.name == THRESHOLDS for member in self.manifest.members)
        return _small(self.name, self.archive, THRESHOLDS) if named else None

    def verified(
        self, progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> Verdict:
        """Whether every event and every member is what was signed, and none is missing.

        :raises BadBundle: where it cannot be read.
        """
        verdict = Verdict(self.manifest.origin)
        root = root_from_leaves(self.leaves(), self.checkpoint.size, self.proof())
        if root != self.checkpoint.root:
            verdict.add("proof", 0, "散列和证明得不出检查点的根：证明已被改动")
        _compare(self, verdict, progress)
        _check_digests(self, verdict)
        return verdict

    def _records(self, name: str, length: int) -> Iterator[bytes]:
        with _member(self.name, self.archive, name) as file:
            while record := file.read(length):
                if len(record) != length:
                    raise BadBundle(file=self.name, problem=f"{name} 的长度不对")
                yield record


@contextmanager
def opened_bundle(file: Path, verifier: Verifier) -> Iterator[Bundle]:
    """Open a bundle that a key signed.

    :raises BadBundle: for a file that is none, is damaged, incomplete or unbounded.
    :raises BadNote: where its manifest or checkpoint was not signed by the key.
    """
    name = file.name
    try:
        with file.open("rb") as opened, zipfile.ZipFile(opened) as archive:
            _check_members(name, archive)
            manifest = _manifest(name, archive, verifier)
            checkpoint = Checkpoint.opened(
                _text(name, archive, CHECKPOINT), verifier, "包中的检查点"
            )
            if checkpoint.size != manifest.size:
                raise BadNote(name="包中的检查点", problem="与清单不符")
            yield Bundle(name, archive, manifest, checkpoint)
    except UNREADABLE as error:
        raise BadBundle(file=name, problem=f"文件已损坏（{error}）") from error


def verify_bundle(
    file: Path, verifier: Verifier,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[Manifest, Verdict]:
    """Verify a bundle: every event, every hash, and that none is missing.

    :raises BadBundle: where it cannot be read.
    :raises BadNote: where the key did not sign it.
    """
    with opened_bundle(file, verifier) as bundle:
        return bundle.manifest, bundle.verified(progress)


def _compare(bundle: Bundle, verdict: Verdict, progress: Callable[[int, int], None]) -> None:
    """Each event beside its leaf; the manifest says how many there must be."""
    wanted, signed = bundle.manifest.events, _Counted(bundle.leaves())
    compare(_seen(bundle, verdict, progress), signed, verdict)
    if signed.count != wanted:
        verdict.add("missing", 0, f"应有 {wanted} 条记录，包中证明了 {signed.count} 条")


def _seen(
    bundle: Bundle, verdict: Verdict, progress: Callable[[int, int], None]
) -> Iterator[Seen]:
    """The events as they come; they are the station's own, in the order of the log."""
    wanted, station = bundle.manifest.events, f"{bundle.manifest.station}/"
    for event in bundle.events():
        if not event.stream.startswith(station):
            detail = f"位置 {event.position} 的记录不属于本站"
            verdict.add("foreign", event.position, detail)
        verdict.events += 1
        if verdict.events % 1_000 == 0:
            progress(verdict.events, wanted)
        yield Seen((event.index, leaf_of(event.row)), event.position)


@dataclass(slots=True)
class _Counted:
    """Leaves that are counted as they go by."""

    leaves: Iterator[Leaf]
    count: int = 0

    def __iter__(self) -> Iterator[Leaf]:
        for leaf in self.leaves:
            self.count += 1
            yield leaf


def _check_digests(bundle: Bundle, verdict: Verdict) -> None:
    """Every member, also one that this version does not know, is as it was written."""
    for member in bundle.manifest.members:
        digest = hashlib.sha256()
        with _member(bundle.name, bundle.archive, member.name) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
        if digest.hexdigest() != member.sha256:
            verdict.add("member", 0, f"{member.name} 与清单不符")


def _check_members(name: str, archive: zipfile.ZipFile) -> None:
    """Refuse what is incomplete or unbounded before anything of it is unpacked."""
    infos = archive.infolist()
    names = [info.filename for info in infos]
    missing = [needed for needed in NEEDED if needed not in names]
    if missing:
        raise BadBundle(file=name, problem=f"缺少 {'、'.join(missing)}")
    if len(names) > MOST_MEMBERS or len(set(names)) != len(names):
        raise BadBundle(file=name, problem=f"其中的文件重名，或多于 {MOST_MEMBERS} 个")
    for info in infos:
        if not _NAME.fullmatch(info.filename) or info.flag_bits & 1:
            raise BadBundle(file=name, problem="其中的文件名不合规，或有密码")
        if info.file_size > MOST_RATIO * info.compress_size + MOST_SMALL_BYTES:
            raise BadBundle(file=name, problem=f"{info.filename} 展开后过大")
    if sum(info.file_size for info in infos) > MOST_BYTES:
        raise BadBundle(file=name, problem="展开后过大")


def _manifest(name: str, archive: zipfile.ZipFile, verifier: Verifier) -> Manifest:
    """The manifest, signed, and naming every file of the bundle."""
    text = _small(name, archive, MANIFEST)
    signed = verifier.opened(_text(name, archive, SIGNATURE), "清单")
    if signed != manifest_text(text):
        raise BadNote(name="清单", problem="签名与内容不符")
    manifest = _decoded(name, MANIFEST, text, Manifest)
    if (manifest.format, manifest.version) != (FORMAT, VERSION):
        raise BadBundle(file=name, problem=f"不认识的格式 {manifest.format} {manifest.version}")
    named: dict[str, Any] = {member.name: member.bytes for member in manifest.members}
    found = {info.filename: info.file_size for info in archive.infolist()}
    found = {name: size for name, size in found.items() if name not in {MANIFEST, SIGNATURE}}
    if set(named) != set(found):
        different = "、".join(sorted(set(named) ^ set(found)))
        raise BadBundle(file=name, problem=f"文件与清单不符：{different}")
    return manifest


def _small(name: str, archive: zipfile.ZipFile, member: str) -> bytes:
    if archive.getinfo(member).file_size > MOST_SMALL_BYTES:
        raise BadBundle(file=name, problem=f"{member} 过大")
    with _member(name, archive, member) as file:
        return file.read(MOST_SMALL_BYTES)


def _text(name: str, archive: zipfile.ZipFile, member: str) -> str:
    content = _small(name, archive, member)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise BadBundle(file=name, problem=f"{member} 不是 UTF-8 文本（{error}）") from error


def _decoded(name: str, where: str, content: bytes, kind: type[_Read]) -> _Read:
    """What a member says, or a line of one."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        problem = f"{where} 的 JSON 不合格式，读不出（{shape_said(error)}）"
        raise BadBundle(file=name, problem=problem) from error


@contextmanager
def _member(name: str, archive: zipfile.ZipFile, member: str) -> Iterator[IO[bytes]]:
    """A member that is being read; each way of packing fails in its own way."""
    try:
        with archive.open(member) as file:
            yield file
    except UNREADABLE as error:
        said = f"：{error}" if str(error) else ""
        problem = f"{member} 已损坏，无法展开（{type(error).__name__}{said}）"
        raise BadBundle(file=name, problem=problem) from error
