"""How are the files that anybody can have made again kept from filling the disk?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def drop_oldest(folder: Path, most: int, before: float = 0.0) -> None:
    """Leave the newest ``most`` files of a folder, and none last written before an instant.

    ``before`` is in seconds since 1970. Another process may drop the same file meanwhile.
    """
    for number, (written, file) in enumerate(sorted(_dated(folder), reverse=True)):
        if number >= most or written < before:
            file.unlink(missing_ok=True)


def _dated(folder: Path) -> Iterator[tuple[float, Path]]:
    for file in folder.iterdir():
        try:
            yield file.stat().st_mtime, file
        except FileNotFoundError:
            continue
