"""How is a file written so that it stands under its name whole, or not at all?"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole(target: Path) -> Iterator[BinaryIO]:
    """A file to write to, for this user alone, in a folder that is there.

    It takes its name once what was written is on the disk; where that fails, nothing is left
    of it, and what had the name before has it still.
    """
    handle, name = tempfile.mkstemp(dir=target.absolute().parent, prefix=".")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()
