"""Is an event in the log, and is today's log yesterday's with more behind it?

The Merkle tree of RFC 6962 (section 2.1; RFC 9162 has the same tree), by its names. A
tree is known by ``node(height, index)``: the hash of the complete subtree over the leaves
``index * 2**height`` up to ``(index + 1) * 2**height``. Whoever keeps the tree decides how
that is looked up, so that nothing here needs the tree in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()
Node = Callable[[int, int], bytes]


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf: ``SHA-256(0x00 || entry)``."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: ``SHA-256(0x01 || left || right)``."""
    return sha256(b"\x01" + left + right).digest()


def complete(hashes: Sequence[bytes]) -> bytes:
    """The root over ``2**n`` hashes of equal height."""
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
    return hashes[0]


def mth(size: int, node: Node) -> bytes:
    """``MTH(D[size])``: the root of the tree over the first ``size`` leaves."""
    return subtree(0, size, node) if size else EMPTY_ROOT


def subtree(first: int, end: int, node: Node) -> bytes:
    """``MTH(D[first:end])``, for a range that is a subtree of the RFC's recursion."""
    width = end - first
    if width & (width - 1) == 0:
        return node(width.bit_length() - 1, first // width)
    middle = first + split(width)
    return node_hash(subtree(first, middle, node), subtree(middle, end, node))


def split(size: int) -> int:
    """The largest power of two smaller than ``size``: where the RFC divides a tree."""
    return 1 << (size - 1).bit_length() - 1


def path(index: int, size: int, node: Node) -> list[bytes]:
    """``PATH(index, D[size])``: what a leaf needs, from its sibling up, to give the root."""
    first, end, found = 0, size, []
    while end - first > 1:
        middle = first + split(end - first)
        if index < middle:
            found.append(subtree(middle, end, node))
            end = middle
        else:
            found.append(subtree(first, middle, node))
            first = middle
    return found[::-1]


def root_from_path(index: int, size: int, leaf: bytes, hashes: Sequence[bytes]) -> bytes | None:
    """The root that a leaf and its path give; ``None`` where the path has another length.

    The algorithm of RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        return None
    position, last, result = index, size - 1, leaf
    for sibling in hashes:
        if last == 0:
            return None
        if position & 1 or position == last:
            result = node_hash(sibling, result)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        position, last = position >> 1, last >> 1
    return result if last == 0 else None


def verify_inclusion(
    index: int, size: int, leaf: bytes, hashes: Sequence[bytes], root: bytes
) -> bool:
    """Whether a path proves that a leaf hash stands at an index of the tree with a root."""
    return root_from_path(index, size, leaf, hashes) == root


def proof(first_size: int, size: int, node: Node) -> list[bytes]:
    """``PROOF(first_size, D[size])``: what shows that the one tree goes on from the other."""
    if not 0 < first_size < size:
        return []
    first, end, is_known, found = 0, size, True, []
    while end != first_size:
        middle = first + split(end - first)
        if first_size <= middle:
            found.append(subtree(middle, end, node))
            end = middle
        else:
            found.append(subtree(first, middle, node))
            first, is_known = middle, False
    return ([] if is_known else [subtree(first, end, node)]) + found[::-1]


def verify_consistency(
    first_size: int, size: int, hashes: Sequence[bytes], first_root: bytes, root: bytes
) -> bool:
    """Whether a proof shows that the smaller tree begins the larger (RFC 9162, 2.1.4.2)."""
    if first_size == size:
        return not hashes and first_root == root
    if first_size == 0:
        return not hashes and first_root == EMPTY_ROOT
    if not 0 < first_size < size:
        return False
    rest = iter(hashes)
    position, last = first_size - 1, size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    start = first_root if first_size & (first_size - 1) == 0 else next(rest, None)
    return start is not None and _agree(position, last, start, rest, (first_root, root))


def _agree(
    position: int, last: int, start: bytes, rest: Iterable[bytes], roots: tuple[bytes, bytes]
) -> bool:
    """Whether what is left of a consistency proof leads from one hash to both roots."""
    older = newer = start
    for sibling in rest:
        if last == 0:
            return False
        if position & 1 or position == last:
            older, newer = node_hash(sibling, older), node_hash(sibling, newer)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            newer = node_hash(newer, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and (older, newer) == roots
