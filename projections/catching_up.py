"""How do some generations of read models take in the log, page after page?

Each projection has its own position. Those that stand at the same one take in a page
together, in one transaction; one that fails stops no other. Two processes may be at it at
once: whoever finds a position moved gives way.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    delete,
    exists,
    select,
    tuple_,
    update,
)

from domain.ledger import Ledger
from projections import catalog, store
from projections.kernel import Changes, Folds
from projections.pages import Prepared, prepared
from projections.store import generations, unindexed

Progress = Callable[[int, int], None]
"""Told the position reached and the log's head, after each page."""


class ProjectionFailedError(RuntimeError):
    """Some projections could not be brought to the head; the others were."""

    def __init__(self, failed: dict[str, Exception]) -> None:
        """Keep which ones failed, and with what."""
        super().__init__("、".join(failed))
        self.failed = failed


@dataclass(frozen=True, slots=True)
class CatchUp:
    """The generations that ``which`` names, one a projection, on their way to the head."""

    engine: Engine
    which: ColumnElement[bool]
    folds: Folds
    clock: Callable[[], datetime]

    def positions(self) -> dict[str, int]:
        """The position that each projection has reached."""
        query = select(generations.c.projection, generations.c.position).where(self.which)
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            rows = connection.execute(query).all()
        return {r.projection: r.position for r in rows if r.projection in catalog.PROJECTIONS}

    def _standing(self) -> tuple[set[str], dict[str, int]]:
        """The projections whose tables have no indexes yet, and all positions."""
        key = tuple_(generations.c.projection, generations.c.generation)
        is_bare = exists().where(key == tuple_(unindexed.c.projection, unindexed.c.generation))
        query = select(generations.c.projection, generations.c.position, is_bare.label("is_bare"))
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            rows = connection.execute(query.where(self.which)).all()
        known = [row for row in rows if row.projection in catalog.PROJECTIONS]
        return {r.projection for r in known if r.is_bare}, {r.projection: r.position for r in known}

    def _index(self, name: str) -> None:
        """Index filled tables: sorting once is faster than keeping order row by row."""
        query = select(generations.c.generation).where(self.which, generations.c.projection == name)
        with store.writing(self.engine) as connection:
            generation = connection.execute(query.with_for_update()).scalar_one_or_none()
            if generation is not None:
                tables = catalog.PROJECTIONS[name].tables
                store.create_indexes(connection, tables, generation)
                mine = (unindexed.c.projection == name) & (unindexed.c.generation == generation)
                connection.execute(delete(unindexed).where(mine))

    def run(self, ledger: Ledger, progress: Progress | None = None) -> dict[str, int]:
        """Bring every projection to the head; answers the positions reached.

        :raises ProjectionFailedError: where one could not be, after all others were.
        """
        with _few_collections(), ThreadPoolExecutor(1) as reader:
            return self._run(ledger, reader, progress)

    def _run(
        self, ledger: Ledger, reader: ThreadPoolExecutor, progress: Progress | None
    ) -> dict[str, int]:
        """Page after page; the next full one is read and folded while one is written."""
        failed: dict[str, Exception] = {}
        ahead: Future[Prepared] | None = None
        while True:
            bare, positions = self._standing()
            positions = {n: p for n, p in positions.items() if n not in failed}
            start = min(positions.values(), default=0)
            names = [n for n, p in positions.items() if p == start]
            found = ahead.result() if ahead else None
            if found is None or (found.start, found.names) != (start, names):
                found = prepared(ledger, start, names, self.folds)
            if not positions or found.last == start:
                break
            ahead = None
            if not found.is_newest:
                ahead = reader.submit(prepared, ledger, found.last, names, self.folds)
            failed |= self._step(found)
            if progress:
                progress(found.last, ledger.head())
            if found.is_newest and not failed and len(names) == len(positions):
                positions = dict.fromkeys(positions, found.last)
                break
        for name in bare & set(positions):
            self._index(name)
        if failed:
            raise ProjectionFailedError(failed) from next(iter(failed.values()))
        return positions

    def _step(self, found: Prepared) -> dict[str, Exception]:
        """Take in one page in one transaction; where that fails, each projection by itself."""
        try:
            with store.writing(self.engine) as connection:
                self.take_in(connection, found)
        except Exception as error:  # noqa: BLE001 - answered, after the others were tried
            if len(found.names) == 1:
                return {found.names[0]: error}
            failed: dict[str, Exception] = {}
            for name in found.names:
                failed |= self._step(replace(found, names=[name]))
            return failed
        return {}

    def take_in(self, connection: Connection, found: Prepared) -> None:
        """Write a page's changes, except where another process has just done so."""
        changes = {name: found.of(name) for name in found.names}
        query = select(generations.c.projection, generations.c.generation).where(
            self.which, generations.c.position == found.start,
            generations.c.projection.in_(changes),
        )
        rows = connection.execute(query.order_by("projection").with_for_update()).all()
        targets = [(row.projection, row.generation) for row in rows]
        with store.pipelined(connection, found.last - found.start):
            for name, generation in targets:
                store.apply(connection, changes[name], generation)
        self._park(connection, targets, changes)
        mine = tuple_(generations.c.projection, generations.c.generation).in_(targets)
        moved = update(generations).where(mine)
        connection.execute(moved.values(position=found.last, updated_at=self.clock()))

    def _park(
        self, connection: Connection, targets: Sequence[tuple[str, int]],
        changes: dict[str, Changes],
    ) -> None:
        """Keep a page's faults, which are rare."""
        for name, generation in targets:
            if changes[name].faults:
                store.park(connection, name, generation, changes[name], self.clock())


@contextmanager
def _few_collections() -> Iterator[None]:
    """Let the collector of reference cycles look less often: a page makes none."""
    before = gc.get_threshold()
    gc.set_threshold(200_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
