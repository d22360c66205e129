"""How are read models made anew from the whole log, while the old ones serve?

New tables are filled beside the old ones, several projections in one pass; at the end
they are compared and the views are switched, in one transaction. What a killed worker
left half done is continued by whoever has the same *claim*; another claim begins anew,
and the earlier rebuild finds itself superseded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, tuple_, update

from domain.ledger import Ledger
from projections import catalog, generation_tables, store
from projections.catching_up import CatchUp, Progress, ProjectionFailedError
from projections.kernel import Folds, Projection
from projections.pages import prepared
from projections.store import generations, parked, rebuilds, unindexed


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The result of a rebuild; ``differing_rows`` compares with the generation replaced.

    It is ``None`` where there was nothing to compare with.
    """

    name: str
    position: int
    differing_rows: int | None
    parked: int


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A rebuild that is not finished, whether or not anybody is at it."""

    name: str
    position: int
    claim: str
    updated_at: datetime


class RebuildSupersededError(RuntimeError):
    """The rebuild was cancelled, or another one of the same projection began meanwhile."""


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """Makes read models of one database anew."""

    engine: Engine
    clock: Callable[[], datetime]

    def under_way(self) -> list[UnderWay]:
        """The rebuilds that are not finished."""
        query = select(generations, rebuilds.c.claim).join(
            rebuilds,
            (rebuilds.c.projection == generations.c.projection)
            & (rebuilds.c.generation == generations.c.generation),
        ).where(~generations.c.is_serving)
        with self.engine.connect() as connection:
            rows = connection.execute(query.order_by(generations.c.projection)).all()
        return [UnderWay(r.projection, r.position, r.claim, r.updated_at) for r in rows]

    def cancel(self, name: str) -> bool:
        """Give up a projection's unfinished rebuild; whoever is at it finds it gone."""
        with store.writing(self.engine) as connection:
            return retire_unfinished(connection, catalog.PROJECTIONS[name])

    def run(
        self, names: Sequence[str], ledger: Ledger, claim: str, progress: Progress | None = None
    ) -> list[Rebuilt]:
        """Fill new tables from the beginning of the log, compare, and switch to them.

        :raises KeyError: for an unknown projection.
        :raises RebuildSupersededError: where it was cancelled or another took over.
        :raises ProjectionFailedError: where some could not be; the others serve anew.
        """
        projections = [catalog.PROJECTIONS[name] for name in names]
        targets = {p.name: self._target(p, claim) for p in projections}
        which = tuple_(generations.c.projection, generations.c.generation).in_(targets.items())
        new = CatchUp(self.engine, which, Folds(), self.clock)

        def reached(position: int, head: int) -> None:
            if progress:
                progress(position, head)
            if lost := set(targets) - set(new.positions()):
                raise RebuildSupersededError("、".join(sorted(lost)))

        failed: dict[str, Exception] = {}
        try:
            new.run(ledger, reached)
        except ProjectionFailedError as error:
            failed = error.failed
        ready = [p for p in projections if p.name not in failed]
        results = [self._switch(p, targets[p.name], new, ledger) for p in ready]
        if failed:
            raise ProjectionFailedError(failed) from next(iter(failed.values()))
        return results

    def _target(self, projection: Projection, claim: str) -> int:
        """The generation to fill: the claim's own unfinished one, or a new one."""
        with store.writing(self.engine, patience=store.PATIENCE_SECONDS) as connection:
            store.one_at_a_time(connection)
            query = select(generations.c.generation).join(
                rebuilds,
                (rebuilds.c.projection == generations.c.projection)
                & (rebuilds.c.generation == generations.c.generation),
            ).where(
                generations.c.projection == projection.name, ~generations.c.is_serving,
                generations.c.version == projection.version, rebuilds.c.claim == claim,
            )
            found = connection.execute(query.with_for_update()).scalar_one_or_none()
            if found is not None:
                return int(found)
            retire_unfinished(connection, projection)
            generation = new_generation(connection, projection, self.clock(), is_serving=False)
            row = {"projection": projection.name, "generation": generation, "claim": claim}
            connection.execute(insert(rebuilds).values(row))
            return generation

    def _switch(
        self, projection: Projection, generation: int, new: CatchUp, ledger: Ledger
    ) -> Rebuilt:
        """Catch up the last events under the lock, compare, and serve the new tables."""
        with store.writing(self.engine, patience=store.PATIENCE_SECONDS) as connection:
            store.take_time(connection)
            old = locked(connection, projection.name)
            position = _claimed(connection, projection, generation)
            while True:
                found = prepared(ledger, position, [projection.name], new.folds)
                if found.last == position:
                    break
                new.take_in(connection, found)
                position = found.last
            differing = None
            if old is not None and old.position == position:
                differing = generation_tables.differing_rows(
                    connection, projection.tables, old.generation, generation
                )
            connection.execute(
                update(generations)
                .where(generations.c.projection == projection.name)
                .values(is_serving=generations.c.generation == generation)
            )
            generation_tables.serve(connection, projection.tables, generation)
            if old is not None:
                retire(connection, projection, old.generation)
            count = connection.execute(
                select(func.count()).select_from(parked).where(
                    parked.c.projection == projection.name, parked.c.generation == generation
                )
            ).scalar_one()
        return Rebuilt(projection.name, position, differing, count)


