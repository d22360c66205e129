"""What is true of a household: its members, assistance, case file and consent?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Annotated, TypeVar, assert_never

from msgspec import Meta
from msgspec.structs import replace as with_fields

from domain.fields import (
    CODE_LIST,
    AssistanceCategory,
    BenefitKind,
    ClosingReason,
    Community,
    Derived,
    Fen,
    LocalId,
    PersonalAddress,
    PersonalIdNumber,
    PersonalName,
    PersonalPhone,
    PersonalText,
    PersonId,
    Relation,
    Remark,
    RemovalReason,
    ShortText,
)
from domain.identity_number import check_id_number
from domain.kernel import Entry, Event, Occurrence, Refused, Related, Statement, StreamKind, Value
from domain.vault import is_sealed

UpdateField = Annotated[str, Meta(extra={CODE_LIST: "update_fields"})]
EndReason = Annotated[str, Meta(extra={CODE_LIST: "end_reasons"})]

# ---- values ----


class Member(Value):
    """A person of the household. All of it but the relation is personal."""

    person: PersonId
    name: PersonalName
    relation: Relation = "other"
    id_number: PersonalIdNumber | None = None
    phone: PersonalPhone | None = None
    health: PersonalText | None = None


# ---- events ----


class HouseholdRegistered(Event, topic="household.registered", label="家庭建档登记"):
    """A household in difficulty is entered in the register."""

    community: Community
    members: Annotated[tuple[Member, ...], Meta(min_length=1, max_length=30)]
    address: PersonalAddress | None = None
    file_number: LocalId | None = None
    note: PersonalText | None = None


class HouseholdInfoUpdated(Event, topic="household.info_updated", label="信息更新"):
    """Something about the household was found changed and brought up to date."""

    fields: Annotated[tuple[UpdateField, ...], Meta(min_length=1, max_length=20)]
    address: PersonalAddress | None = None
    phone: PersonalPhone | None = None
    note: PersonalText | None = None
    category: Annotated[str | None, Derived] = None
    community: Annotated[str | None, Derived] = None


class HouseholdInfoVerified(Event, topic="household.info_verified", label="信息核对"):
    """The household's information was checked and found unchanged."""

    note: PersonalText | None = None
    community: Annotated[str | None, Derived] = None


class MemberAdded(Event, topic="household.member_added", label="增加成员"):
    """A person joined the household: a birth, a marriage, a return."""

    member: Member
    reason: Remark | None = None


class MemberRemoved(Event, topic="household.member_removed", label="减少成员"):
    """A person left the household."""

    person: PersonId
    reason: RemovalReason


class UnitTransferred(Value):
    """An assistance unit that moves with its household from one community to another."""

    category: str
    covered_count: int
    from_community: str


class HouseholdMoved(Event, topic="household.moved", label="迁移"):
    """The household moved to another address, perhaps in another community."""

    community: Community
    address: PersonalAddress | None = None
    transferred: Annotated[tuple[UnitTransferred, ...] | None, Derived] = None


class CaseFileOpened(Event, topic="household.case_file_opened", label="新建服务对象档案"):
    """The household became a service user with a file of its own."""

    file_number: LocalId
    category: Annotated[str | None, Derived] = None
    community: Annotated[str | None, Derived] = None


class CaseFileClosed(Event, topic="household.case_file_closed", label="服务对象档案结档"):
    """The household's file as a service user was closed."""

    reason: ClosingReason


class ConsentGiven(Event, topic="household.consent_given", label="知情同意"):
    """A person agreed to the keeping and use of what is recorded of them."""

    person: PersonId
    scope: ShortText


class ConsentWithdrawn(Event, topic="household.consent_withdrawn", label="撤回知情同意"):
    """A person took the consent back."""

    person: PersonId
    scope: ShortText


class AssistanceAssigned(Event, topic="assistance.assigned", label="救助类别认定"):
    """An assistance unit is granted a category from the day of occurrence on.

    A unit is the set of persons covered by one grant: one person of a three-person
    home may be on 低保 alone.
    """

    unit: LocalId
    category: AssistanceCategory
    covered: Annotated[tuple[PersonId, ...], Meta(min_length=1, max_length=30)]
    community: Annotated[str | None, Derived] = None


class AssistanceChanged(Event, topic="assistance.changed", label="救助类别变更"):
    """A unit's category or covered persons changed from the day of occurrence on."""

    unit: LocalId
    category: AssistanceCategory
    covered: Annotated[tuple[PersonId, ...], Meta(min_length=1, max_length=30)]
    community: Annotated[str | None, Derived] = None
    previous_category: Annotated[str | None, Derived] = None
    previous_covered_count: Annotated[int | None, Derived] = None
    previous_community: Annotated[str | None, Derived] = None


