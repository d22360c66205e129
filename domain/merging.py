"""Which files are of one household, which ids of one person: who says so, and until when?

A double registration is merged by two persons: one proposes, another approves; whoever
may approve may also end it again (拆分). Merging posts nothing and moves nothing. It is an
alias, valid from when it was recorded, that distinct counts, lists and timelines resolve.

All merges of a station's households stand in one stream, and all of its persons' in
another, so that no two of them are decided at once: nothing is merged twice, and no chain
of merges closes to a ring.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Final, NamedTuple, assert_never

from msgspec.structs import replace as with_fields

from domain.fields import (
    REFERS_TO,
    Derived,
    EntryVersion,
    HouseholdId,
    PersonId,
    Reason,
    marked_values,
)
from domain.household import (
    AssistanceEnded,
    BenefitStopped,
    CaseFileClosed,
    ConsentWithdrawn,
)
from domain.kernel import (
    KIND_OF_TOPIC,
    Entry,
    Event,
    Refused,
    Related,
    Statement,
    StreamKind,
    UnknownRecord,
    stream_id,
)
from domain.second_person import refuse_the_same_person
from domain.visit import PersonNotOfHousehold
from domain.vocabulary import Labelled

HOUSEHOLDS: Final = "households"
PERSONS: Final = "persons"
MERGED_KINDS: Final = {HOUSEHOLDS: "household", PERSONS: "person"}
"""What each of the two streams merges."""
WINDING_DOWN: Final = (AssistanceEnded, BenefitStopped, CaseFileClosed, ConsentWithdrawn)
"""What is still recorded of a merged household: that something which it had came to an end."""

# ---- events ----


class HouseholdMergeProposed(Event, topic="merge.household_proposed", label="提出合并家庭"):
    """Two files are of one household; the survivor's is to be kept."""

    merged: HouseholdId
    survivor: HouseholdId
    reason: Reason


class PersonMergeProposed(Event, topic="merge.person_proposed", label="提出合并个人"):
    """Two ids are of one person; each is listed in the household named beside it."""

    merged: PersonId
    merged_household: HouseholdId
    survivor: PersonId
    survivor_household: HouseholdId
    reason: Reason


class MergeApproved(Event, topic="merge.approved", label="合并"):
    """A second person agreed: from now on the merged one counts as the survivor.

    The ids are those of the proposal: of two persons and the households that list them,
    or of two households alone.
    """

    entry: EntryVersion
    merged_person: Annotated[PersonId | None, Derived] = None
    merged_household: Annotated[HouseholdId | None, Derived] = None
    surviving_person: Annotated[PersonId | None, Derived] = None
    surviving_household: Annotated[HouseholdId | None, Derived] = None


class MergeDeclined(Event, topic="merge.declined", label="不予合并"):
    """A proposal was refused, or taken back."""

    entry: EntryVersion
    reason: Reason
    merged_person: Annotated[PersonId | None, Derived] = None
    merged_household: Annotated[HouseholdId | None, Derived] = None
    surviving_person: Annotated[PersonId | None, Derived] = None
    surviving_household: Annotated[HouseholdId | None, Derived] = None


class MergeEnded(Event, topic="merge.ended", label="拆分"):
    """The two count as two again, from now on."""

    entry: EntryVersion
    reason: Reason
    merged_person: Annotated[PersonId | None, Derived] = None
    merged_household: Annotated[HouseholdId | None, Derived] = None
    surviving_person: Annotated[PersonId | None, Derived] = None
    surviving_household: Annotated[HouseholdId | None, Derived] = None


Proposed = HouseholdMergeProposed | PersonMergeProposed
MergeEvent = Proposed | MergeApproved | MergeDeclined | MergeEnded

# ---- refusals ----


class MergedWithItself(
    Refused, code="merged_with_itself", title="不能与自己合并",
    detail="被合并的和保留的是同一个编号（{id}），请核对。",
):
    """A file is not merged into itself."""


class AlreadyMerged(
    Refused, code="already_merged", status=409, title="已经合并",
    detail="编号 {id} 已并入 {survivor}，请改用 {survivor}，或先拆分。",
):
    """What is merged already is neither merged again nor merged into."""


class MergeCycle(
    Refused, code="merge_cycle", status=409, title="合并成环",
    detail="编号 {survivor} 已并入 {id}，不能再把 {id} 并入 {survivor}；请先拆分。",
):
    """Two files are not merged into each other."""


class MergeProposalOpen(
    Refused, code="merge_proposal_open", status=409, title="已有待核准的合并",
    detail="编号 {id} 已有一项待核准的合并（第 {entry} 条），请先核准或不予合并。",
):
    """One proposal at a time says what a file is to be merged into."""


