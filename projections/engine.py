"""How do the read models keep up with the log, and how are they rebuilt?

Each projection has its own position and its own transaction: one that fails stops no
other, and a catch-up never ends well while one has failed. Two processes may advance
at once: whoever finds the position moved gives way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, tuple_, update

from domain.kernel import Recorded
from domain.ledger import Ledger, Notification, by_stream, recorded_from
from projections import catalog, store
from projections.kernel import Batch, Changes, Fault, Folds, Projection
from projections.store import generations, parked

BATCH: Final = 5_000

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a projection has come. ``position`` is the last event it has taken in."""

    name: str
    label: str
    position: int
    generation: int
    updated_at: datetime
    parked: int


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The result of a rebuild; ``differing_rows`` compares with the generation replaced.

    It is ``None`` where there was nothing to compare with.
    """

    name: str
    position: int
    differing_rows: int | None
    parked: int


class ProjectionFailedError(RuntimeError):
    """Some projections could not be brought to the head; the others were."""


class RebuildSupersededError(RuntimeError):
    """Another rebuild of the same projection began meanwhile and took over."""


@dataclass(frozen=True, slots=True)
class _Page:
    """Consecutive events: those that could be read, and those that could not."""

    batch: Batch
    faults: list[Fault]
    last: int

    @property
    def is_newest(self) -> bool:
        """Whether nothing more was there when it was read."""
        return len(self.batch.events) + len(self.faults) < BATCH

    def changes(self, projection: Projection) -> Changes:
        """A projection's row changes; what could not be read is among the faults."""
        changes = projection.changes(self.batch)
        changes.faults.extend(self.faults)
        return changes


