"""What waits for a second person? Merges and erasures that somebody proposed, and their end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from flask import redirect, render_template, url_for
from werkzeug.wrappers import Response as BaseResponse

from api.identity import READ_CASES, action, caller, new_id, today
from api.pages.record import steps_of
from api.pages.steps import heads_of
from api.pages.views import pages
from api.pages.writing import OCCURRED, Given, may_state, own_write, posted, state
from api.personal import reading, shown
from api.queries import one_station
from api.services import services
from domain.erasure import (
    ERASURE,
    Erasure,
    ErasureApproved,
    ErasureProposed,
    ErasureRefused,
    ErasureStatus,
    ErasureUnlocked,
)
from domain.kernel import Event, UnknownRecord
from domain.merging import (
    HOUSEHOLDS,
    MERGE,
    PERSONS,
    Merge,
    MergeApproved,
    MergeDeclined,
    MergeEnded,
    Merges,
    MergeStatus,
)
from projections.timeline import RecordRow, records_of_kind

SHOWN: Final = frozenset({MergeStatus.PROPOSED, MergeStatus.IN_FORCE})
STEPS: Final[dict[str, type[Event]]] = {
    "approved": MergeApproved, "declined": MergeDeclined, "ended": MergeEnded,
}
"""What can be decided of a merge, by the last part of the address."""
AFTER: Final[dict[ErasureStatus, tuple[type[Event], ...]]] = {
    ErasureStatus.PROPOSED: (ErasureApproved, ErasureRefused),
    ErasureStatus.LOCKED: (ErasureUnlocked,),
}
"""What can be decided of an erasure, as it stands."""
MOST: Final = 200
"""Erasures that are looked through, the newest first."""


@dataclass(frozen=True, slots=True)
class MergeLine:
    """A merge as the page lists it; ``steps`` are what the caller may decide of it."""

    which: str
    entry: int
    merge: Merge
    reason: str
    proposed_on: date
    names: tuple[str, str]
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ErasureLine:
    """An erasure as the page lists it."""

    id: str
    proposal: ErasureProposed
    status: ErasureStatus
    proposed_by: str
    proposed_on: date
    steps: tuple[type[Event], ...]


# ---- the page ----


@pages.route("/approvals")
@action(READ_CASES)
def approvals_page() -> str:
    """Merges and erasures: what waits first, then what can be taken back."""
    return _page(Given(new_id()))


@pages.route("/approvals/merges/<which>/<int:entry>/<step>", methods=["POST"])
@action(READ_CASES)
def decide_merge(which: str, entry: int, step: str) -> BaseResponse | tuple[str, int]:
    """Approve, decline or end a merge; or say why not."""
    if which not in {HOUSEHOLDS, PERSONS} or step not in STEPS:
        raise UnknownRecord(id=f"{which}/{step}"[:60], kind=MERGE.label)
    given = posted()
    said = {"entry": entry, OCCURRED: str(today()), "reason": given.first("reason").strip()}
    if step == "approved":
        del said["reason"]
    done = state(STEPS[step].topic, (), given, said, which)
    if done is None:
        return _page(given), given.status
    return redirect(url_for("pages.approvals_page", recorded=done[0].position), 303)


def _page(given: Given) -> str:
    own = own_write()
    merges = [line for which in (HOUSEHOLDS, PERSONS) for line in _merges(which)]
    erasures = list(_erasures())
    pairs = [line.merge.pair for line in merges]
    files = {file for p in pairs for file in (p.merged_household, p.surviving_household)}
    files |= {line.proposal.household for line in erasures if line.proposal.household}
    return render_template(
        "pages/approvals.html", given=given, erasures=erasures, heads=heads_of(files), **own,
        waiting=[m for m in merges if m.merge.status is MergeStatus.PROPOSED],
        in_force=[m for m in merges if m.merge.status is MergeStatus.IN_FORCE],
    )


def waiting_here() -> int:
    """How many proposals the caller may decide on; nothing of them is opened."""
    return sum(proposed_by != caller().actor for proposed_by in _proposers(one_station()))


def _proposers(station: str) -> Iterator[str]:
    """Who proposed what the caller's role may decide on."""
    if may_state(MergeApproved.topic):
        for which in (HOUSEHOLDS, PERSONS):
            waiting = _known_merges(station, which).of_status(MergeStatus.PROPOSED)
            yield from (merge.proposed_by for _entry, merge in waiting)
    if may_state(ErasureApproved.topic):
        for _row, erasure in _erasures_of(station):
            if erasure.status is ErasureStatus.PROPOSED:
                yield erasure.proposed_by


def _known_merges(station: str, which: str) -> Merges:
    stream = services().ledger.stream(station, MERGE.name, which)
    found: Merges = stream.state if stream else MERGE.initial
    return found


# ---- merges ----


def _merges(which: str) -> Iterator[MergeLine]:
    sealed = services().ledger.stream(one_station(), MERGE.name, which)
    if sealed is None:
        return
    stream = reading().opened(sealed)
    for entry, merge in stream.state.merges.items():
        if merge.status in SHOWN:
            said: Any = stream.entries[entry]
            yield MergeLine(
                which, entry, merge, said.statement.event.reason, said.statement.occurred.on,
                _names(merge), tuple(_decidable(merge)),
            )


def _decidable(merge: Merge) -> Iterator[str]:
    """What the caller may decide: the proposer only takes back."""
    is_own = merge.proposed_by == caller().actor
    for step, event in STEPS.items():
        is_due = (step == "ended") == (merge.status is MergeStatus.IN_FORCE)
        if is_due and may_state(event.topic) and not (step == "approved" and is_own):
            yield step


def _names(merge: Merge) -> tuple[str, str]:
    """The two persons' names; of two households nothing, as the page has their heads' names."""
    pair = merge.pair
    if pair.merged_person is None or pair.surviving_person is None:
        return "", ""
    return (
        member_name(pair.merged_household, pair.merged_person),
        member_name(pair.surviving_household, pair.surviving_person),
    )


def member_name(household: str, person: str) -> str:
    """By which name a household knows, or has known, one of its members."""
    stream = services().ledger.stream(one_station(), "household", household)
    member = stream and stream.state.members.get(person)
    return shown(member.name, stream.id) if stream and member else person[:8]


# ---- erasures ----


def _erasures() -> Iterator[ErasureLine]:
    allowed = steps_of(ERASURE.name)
    for row, found in _erasures_of(one_station()):
        if found.status in AFTER and found.proposal is not None:
            steps = tuple(s for s in AFTER[found.status] if s in allowed)
            proposal = reading().shown(found.proposal, row.stream)
            yield ErasureLine(
                row.id, proposal, found.status, found.proposed_by, row.occurred_on, steps
            )


def _erasures_of(station: str) -> Iterator[tuple[RecordRow, Erasure]]:
    """Every erasure that was proposed, the newest first, as it stands."""
    with services().read_models.engine.connect() as connection:
        rows = records_of_kind(
            connection, station, ERASURE.name, topic=ErasureProposed.topic, limit=MOST
        )
    for row in rows:
        stream = services().ledger.stream(station, ERASURE.name, row.id)
        if stream is not None:
            yield row, stream.state