# ---- generations ----


def new_generation(
    connection: Connection, projection: Projection, now: datetime, *, is_serving: bool
) -> int:
    """Create a projection's next tables, empty; they are indexed when they are filled."""
    highest = connection.execute(
        select(func.max(generations.c.generation)).where(
            generations.c.projection == projection.name
        )
    ).scalar()
    generation = (highest or 0) + 1
    generation_tables.create_tables(connection, projection.tables, generation)
    key = {"projection": projection.name, "generation": generation}
    connection.execute(insert(unindexed).values(key))
    connection.execute(
        insert(generations).values(
            projection=projection.name, generation=generation, position=0,
            version=projection.version, is_serving=is_serving, updated_at=now,
        )
    )
    return generation


def serving(connection: Connection, name: str) -> Row[Any] | None:
    """The generation that queries read."""
    query = select(generations).where(generations.c.projection == name, generations.c.is_serving)
    return connection.execute(query).one_or_none()


def locked(connection: Connection, name: str) -> Row[Any] | None:
    """The same, locked: whoever waited for one that was replaced meanwhile looks again."""
    while (found := serving(connection, name)) is not None:
        same = (generations.c.projection == name) & (generations.c.generation == found.generation)
        query = select(generations).where(same, generations.c.is_serving)
        held = connection.execute(query.with_for_update()).one_or_none()
        if held is not None:
            return held
    return None


def _claimed(connection: Connection, projection: Projection, generation: int) -> int:
    """The position of a generation under construction, locked; refuses a lost claim."""
    query = select(generations.c.position).where(
        generations.c.projection == projection.name, generations.c.generation == generation,
        ~generations.c.is_serving,
    )
    found = connection.execute(query.with_for_update()).scalar_one_or_none()
    if found is None:
        raise RebuildSupersededError(projection.name)
    return int(found)


def retire(connection: Connection, projection: Projection, generation: int) -> None:
    """Drop a generation's tables and all that is known of it."""
    for table in (generations, parked, rebuilds, unindexed):
        connection.execute(
            delete(table).where(
                table.c.projection == projection.name, table.c.generation == generation
            )
        )
    generation_tables.drop_tables(connection, projection.tables, generation)


def retire_unfinished(connection: Connection, projection: Projection) -> bool:
    """Drop the tables that a rebuild left unfinished; answers whether there were any."""
    query = select(generations.c.generation).where(
        generations.c.projection == projection.name, ~generations.c.is_serving
    )
    found = connection.execute(query).scalars().all()
    for generation in found:
        retire(connection, projection, generation)
    return bool(found)