class AssistanceEnded(Event, topic="assistance.ended", label="救助退出"):
    """A unit's assistance ended on the day of occurrence."""

    unit: LocalId
    reason: EndReason
    previous_category: Annotated[str | None, Derived] = None
    previous_covered_count: Annotated[int | None, Derived] = None
    previous_community: Annotated[str | None, Derived] = None


class BenefitGranted(Event, topic="assistance.benefit_granted", label="政策享受"):
    """A person began to receive a benefit."""

    person: PersonId
    benefit: BenefitKind


class BenefitStopped(Event, topic="assistance.benefit_stopped", label="政策停止享受"):
    """A person ceased to receive a benefit."""

    person: PersonId
    benefit: BenefitKind


class TemporaryAssistanceGranted(Event, topic="assistance.temporary_granted", label="临时救助"):
    """A single grant in an emergency: an event, not a status."""

    amount_fen: Fen
    purpose: Remark
    community: Annotated[str | None, Derived] = None


HouseholdEvent = (
    HouseholdRegistered | HouseholdInfoUpdated | HouseholdInfoVerified | MemberAdded
    | MemberRemoved | HouseholdMoved | CaseFileOpened | CaseFileClosed | ConsentGiven
    | ConsentWithdrawn | AssistanceAssigned | AssistanceChanged | AssistanceEnded
    | BenefitGranted | BenefitStopped | TemporaryAssistanceGranted
)

# ---- refusals ----


class UnknownPerson(
    Refused, code="unknown_person", title="家庭中没有此人",
    detail="该户现有成员中没有编号为 {person} 的人。",
):
    """The person is not a current member of the household."""


class PersonAlreadyMember(
    Refused, code="person_already_member", status=409, title="此人已是家庭成员",
    detail="编号为 {person} 的人已经是该户成员。",
):
    """A person joins a household once."""


class CaseFileAlreadyOpen(
    Refused, code="case_file_already_open", status=409, title="已有服务对象档案",
    detail="该户已建服务对象档案（{file_number}），不能重复新建。",
):
    """A household has one open file."""


class CaseFileNotOpen(
    Refused, code="case_file_not_open", status=409, title="没有在用的服务对象档案",
    detail="该户没有在用的服务对象档案，不能结档。",
):
    """Only an open file is closed; a second close is refused."""


class UnitAlreadyAssisted(
    Refused, code="unit_already_assisted", status=409, title="救助单元已有救助类别",
    detail="救助单元 {unit} 已认定为 {category}，请用“救助类别变更”。",
):
    """A unit that has a category gets another by a change."""


class PersonAlreadyCovered(
    Refused, code="person_already_covered", status=409, title="此人已在其他救助单元中",
    detail="编号为 {person} 的人已由救助单元 {unit} 保障。",
):
    """A person is covered by one unit at a time."""


class UnitNotAssisted(
    Refused, code="unit_not_assisted", status=409, title="救助单元没有在享救助",
    detail="救助单元 {unit} 当前没有救助类别，不能变更或退出。",
):
    """Only a unit with a category changes or leaves; a second end is refused."""


class EffectiveBeforeLatest(
    Refused, code="effective_before_latest", title="生效日期早于上一次变动",
    detail="生效日期 {got} 早于该单元上一次变动的 {latest}，请先更正或作废那一条。",
):
    """What comes later in the ledger is not effective earlier."""


class CoveredUntil(
    Refused, code="covered_until", title="当日仍在享救助",
    detail="编号为 {person} 的人在 {until} 以前已由其他认定保障，生效日期 {got} 与之重叠；"
    "请先更正或作废那一条。",
):
    """A grant that begins before the person's earlier one ended would count the person twice."""


class ConsentMissing(
    Refused, code="consent_missing", status=409, title="没有可撤回的同意",
    detail="此人没有对“{scope}”表示过同意。",
):
    """Only a given consent is withdrawn."""


class BenefitMissing(
    Refused, code="benefit_missing", status=409, title="没有在享的政策",
    detail="此人当前没有享受“{benefit}”。",
):
    """Only a running benefit stops."""


class BenefitRunning(
    Refused, code="benefit_running", status=409, title="已在享受该政策",
    detail="此人已在享受“{benefit}”。",
):
    """A benefit starts once."""


class PersonNamedTwice(
    Refused, code="person_named_twice", title="同一人出现两次",
    detail="编号为 {person} 的人在同一条记录中出现两次。",
):
    """One record names a person once."""


# ---- state ----


