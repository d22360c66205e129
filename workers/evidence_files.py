"""Where are the files that evidence consists of, and how are they sealed and opened?

In a folder of the home that the API and the workers share, each under the SHA-256 of its
sealed bytes. The key of a file follows from its contents and record and owner by the keyring's own
secret, so that the same upload sent again is the same file; it is kept nowhere but in the
event, sealed. A key seals one text only, so that its nonce need not be random.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.evidence import EvidenceAttached
from domain.kernel import Refused
from domain.ledger import Ledger
from domain.vault import NONCE_BYTES, Keys
from projections.engine import ReadModels
from projections.evidence import files_of_owners, unknown_files
from workers.settings import Settings
from workers.whole_files import whole

FOLDER: Final = "evidence"
UNNAMED_FOR: Final = timedelta(days=1)
"""How long a file may wait for its event: longer than anybody tries again to record it."""
_PLACE: Final = b"taizhang evidence 1"


class EvidenceMissing(
    Refused, code="evidence_missing", status=404, title="佐证文件不在",
    detail="台账记有文件 {file}，但存放处没有它；请从备份中恢复 evidence 文件夹，或重新添加。",
):
    """The log names a file that is not there."""


class EvidenceAltered(
    Refused, code="evidence_altered", status=409, title="佐证文件已被改动",
    detail="文件 {file} 与台账所记的校验值不符，不能显示；请从备份中恢复。",
):
    """A file that is not what was attached."""


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A file on its way to the disk: its name, its key, its sealed bytes."""

    name: str
    key: str
    content: bytes


def sealed_file(keys: Keys, record: str, owner: str, content: bytes) -> SealedFile:
    """A file's contents sealed for a record, named like its stream, and whom it is about."""
    place = (_PLACE, record.encode(), owner.encode())
    key = keys.fingerprint(b"\x1f".join((*place, content)))
    box = AESGCM(bytes.fromhex(key)).encrypt(bytes(NONCE_BYTES), content, _PLACE)
    return SealedFile(hashlib.sha256(box).hexdigest(), key, box)


def opened_file(settings: Settings, name: str, key: str) -> bytes:
    """A file's contents.

    :raises EvidenceMissing: where there is no such file.
    :raises EvidenceAltered: where it is not what was attached.
    """
    try:
        box = evidence_file(settings, name).read_bytes()
    except FileNotFoundError as error:
        raise EvidenceMissing(file=name) from error
    try:
        return AESGCM(bytes.fromhex(key)).decrypt(bytes(NONCE_BYTES), box, _PLACE)
    except (InvalidTag, ValueError) as error:
        raise EvidenceAltered(file=name) from error


def evidence_file(settings: Settings, name: str) -> Path:
    """Where a file is, or will be."""
    return settings.home.absolute() / FOLDER / name[:2] / name


def keep(settings: Settings, file: SealedFile) -> None:
    """Have a file there, whole and on the disk when this returns."""
    target = evidence_file(settings, file.name)
    with suppress(FileNotFoundError):
        os.utime(target)  # it waits for its event anew
        return
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with whole(target) as out:
        out.write(file.content)


def drop_of_owners(
    settings: Settings, read_models: ReadModels, owners: Collection[str]
) -> None:
    """Take away the files of owners whose keys are about to be destroyed.

    One that the read models do not know yet stays, and nobody can open it any more.
    """
    with read_models.engine.connect() as connection:
        names = files_of_owners(connection, sorted(owners))
    for name in names:
        evidence_file(settings, name).unlink(missing_ok=True)


def drop_unnamed(
    settings: Settings, ledger: Ledger, read_models: ReadModels, now: datetime
) -> int:
    """Take away files that no event names after a day: what they were sent for was refused.

    The read models say which those may be, and the log itself that they are: read models
    may be behind, or made anew at the moment. Answers how many were taken away.
    """
    before = (now - UNNAMED_FOR).timestamp()
    old = {file.name: file for file in _waiting(settings, before)}
    with read_models.engine.connect() as connection:
        left = unknown_files(connection, old)
    if left:
        named = (e.event.file for e in ledger.recorded() if isinstance(e.event, EvidenceAttached))
        left = left.difference(named)
    gone = [old[name] for name in left if _is_waiting(old[name], before)]  # and not sent again
    for file in gone:
        file.unlink(missing_ok=True)
    return len(gone)


def _waiting(settings: Settings, before: float) -> Iterator[Path]:
    """The files last sent before an instant, those as well that were not written whole."""
    files = (settings.home.absolute() / FOLDER).glob("*/*")
    return (file for file in files if _is_waiting(file, before))


def _is_waiting(file: Path, before: float) -> bool:
    try:
        return file.stat().st_mtime < before
    except FileNotFoundError:  # taken away meanwhile
        return False