class UnknownMergeProposal(
    Refused, code="unknown_merge_proposal", status=404, title="没有这项合并",
    detail="第 {entry} 条不是提出合并的记录。",
):
    """Only what was proposed is approved, declined or ended."""


class MergeStepRefused(
    Refused, code="merge_step_refused", status=409, title="合并所处的状态不允许",
    detail="第 {entry} 条提出的合并现为“{status}”，不能登记“{label}”。",
):
    """A proposal is decided once, and only a merge in force is ended."""


class HouseholdMerged(
    Refused, code="household_merged", status=409, title="该户已并入另一户",
    detail="编号为 {id} 的家庭档案已并入 {survivor}，请登记到 {survivor}。",
):
    """Nothing new is recorded of a merged household but that something of it ended."""


class HouseholdOfMerge(
    Refused, code="household_of_merge", status=409, title="该户有合并事项",
    detail="编号为 {id} 的家庭有合并事项（第 {entry} 条），请先拆分或不予合并，再作废建档。",
):
    """A registration that a merge rests on is not voided."""


# ---- state ----


class MergeStatus(Labelled):
    """Where a proposed merge stands."""

    PROPOSED = "proposed", "待核准"
    IN_FORCE = "in_force", "已合并"
    DECLINED = "declined", "不予合并"
    ENDED = "ended", "已拆分"


class Pair(NamedTuple):
    """Whom a merge is about; the persons of a merge of households are ``None``."""

    merged_person: str | None
    merged_household: str
    surviving_person: str | None
    surviving_household: str

    @property
    def merged(self) -> str:
        """The id that becomes an alias."""
        return self.merged_person or self.merged_household

    @property
    def survivor(self) -> str:
        """The id that it then counts as."""
        return self.surviving_person or self.surviving_household


@dataclass(frozen=True, slots=True)
class Merge:
    """A merge from its proposal on."""

    pair: Pair
    proposed_by: str
    status: MergeStatus = MergeStatus.PROPOSED


@dataclass(frozen=True, slots=True)
class Merges:
    """All merges of a stream, by the version of their proposal."""

    merges: Mapping[int, Merge] = field(default_factory=dict)

    def of_status(self, status: MergeStatus) -> Iterator[tuple[int, Merge]]:
        """The merges that stand so."""
        return ((entry, m) for entry, m in self.merges.items() if m.status is status)

    def survivor_of(self, subject: str) -> str:
        """Whom an id counts as in the end: itself, where it is not merged."""
        into = {m.pair.merged: m.pair.survivor for _n, m in self.of_status(MergeStatus.IN_FORCE)}
        while subject in into:
            subject = into.pop(subject)
        return subject

    def family(self, subject: str) -> frozenset[str]:
        """Every id that counts as the same: the subject's own, where it is not merged."""
        root = self.survivor_of(subject)
        merged = (m.pair.merged for _n, m in self.of_status(MergeStatus.IN_FORCE))
        return frozenset({root, *(one for one in merged if self.survivor_of(one) == root)})


def evolve(merges: Merges, entry: Entry) -> Merges:
    """All merges after a statement about one."""
    event = entry.statement.event
    assert isinstance(event, MergeEvent)
    match event:
        case HouseholdMergeProposed() | PersonMergeProposed():
            number, merge = entry.version, Merge(_pair(event), entry.actor)
        case MergeApproved() | MergeDeclined() | MergeEnded():
            number = event.entry
            merge = replace(merges.merges[number], status=AFTER[type(event)])
        case _:
            assert_never(event)
    return Merges(dict(merges.merges) | {number: merge})


AFTER: Final[dict[type[Event], MergeStatus]] = {
    MergeApproved: MergeStatus.IN_FORCE,
    MergeDeclined: MergeStatus.DECLINED,
    MergeEnded: MergeStatus.ENDED,
}


def _pair(event: Proposed) -> Pair:
    if isinstance(event, HouseholdMergeProposed):
        return Pair(None, event.merged, None, event.survivor)
    return Pair(event.merged, event.merged_household, event.survivor, event.survivor_household)


# ---- decisions ----


def decide(statement: Statement, merges: Merges, related: Related) -> Event:
    """The event to record of a merge, or a refusal."""
    event = statement.event
    assert isinstance(event, MergeEvent)
    _check_stream(event, related.subject)
    match event:
        case HouseholdMergeProposed() | PersonMergeProposed():
            return _propose(event, merges, related)
        case MergeApproved():
            merge = _merge(event, merges, MergeStatus.PROPOSED)
            refuse_the_same_person(merge.proposed_by, related.context)
            return with_fields(event, **merge.pair._asdict())
        case MergeDeclined():
            merge = _merge(event, merges, MergeStatus.PROPOSED)
            return with_fields(event, **merge.pair._asdict())
        case MergeEnded():
            merge = _merge(event, merges, MergeStatus.IN_FORCE)
            return with_fields(event, **merge.pair._asdict())
        case _:
            assert_never(event)


