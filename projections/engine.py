"""How do the read models keep up with the log, and how are they made anew?"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select

from domain.ledger import Ledger
from projections import catalog, generation_tables, row_writing, store
from projections.catching_up import CatchUp, Progress, ProjectionFailedError
from projections.direct import rows
from projections.kernel import Folds, Projection
from projections.pages import read_again
from projections.rebuilding import (
    Rebuilding,
    RebuildSupersededError,
    Rebuilt,
    UnderWay,
    locked,
    new_generation,
    retire,
    serving,
)
from projections.store import generations, parked

__all__ = [
    "Checkpoint", "ProjectionFailedError", "ReadModels", "RebuildSupersededError", "Rebuilt",
    "UnderWay",
]

_SERVING_POSITIONS = "SELECT projection, position FROM projection_generations WHERE is_serving"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a projection has come. ``position`` is the last event it has taken in."""

    name: str
    label: str
    position: int
    generation: int
    updated_at: datetime
    parked: int


class ReadModels:
    """The read models of one database."""

    def __init__(
        self, database_url: str, *, clock: Callable[[], datetime] | None = None,
        is_replica: bool = False,
    ) -> None:
        """Open the read models and create what is missing, empty.

        A replica is only read: nothing is created there.
        """
        self.engine = store.open_engine(database_url, is_disposable=True, is_replica=is_replica)
        self._clock = clock or _utc_now
        self._serving = CatchUp(self.engine, generations.c.is_serving, Folds(), self._clock)
        self._rebuilding = Rebuilding(self.engine, self._clock)
        if not is_replica:
            store.create_control_tables(self.engine)
            for projection in catalog.PROJECTIONS.values():
                self._ensure(projection)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @staticmethod
    def names() -> tuple[str, ...]:
        """The names of all projections."""
        return tuple(catalog.PROJECTIONS)

    # ---- positions ----

    def checkpoints(self) -> list[Checkpoint]:
        """Each serving projection's position and how many events it has parked."""
        count = (
            select(func.count())
            .where(parked.c.projection == generations.c.projection)
            .where(parked.c.generation == generations.c.generation)
            .scalar_subquery()
        )
        query = select(generations, count.label("parked")).where(generations.c.is_serving)
        with self.engine.connect() as connection:
            rows = connection.execute(query.order_by(generations.c.projection)).all()
        return [
            Checkpoint(
                row.projection, catalog.PROJECTIONS[row.projection].label, row.position,
                row.generation, row.updated_at, row.parked,
            )
            for row in rows
            if row.projection in catalog.PROJECTIONS
        ]

    def position(self) -> int:
        """The position that every projection has reached: asked at nearly every request."""
        found = rows(self.engine, _SERVING_POSITIONS)
        return min((at for name, at in found if name in catalog.PROJECTIONS), default=0)

    def wait_for(self, position: int, timeout_seconds: float) -> bool:
        """Wait until every projection has taken in a position; false when time runs out."""
        until = time.monotonic() + timeout_seconds
        pause = 0.002
        while self.position() < position:
            if time.monotonic() >= until:
                return False
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)
        return True

    # ---- advancing ----

    def advance(self, ledger: Ledger, known: dict[str, int] | None = None) -> dict[str, int]:
        """Bring every projection to the head of the log; answers the positions reached.

        Who gives back what the last call answered saves looking it up again.

        :raises ProjectionFailedError: where one could not be, after all others were.
        """
        return self._serving.run(ledger, known=known)

    def _ensure(self, projection: Projection) -> None:
        """Give a projection tables to serve from.

        Tables that are missing or of another version are made anew and empty; the next
        advance fills them.
        """
        with self.engine.connect() as connection:  # a start never waits for a rebuild
            if _fits(connection, projection, serving(connection, projection.name)):
                return
        with store.writing(self.engine) as connection:
            store.one_at_a_time(connection)
            row = locked(connection, projection.name)
            if _fits(connection, projection, row):
                return
            generation = new_generation(connection, projection, self._clock(), is_serving=True)
            generation_tables.serve(connection, projection.tables, generation)
            if row is not None:
                retire(connection, projection, row.generation)

    # ---- rebuilding ----

    def rebuild(
        self, name: str, ledger: Ledger, progress: Progress | None = None
    ) -> Rebuilt:
        """Make one projection anew, from the beginning; see :meth:`rebuild_together`."""
        return self.rebuild_together([name], ledger, progress=progress)[0]

    def rebuild_together(
        self, names: Sequence[str], ledger: Ledger, claim: str | None = None,
        progress: Progress | None = None,
    ) -> list[Rebuilt]:
        """Fill new tables from the beginning of the log, compare, and switch to them.

        The old tables serve, and keep up, until the switch. A rebuild that was left
        unfinished under the same ``claim`` goes on where it stopped; without one it begins
        anew.

        :raises KeyError: for an unknown projection.
        :raises RebuildSupersededError: where it was cancelled or another took over.
        :raises ProjectionFailedError: where some could not be; the others serve anew.
        """
        return self._rebuilding.run(names, ledger, claim or self._clock().isoformat(), progress)

    def rebuilds_under_way(self) -> list[UnderWay]:
        """The rebuilds that are not finished, with their progress."""
        return self._rebuilding.under_way()

    def cancel_rebuild(self, name: str) -> bool:
        """Give up an unfinished rebuild; false where there is none."""
        return self._rebuilding.cancel(name)

    # ---- parked events ----

    def parked(self) -> list[Row[Any]]:
        """The events that serving projections could not take in, oldest first."""
        query = (
            select(parked)
            .join(
                generations,
                (generations.c.projection == parked.c.projection)
                & (generations.c.generation == parked.c.generation),
            )
            .where(generations.c.is_serving)
            .order_by(parked.c.position)
        )
        with self.engine.connect() as connection:
            return list(connection.execute(query).all())

    def retry_parked(self, name: str, ledger: Ledger) -> int:
        """Try a projection's parked events again; answers how many remain parked."""
        projection = catalog.PROJECTIONS[name]
        with store.writing(self.engine) as connection:
            row = locked(connection, name)  # nothing advances or is switched meanwhile
            assert row is not None
            mine = (parked.c.projection == name) & (parked.c.generation == row.generation)
            positions = connection.execute(select(parked.c.position).where(mine)).scalars().all()
            for position in sorted(positions):
                changes = read_again(ledger, position, row.position).changes(projection)
                if not changes.faults:
                    row_writing.apply(connection, changes, row.generation)
                    retried = delete(parked).where(mine, parked.c.position == position)
                    connection.execute(retried)
            remaining = select(func.count()).select_from(parked).where(mine)
            return connection.execute(remaining).scalar_one()


def _utc_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the engine's clock, given at its edge


def _fits(connection: Connection, projection: Projection, row: Row[Any] | None) -> bool:
    """Whether the serving generation is of today's version, with all its tables there."""
    return (
        row is not None
        and row.version == projection.version
        and not generation_tables.is_missing(connection, projection.tables, row.generation)
    )
