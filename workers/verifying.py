"""Is the log what was sealed? Every event against its leaf, every leaf against the checkpoints.

The stored leaf hashes are put together to the tree whose root every checkpoint signed; so
they are known to be right, and an event that differs from its leaf is the one that was
changed. Both are read once, a page at a time. What the log alone cannot show, an older copy
of the whole database, is found by a checkpoint that was noted outside of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from domain.checkpoint import Checkpoint, leaf_of
from domain.compact_range import CompactRange
from domain.ledger import Ledger, StoredRow
from domain.merkle import complete
from domain.signed_note import BadNote, Verifier
from domain.tiles import HEIGHT, WIDTH, hashes_in
from domain.verdict import Verdict
from workers.alignment import Alignment, aligned
from workers.seals import Sealed, Seals, levels_of

PAGE: Final = 5_000
"""How many events are read at once, and how many missing ones are looked over."""
CHECKPOINTS: Final = 1_000

_NOTHING_SEALED: Final = (
    "{count} 条记录没有一个检查点，什么也核对不了。刚开始使用：请让服务运行几秒（taizhang serve）"
    "再核对；已用过一段时间：检查点被删去了，请用 --checkpoint 给出以前记下的检查点，或恢复备份"
)

Progress = Callable[[int, int], None]
Look = Callable[[Sequence[StoredRow]], None]


@dataclass
class LogVerdict(Verdict):
    """What the verification of a log found. ``sealed`` of ``events`` are in a checkpoint."""

    sealed: int = 0
    checkpoints: int = 0
    noted: int = 0


def verify_log(
    ledger: Ledger, seals: Seals, verifier: Verifier, noted: Sequence[Checkpoint] = (),
    progress: Progress = lambda _done, _total: None, *, look: Look = lambda _page: None,
) -> LogVerdict:
    """Verify a log against its own checkpoints and against those noted outside of it.

    ``verifier`` is the key that must have signed them; ``look`` is shown each page of the
    log. Nothing is written. The faults come in the order of their positions.
    """
    newest = seals.newest()
    verdict = LogVerdict(verifier.name, sealed=newest.size if newest else 0, noted=len(noted))
    tree = _Tree(seals, verdict, _claims(seals, verifier, verdict, noted))
    _Comparison(ledger, seals, tree, verdict).run(progress, look)
    tree.end()
    if verdict.events and newest is None and not noted:
        verdict.add("nothing_sealed", 1, _NOTHING_SEALED.format(count=verdict.events))
    _check_upper_tiles(seals, verdict)
    verdict.faults.sort(key=lambda fault: fault.position)
    return verdict


def alarm_of(verdict: LogVerdict) -> str | None:
    """What is wrong first. A log that is still to be sealed for the first time is no alarm."""
    found = [fault for fault in verdict.faults if fault.code != "nothing_sealed"]
    return f"{found[0].detail}（共 {verdict.fault_count} 处）" if found else None


# ---- what was signed ----


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a checkpoint says: of a size, the root. One that was noted has no ``position``."""

    size: int
    root: bytes
    position: int | None = None


@dataclass(frozen=True, slots=True)
class _Ends:
    """At which position the first ``size`` events end, as something called so has it."""

    size: int
    position: int | None
    called: str


def _claims(
    seals: Seals, verifier: Verifier, verdict: LogVerdict, noted: Sequence[Checkpoint]
) -> Iterator[_Claim]:
    """The claims of the stored checkpoints and of the noted ones, by size."""
    rest = sorted((_Claim(c.size, c.root) for c in noted), key=lambda claim: claim.size)
    size = 0
    while page := seals.checkpoints_from(size, CHECKPOINTS):
        for sealed in page:
            while rest and rest[0].size <= sealed.size:
                yield rest.pop(0)
            try:
                yield _signed(sealed, verifier)
                verdict.checkpoints += 1
            except BadNote as error:
                verdict.add("checkpoint", sealed.position, str(error))
        size = page[-1].size
    yield from rest


