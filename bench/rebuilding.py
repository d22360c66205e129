"""What do processes of their own need to rebuild every read model, and how long?"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Final

from bench.filling import say
from bench.places import Place
from projections.catalog import PARTS
from projections.engine import ReadModels
from projections.pages import BATCH

MIB: Final = 1 << 20


@contextmanager
def workers() -> Iterator[Pool]:
    """Two processes that have loaded everything, as RQ's workers have."""
    with multiprocessing.get_context("spawn").Pool(2, maxtasksperchild=1_000) as pool:
        pool.map(peak_memory, range(8), chunksize=1)
        yield pool


def rebuild(pool: Pool, place: Place) -> int:
    """Rebuild the parts side by side; answers the highest peak memory of a process, in bytes."""
    return max(pool.map(partial(_rebuild, place), PARTS, chunksize=1))


def _rebuild(place: Place, names: tuple[str, ...]) -> int:
    with place.ledger() as ledger:
        read_models = ReadModels(place.read_url)
        read_models.rebuild_together(names, ledger, progress=_progress(names[0]))
        read_models.close()
    return peak_memory()


def _progress(name: str) -> Callable[[int, int], None]:
    """Says every million events how far the part that begins with a projection is."""

    def said(position: int, head: int) -> None:
        if position % 1_000_000 < BATCH:
            say(f"{name}: {position:,} of {head:,} events rebuilt")

    return said


def peak_memory(_number: int = 0) -> int:
    """The most memory that this process has held since it began, in bytes (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024
