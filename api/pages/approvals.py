"""What waits for a second person? Merges and erasures that somebody proposed, and their end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from api.identity import READ_CASES, action, caller, new_id, today
from api.pages.listed_twice import Twice, files_called, listed_twice
from api.pages.record import steps_of
from api.pages.views import pages
from api.pages.writing import OCCURRED, Given, may_state, own_write, posted, state
from api.personal import reading, shown
from api.queries import one_station, status_shown
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
from domain.kernel import STATION_TIME, Event, UnknownRecord
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
from projections.erasures import ErasureRow, erasure_list
from projections.household_status import household_status

SHOWN: Final = (MergeStatus.PROPOSED, MergeStatus.IN_FORCE)
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
"""So many of each are listed, those that moved last last; in force, the newest."""


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
    approved = entry if (which, step) == (HOUSEHOLDS, "approved") else None
    position = done[0].position
    return redirect(url_for("pages.approvals_page", recorded=position, approved=approved), 303)


def _twice() -> tuple[str, list[Twice]]:
    """Of the households merged just now: which one, and whom both its files list."""
    station, entry = one_station(), request.args.get("approved", 0, type=int)
    merge = _known_merges(station, HOUSEHOLDS).merges.get(entry)
    if merge is None or merge.status is not MergeStatus.IN_FORCE:
        return "", []
    household = merge.pair.survivor
    with services().read_models.engine.connect() as connection:
        status = household_status(connection, station, household)
    return household, listed_twice(status_shown(station, status)) if status else []


def _page(given: Given) -> str:
    own = own_write()
    merges = [line for which in (HOUSEHOLDS, PERSONS) for line in _merges(which)]
    erasures = list(_erasures())
    pairs = [line.merge.pair for line in merges]
    files = {file for p in pairs for file in (p.merged_household, p.surviving_household)}
    files |= {line.proposal.household for line in erasures if line.proposal.household}
    return render_template(
        "pages/approvals.html", given=given, erasures=erasures, heads=files_called(files),
        twice=_twice(), **own,
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
        yield from (row.proposed_by for row in _of_status(ErasureStatus.PROPOSED))


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
    for status in SHOWN:
        for entry, merge in list(stream.state.of_status(status))[-MOST:]:
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
    """Those that can be decided on or taken back: what waits first, the oldest first."""
    for status in AFTER:
        for row in _of_status(status):
            stream = services().ledger.stream(one_station(), ERASURE.name, row.erasure)
            found: Erasure = stream.state if stream else ERASURE.initial
            if found.status is status and found.proposal is not None:  # not decided meanwhile
                yield ErasureLine(
                    row.erasure, shown(found.proposal, row.stream), status, found.proposed_by,
                    row.proposed_at.astimezone(STATION_TIME).date(), tuple(_next(found)),
                )


def _next(erasure: Erasure) -> Iterator[type[Event]]:
    """What the caller may decide: the proposer only takes back."""
    is_own = erasure.proposed_by == caller().actor
    allowed = steps_of(ERASURE.name)
    return (
        step for step in AFTER[erasure.status]
        if step in allowed and not (step is ErasureApproved and is_own)
    )


def _of_status(status: ErasureStatus) -> list[ErasureRow]:
    with services().read_models.engine.connect() as connection:
        return erasure_list(connection, one_station(), statuses=[status.value], limit=MOST)
