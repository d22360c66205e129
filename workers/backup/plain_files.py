"""How do templates and the files of evidence come along in a backup?

The latter are sealed, each under the hash of its bytes.
"""

from __future__ import annotations

import errno
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from workers.backup.archive import CHUNK_BYTES, Archive, BadBackupError, Member, copied
from workers.evidence_files import FOLDER as EVIDENCE_FOLDER
from workers.whole_files import whole

FOLDER: Final = "templates"
"""In the home: the station's own templates, and the copies that published reports filled."""
SUFFIX: Final = ".docx"
_EVIDENCE: Final = re.compile(rf"{EVIDENCE_FOLDER}/([0-9a-f]{{2}})/\1[0-9a-f]{{62}}")
MOST_BYTES: Final = 32 << 20
"""How large one file may be."""
MOST_FILES: Final = 200_000
"""A station that keeps ten photos a day has filled it after fifty years."""


def copy_out(home: Path, archive: Archive) -> tuple[Member, ...]:
    """Put every template and every file of evidence into a backup.

    :raises OSError: where one cannot be read, or is larger than a restore takes.
    """
    found = sorted((home / FOLDER).rglob(f"*{SUFFIX}"))
    found += sorted(
        file for file in (home / EVIDENCE_FOLDER).glob("??/*")
        if _EVIDENCE.fullmatch(file.relative_to(home).as_posix())
    )
    members = (_out(file, file.relative_to(home), archive) for file in found if file.is_file())
    return tuple(member for member in members if member is not None)


def _out(file: Path, name: Path, archive: Archive) -> Member | None:
    """One file; ``None`` where it was erased meanwhile."""
    if file.stat().st_size > MOST_BYTES:
        raise OSError(errno.EFBIG, f"{file} 大于 {MOST_BYTES >> 20} MiB，不像模板")
    try:
        source = file.open("rb")
    except FileNotFoundError:
        return None
    with source, archive.member(name.as_posix()) as out:
        while chunk := source.read(CHUNK_BYTES):
            out.write(chunk)
    return Member(name.as_posix(), out.digest)


def check(members: Sequence[Member], bundle: zipfile.ZipFile) -> None:
    """Refuse a list of files of which one belongs neither to templates nor to evidence.

    :raises BadBackupError: where there is such a one, or it is too large.
    """
    if len(members) > MOST_FILES:
        raise BadBackupError(f"备份中有 {len(members)} 个文件（最多 {MOST_FILES}）")
    for member in members:
        if not (_is_template(member.name) or _EVIDENCE.fullmatch(member.name)):
            raise BadBackupError(f"备份中的文件名 {member.name[:80]!r} 不在应在的文件夹之内")
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
            with whole(target) as file:
                copied(bundle, member, file)