def _signed(sealed: Sealed, verifier: Verifier) -> _Claim:
    called = f"第 {sealed.size} 条时的检查点"
    checkpoint = Checkpoint.opened(sealed.note, verifier, called)
    if checkpoint.size != sealed.size:
        raise BadNote(name=called, problem=f"其中写的是 {checkpoint.size} 条")
    return _Claim(sealed.size, checkpoint.root, sealed.position)


class _Tree:
    """The tree over the stored leaves, compared with every claim on its way."""

    def __init__(self, seals: Seals, verdict: LogVerdict, claims: Iterator[_Claim]) -> None:
        self._seals = seals
        self._verdict = verdict
        self._range = CompactRange()
        self._claims = claims
        self._next = next(claims, None)
        self.ends: deque[_Ends] = deque()
        """What the tiles and checkpoints taken in so far say of positions, by size."""
        self._agreed: int | None = 0
        """The position up to which both agree; ``None`` once they do not."""

    def leaves(self) -> Iterator[bytes]:
        """Every stored leaf hash in order, taken into the tree before it is given."""
        self._check()
        number, full = 0, self._verdict.sealed // WIDTH
        for tile in self._seals.full_tiles(0, 0, full):
            number += 1
            hashes = hashes_in(tile.hashes)
            if len(hashes) != WIDTH or complete(hashes) != tile.root:
                first = self._seals.last_position(number - 2) + 1
                self._verdict.add("tile", first, f"第 {number} 块散列（自第 {first} 条）已被改动")
                self.take(hashes)
            elif self._next is not None and self._next.size < self._range.size + WIDTH:
                self.take(hashes)
            else:
                self._range.append(tile.root, HEIGHT)
                self._check()
            self.ends.append(_Ends(number * WIDTH, tile.last_position, f"第 {number} 块散列"))
            yield from hashes
        if number < full:
            self._verdict.add("tile", 0, f"散列缺 {full - number} 块")
        edge = hashes_in(self._seals.edge(self._verdict.sealed))
        self.take(edge)
        yield from edge

    def take(self, leaves: Iterable[bytes]) -> None:
        """Add leaves one by one, looking at each claim on the way."""
        for leaf in leaves:
            self._range.append(leaf)
            self._check()

    def end(self) -> None:
        """Name the claims that the log did not reach."""
        events = self._verdict.events
        while (claim := self._next) is not None:
            if claim.position is None:
                self._verdict.add(
                    "older_copy", events + 1,
                    f"台账只有 {events} 条，数据库外记下的检查点有 {claim.size} 条："
                    "尾部被截去，或数据库换成了旧的副本",
                )
            self._next = next(self._claims, None)

    def _check(self) -> None:
        while (claim := self._next) is not None and claim.size <= self._range.size:
            if claim.position is not None:
                called = f"第 {claim.size} 条时的检查点"
                self.ends.append(_Ends(claim.size, claim.position, called))
            if self._agreed is not None:
                self._compare(claim)
            self._next = next(self._claims, None)

    def _compare(self, claim: _Claim) -> None:
        """The signed root beside the tree's; after the first that differs all others would."""
        assert self._agreed is not None
        if claim.size == self._range.size and claim.root == self._range.root():
            self._agreed = max(claim.position or 0, self._agreed)
            return
        whose = "" if claim.position is not None else "数据库外记下的"
        self._verdict.add(
            "root", self._agreed + 1,
            f"第 {self._agreed} 条之后的内容与{whose}第 {claim.size} 条时的检查点不符",
        )
        self._agreed = None


# ---- the events beside it ----


