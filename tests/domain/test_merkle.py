"""Is the tree the one of RFC 6962, for every size, leaf and pair of sizes?"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.merkle import (
    EMPTY_ROOT,
    Node,
    complete,
    leaf_hash,
    mth,
    path,
    proof,
    verify_consistency,
    verify_inclusion,
)
from domain.multiproof import multi_path, root_from_leaves
from domain.tiles import TILE_BYTES, WIDTH, Tile, hashes_in, node_from, tile_of, tiles_of

# The test vectors of Certificate Transparency's reference implementation.
ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (1, 5): (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
    (0, 1): (),
}
PROOFS = {
    (1, 1): (),
    (1, 8): PATHS[0, 8],
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def node_of(leaves: Sequence[bytes]) -> Node:
    """The nodes of a tree in memory."""
    return lambda height, index: complete(leaves[index << height : (index + 1) << height])


def naive_mth(leaves: Sequence[bytes]) -> bytes:
    """Section 2.1 of RFC 6962, word for word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    both = naive_mth(leaves[:k]) + naive_mth(leaves[k:])
    return hashlib.sha256(b"\x01" + both).digest()


def naive_path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Section 2.1.1 of RFC 6962, word for word."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_mth(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_mth(leaves[:k])]


def naive_subproof(m: int, leaves: Sequence[bytes], *, b: bool) -> list[bytes]:
    """Section 2.1.2 of RFC 6962, word for word."""
    if m == len(leaves):
        return [] if b else [naive_mth(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*naive_subproof(m, leaves[:k], b=b), naive_mth(leaves[k:])]
    return [*naive_subproof(m - k, leaves[k:], b=False), naive_mth(leaves[:k])]


def some_leaves(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % n) for n in range(count)]


# ---- the published vectors ----


@pytest.mark.parametrize("size", range(9))
def test_the_published_roots(size: int) -> None:
    assert mth(size, node_of(LEAVES)).hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_the_published_paths(index: int, size: int) -> None:
    found = path(index, size, node_of(LEAVES))
    assert [h.hex() for h in found] == list(PATHS[index, size])
    assert verify_inclusion(index, size, LEAVES[index], found, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("first", "size"), PROOFS)
def test_the_published_consistency_proofs(first: int, size: int) -> None:
    found = proof(first, size, node_of(LEAVES))
    assert [h.hex() for h in found] == list(PROOFS[first, size])
    roots = bytes.fromhex(ROOTS[first]), bytes.fromhex(ROOTS[size])
    assert verify_consistency(first, size, found, *roots)


# ---- against the naive tree ----

sizes = st.integers(1, 200)


@given(sizes)
def test_roots_are_the_naive_tree_s(size: int) -> None:
    leaves = some_leaves(size)
    assert mth(size, node_of(leaves)) == naive_mth(leaves)


@given(sizes, st.data())
def test_paths_are_the_naive_tree_s_and_prove_nothing_else(size: int, data: st.DataObject) -> None:
    leaves = some_leaves(size)
    index = data.draw(st.integers(0, size - 1))
    root, found = naive_mth(leaves), path(index, size, node_of(leaves))
    assert found == naive_path(index, leaves)
    assert verify_inclusion(index, size, leaves[index], found, root)
    assert not verify_inclusion(index, size, leaf_hash(b"other"), found, root)
    assert not verify_inclusion(index, size, leaves[index], [*found, root], root)
    assert not verify_inclusion(size, size, leaves[index], found, root)
    for other in {index ^ 1, index + 1, 0} - {index}:
        assert not verify_inclusion(other, size, leaves[index], found, root)
    for n in range(len(found)):
        assert not verify_inclusion(index, size, leaves[index], found[:n] + found[n + 1 :], root)


@given(sizes, st.data())
def test_consistency_proofs_are_the_naive_tree_s_and_prove_nothing_else(
    size: int, data: st.DataObject
) -> None:
    leaves = some_leaves(size)
    first = data.draw(st.integers(1, size))
    found = proof(first, size, node_of(leaves))
    older, root = naive_mth(leaves[:first]), naive_mth(leaves)
    assert found == naive_subproof(first, leaves, b=True)
    assert verify_consistency(first, size, found, older, root)
    assert not verify_consistency(first, size, found, leaf_hash(b"other"), root)
    assert not verify_consistency(first, size, found, older, leaf_hash(b"other"))
    assert not verify_consistency(first, size, [*found, root], older, root)
    assert not verify_consistency(size, first, found, older, root) or first == size
    for n in range(len(found)):
        shorter = found[:n] + found[n + 1 :]
        assert not verify_consistency(first, size, shorter, older, root)


