"""Where in the tree is a stored event, and what proves that it is there?"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from domain.checkpoint import entry_of, leaf_of
from domain.kernel import Refused
from domain.ledger import StoredRow
from domain.merkle import path, proof
from domain.tiles import WIDTH, hashes_in, node_from
from workers.seals import Sealed, Seals


class NotYetSealed(
    Refused, code="not_yet_sealed", status=503, title="尚未存证",
    detail="位置 {position} 的记录尚未存证（现存证到 {sealed}），请稍后重试。",
):
    """An event after the newest checkpoint."""


class RecordAltered(
    Refused, code="record_altered", status=409, title="记录与存证时不符",
    detail="位置 {position} 的记录与存证时不符：台账可能被改动，请运行 taizhang verify。",
):
    """A stored event that is not the one that was sealed."""


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The proof that an event is in the log of a checkpoint."""

    row: StoredRow
    index: int
    path: list[bytes]
    sealed: Sealed

    @property
    def entry(self) -> bytes:
        """What the leaf hashes."""
        return entry_of(self.row)

    @property
    def document(self) -> str:
        """The proof as https://c2sp.org/tlog-proof has it."""
        hashes = "".join(f"{base64.b64encode(h).decode()}\n" for h in self.path)
        head = f"c2sp.org/tlog-proof@v1\nindex {self.index}\n"
        return f"{head}{hashes}\n{self.sealed.note}"


class Prover:
    """Proves with the tree of one checkpoint."""

    def __init__(self, seals: Seals, sealed: Sealed) -> None:
        """Take the tree of a checkpoint."""
        self._seals = seals
        self.sealed = sealed
        self.node = node_from(seals.reader(sealed.size))
        self._after, self._last = 0, 0
        self._leaves: dict[bytes, int] = {}

    def index(self, row: StoredRow) -> int:
        """Which leaf an event is; quick for events in the order of their positions.

        :raises NotYetSealed: for an event after the checkpoint.
        :raises RecordAltered: where the event is not the one that was sealed there.
        """
        position = row[0]
        if position > self.sealed.position:
            raise NotYetSealed(position=position, sealed=self.sealed.position)
        if not self._after < position <= self._last:
            self._open_tile(position)
        found = self._leaves.get(leaf_of(row))
        if found is None:
            raise RecordAltered(position=position)
        return found

    def _open_tile(self, position: int) -> None:
        """Have the leaves at hand among which an event must be."""
        number, self._after = self._seals.place(position)
        tile = self._seals.tile(0, number)
        hashes = tile.hashes if tile else self._seals.edge(self.sealed.size)
        self._last = (tile and tile.last_position) or self.sealed.position
        self._leaves = {leaf: number * WIDTH + n for n, leaf in enumerate(hashes_in(hashes))}

    def inclusion(self, row: StoredRow) -> Inclusion:
        """The proof of an event."""
        index = self.index(row)
        return Inclusion(row, index, path(index, self.sealed.size, self.node), self.sealed)


def consistency(seals: Seals, first: Sealed, second: Sealed) -> list[bytes]:
    """The proof that the log of one checkpoint goes on as that of the other."""
    return proof(first.size, second.size, node_from(seals.reader(second.size)))
