"""Which events of a bundle are not what was signed: altered, missing, added or moved?

The leaves are the signed truth, in the order of the log, and each event says which of them
it is. So one that is gone makes a hole where it was, and says nothing of those after it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple

from domain.multiproof import Leaf
from domain.verdict import Verdict

AHEAD: Final = 64
"""How many events are looked at ahead for the one that should stand here."""


class Seen(NamedTuple):
    """An event of the file: the leaf that it says it is, with its own hash, and its position."""

    leaf: Leaf
    position: int


class Hole(NamedTuple):
    """Between which events of the file a leaf has none."""

    leaf: Leaf
    before: Seen | None
    after: Seen | None


@dataclass(slots=True)
class Order:
    """What was found, before it is said: what is gone here may stand there."""

    altered: list[Seen] = field(default_factory=list)
    added: list[Seen] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)


def compare(events: Iterable[Seen], leaves: Iterable[Leaf], verdict: Verdict) -> None:
    """Note each event that is not its leaf, and each leaf without an event, by position."""
    found = _ordered(events, leaves)
    gone = {hole.leaf for hole in found.holes}
    moved = {event.leaf for event in found.added} & gone
    said = [(n, "changed", f"位置 {n} 的记录已被改动") for _leaf, n in found.altered]
    for one in found.added:
        what = "的记录被换了次序" if one.leaf in moved else "处多出一条签署时没有的记录"
        code = "moved" if one.leaf in moved else "added"
        said.append((one.position, code, f"位置 {one.position} {what}；其余各条不因此而变"))
    said += [_missing(hole) for hole in found.holes if hole.leaf not in moved]
    for position, code, detail in sorted(said):
        verdict.add(code, position, detail)


def _missing(hole: Hole) -> tuple[int, str, str]:
    """Where it is missing: exactly, where the log counts on from the event before to the next."""
    offsets = {one.position - one.leaf[0] for one in hole[1:] if one is not None}
    after = "；其后各条依次前移，本身未改"
    if len(offsets) == 1:
        position = hole.leaf[0] + offsets.pop()
        return position, "missing", f"位置 {position} 缺一条记录{after}"
    first = hole.before.position if hole.before else 0
    until = f" 与 {hole.after.position} 之间" if hole.after else "之后"
    return first + 1, "missing", f"位置 {first}{until}缺一条记录{after}"


def _ordered(events: Iterable[Seen], leaves: Iterable[Leaf]) -> Order:
    found, rest = Order(), iter(leaves)
    leaf, before = next(rest, None), None
    for event, coming in _with_those_ahead(events):
        is_here = leaf is not None and event.leaf[1] == leaf[1]  # its index may be another
        if not is_here and any(one.leaf == leaf for one in coming):
            found.added.append(event)  # what should stand here comes after it
            continue
        while leaf is not None and not is_here and leaf[0] < event.leaf[0]:
            found.holes.append(Hole(leaf, before, event))
            leaf = next(rest, None)
        if leaf is None or not (is_here or leaf[0] == event.leaf[0]):
            found.added.append(event)
            continue
        if leaf != event.leaf:
            found.altered.append(event)
        before, leaf = event, next(rest, None)
    while leaf is not None:
        found.holes.append(Hole(leaf, before, None))
        leaf = next(rest, None)
    return found


def _with_those_ahead(events: Iterable[Seen]) -> Iterator[tuple[Seen, deque[Seen]]]:
    """Each event, with the few that come after it."""
    rest = iter(events)
    coming = deque(islice(rest, AHEAD + 1))
    while coming:
        event = coming.popleft()
        coming.extend(islice(rest, 1))
        yield event, coming