class ReadModels:
    """The read models of one database."""

    def __init__(self, database_url: str, *, clock: Callable[[], datetime] | None = None) -> None:
        """Open the read models and create what is missing, empty."""
        self.engine = store.open_engine(database_url, is_disposable=True)
        self._clock = clock or _utc_now
        self._folds = Folds()
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

    def positions(self) -> dict[str, int]:
        """The position that each projection has reached."""
        query = select(generations.c.projection, generations.c.position)
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            rows = connection.execute(query.where(generations.c.is_serving)).all()
        return {r.projection: r.position for r in rows if r.projection in catalog.PROJECTIONS}

    def position(self) -> int:
        """The position that every projection has reached."""
        return min(self.positions().values(), default=0)

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

    def advance(self, ledger: Ledger) -> dict[str, int]:
        """Bring every projection to the head of the log; answers the positions reached.

        :raises ProjectionFailedError: where one could not be, after all others were.
        """
        failed: dict[str, Exception] = {}
        while True:
            positions = {n: p for n, p in self.positions().items() if n not in failed}
            if not positions:
                break
            start = min(positions.values())
            page = _read(ledger, start, self._folds)
            if page.last == start:
                break
            together = [n for n, p in positions.items() if p == start]
            failed |= self._step([catalog.PROJECTIONS[n] for n in together], page, start)
            if page.is_newest and not failed and len(together) == len(positions):
                positions = dict.fromkeys(positions, page.last)
                break
        if failed:
            names = "、".join(failed)
            raise ProjectionFailedError(names) from next(iter(failed.values()))
        return positions

    def _step(
        self, projections: Sequence[Projection], page: _Page, start: int
    ) -> dict[str, Exception]:
        """Take in one page in one transaction; where that fails, each projection by itself."""
        try:
            self._take_in(projections, page, start)
        except Exception as error:  # noqa: BLE001 - answered, after the others were tried
            if len(projections) == 1:
                return {projections[0].name: error}
            failed: dict[str, Exception] = {}
            for projection in projections:
                failed |= self._step([projection], page, start)
            return failed
        return {}

    def _take_in(self, projections: Sequence[Projection], page: _Page, start: int) -> None:
        """Write a page's changes, except where another process has just done so."""
        changes = {projection.name: page.changes(projection) for projection in projections}
        with store.writing(self.engine) as connection:
            query = select(generations.c.projection, generations.c.generation).where(
                generations.c.is_serving, generations.c.position == start,
                generations.c.projection.in_(changes),
            )
            rows = connection.execute(query.order_by("projection").with_for_update()).all()
            with store.pipelined(connection, len(page.batch.events)):
                for row in rows:
                    store.apply(connection, changes[row.projection], row.generation)
            for row in rows:
                self._park(connection, row.projection, row.generation, changes[row.projection])
            connection.execute(
                update(generations)
                .where(
                    tuple_(generations.c.projection, generations.c.generation).in_(
                        [tuple(row) for row in rows]
                    )
                )
                .values(position=page.last, updated_at=self._clock())
            )

    def _park(
        self, connection: Connection, name: str, generation: int, changes: Changes
    ) -> None:
        """Keep a page's faults, which are rare."""
        if changes.faults:
            store.park(connection, name, generation, changes, self._clock())

    def _write(
        self, connection: Connection, projection: Projection, generation: int, page: _Page
    ) -> None:
        """Write a page's rows, its parked events and the new position of a generation."""
        changes = page.changes(projection)
        store.apply(connection, changes, generation)
        self._park(connection, projection.name, generation, changes)
        connection.execute(
            update(generations)
            .where(generations.c.projection == projection.name)
            .where(generations.c.generation == generation)
            .values(position=page.last, updated_at=self._clock())
        )

    # ---- generations ----

    def _ensure(self, projection: Projection) -> None:
        """Give a projection tables to serve from.

        Tables that are missing or of another version are made anew and empty; the next
        advance fills them.
        """
        with store.writing(self.engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(
                    f"LOCK TABLE {generations.name} IN SHARE ROW EXCLUSIVE MODE"
                )
            row = _serving(connection, projection.name)
            if row is not None and row.version == projection.version:  # noqa: SIM102 - reads better
                if not store.is_missing(connection, projection.tables, row.generation):
                    return
            generation = self._new_generation(connection, projection, is_serving=True)
            store.serve(connection, projection.tables, generation)
            if row is not None:
                _retire(connection, projection, row.generation)

    def _new_generation(
        self, connection: Connection, projection: Projection, *, is_serving: bool
    ) -> int:
        highest = connection.execute(
            select(func.max(generations.c.generation)).where(
                generations.c.projection == projection.name
            )
        ).scalar()
        generation = (highest or 0) + 1
        store.create_tables(connection, projection.tables, generation)
        connection.execute(
            insert(generations).values(
                projection=projection.name, generation=generation, position=0,
                version=projection.version, is_serving=is_serving, updated_at=self._clock(),
            )
        )
        return generation

    def rebuild(self, name: str, ledger: Ledger, progress: Progress | None = None) -> Rebuilt:
        """Fill new tables from the beginning of the log, compare, and switch to them.

        The old tables serve, and keep up, until the switch.

        :raises KeyError: for an unknown projection.
        :raises RebuildSupersededError: where another rebuild took over.
        """
        projection = catalog.PROJECTIONS[name]
        with store.writing(self.engine) as connection:
            _retire_unfinished(connection, projection)
            generation = self._new_generation(connection, projection, is_serving=False)
        position, folds = 0, Folds()
        while position < (head := ledger.head()):
            page = _read(ledger, position, folds)
            with store.writing(self.engine) as connection:
                _claim(connection, projection, generation, position)
                self._write(connection, projection, generation, page)
            position = page.last
            if progress:
                progress(position, head)
        return self._switch(projection, generation, ledger)

    def _switch(self, projection: Projection, generation: int, ledger: Ledger) -> Rebuilt:
        """Catch up the last events under the lock, compare, and serve the new tables."""
        with store.writing(self.engine) as connection:
            old = _serving(connection, projection.name)
            position = _claim(connection, projection, generation, None)
            while position < ledger.head():
                page = _read(ledger, position, Folds())
                self._write(connection, projection, generation, page)
                position = page.last
            differing = None
            if old is not None and old.position == position:
                differing = store.differing_rows(
                    connection, projection.tables, old.generation, generation
                )
            connection.execute(
                update(generations)
                .where(generations.c.projection == projection.name)
                .values(is_serving=generations.c.generation == generation)
            )
            store.serve(connection, projection.tables, generation)
            if old is not None:
                _retire(connection, projection, old.generation)
            count = connection.execute(
                select(func.count()).select_from(parked).where(
                    parked.c.projection == projection.name, parked.c.generation == generation
                )
            ).scalar_one()
        return Rebuilt(projection.name, position, differing, count)

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
            row = _serving(connection, name)
            assert row is not None
            mine = (parked.c.projection == name) & (parked.c.generation == row.generation)
            positions = connection.execute(select(parked.c.position).where(mine)).scalars().all()
            for position in sorted(positions):
                changes = _read_again(ledger, position, row.position).changes(projection)
                if not changes.faults:
                    store.apply(connection, changes, row.generation)
                    retried = delete(parked).where(mine, parked.c.position == position)
                    connection.execute(retried)
            remaining = select(func.count()).select_from(parked).where(mine)
            return connection.execute(remaining).scalar_one()


def _utc_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the engine's clock, given at its edge


def _read(ledger: Ledger, after: int, folds: Folds) -> _Page:
    """The next events; those this program cannot read become faults."""
    notifications = ledger.notifications(after, BATCH)
    events, faults = _decoded(notifications)
    last = notifications[-1].id if notifications else after
    return _Page(Batch(events, _loading(ledger, last), folds=folds), faults, last)


def _read_again(ledger: Ledger, position: int, up_to: int) -> _Page:
    """A single event, with its stream's history up to another position."""
    events, faults = _decoded(ledger.notifications(position - 1, 1))
    return _Page(Batch(events, _loading(ledger, up_to), is_excerpt=True), faults, position)


def _decoded(notifications: Sequence[Notification]) -> tuple[list[Recorded], list[Fault]]:
    events: list[Recorded] = []
    faults: list[Fault] = []
    for notification in notifications:
        try:
            events.append(recorded_from(notification))
        except Exception as error:  # noqa: BLE001 - parked, shown and retried
            stream = str(notification.originator_id)
            faults.append(Fault(notification.id, stream, repr(error)[:500]))
    return events, faults


def _loading(
    ledger: Ledger, last: int
) -> Callable[[Iterable[str]], Mapping[str, Sequence[Recorded] | Fault]]:
    """Reads the histories of streams up to a position."""

    def load(streams: Iterable[str]) -> Mapping[str, Sequence[Recorded] | Fault]:
        names = list(streams)
        groups: dict[str, Sequence[Recorded] | Fault] = {}
        for start in range(0, len(names), store.CHUNK):
            found = ledger.notifications_of(names[start : start + store.CHUNK], last)
            for name, notifications in by_stream(found).items():
                events, faults = _decoded(notifications)
                groups[name] = faults[0] if faults else events
        return groups

    return load


def _serving(connection: Connection, name: str) -> Row[Any] | None:
    query = select(generations).where(generations.c.projection == name, generations.c.is_serving)
    return connection.execute(query.with_for_update()).one_or_none()


def _claim(
    connection: Connection, projection: Projection, generation: int, position: int | None
) -> int:
    """The position of a generation under construction, locked; refuses a lost claim."""
    query = select(generations.c.position).where(
        generations.c.projection == projection.name, generations.c.generation == generation
    )
    found = connection.execute(query.with_for_update()).scalar_one_or_none()
    if found is None or (position is not None and found != position):
        raise RebuildSupersededError(projection.name)
    return int(found)


def _retire(connection: Connection, projection: Projection, generation: int) -> None:
    for table in (generations, parked):
        connection.execute(
            delete(table).where(
                table.c.projection == projection.name, table.c.generation == generation
            )
        )
    store.drop_tables(connection, projection.tables, generation)


def _retire_unfinished(connection: Connection, projection: Projection) -> None:
    query = select(generations.c.generation).where(
        generations.c.projection == projection.name, ~generations.c.is_serving
    )
    for generation in connection.execute(query).scalars().all():
        _retire(connection, projection, generation)
