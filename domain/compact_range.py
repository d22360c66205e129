"""What is the root of a tree that grows leaf by leaf? Its right edge knows.

A compact range (https://github.com/transparency-dev/merkle/blob/main/docs/compact_ranges.md)
keeps the roots of the complete subtrees that a tree's size consists of: one for each bit.
"""

from __future__ import annotations

from domain.merkle import EMPTY_ROOT, node_hash


class CompactRange:
    """The right edge of a tree, and nothing else of it."""

    def __init__(self) -> None:
        """Begin with no leaf."""
        self.size = 0
        self._roots: list[bytes] = []

    def append(self, root: bytes, height: int = 0) -> None:
        """Add a leaf, or a complete subtree where its like may stand."""
        assert self.size % (1 << height) == 0, "a subtree begins at a multiple of its size"
        rest = self.size >> height
        while rest & 1:
            root = node_hash(self._roots.pop(), root)
            rest >>= 1
        self._roots.append(root)
        self.size += 1 << height

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._roots:
            return EMPTY_ROOT
        *rest, found = self._roots
        for left in reversed(rest):
            found = node_hash(left, found)
        return found
