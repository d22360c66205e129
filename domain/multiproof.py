"""Are these many events in the log? One proof for all of them, instead of a path for each.

The proof is the hashes of the largest subtrees that hold none of the leaves, from left to
right. Whoever has the leaves gets the root from both by the recursion of RFC 6962, section
2.1. A station that has the log to itself needs no hash at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from domain.merkle import EMPTY_ROOT, Node, node_hash, split, subtree

Leaf = tuple[int, bytes]
"""The index of a leaf in the log, and its hash."""


def multi_path(indexes: Iterable[int], size: int, node: Node) -> Iterator[bytes]:
    """The hashes that the leaves with these rising indexes need to give the root.

    Both ways hold one index and one subtree of each height in memory, whatever the size.
    """
    rest = iter(indexes)
    wanted = next(rest, size)

    def hashes(first: int, end: int) -> Iterator[bytes]:
        nonlocal wanted
        if wanted >= end:
            yield subtree(first, end, node)
        elif end - first == 1:
            wanted = next(rest, size)
        else:
            middle = first + split(end - first)
            yield from hashes(first, middle)
            yield from hashes(middle, end)

    if size:
        yield from hashes(0, size)


def root_from_leaves(
    leaves: Iterable[Leaf], size: int, hashes: Iterable[bytes]
) -> bytes | None:
    """The root that leaves (by rising index) and their proof give.

    ``None`` where a hash is missing or left over, or a leaf is out of order.
    """
    if size == 0:
        return EMPTY_ROOT
    rest, proof = iter(leaves), iter(hashes)
    beyond: Leaf = (size, b"")
    index, leaf = next(rest, beyond)

    def root(first: int, end: int) -> bytes:
        nonlocal index, leaf
        if index < first:
            raise StopIteration
        if index >= end:
            return next(proof)
        if end - first == 1:
            found = leaf
            index, leaf = next(rest, beyond)
            return found
        middle = first + split(end - first)
        return node_hash(root(first, middle), root(middle, end))

    try:
        found = root(0, size)
    except StopIteration:
        return None
    is_whole = (index, leaf) == beyond and next(proof, None) is None
    return found if is_whole else None
