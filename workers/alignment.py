"""Which rows of a log are missing, added or changed, beside the leaves that were sealed?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Alignment:
    """How rows stand beside leaves.

    ``missing`` says before which row how many leaves have none; ``changed`` and ``added``
    are rows by index. ``rows`` stand beside ``used`` leaves; the rest comes after the last.
    """

    missing: list[tuple[int, int]] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    added: list[int] = field(default_factory=list)
    rows: int = 0
    used: int = 0


def aligned(found: Sequence[bytes], leaves: Sequence[bytes]) -> Alignment:
    """Put the hashes of rows beside leaves, until either has ended.

    A row whose hash comes later among the leaves follows missing ones; a leaf whose hash
    comes later among the rows follows added ones; what is neither was changed.
    """
    result = Alignment()
    later_leaf = {leaf: n for n, leaf in enumerate(leaves)}
    later_row = {leaf: n for n, leaf in enumerate(found)}
    row = 0
    while row < len(found) and result.used < len(leaves):
        leaf = leaves[result.used]
        if found[row] == leaf:
            row, result.used = row + 1, result.used + 1
        elif (at := later_leaf.get(found[row], -1)) > result.used:
            result.missing.append((row, at - result.used))
            result.used = at
        elif (at := later_row.get(leaf, -1)) > row:
            result.added.extend(range(row, at))
            row = at
        else:
            result.changed.append(row)
            row, result.used = row + 1, result.used + 1
    result.rows = row
    return result
