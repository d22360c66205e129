"""How do some generations of read models take in the log, page after page?

Each projection has its own position. Those that stand at the same one take in a page
together, in one transaction; one that fails stops no other. Two processes may be at it at
once: whoever finds a position moved gives way.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    Update,
    bindparam,
    delete,
    exists,
    or_,
    select,
    tuple_,
    update,
)

from domain.ledger import Ledger
from projections import catalog, generation_tables, row_writing, store
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

    def __reduce__(self) -> tuple[Any, ...]:
        """Come whole out of another process."""
        return type(self), (self.failed,)


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where projections stand, and which of them have tables without indexes."""

    positions: dict[str, int]
    bare: frozenset[str] = frozenset()


_KEY: Final = tuple_(generations.c.projection, generations.c.generation)
_UNINDEXED: Final = tuple_(unindexed.c.projection, unindexed.c.generation)
_IS_BARE: Final = exists().where(_UNINDEXED == _KEY).label("is_bare")


@lru_cache(maxsize=256)
def _moving(targets: tuple[tuple[str, int], ...]) -> Update:
    """Moves some generations; built once, since that takes longer than to carry it out."""
    of = generations.c
    keys = [(of.projection == name) & (of.generation == number) for name, number in targets]
    moved = update(generations).where(or_(*keys))
    return moved.values(position=bindparam("to"), updated_at=bindparam("at"))


class CatchUp:
    """The generations that ``which`` names, one a projection, on their way to the head."""

    def __init__(
        self, engine: Engine, which: ColumnElement[bool], folds: Folds,
        clock: Callable[[], datetime],
    ) -> None:
        """Build the statements once: building one takes longer than it takes to answer."""
        self.engine: Final = engine
        self.folds: Final = folds
        self._clock: Final = clock
        of = generations.c
        self._positions: Final = select(of.projection, of.position).where(which)
        self._with_indexes: Final = self._positions.add_columns(_IS_BARE)
        all_targets = (
            select(of.projection, of.generation)
            .where(which).order_by(of.projection).with_for_update()
        )
        self._targets: Final = all_targets.where(of.projection == bindparam("name"))
        self._targets_at: Final = all_targets.where(of.position == bindparam("start"))

    def positions(self) -> dict[str, int]:
        """The position that each projection has reached."""
        return {row.projection: row.position for row in self._rows(self._positions)}

    def _standing(self) -> _Standing:
        rows = self._rows(self._with_indexes)
        bare = frozenset(row.projection for row in rows if row.is_bare)
        return _Standing({row.projection: row.position for row in rows}, bare)

    def _rows(self, query: Select[Any]) -> list[Row[Any]]:
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            rows = connection.execute(query).all()
        return [row for row in rows if row.projection in catalog.PROJECTIONS]

    def run(
        self, ledger: Ledger, progress: Progress | None = None,
        known: dict[str, int] | None = None,
    ) -> dict[str, int]:
        """Bring every projection to the head; answers the positions reached.

        ``known`` are those that the last run reached, if nobody else has moved them since;
        whoever has is found out.

        :raises ProjectionFailedError: where one could not be, after all others were.
        """
        with _side_by_side(), ThreadPoolExecutor(1) as reader:
            standing = _Standing(known) if known else self._standing()
            return self._run(ledger, reader, progress, standing)

    def _run(
        self, ledger: Ledger, reader: ThreadPoolExecutor, progress: Progress | None,
        standing: _Standing,
    ) -> dict[str, int]:
        """Page after page; the next full one is read and folded while one is written."""
        failed: dict[str, Exception] = {}
        ahead: Future[Prepared] | None = None
        while True:
            positions = {n: p for n, p in standing.positions.items() if n not in failed}
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
            failures, moved = self._step(found)
            failed |= failures
            if progress:
                progress(found.last, ledger.head())
            if found.is_newest and moved == set(positions):
                positions = dict.fromkeys(positions, found.last)
                break
            standing = self._standing()
        for name in standing.bare & set(positions):
            self._index(name)
        if failed:
            raise ProjectionFailedError(failed) from next(iter(failed.values()))
        return positions

    def _step(self, found: Prepared) -> tuple[dict[str, Exception], set[str]]:
        """Take in one page in one transaction; where that fails, each projection by itself.

        Answers which failed, and which were moved.
        """
        try:
            with store.writing(self.engine, patience=store.PATIENCE_SECONDS) as connection:
                return {}, self.take_in(connection, found)
        except Exception as error:  # noqa: BLE001 - answered, after the others were tried
            if len(found.names) == 1:
                return {found.names[0]: error}, set()
            failed: dict[str, Exception] = {}
            moved: set[str] = set()
            for name in found.names:
                failures, one = self._step(replace(found, names=[name]))
                failed |= failures
                moved |= one
            return failed, moved

    def take_in(self, connection: Connection, found: Prepared) -> set[str]:
        """Write a page's changes, except where another process has just done so.

        Answers the projections for which it was done here.
        """
        changes = {name: found.of(name) for name in found.names}
        rows = connection.execute(self._targets_at, {"start": found.start}).all()
        targets = [(name, generation) for name, generation in rows if name in changes]
        if not targets:
            return set()
        with store.pipelined(connection, found.last - found.start):
            for name, generation in targets:
                row_writing.apply(connection, changes[name], generation)
            self._park(connection, targets, changes)
            moved = {"to": found.last, "at": self._clock()}
            connection.execute(_moving(tuple(targets)), moved)
        return {name for name, _generation in targets}

    def _index(self, name: str) -> None:
        """Index filled tables: sorting once is faster than keeping order row by row.

        Each index is a transaction, between which others get at SQLite's file.
        """
        tables, is_missing = catalog.PROJECTIONS[name].tables, True
        while is_missing:
            with store.writing(self.engine, patience=store.PATIENCE_SECONDS) as connection:
                store.take_time(connection)
                rows = connection.execute(self._targets, {"name": name}).all()
                is_missing = any(
                    generation_tables.create_next_index(connection, tables, row.generation)
                    for row in rows
                )
                if not is_missing:
                    for row in rows:
                        generation_tables.take_statistics(connection, tables, row.generation)
                    done = [(row.projection, row.generation) for row in rows]
                    connection.execute(delete(unindexed).where(_UNINDEXED.in_(done)))

    def _park(
        self, connection: Connection, targets: Sequence[tuple[str, int]],
        changes: dict[str, Changes],
    ) -> None:
        """Keep a page's faults, which are rare."""
        for name, generation in targets:
            if changes[name].faults:
                store.park(connection, name, generation, changes[name], self._clock())


SWITCH_SECONDS: Final = 0.0005
"""How long a thread that has Python's lock makes another wait for it."""


@contextmanager
def _side_by_side() -> Iterator[None]:
    """Let one thread work pages out while another writes them.

    They take turns more often than is usual, since the one that writes soon gives its turn
    back; and the collector of reference cycles looks less often: a page makes none.
    """
    collected, switched = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(200_000, *collected[1:])
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        gc.set_threshold(*collected)
        sys.setswitchinterval(switched)
