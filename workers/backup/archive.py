"""What does a backup file look like? A zip with a manifest that names each member's hash."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Final, Protocol

import msgspec

from workers.whole_files import whole

FORMAT: Final = "taizhang-backup/1"
MANIFEST: Final = "manifest.json"
CHUNK_BYTES: Final = 1 << 20
MOST_MANIFEST_BYTES: Final = 64 << 20


class BadBackupError(ValueError):
    """A file that is no backup, or one that is damaged."""


class Writes(Protocol):
    """Whatever takes bytes."""

    def write(self, data: bytes, /) -> object:
        """Take some bytes."""


class Member(msgspec.Struct, frozen=True):
    """One file of a backup: a SQLite database, the rows of one PostgreSQL table, a template."""

    name: str
    sha256: str
    columns: tuple[str, ...] = ()


class Database(msgspec.Struct, frozen=True):
    """One database of a backup; ``head`` is the position of its newest event, if it has any."""

    name: str
    kind: str
    head: int
    members: tuple[Member, ...]


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds."""

    format: str
    made_at: datetime
    program: str
    databases: tuple[Database, ...]
    files: tuple[Member, ...] = ()
    """The templates and the files of evidence; a backup of an older program has none."""

    @property
    def head(self) -> int:
        """The position of the newest event that was backed up."""
        return max(database.head for database in self.databases)


class Hashing:
    """Writes through to a file, and hashes what goes by."""

    def __init__(self, target: IO[bytes]) -> None:
        """Begin with nothing."""
        self._target, self._hash = target, hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Write and hash some bytes."""
        self._hash.update(data)
        self._target.write(data)

    @property
    def digest(self) -> str:
        """The hash of everything written, in hexadecimal."""
        return self._hash.hexdigest()


class Archive:
    """A backup that is being written."""

    def __init__(self, bundle: zipfile.ZipFile) -> None:
        """Write into a zip that is open."""
        self._bundle = bundle

    @contextmanager
    def member(self, name: str) -> Iterator[Hashing]:
        """A new file of the backup, of any length."""
        with self._bundle.open(name, "w", force_zip64=True) as target:
            yield Hashing(target)

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest, which is the last member: a backup cut short has none."""
        self._bundle.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))


@contextmanager
def new_archive(target: Path) -> Iterator[Archive]:
    """A backup that stands under its name once it is whole and on the disk, or not at all."""
    with (
        whole(target) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as bundle,
    ):
        yield Archive(bundle)


@contextmanager
def opened_archive(source: Path) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    """A backup and its manifest.

    :raises BadBackupError: where it is none, or was cut short.
    """
    try:
        with zipfile.ZipFile(source) as bundle:
            yield bundle, _manifest(bundle)
    except (zipfile.BadZipFile, EOFError) as error:
        raise BadBackupError(f"{source} 不是完整的备份文件") from error


def _manifest(bundle: zipfile.ZipFile) -> Manifest:
    try:
        with bundle.open(MANIFEST) as file:
            found = msgspec.json.decode(file.read(MOST_MANIFEST_BYTES), type=Manifest)
    except (KeyError, msgspec.DecodeError) as error:
        raise BadBackupError("文件中没有可读的备份清单") from error
    if found.format != FORMAT:
        raise BadBackupError(f"不认识的备份格式 {found.format}（应为 {FORMAT}）")
    return found


def copied(bundle: zipfile.ZipFile, member: Member, target: Writes) -> None:
    """Copy a member's bytes, and check them.

    :raises BadBackupError: where they are not those that were backed up.
    """
    found = hashlib.sha256()
    try:
        with bundle.open(member.name) as source:
            while chunk := source.read(CHUNK_BYTES):
                found.update(chunk)
                target.write(chunk)
    except KeyError as error:
        raise BadBackupError(f"备份中缺少 {member.name}") from error
    if found.hexdigest() != member.sha256:
        raise BadBackupError(f"备份中的 {member.name} 已损坏：校验值不符")
