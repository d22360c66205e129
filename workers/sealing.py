"""How is the log sealed? New events become leaves, and the tree over all of them is signed.

Only new events and those of the last tile are read. Before anything is signed, what was
signed before is looked at: the last leaves against the log, the tree against the newest
checkpoint, both against the checkpoint that was noted outside the database. A log that
contradicts any of them is not sealed any more, and that is an alarm. So is what the daily
verification of the whole log found (``workers/verdicts.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final

from domain.checkpoint import Checkpoint, leaf_of
from domain.ledger import Ledger, StoredRow
from domain.merkle import HASH_BYTES, complete, mth
from domain.signed_note import BadNote, Signer
from domain.tiles import HEIGHT, WIDTH, hashes_in, node_from, tile_of
from workers import verdicts
from workers.seals import FullTile, Sealed, Seals, levels_of
from workers.verdicts import SEALING, VERIFICATION, Kept
from workers.whole_files import whole

MOST: Final = 64 * 1024
"""How many events one checkpoint takes in at most: what is held in memory, and written at once."""
PAGE: Final = 4_096
MOST_NOTE_BYTES: Final = 100_000


class SealBrokenError(RuntimeError):
    """The log contradicts what was signed before: nothing more is signed."""


@dataclass(frozen=True, slots=True)
class SealState:
    """How the sealing is doing. ``unsealed`` counts positions after the newest checkpoint.

    ``verified_at`` is when the whole log was verified last.
    """

    size: int
    position: int
    sealed_at: datetime | None
    unsealed: int
    alarm: str | None
    verified_at: datetime | None = None


@dataclass
class _Growth:
    """A tree on its way from one checkpoint to the next: what it adds, and its edge."""

    seals: Seals
    size: int
    position: int
    edge: list[bytes]
    added: dict[tuple[int, int], FullTile] = field(default_factory=dict)
    _known: dict[tuple[int, int, int], list[bytes]] = field(default_factory=dict)

    def take(self, events: Sequence[StoredRow]) -> None:
        """Add leaves, and every tile that they fill."""
        for event in events:
            self.edge.append(leaf_of(event))
            self.size, self.position = self.size + 1, event[0]
            if self.size % WIDTH == 0:
                self._fill(0, self.size // WIDTH - 1, self.edge, event[0])
                self.edge = []

    def _fill(
        self, level: int, number: int, hashes: Sequence[bytes], position: int | None = None
    ) -> None:
        root = complete(hashes)
        self.added[level, number] = FullTile(level, number, b"".join(hashes), root, position)
        if (number + 1) % WIDTH == 0:
            self._fill(level + 1, number // WIDTH, self._roots(level, number + 1 - WIDTH, WIDTH))

    def _roots(self, level: int, first: int, count: int) -> list[bytes]:
        """The roots of some tiles: stored ones first, then added ones."""
        new = [n for n in range(first, first + count) if (level, n) in self.added]
        stored = (level, first, new[0] if new else first + count)
        if stored not in self._known:
            self._known[stored] = self.seals.roots(*stored)
        return self._known[stored] + [self.added[level, n].root for n in new]

    def root(self) -> bytes:
        """The root of the tree as it has grown."""
        return mth(self.size, node_from(cache(self._read)))

    def _read(self, level: int, index: int) -> bytes:
        tile = tile_of(self.size, level, index)
        assert tile is not None
        if (level, index) in self.added:
            return self.added[level, index].hashes
        if tile.width == WIDTH:
            found = self.seals.tile(level, index)
            return found.hashes if found else b""
        if level == 0:
            return b"".join(self.edge)
        return b"".join(self._roots(level - 1, index * WIDTH, tile.width))


class Sealer:
    """Seals one log with one key."""

    def __init__(
        self, ledger: Ledger, seals: Seals, signer: Callable[[], Signer], noted: Path
    ) -> None:
        """Seal a log; ``noted`` is the file, outside the database, of the newest checkpoint.

        The signer is asked for when it is needed: recording does not depend on it.
        """
        self._ledger = ledger
        self._seals = seals
        self._signer = signer
        self._noted = noted

    def seal(self, now: datetime) -> bool:
        """Seal some new events; answers whether more were there. What is wrong is kept.

        What is recorded meanwhile is for the next time: else it would never end.

        :raises SealBrokenError: where the log contradicts what was signed before.
        """
        try:
            has_more = self._seal(now)
        except (SealBrokenError, ValueError) as error:
            verdicts.keep(self._noted.parent, SEALING, Kept(now, str(error)))
            raise
        last = verdicts.read(self._noted.parent, SEALING)
        if last is not None and last.alarm is not None:
            verdicts.keep(self._noted.parent, SEALING, Kept(now))
        return has_more

    def _seal(self, now: datetime) -> bool:
        verified = verdicts.read(self._noted.parent, VERIFICATION)
        if verified is not None and verified.alarm is not None:
            raise SealBrokenError(verified.alarm)
        newest = self._seals.newest()
        growth, rest = self._checked(newest)
        ahead = self._noted_ahead(growth.size)
        most = MOST if ahead is None else ahead.size - growth.size
        left = self._take(growth, rest, most)
        if ahead is not None:
            self._refuse_unless_same(growth, ahead)
        before = newest.size if newest else 0
        if growth.size == before:
            return False
        is_added = self._add(before, growth, now)
        if is_added:
            self._note()
        return not is_added or left == 0

    def _add(self, before: int, growth: _Growth, now: datetime) -> bool:
        """Sign and keep the grown tree, unless another sealer was faster."""
        signer = self._signer()
        checkpoint = Checkpoint(signer.name, growth.size, growth.root())
        sealed = Sealed(growth.size, growth.position, now, signer.signed(checkpoint.text))
        new = min(growth.size - before, len(growth.edge))
        edge = b"".join(growth.edge[len(growth.edge) - new :])
        return self._seals.add(before, list(growth.added.values()), sealed, edge)

    def _take(self, growth: _Growth, events: Sequence[StoredRow], most: int) -> int:
        """Let the tree grow by the events that were read and those after them.

        Answers how many more it might have taken in.
        """
        while most > 0 and (
            events := events or self._ledger.rows(growth.position, PAGE)
        ):
            growth.take(events[:most])
            most, events = most - len(events[:most]), ()
        return most

    def kept_state(self) -> SealState:
        """The newest checkpoint, and what the last jobs found wrong; costs next to nothing."""
        last = verdicts.read(self._noted.parent, SEALING)
        return self._state(self._seals.newest(), last.alarm if last else None)

    def state(self) -> SealState:
        """The same, looked at now: the last tile, and all that is not sealed yet."""
        newest, alarm = self._seals.newest(), None
        try:
            growth, rest = self._checked(newest)
            if (ahead := self._noted_ahead(growth.size)) is not None:
                self._take(growth, rest, ahead.size - growth.size)
                self._refuse_unless_same(growth, ahead)
        except (SealBrokenError, ValueError) as error:
            alarm = str(error)
        return self._state(newest, alarm)

    def _state(self, newest: Sealed | None, alarm: str | None) -> SealState:
        verified = verdicts.read(self._noted.parent, VERIFICATION)
        if alarm is None and verified is not None:
            alarm = verified.alarm
        head, position = self._ledger.head(), newest.position if newest else 0
        size, sealed_at = (newest.size, newest.sealed_at) if newest else (0, None)
        verified_at = verified.at if verified else None
        unsealed = max(head - position, 0)
        return SealState(size, position, sealed_at, unsealed, alarm, verified_at)

    # ---- what was signed before ----

    def _checked(self, newest: Sealed | None) -> tuple[_Growth, Sequence[StoredRow]]:
        """The tree of the newest checkpoint, and the first events after it.

        :raises SealBrokenError: where the last tile, or the tree, is not what was signed.
        """
        if newest is None:
            return _Growth(self._seals, 0, 0, []), ()
        checkpoint = self._opened(newest)
        last = (newest.size - 1) // WIDTH
        known = self._leaves(last, newest.size)
        page = self._ledger.rows(self._seals.last_position(last - 1), PAGE)
        mine, rest = page[: len(known)], page[len(known) :]
        _refuse_unless_equal(known, mine, newest)
        full = len(known) == WIDTH
        growth = _Growth(self._seals, newest.size, newest.position, [] if full else known)
        if growth.root() != checkpoint.root or not self._has_tiles(newest.size):
            raise SealBrokenError(f"保存的散列与第 {newest.size} 条时签署的检查点不符")
        return growth, rest

    def _opened(self, newest: Sealed) -> Checkpoint:
        try:
            checkpoint = Checkpoint.opened(newest.note, self._signer().verifier, "最新的检查点")
        except BadNote as error:
            raise SealBrokenError(str(error)) from error
        if checkpoint.size != newest.size:
            raise SealBrokenError(f"检查点写的是 {checkpoint.size} 条，却存为 {newest.size} 条")
        return checkpoint

    def _leaves(self, last: int, size: int) -> list[bytes]:
        """The stored leaf hashes of the last tile of a tree, full or partial."""
        if size % WIDTH:
            return hashes_in(self._seals.edge(size))
        tile = self._seals.tile(0, last)
        return hashes_in(tile.hashes) if tile else []

    def _has_tiles(self, size: int) -> bool:
        """Whether the last full tile of each level is there, under its parent's hash."""
        return all(
            self._seals.roots(level, count - 1, count) for level, count in levels_of(size)
        )

    # ---- the note outside the database ----

    def noted(self) -> Checkpoint | None:
        """The checkpoint that was noted outside the database.

        :raises SealBrokenError: where the note is not what this installation wrote.
        """
        try:
            with self._noted.open(encoding="utf-8") as file:
                note = file.read(MOST_NOTE_BYTES)
            return Checkpoint.opened(note, self._signer().verifier, str(self._noted))
        except FileNotFoundError:
            return None
        except (BadNote, UnicodeDecodeError, OSError) as error:
            raise SealBrokenError(str(error)) from error

    def _noted_ahead(self, size: int) -> Checkpoint | None:
        """The noted checkpoint where it is ahead of the database's.

        :raises SealBrokenError: where the tree is not the one that was noted.
        """
        noted = self.noted()
        if noted is None or noted.size > size:
            return noted
        if mth(noted.size, node_from(self._seals.reader(size))) != noted.root:
            raise SealBrokenError(f"第 {noted.size} 条时的内容与数据库外记下的检查点不符")
        return None

    def _refuse_unless_same(self, growth: _Growth, ahead: Checkpoint) -> None:
        if growth.size < ahead.size:
            raise SealBrokenError(
                f"台账只有 {growth.size} 条，数据库外记下的检查点有 {ahead.size} 条："
                "尾部被截去，或数据库换成了旧的副本"
            )
        if growth.root() != ahead.root:
            raise SealBrokenError(f"第 {ahead.size} 条时的内容与数据库外记下的检查点不符")

    def _note(self) -> None:
        """Keep the newest checkpoint outside the database, whole or not at all."""
        newest = self._seals.newest()
        assert newest is not None
        with whole(self._noted) as target:
            target.write(newest.note.encode())


def _refuse_unless_equal(
    known: Sequence[bytes], events: Sequence[StoredRow], newest: Sealed
) -> None:
    """The events of the last tile must be those that were sealed.

    :raises SealBrokenError: where one is missing or has changed, by its position.
    """
    expected = newest.size % WIDTH or WIDTH
    if len(known) != expected or any(len(h) != HASH_BYTES for h in known):
        raise SealBrokenError(f"第 {newest.size} 条时的检查点缺少散列")
    for leaf, event in zip(known, events, strict=False):
        if leaf_of(event) != leaf:
            raise SealBrokenError(f"位置 {event[0]} 的记录与存证时不符")
    if len(events) < len(known):
        raise SealBrokenError(f"台账比检查点短：位置 {newest.position} 之前的记录不见了")
    if events[-1][0] != newest.position:
        raise SealBrokenError(f"检查点的位置 {newest.position} 与台账不符")


assert PAGE >= 1 << HEIGHT, "a page holds the last tile"
