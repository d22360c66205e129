"""How are the lines of a history file read, one at a time, whatever its size?"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, cast

from workers.history.lines import LINE_LIMIT

FILE_LIMIT: Final = 2 * 1024**3
"""Bytes of the largest file, uncompressed."""


def history_lines(path: Path) -> Iterator[bytes]:
    """The lines of a plain or gzip-compressed file; an over-long line comes cut off.

    One byte more than the limit is given of it, so that it is refused and the rest of
    the file is still checked.
    """
    with _opened(path) as file:
        size = 0
        while size < FILE_LIMIT:
            line = file.readline(LINE_LIMIT + 1)
            if not line:
                return
            size += len(line)
            yield line
            while len(line) > LINE_LIMIT and not line.endswith(b"\n"):
                line = file.readline(LINE_LIMIT + 1)
                if not line:
                    return


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")
