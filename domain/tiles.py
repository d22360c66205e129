"""How is the tree kept and handed out? In tiles, as C2SP's tlog-tiles has them.

https://c2sp.org/tlog-tiles: a full tile has 256 hashes. Those of level 0 are leaf hashes;
each of a level above is the root of a full tile below. The rightmost tiles of a tree may
be partial, and are not hashed into the level above. Every hash of the tree, and so every
proof, follows from some tiles.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Self

from domain.merkle import HASH_BYTES, Node, complete

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT
"""How many hashes a full tile has."""
TILE_BYTES: Final = WIDTH * HASH_BYTES
MOST_LEVELS: Final = 64
_INDEX: Final = re.compile(r"((?:x\d{3}/)*\d{3})(?:\.p/([1-9]\d{0,2}))?")


@dataclass(frozen=True, slots=True)
class Tile:
    """Which tile: its level, its index in the level, and its width in hashes."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it is served, below the log's address: ``tile/0/x001/067.p/17``."""
        groups = [f"{self.index % 1000:03}"]
        rest = self.index // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03}")
            rest //= 1000
        part = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{self.level}/{'/'.join(groups)}{part}"

    @classmethod
    def parsed(cls, level: str, index: str) -> Self | None:
        """The tile of an address; ``None`` for one that no tile has."""
        found = _INDEX.fullmatch(index) if index.isascii() else None
        if found is None or not re.fullmatch(r"[0-9]|[1-5][0-9]|6[0-3]", level):
            return None
        number, width = found[1].replace("x", "").replace("/", ""), int(found[2] or WIDTH)
        tile = cls(int(level), int(number), width)
        is_as_written = tile.path == f"tile/{level}/{index}"
        return tile if is_as_written and width <= WIDTH else None

    def is_of(self, size: int) -> bool:
        """Whether a tree of a size has this very tile: full, or its partial one."""
        return self == tile_of(size, self.level, self.index)


def tile_of(size: int, level: int, index: int) -> Tile | None:
    """A tile of a tree as wide as the tree has it; ``None`` where the tree has none there."""
    width = min((size >> HEIGHT * level) - index * WIDTH, WIDTH)
    return Tile(level, index, width) if width > 0 else None


def tiles_of(size: int) -> Iterator[Tile]:
    """Every tile of a tree, level by level."""
    for level in range(MOST_LEVELS):
        hashes = size >> HEIGHT * level
        if hashes == 0:
            return
        for index in range(-(-hashes // WIDTH)):
            yield Tile(level, index, min(hashes - index * WIDTH, WIDTH))


def hashes_in(tile: bytes) -> list[bytes]:
    """The hashes of a tile's bytes."""
    return [tile[n : n + HASH_BYTES] for n in range(0, len(tile), HASH_BYTES)]


def node_from(read: Callable[[int, int], bytes]) -> Node:
    """The nodes of a tree from its tiles; ``read(level, index)`` gives the bytes of one."""

    def node(height: int, index: int) -> bytes:
        level, rest = divmod(height, HEIGHT)
        first = index << rest
        offset = first % WIDTH * HASH_BYTES
        tile = read(level, first // WIDTH)
        part = tile[offset : offset + (HASH_BYTES << rest)]
        assert len(part) == HASH_BYTES << rest, "the tree has no such node"
        return complete(hashes_in(part))

    return node