@dataclass(frozen=True, slots=True)
class AssistanceUnit:
    """An assistance unit as it stands: category, covered persons, since when."""

    category: str
    covered: tuple[str, ...]
    since: date
    community: str


@dataclass(frozen=True, slots=True)
class Household:
    """The household as it stands now."""

    community: str = ""
    address: str | None = None
    phone: str | None = None
    file_number: str | None = None
    registered_on: date | None = None
    members: Mapping[str, Member] = field(default_factory=dict)
    former_members: frozenset[str] = frozenset()
    units: Mapping[str, AssistanceUnit] = field(default_factory=dict)
    covered_until: Mapping[str, date] = field(default_factory=dict)
    case_file: str | None = None
    case_file_opened_on: date | None = None
    consents: frozenset[tuple[str, str]] = frozenset()
    benefits: frozenset[tuple[str, str]] = frozenset()
    info_confirmed_on: date | None = None

    @property
    def category(self) -> str | None:
        """The category of the household's first unit, for counting by category."""
        return next((unit.category for unit in self.units.values()), None)

    def has_known(self, person: str) -> bool:
        """Whether the person is, or was, a member."""
        return person in self.members or person in self.former_members


def evolve(household: Household, entry: Entry) -> Household:  # noqa: PLR0911, PLR0912, C901 - one arm an event
    """The household after a statement about it."""
    event, on = entry.statement.event, entry.statement.occurred.on
    assert isinstance(event, HouseholdEvent)
    match event:
        case HouseholdRegistered():
            return replace(
                household, community=event.community, address=event.address,
                file_number=event.file_number, registered_on=on,
                members={m.person: m for m in event.members}, info_confirmed_on=on,
            )
        case HouseholdInfoUpdated():
            return replace(
                household, address=event.address or household.address,
                phone=event.phone or household.phone,
                info_confirmed_on=_later(household.info_confirmed_on, on),
            )
        case HouseholdInfoVerified():
            return replace(household, info_confirmed_on=_later(household.info_confirmed_on, on))
        case MemberAdded():
            members = dict(household.members) | {event.member.person: event.member}
            return replace(household, members=members)
        case MemberRemoved():
            members = {k: m for k, m in household.members.items() if k != event.person}
            former = household.former_members | {event.person}
            return replace(household, members=members, former_members=former)
        case HouseholdMoved():
            units = {
                name: replace(unit, community=event.community)
                for name, unit in household.units.items()
            }
            return replace(
                household, community=event.community, address=event.address, units=units
            )
        case CaseFileOpened():
            return replace(household, case_file=event.file_number, case_file_opened_on=on)
        case CaseFileClosed():
            return replace(household, case_file=None)
        case ConsentGiven():
            return replace(household, consents=household.consents | {(event.person, event.scope)})
        case ConsentWithdrawn():
            return replace(household, consents=household.consents - {(event.person, event.scope)})
        case AssistanceAssigned() | AssistanceChanged():
            unit = AssistanceUnit(
                event.category, event.covered, on, event.community or household.community
            )
            units = dict(household.units) | {event.unit: unit}
            until = _left(household, event.unit, unit, on)
            return replace(household, units=units, covered_until=until)
        case AssistanceEnded():
            units = {k: u for k, u in household.units.items() if k != event.unit}
            until = _left(household, event.unit, None, on)
            return replace(household, units=units, covered_until=until)
        case BenefitGranted():
            return replace(household, benefits=household.benefits | {(event.person, event.benefit)})
        case BenefitStopped():
            return replace(household, benefits=household.benefits - {(event.person, event.benefit)})
        case TemporaryAssistanceGranted():
            return household
        case _:
            assert_never(event)


def _left(
    household: Household, name: str, unit: AssistanceUnit | None, on: date
) -> dict[str, date]:
    """Until when each person was covered who is not any more, when a unit is now so."""
    before = household.units.get(name)
    left = set(before.covered if before else ()) - set(unit.covered if unit else ())
    return dict(household.covered_until) | dict.fromkeys(sorted(left), on)


def _later(one: date | None, other: date) -> date:
    return other if one is None or other > one else one


# ---- decisions ----