class _Comparison:
    """Each event beside its leaf; those after the newest checkpoint are leaves to be."""

    def __init__(self, ledger: Ledger, seals: Seals, tree: _Tree, verdict: LogVerdict) -> None:
        self._ledger = ledger
        self._seals = seals
        self._tree = tree
        self._verdict = verdict
        self._leaves = tree.leaves()
        self._waiting: list[bytes] = []
        self._met = 0
        """How many leaves were met or are known to be missing."""

    def run(self, progress: Progress, look: Look) -> None:
        """Read the log once."""
        head, position, verdict = self._ledger.head(), 0, self._verdict
        while page := self._ledger.rows(position, PAGE):
            found = [leaf_of(row) for row in page]
            self._await(len(found))
            if self._waiting[: len(found)] == found:
                self._pass_same(page)
            else:
                self._align(position, page, found)
            look(page)
            position = page[-1][0]
            verdict.events += len(page)
            progress(verdict.events, max(head, verdict.events))
        missing = len(self._waiting) + sum(1 for _leaf in self._leaves)
        if missing:
            verdict.add(
                "cut_off", position + 1,
                f"第 {position} 条之后的 {missing} 条不见了（检查点有 {verdict.sealed} 条）",
            )

    def _await(self, count: int) -> None:
        self._waiting += islice(self._leaves, max(count - len(self._waiting), 0))

    def _pass(self, count: int) -> None:
        del self._waiting[:count]
        self._met += count

    def _pass_same(self, page: Sequence[StoredRow]) -> None:
        """Pass events that are as they were sealed; what says where some end must agree."""
        ends, before = self._tree.ends, self._met
        self._pass(len(page))
        while ends and ends[0].size <= self._met:
            end = ends.popleft()
            if end.size <= before:
                continue  # among events that differ, and are named
            position = page[end.size - before - 1][0]
            if end.position != position:
                detail = f"{end.called}记的末条位置是 {end.position}，应为 {position}"
                self._verdict.add("position", position, detail)

    def _align(self, before: int, page: Sequence[StoredRow], found: list[bytes]) -> None:
        """A page that differs: which rows are missing, added or changed?"""
        while page:
            same = _equal(found, self._waiting)
            self._pass_same(page[:same])
            before = page[same - 1][0] if same else before
            page, found = page[same:], found[same:]
            is_far = bool(page) and not set(found) & set(self._waiting)
            far = self._skip(page[0][0]) if is_far else 0
            self._await(len(found) + PAGE)  # missing rows move the rest
            if page and not self._waiting:
                self._tree.take(found)
                return
            result = aligned(found, self._waiting)
            if far:
                result.missing[:0] = [(0, far)]
            self._name(before, page, result)
            self._pass(result.used)
            page, found = page[result.rows :], found[result.rows :]
            before = page[0][0] - 1 if page else before

    def _name(self, before: int, page: Sequence[StoredRow], result: Alignment) -> None:
        """Name what is wrong with a page, by position."""
        for row, count in result.missing:
            last = page[row - 1][0] if row else before
            detail = f"第 {last} 条之后、第 {page[row][0]} 条之前缺 {count} 条记录"
            self._verdict.add("missing", last + 1, detail)
        for row in result.changed:
            self._verdict.add("changed", page[row][0], f"第 {page[row][0]} 条与存证时不符")
        for row in result.added:
            self._verdict.add("added", page[row][0], f"第 {page[row][0]} 条是存证后插入的")

    def _skip(self, position: int) -> int:
        """Pass over the leaves of whole tiles that are missing; answers how many."""
        number, _after = self._seals.place(position)
        far = number * WIDTH - self._met
        if far <= PAGE:
            return 0
        from_waiting = min(far, len(self._waiting))
        self._pass(from_waiting)
        gone = sum(1 for _leaf in islice(self._leaves, far - from_waiting))
        self._met += gone
        return from_waiting + gone


def _equal(found: Sequence[bytes], leaves: Sequence[bytes]) -> int:
    """How many hashes are equal from the beginning."""
    pairs = enumerate(zip(found, leaves, strict=False))
    shorter = min(len(found), len(leaves))
    return next((n for n, (one, other) in pairs if one != other), shorter)


def _check_upper_tiles(seals: Seals, verdict: LogVerdict) -> None:
    """Each tile above level 0 must have the roots of those below."""
    for level, count in levels_of(verdict.sealed):
        if level == 0:
            continue
        number = 0
        for tile in seals.full_tiles(level, 0, count):
            number += 1
            below = b"".join(seals.roots(level - 1, tile.number * WIDTH, (tile.number + 1) * WIDTH))
            if below != tile.hashes or complete(hashes_in(below)) != tile.root:
                verdict.add("tile", 0, f"第 {level} 层第 {tile.number + 1} 块散列已被改动")
        if number < count:
            verdict.add("tile", 0, f"第 {level} 层散列缺 {count - number} 块")