def test_every_tree_goes_on_from_the_empty_one() -> None:
    root = bytes.fromhex(ROOTS[8])
    assert verify_consistency(0, 8, [], EMPTY_ROOT, root)
    assert not verify_consistency(0, 8, [], root, root)
    assert not verify_consistency(0, 8, [root], EMPTY_ROOT, root)


# ---- one proof for many leaves ----


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 120), st.data())
def test_one_proof_serves_many_leaves(size: int, data: st.DataObject) -> None:
    leaves = some_leaves(size)
    indexes = sorted(data.draw(st.sets(st.integers(0, max(size - 1, 0)), max_size=size)))
    found = list(multi_path(indexes, size, node_of(leaves)))
    mine = [(index, leaves[index]) for index in indexes]
    root = naive_mth(leaves)
    assert root_from_leaves(mine, size, found) == root
    if len(mine) == size:
        assert found == []  # who has all leaves needs no hash
    for n, (index, leaf) in enumerate(mine):
        rest = [*mine[:n], *mine[n + 1 :]]
        changed = [*mine[:n], (index, leaf_hash(b"other")), *mine[n + 1 :]]
        assert root_from_leaves(changed, size, found) != root
        assert root_from_leaves(rest, size, found) != root
        assert root_from_leaves([*rest, (index, leaf)], size, found) != root or n == len(mine) - 1
    if size:
        assert root_from_leaves(mine, size, [*found, root]) is None


def test_one_leaf_s_proof_has_the_hashes_of_its_path() -> None:
    found = list(multi_path([5], 8, node_of(LEAVES)))
    assert sorted(found) == sorted(path(5, 8, node_of(LEAVES)))


# ---- tiles ----


def read_tiles(leaves: Sequence[bytes]) -> dict[Tile, bytes]:
    """Every tile of a tree, made from its definition."""
    node = node_of(leaves)
    return {
        tile: b"".join(
            node(8 * tile.level, tile.index * WIDTH + n) for n in range(tile.width)
        )
        for tile in tiles_of(len(leaves))
    }


@settings(deadline=None, max_examples=20)
@given(st.sampled_from([1, 255, 256, 257, 511, 512, 1000, 65_536 + 300]), st.data())
def test_every_hash_of_the_tree_follows_from_its_tiles(size: int, data: st.DataObject) -> None:
    leaves = some_leaves(size)
    tiles = read_tiles(leaves)

    def read(level: int, index: int) -> bytes:
        tile = tile_of(size, level, index)
        assert tile is not None
        return tiles[tile]

    node = node_from(read)
    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    assert mth(size, node) == mth(size, node_of(leaves))
    assert path(index, size, node) == path(index, size, node_of(leaves))
    assert proof(first, size, node) == proof(first, size, node_of(leaves))
    assert mth(first, node) == mth(first, node_of(leaves))


def test_the_specification_s_example_of_seventy_thousand() -> None:
    tiles = list(tiles_of(70_000))
    full = [t for t in tiles if t.width == WIDTH]
    assert [sum(t.level == n for t in full) for n in range(3)] == [273, 1, 0]
    assert [(t.level, t.width) for t in tiles if t.width < WIDTH] == [(0, 112), (1, 17), (2, 1)]
    assert [(t.level, t.width) for t in tiles_of(256)] == [(0, 256), (1, 1)]


def test_a_tile_s_path_is_the_specification_s() -> None:
    assert Tile(0, 1_234_067).path == "tile/0/x001/x234/067"
    assert Tile(63, 0, 1).path == "tile/63/000.p/1"
    assert TILE_BYTES == 8192


@given(st.integers(0, 63), st.integers(0, 10**12), st.integers(1, WIDTH))
def test_a_tile_is_found_by_its_path(level: int, index: int, width: int) -> None:
    tile = Tile(level, index, width)
    _tile, name, rest = tile.path.split("/", 2)
    assert Tile.parsed(name, rest) == tile


@pytest.mark.parametrize(("level", "index"), [
    ("64", "000"), ("00", "000"), ("-1", "000"), ("x", "000"), ("0", "1"), ("0", "0000"),
    ("0", "000.p/0"), ("0", "000.p/256"), ("0", "000.p/01"), ("0", "001/000"), ("0", "x000/000"),
    ("0", "000.p/"), ("0", ""), ("0", "\uff10\uff10\uff10"), ("0", "x001/000.p/257"),
])
def test_what_is_no_tile_s_path_is_none(level: str, index: str) -> None:
    assert Tile.parsed(level, index) is None


def test_a_tree_has_the_tiles_that_it_has() -> None:
    assert Tile(0, 0, 112).is_of(112)
    assert not Tile(0, 0, 111).is_of(112)
    assert not Tile(0, 1, 1).is_of(256)
    assert Tile(1, 0, 1).is_of(256)
    assert hashes_in(b"a" * 64) == [b"a" * 32, b"a" * 32]
