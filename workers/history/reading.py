"""How are the lines of a history file read, one at a time, whatever its size?"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, cast

from domain.kernel import Refused
from workers.history.lines import LINE_LIMIT

FILE_LIMIT: Final = 2 * 1024**3
"""Bytes of the largest file, uncompressed."""


class FileTooLarge(
    Refused, code="file_too_large", status=413, title="文件过大",
    detail="文件解压后超过 {limit} 字节，没有写入任何内容；请分成几个文件，用同一个来源名称导入。",
):
    """A file beyond the bound is refused as a whole: a part of it would look like all of it."""


class FileDamaged(
    Refused, code="file_damaged", title="文件已损坏",
    detail="文件不是完整的 gzip 压缩文件（{because}），没有写入任何内容。",
):
    """A compressed file that ends early, or is none."""


def history_lines(path: Path, limit: int = FILE_LIMIT) -> Iterator[bytes]:
    """The lines of a plain or gzip-compressed file; an over-long line comes cut off.

    One byte more than the limit is given of it, so that it is refused and the rest of
    the file is still checked.

    :raises FileTooLarge: before or while it is read, where it has more than ``limit`` bytes.
    :raises FileDamaged: where the compressed file cannot be read to its end.
    """
    size, is_rest = 0, False
    if path.suffix != ".gz" and path.stat().st_size > limit:
        raise FileTooLarge(limit=limit)
    try:
        with _opened(path) as file:
            while piece := file.readline(LINE_LIMIT + 1):
                size += len(piece)
                if size > limit:
                    raise FileTooLarge(limit=limit)
                if not is_rest:
                    yield piece
                is_rest = not piece.endswith(b"\n") and (is_rest or len(piece) > LINE_LIMIT)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FileDamaged(because=str(error)) from error


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")
