"""Where are the tiles and checkpoints kept? In tables beside the log, append-only like it.

A full tile is a row. A checkpoint brings the leaf hashes that no full tile of its tree has,
so that every tile of every checkpoint can be given, and each leaf hash is stored once as an
edge and once in its tile. Every checkpoint is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import psycopg
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    event,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import ProgrammingError

from domain.ledger import LedgerNotPreparedError
from domain.tiles import HEIGHT, WIDTH, tile_of
from projections.append_only import grant_appending, keep_append_only
from projections.columns import UtcDateTime
from projections.store import open_engine, writing

LOCK: Final = 0x7A48_5345
"""PostgreSQL's advisory lock for creating the tables and for adding to them."""
CHUNK: Final = 64
"""How many tiles are read at once: half a mebibyte."""

MOST_HELD: Final = 512
"""How many tiles a reader keeps at hand: four mebibytes."""

metadata: Final = MetaData()

tiles: Final = Table(
    "log_tiles",
    metadata,
    Column("level", SmallInteger, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("last_position", BigInteger),  # of the events of a tile of level 0
    Column("root", LargeBinary, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
)
Index("log_tiles_by_position", tiles.c.last_position)

checkpoints: Final = Table(
    "log_checkpoints",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("sealed_at", UtcDateTime, nullable=False),
    Column("note", Text, nullable=False),
    Column("edge", LargeBinary, nullable=False),
)

TABLES: Final = (tiles.name, checkpoints.name)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A checkpoint as it is kept: its signed note, and the last event that it covers."""

    size: int
    position: int
    sealed_at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class FullTile:
    """A full tile: 256 hashes, their root, and on level 0 the position of the last event."""

    level: int
    number: int
    hashes: bytes
    root: bytes
    last_position: int | None = None


class Seals:
    """The tiles and checkpoints of one log."""

    def __init__(self, database_url: str) -> None:
        """Open what is kept beside a log, and create it on first use.

        :raises LedgerNotPreparedError: where it is missing and this role may not create it.
        """
        self.engine = open_engine(database_url)
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _reach_the_disk)
        try:
            _create(self.engine)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def grant(self, role: str) -> None:
        """Let a PostgreSQL role read and add; it can neither change nor delete."""
        with writing(self.engine) as connection:
            grant_appending(connection, TABLES, role)

    # ---- checkpoints ----

    def newest(self) -> Sealed | None:
        """The newest checkpoint."""
        found = self.checkpoints(limit=1)
        return found[0] if found else None

    def checkpoints(self, before: int | None = None, limit: int = CHUNK) -> list[Sealed]:
        """Checkpoints of trees smaller than ``before``, the newest first."""
        query = _sealed().order_by(checkpoints.c.size.desc()).limit(limit)
        if before is not None:
            query = query.where(checkpoints.c.size < before)
        return self._found(query)

    def checkpoints_from(self, after: int, limit: int) -> list[Sealed]:
        """Checkpoints of trees larger than ``after``, the oldest first."""
        query = _sealed().where(checkpoints.c.size > after).order_by(checkpoints.c.size)
        return self._found(query.limit(limit))

    def at(self, size: int) -> Sealed | None:
        """The checkpoint of a size, if one was made."""
        found = self._found(_sealed().where(checkpoints.c.size == size))
        return found[0] if found else None

    def _found(self, query: Any) -> list[Sealed]:
        with self.engine.connect() as connection:
            return [Sealed(*row) for row in connection.execute(query)]

    # ---- tiles ----

    def edge(self, size: int) -> bytes:
        """The leaf hashes of the partial tile of level 0 in the tree of a checkpoint."""
        full = size // WIDTH * WIDTH
        column = checkpoints.c.size
        query = select(checkpoints.c.edge).where(column > full, column <= size).order_by(column)
        with self.engine.connect() as connection:
            return b"".join(bytes(edge) for edge in connection.execute(query).scalars())

    def tile(self, level: int, number: int) -> FullTile | None:
        """A full tile."""
        found = [*self.full_tiles(level, number, number + 1)]
        return found[0] if found else None

    def full_tiles(self, level: int, first: int, end: int) -> Iterator[FullTile]:
        """Full tiles of a level in their order, a chunk of them in memory at a time."""
        for start in range(first, end, CHUNK):
            last = min(start + CHUNK, end)
            numbers = (tiles.c.number >= start) & (tiles.c.number < last)
            query = select(tiles).where(tiles.c.level == level, numbers).order_by(tiles.c.number)
            with self.engine.connect() as connection:
                rows = connection.execute(query).all()
            for r in rows:
                yield FullTile(
                    r.level, r.number, bytes(r.hashes), bytes(r.root), r.last_position
                )

    def roots(self, level: int, first: int, end: int) -> list[bytes]:
        """The roots of full tiles of a level: the hashes of the level above."""
        numbers = (tiles.c.number >= first) & (tiles.c.number < end)
        query = select(tiles.c.root).where(tiles.c.level == level, numbers)
        with self.engine.connect() as connection:
            found = connection.execute(query.order_by(tiles.c.number)).scalars()
            return [bytes(root) for root in found]

    def hashes(self, level: int, index: int, size: int) -> bytes:
        """The bytes of a tile of a checkpoint's tree; none where the tree has no such tile."""
        tile = tile_of(size, level, index)
        if tile is None:
            return b""
        if tile.width == WIDTH:
            found = self.tile(level, index)
            return found.hashes if found else b""
        if level == 0:
            return self.edge(size)
        first = index * WIDTH
        return b"".join(self.roots(level - 1, first, first + tile.width))

    def reader(self, size: int) -> Callable[[int, int], bytes]:
        """Reads the tiles of a checkpoint's tree for ``domain.tiles.node_from``."""
        return lru_cache(MOST_HELD)(lambda level, index: self.hashes(level, index, size))

    def place(self, position: int) -> tuple[int, int]:
        """In which tile of level 0 an event is, and after which position that tile begins."""
        query = select(tiles.c.number).where(tiles.c.last_position >= position)
        query = query.order_by(tiles.c.last_position).limit(1)
        count = select(func.count()).where(tiles.c.level == 0)
        with self.engine.connect() as connection:
            number = connection.execute(query).scalar()
            number = connection.execute(count).scalar_one() if number is None else number
        return number, self.last_position(number - 1)

    def last_position(self, number: int) -> int:
        """The position of the last event of a full tile of level 0; 0 before the first."""
        if number < 0:
            return 0
        query = select(tiles.c.last_position).where(tiles.c.level == 0, tiles.c.number == number)
        with self.engine.connect() as connection:
            return connection.execute(query).scalar() or 0  # verified elsewhere

    # ---- adding ----

    def add(
        self, before: int, added: Sequence[FullTile], sealed: Sealed, edge: bytes
    ) -> bool:
        """Add a checkpoint and its tiles, unless another sealer was faster.

        ``before`` is the size of the newest checkpoint on which this one was made.
        """
        with writing(self.engine) as connection:
            _lock(connection)
            newest = connection.execute(select(func.max(checkpoints.c.size))).scalar()
            if (newest or 0) != before:
                return False
            for start in range(0, len(added), CHUNK):
                rows = [
                    {
                        "level": t.level, "number": t.number, "last_position": t.last_position,
                        "root": t.root, "hashes": t.hashes,
                    }
                    for t in added[start : start + CHUNK]
                ]
                connection.execute(insert(tiles), rows)
            connection.execute(insert(checkpoints).values(
                size=sealed.size, position=sealed.position, sealed_at=sealed.sealed_at,
                note=sealed.note, edge=edge,
            ))
        return True


def levels_of(size: int) -> Iterator[tuple[int, int]]:
    """How many full tiles of each level a tree has."""
    level = 0
    while size >> HEIGHT * (level + 1):
        yield level, size >> HEIGHT * (level + 1)
        level += 1


def _sealed() -> Any:
    c = checkpoints.c
    return select(c.size, c.position, c.sealed_at, c.note)


def _create(engine: Engine) -> None:
    """Create what is missing, one program at a time."""
    if inspect(engine).has_table(checkpoints.name):
        return
    try:
        with writing(engine) as connection:
            _lock(connection)
            metadata.create_all(connection)
            keep_append_only(connection, TABLES, "the ledger")
    except ProgrammingError as error:
        if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            raise LedgerNotPreparedError from error
        raise


def _lock(connection: Connection) -> None:
    """Wait for other sealers; SQLite's writers are alone anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})


def _reach_the_disk(connection: Any, _record: Any) -> None:
    """What was signed is not forgotten when the power fails."""
    connection.execute("PRAGMA synchronous=FULL")
