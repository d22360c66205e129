"""When is a person's information erased or locked, and who agreed to it?

One person proposes, another one approves or refuses (PIPL art. 47). Where the law keeps
the record, it is locked instead: stored, and not used. The events are the truth; keys
are destroyed as they say, by ``workers/erasing.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Final, assert_never

from msgspec import Meta

from domain.fields import HouseholdId, PersonalText, PersonId, Remark, VolunteerId
from domain.household import Household
from domain.kernel import Entry, Event, Refused, Related, Statement, StreamKind
from domain.second_person import refuse_the_same_person
from domain.visit import PersonNotOfHousehold
from domain.vocabulary import Labelled

RecordName = Annotated[str, Meta(pattern=r"^[a-z_]{1,40}/[0-9A-Za-z_.-]{1,64}$")]
"""A record of the station by kind and id: ``group/g1``."""


class ErasureGround(Labelled):
    """Why information is to be erased (PIPL art. 47)."""

    REQUEST = "request", "本人要求"
    CONSENT_WITHDRAWN = "consent_withdrawn", "撤回同意"
    PURPOSE_FULFILLED = "purpose_fulfilled", "处理目的已实现"
    RETENTION_OVER = "retention_over", "保存期限已届满"
    UNLAWFUL = "unlawful", "违法违约处理"


class RefusalGround(Labelled):
    """Why it is not erased."""

    LEGAL_RETENTION = "legal_retention", "法定保存期限未届满"
    PENDING_DISPUTE = "pending_dispute", "争议或调查未结"
    IDENTITY_UNPROVEN = "identity_unproven", "身份无法核实"
    WITHDRAWN = "withdrawn", "申请已撤回"


LOCKING: Final = frozenset({RefusalGround.LEGAL_RETENTION, RefusalGround.PENDING_DISPUTE})
"""The grounds on which a record is kept, and on which it is therefore locked."""


class ErasureProposed(Event, topic="erasure.proposed", label="提出删除个人信息"):
    """Somebody asks that a person's information be erased.

    ``records`` names what else speaks of the person and belongs to no household: a
    group's or an activity's texts go as a whole.
    """

    ground: ErasureGround
    household: HouseholdId | None = None
    person: PersonId | None = None
    volunteer: VolunteerId | None = None
    records: Annotated[tuple[RecordName, ...], Meta(max_length=50)] = ()
    note: PersonalText | None = None


class ErasureApproved(Event, topic="erasure.approved", label="核准删除个人信息"):
    """Another person agreed: what was sealed of the person is not opened any more."""


class ErasureRefused(Event, topic="erasure.refused", label="不予删除个人信息"):
    """The information is kept; where the law wants it kept, it is locked."""

    ground: RefusalGround
    because: Remark | None = None


class ErasureUnlocked(Event, topic="erasure.unlocked", label="解除封存"):
    """What was locked may be used again."""

    because: Remark


ErasureEvent = ErasureProposed | ErasureApproved | ErasureRefused | ErasureUnlocked


class ErasureStatus(Labelled):
    """Where an erasure stands."""

    NONE = "none", "未提出"
    PROPOSED = "proposed", "待核准"
    APPROVED = "approved", "已核准删除"
    REFUSED = "refused", "不予删除"
    LOCKED = "locked", "已封存"
    UNLOCKED = "unlocked", "已解除封存"


class ErasureSubject(
    Refused, code="erasure_subject", title="须指明删除谁的信息",
    detail="须且只须指明一人：household（户）和 person（成员），或者 volunteer（志愿者）。",
):
    """An erasure is about one person."""


class ErasureStepRefused(
    Refused, code="erasure_step_refused", status=409, title="删除申请的状态不允许",
    detail="删除申请现为“{status}”，不能登记“{label}”。",
):
    """Each step follows the one before; what was erased stays erased."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """The erasure as it stands."""

    status: ErasureStatus = ErasureStatus.NONE
    proposal: ErasureProposed | None = None
    proposed_by: str = ""


def evolve(erasure: Erasure, entry: Entry) -> Erasure:
    """The erasure after a step."""
    event = entry.statement.event
    assert isinstance(event, ErasureEvent)
    match event:
        case ErasureProposed():
            return Erasure(ErasureStatus.PROPOSED, event, entry.actor)
        case ErasureApproved():
            return replace(erasure, status=ErasureStatus.APPROVED)
        case ErasureRefused():
            is_locking = event.ground in LOCKING
            status = ErasureStatus.LOCKED if is_locking else ErasureStatus.REFUSED
            return replace(erasure, status=status)
        case ErasureUnlocked():
            return replace(erasure, status=ErasureStatus.UNLOCKED)
        case _:
            assert_never(event)


def decide(statement: Statement, erasure: Erasure, related: Related) -> Event:
    """The step to record, or a refusal."""
    event = statement.event
    assert isinstance(event, ErasureEvent)
    match event:
        case ErasureProposed():
            return _proposed(event, related)
        case ErasureApproved() | ErasureRefused():
            _check(event, erasure, ErasureStatus.PROPOSED)
            is_withdrawn = isinstance(event, ErasureRefused) and (
                event.ground is RefusalGround.WITHDRAWN
            )
            if not is_withdrawn:
                refuse_the_same_person(erasure.proposed_by, related.context)
            return event
        case ErasureUnlocked():
            _check(event, erasure, ErasureStatus.LOCKED)
            return event
        case _:
            assert_never(event)


def _proposed(event: ErasureProposed, related: Related) -> ErasureProposed:
    is_member = event.household is not None and event.person is not None
    is_half = (event.household is None) != (event.person is None)
    if is_half or is_member == (event.volunteer is not None):
        raise ErasureSubject
    if event.volunteer is not None:
        related.state("volunteer", event.volunteer)
        return event
    household: Household = related.state("household", str(event.household))
    if not household.has_known(str(event.person)):
        raise PersonNotOfHousehold(person=event.person)
    return event


def _check(event: ErasureEvent, erasure: Erasure, wanted: ErasureStatus) -> None:
    if erasure.status is not wanted:
        raise ErasureStepRefused(status=erasure.status.label, label=event.label)


ERASURE = StreamKind(
    "erasure", "个人信息删除", Erasure(), evolve, decide,
    (ErasureProposed, ErasureApproved, ErasureRefused, ErasureUnlocked),
    is_final=True,
)