def _check_stream(event: MergeEvent, subject: str) -> None:
    """Each stream takes its own proposals, and there is no third."""
    is_strange = (
        (isinstance(event, HouseholdMergeProposed) and subject != HOUSEHOLDS)
        or (isinstance(event, PersonMergeProposed) and subject != PERSONS)
    )
    if is_strange or subject not in MERGED_KINDS:
        raise UnknownRecord(id=subject, kind=MERGE.label)


def _propose(event: Proposed, merges: Merges, related: Related) -> Event:
    pair = _pair(event)
    if pair.merged == pair.survivor:
        raise MergedWithItself(id=pair.merged)
    for household, person in (
        (pair.merged_household, pair.merged_person),
        (pair.surviving_household, pair.surviving_person),
    ):
        known = related.state("household", household)
        if person is not None and not known.has_known(person):
            raise PersonNotOfHousehold(person=person)
    _check_pair(pair, merges)
    for entry, other in merges.of_status(MergeStatus.PROPOSED):
        if other.pair.merged in {pair.merged, pair.survivor} or other.pair.survivor == pair.merged:
            raise MergeProposalOpen(id=other.pair.merged, entry=entry)
    return event


def _check_pair(pair: Pair, merges: Merges) -> None:
    """Neither is merged yet, so that each id has one survivor and no chain is a ring.

    It stays so until the proposal is decided: another one about them has to wait.
    """
    if merges.survivor_of(pair.survivor) == pair.merged:
        raise MergeCycle(id=pair.merged, survivor=pair.survivor)
    for subject in (pair.merged, pair.survivor):
        if (survivor := merges.survivor_of(subject)) != subject:
            raise AlreadyMerged(id=subject, survivor=survivor)


def _merge(
    event: MergeApproved | MergeDeclined | MergeEnded, merges: Merges, wanted: MergeStatus
) -> Merge:
    merge = merges.merges.get(event.entry)
    if merge is None:
        raise UnknownMergeProposal(entry=event.entry)
    if merge.status is not wanted:
        raise MergeStepRefused(
            entry=event.entry, status=merge.status.label, label=event.label
        )
    return merge


MERGE = StreamKind(
    "merge", "合并", Merges(), evolve, decide,
    (HouseholdMergeProposed, PersonMergeProposed, MergeApproved, MergeDeclined, MergeEnded),
    also_opening=(HouseholdMergeProposed, PersonMergeProposed),
    is_final=True,
)


# ---- what merges mean for other streams ----


def merges_asked(statement: Statement, station: str) -> set[str]:
    """The stream of merges that must be known before a statement is decided."""
    is_about_none = next(_households(statement, ""), None) is None
    return set() if is_about_none else {stream_id(station, MERGE.name, HOUSEHOLDS)}


def refuse_merged(statement: Statement, before: Statement | None, related: Related) -> None:
    """Let nothing new be recorded of a merged household.

    What was recorded ``before`` may name it: a correction keeps whom its record is about.
    So may what is decided on by two persons: a merge, an erasure.

    :raises HouseholdMerged: naming the survivor.
    """
    is_procedure = KIND_OF_TOPIC[statement.event.topic].is_final
    if is_procedure or isinstance(statement.event, WINDING_DOWN):
        return
    merges = _merges_of_households(related)
    known = set(_households(before, related.subject)) if before else set()
    for household in _households(statement, related.subject):
        survivor = merges.survivor_of(household)
        if survivor != household and household not in known:
            raise HouseholdMerged(id=household, survivor=survivor)


def refuse_of_merge(household: str, related: Related) -> None:
    """Let no registration be voided that a merge in force, or a proposed one, is about.

    :raises HouseholdOfMerge: naming the proposal.
    """
    merges = _merges_of_households(related)
    for status in (MergeStatus.IN_FORCE, MergeStatus.PROPOSED):
        for entry, merge in merges.of_status(status):
            if household in {merge.pair.merged, merge.pair.survivor}:
                raise HouseholdOfMerge(id=household, entry=entry)


def _merges_of_households(related: Related) -> Merges:
    stream = related.streams.get(stream_id(related.context.station, MERGE.name, HOUSEHOLDS))
    return stream.state if stream is not None else MERGE.initial


def _households(statement: Statement, own: str) -> Iterator[str]:
    """The households that a statement is about: its stream's own, and whom it names."""
    if KIND_OF_TOPIC[statement.event.topic].name == "household":
        yield own
    for _path, kind, subject in marked_values(statement.event, REFERS_TO):
        if kind == "household":
            yield subject