def decide(statement: Statement, household: Household, related: Related) -> Event:  # noqa: PLR0911, PLR0912, C901 - one arm an event
    """The event to record of a household, or a refusal."""
    event = statement.event
    assert isinstance(event, HouseholdEvent)
    match event:
        case HouseholdRegistered():
            _no_one_twice(tuple(member.person for member in event.members))
            for member in event.members:
                _possible(member, related.context.today)
            return event
        case MemberAdded():
            return _add_member(event, household, related.context.today)
        case MemberRemoved():
            _member(household, event.person)
            return event
        case CaseFileOpened():
            if household.case_file is not None:
                raise CaseFileAlreadyOpen(file_number=household.case_file)
            return _counted(event, household)
        case CaseFileClosed():
            if household.case_file is None:
                raise CaseFileNotOpen
            return event
        case ConsentGiven():
            _member(household, event.person)
            return event
        case ConsentWithdrawn():
            if (event.person, event.scope) not in household.consents:
                raise ConsentMissing(scope=event.scope)
            return event
        case AssistanceAssigned():
            return _assign(event, household, statement.occurred)
        case AssistanceChanged():
            return _change(event, household, statement.occurred)
        case AssistanceEnded():
            unit = _unit(household, event.unit, statement.occurred)
            return with_fields(
                event, previous_category=unit.category,
                previous_covered_count=len(unit.covered), previous_community=unit.community,
            )
        case BenefitGranted():
            _member(household, event.person)
            if (event.person, event.benefit) in household.benefits:
                raise BenefitRunning(benefit=event.benefit)
            return event
        case BenefitStopped():
            if (event.person, event.benefit) not in household.benefits:
                raise BenefitMissing(benefit=event.benefit)
            return event
        case HouseholdInfoUpdated():
            return _counted(event, household)
        case HouseholdInfoVerified() | TemporaryAssistanceGranted():
            return with_fields(event, community=household.community)
        case HouseholdMoved():
            return with_fields(event, transferred=tuple(
                UnitTransferred(
                    category=unit.category, covered_count=len(unit.covered),
                    from_community=unit.community,
                )
                for unit in household.units.values()
            ))
        case _:
            assert_never(event)


Updating = TypeVar("Updating", HouseholdInfoUpdated, CaseFileOpened)


def _counted(event: Updating, household: Household) -> Updating:
    """An update that carries what it is counted by: category and community at the time."""
    return with_fields(event, category=household.category, community=household.community)


def _possible(member: Member, today: date) -> None:
    if member.id_number is not None and not is_sealed(member.id_number):
        check_id_number(member.id_number, today)


def _no_one_twice(persons: tuple[str, ...]) -> None:
    for index, person in enumerate(persons):
        if person in persons[:index]:
            raise PersonNamedTwice(person=person)


def _member(household: Household, person: str) -> Member:
    if person not in household.members:
        raise UnknownPerson(person=person)
    return household.members[person]


def _add_member(event: MemberAdded, household: Household, today: date) -> MemberAdded:
    if event.member.person in household.members:
        raise PersonAlreadyMember(person=event.member.person)
    _possible(event.member, today)
    return event


def _cover(
    household: Household, own_unit: str, persons: tuple[str, ...], occurred: Occurrence
) -> None:
    """Each covered person is a member, and is covered by nothing else from that day on."""
    _no_one_twice(persons)
    for person in persons:
        _member(household, person)
        for name, unit in household.units.items():
            if name != own_unit and person in unit.covered:
                raise PersonAlreadyCovered(person=person, unit=name)
        until = household.covered_until.get(person)
        if until is not None and occurred.on < until:
            raise CoveredUntil(person=person, until=until, got=occurred.on)


def _assign(
    event: AssistanceAssigned, household: Household, occurred: Occurrence
) -> AssistanceAssigned:
    if event.unit in household.units:
        category = household.units[event.unit].category
        raise UnitAlreadyAssisted(unit=event.unit, category=category)
    _cover(household, event.unit, event.covered, occurred)
    return with_fields(event, community=household.community)


def _change(
    event: AssistanceChanged, household: Household, occurred: Occurrence
) -> AssistanceChanged:
    unit = _unit(household, event.unit, occurred)
    _cover(household, event.unit, event.covered, occurred)
    return with_fields(
        event, community=household.community, previous_category=unit.category,
        previous_covered_count=len(unit.covered), previous_community=unit.community,
    )


def _unit(household: Household, name: str, occurred: Occurrence) -> AssistanceUnit:
    unit = household.units.get(name)
    if unit is None:
        raise UnitNotAssisted(unit=name)
    if occurred.on < unit.since:
        raise EffectiveBeforeLatest(got=occurred.on, latest=unit.since)
    return unit


HOUSEHOLD = StreamKind(
    "household", "困难家庭", Household(), evolve, decide,
    (
        HouseholdRegistered, HouseholdInfoUpdated, HouseholdInfoVerified, MemberAdded,
        MemberRemoved, HouseholdMoved, CaseFileOpened, CaseFileClosed, ConsentGiven,
        ConsentWithdrawn, AssistanceAssigned, AssistanceChanged, AssistanceEnded,
        BenefitGranted, BenefitStopped, TemporaryAssistanceGranted,
    ),
)

