"""How do the station's templates, which are files, come along in a backup?"""

from __future__ import annotations

import errno
import os
import tempfile
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

from workers.backup.archive import CHUNK_BYTES, Archive, BadBackupError, Member, copied

FOLDER: Final = "templates"
"""In the home: the station's own templates, and the copies that published reports filled."""
SUFFIX: Final = ".docx"
MOST_BYTES: Final = 32 << 20
"""How large one file may be."""
MOST_FILES: Final = 10_000


def copy_out(home: Path, archive: Archive) -> tuple[Member, ...]:
    """Put every template into a backup.

    :raises OSError: where one cannot be read, or is larger than a restore takes.
    """
    found = sorted((home / FOLDER).rglob(f"*{SUFFIX}"))
    return tuple(_out(file, file.relative_to(home), archive) for file in found if file.is_file())


def _out(file: Path, name: Path, archive: Archive) -> Member:
    if file.stat().st_size > MOST_BYTES:
        raise OSError(errno.EFBIG, f"{file} 大于 {MOST_BYTES >> 20} MiB，不像模板")
    with archive.member(name.as_posix()) as out, file.open("rb") as source:
        while chunk := source.read(CHUNK_BYTES):
            out.write(chunk)
    return Member(name.as_posix(), out.digest)


def check(members: Sequence[Member], bundle: zipfile.ZipFile) -> None:
    """Refuse a list of files of which one does not belong into the folder of templates.

    :raises BadBackupError: where there is such a one, or it is too large.
    """
    if len(members) > MOST_FILES:
        raise BadBackupError(f"备份中有 {len(members)} 个模板文件（最多 {MOST_FILES}）")
    for member in members:
        if not _is_template(member.name):
            raise BadBackupError(f"备份中的文件名 {member.name[:80]!r} 不在 {FOLDER}/ 之内")
        try:
            size = bundle.getinfo(member.name).file_size
        except KeyError as error:
            raise BadBackupError(f"备份中缺少 {member.name}") from error
        if size > MOST_BYTES:
            raise BadBackupError(
                f"备份中的 {member.name} 有 {size:,} 字节（最多 {MOST_BYTES:,}）"
            )


def _is_template(name: str) -> bool:
    first, *rest = PurePosixPath(name).parts or ("",)
    is_plain = not {"\\", ":", "\0"} & set(name) and name == PurePosixPath(name).as_posix()
    is_inside = first == FOLDER and bool(rest) and not any(p.startswith(".") for p in rest)
    return is_plain and is_inside and name.endswith(SUFFIX)


def copy_in(members: Sequence[Member], home: Path, bundle: zipfile.ZipFile) -> None:
    """Put files that were checked in their places; one that is there already stays.

    :raises BadBackupError: where one is damaged.
    """
    for member in members:
        target = home / member.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            _in(member, target, bundle)


def _in(member: Member, target: Path, bundle: zipfile.ZipFile) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            copied(bundle, member, file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()
