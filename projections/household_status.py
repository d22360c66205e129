"""How does each household stand: members, assistance, last contact, what is open?

Four read models answer it: what the household's own stream folds to, the contacts that
visits made, the needs that assessments found, and the referrals (``referrals.py``). A
household that another was merged into stands for both: it answers for all their files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Date,
    Index,
    Integer,
    Select,
    String,
    Table,
    Text,
    case,
    func,
    literal,
    select,
)

from domain.household import Household
from domain.kernel import Stream, stream_station, stream_subject
from domain.survey import NeedsAssessed, NeedsAssessment
from domain.visit import VisitRecorded
from projections.aliases import Aliases, aliases_at
from projections.household_members import (
    CoveredTwice,
    MemberRow,
    covered_twice,
    household_members,
    listed_in,
    members_of,
    once_each,
)
from projections.kernel import FoldProjection, Rows, metadata
from projections.referrals import OPEN_STATUSES, referrals

MOST_NUMBERED: Final = 10
"""So many households of one file number are named; there should be one."""

households: Final = Table(
    "households",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("station", String(64), nullable=False),
    Column("household", Text, nullable=False),
    Column("file_number", Text),
    Column("community", Text, nullable=False),
    Column("head_name", Text),
    Column("category", Text),
    Column("member_count", Integer, nullable=False),
    Column("covered_count", Integer, nullable=False),
    Column("case_file", Text),
    Column("registered_on", Date),
    Column("info_confirmed_on", Date),
    Column("version", Integer, nullable=False),
    Index("ix_households_household", "station", "household"),
    Index("ix_households_community", "station", "community"),
    Index("ix_households_category", "station", "category"),
)

contacts: Final = Table(
    "contacts",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("station", String(64), nullable=False),
    Column("household", Text, nullable=False),
    Column("occurred_on", Date, nullable=False),
    Column("mode", Text, nullable=False),
    Column("is_met", Boolean, nullable=False),
    Index("ix_contacts_household", "station", "household", "occurred_on"),
)

needs: Final = Table(
    "needs",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("need", Text, primary_key=True),
    Column("station", String(64), nullable=False),
    Column("household", Text, nullable=False),
    Column("urgency", Text, nullable=False),
    Column("assessed_on", Date, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Index("ix_needs_household", "station", "household"),
)


class HouseholdStatusProjection(FoldProjection):
    """What each household's own stream says."""

    name = "household_status"
    label = "家庭状态"
    kinds = ("household",)
    tables = (households, household_members)

    def rows(self, stream: Stream[Any]) -> Rows:
        """One household and its current members; a voided registration leaves none."""
        if not any(stream.active()):
            return
        household: Household = stream.state
        station, identity = stream_station(stream.id), stream_subject(stream.id)
        head = next((m for m in household.members.values() if m.relation == "head"), None)
        yield households, {
            "stream": stream.id, "station": station, "household": identity,
            "file_number": household.file_number, "community": household.community,
            "head_name": head.name if head else None, "category": household.category,
            "member_count": len(household.members),
            "covered_count": sum(len(unit.covered) for unit in household.units.values()),
            "case_file": household.case_file, "registered_on": household.registered_on,
            "info_confirmed_on": household.info_confirmed_on, "version": stream.version,
        }
        for member in household.members.values():
            unit = next(
                (n for n, u in household.units.items() if member.person in u.covered), None
            )
            yield household_members, {
                "stream": stream.id, "person": member.person, "station": station,
                "household": identity, "name": member.name, "relation": member.relation,
                "category": household.units[unit].category if unit else None, "unit": unit,
            }


class Contacts(FoldProjection):
    """When each household was last met."""

    name = "contacts"
    label = "走访联系"
    kinds = ("visit",)
    tables = (contacts,)

    def rows(self, stream: Stream[Any]) -> Rows:
        """One contact a visit to a household, unless it was voided."""
        for entry in stream.active():
            visit = entry.statement.event
            assert isinstance(visit, VisitRecorded)
            if visit.household:
                yield contacts, {
                    "stream": stream.id, "station": stream_station(stream.id),
                    "household": visit.household, "occurred_on": entry.statement.occurred.on,
                    "mode": visit.mode, "is_met": visit.outcome == "met",
                }


class Needs(FoldProjection):
    """What each household needs, and what of it is still open."""

    name = "needs"
    label = "服务需求"
    kinds = ("needs_assessment",)
    tables = (needs,)

    def rows(self, stream: Stream[Any]) -> Rows:
        """One row a stated need."""
        assessment: NeedsAssessment = stream.state
        made = next((e.statement for e in stream.active()), None)
        if made is None or not isinstance(made.event, NeedsAssessed):
            return
        for stated in made.event.needs:
            yield needs, {
                "stream": stream.id, "need": stated.need,
                "station": stream_station(stream.id), "household": made.event.household,
                "urgency": stated.urgency.value, "assessed_on": made.occurred.on,
                "is_open": stated.need not in assessment.met,
            }


# ---- questions ----


@dataclass(frozen=True, slots=True)
class HouseholdRow:
    """A household as lists show it; ``last_contact_on`` counts only when somebody was met."""

    household: str
    file_number: str | None
    community: str
    head_name: str | None
    category: str | None
    member_count: int
    covered_count: int
    case_file: str | None
    registered_on: date | None
    info_confirmed_on: date | None
    version: int
    last_contact_on: date | None
    open_needs: int
    open_referrals: int
    merged: tuple[str, ...] = ()


def _household_rows(station: str, files: Sequence[str] = ()) -> Select[Any]:
    """The households; what belongs to them is of their own file, or of all ``files``."""

    def is_theirs(table: Table) -> ColumnElement[bool]:
        own = table.c.household == households.c.household
        return (table.c.station == station) & (table.c.household.in_(files) if files else own)

    last_contact = select(func.max(contacts.c.occurred_on)).where(
        is_theirs(contacts), contacts.c.is_met
    )
    open_needs = select(func.count()).where(is_theirs(needs), needs.c.is_open)
    open_referrals = select(func.count()).where(
        is_theirs(referrals), referrals.c.status.in_(OPEN_STATUSES)
    )
    own = [households.c[n] for n in HouseholdRow.__dataclass_fields__ if n in households.c]
    return select(
        *own,
        last_contact.scalar_subquery().label("last_contact_on"),
        open_needs.scalar_subquery().label("open_needs"),
        open_referrals.scalar_subquery().label("open_referrals"),
    ).where(households.c.station == station)


_last_met: Final = (
    select(func.max(contacts.c.occurred_on))
    .where(contacts.c.station == households.c.station)
    .where(contacts.c.household == households.c.household, contacts.c.is_met)
    .correlate(households)
    .scalar_subquery()
)
SORTS: Final[dict[str, ColumnElement[Any]]] = {
    "household": households.c.household,
    "file_number": households.c.file_number,
    "community": households.c.community,
    "category": households.c.category,
    "registered_on": households.c.registered_on,
    "info_confirmed_on": households.c.info_confirmed_on,
    "last_contact_on": _last_met,
}
"""By what a list of households is sorted."""
ALWAYS_THERE: Final = frozenset({"household", "community"})
"""Those that every household has; who lacks another stands last, whichever way it is sorted."""


def household_list(
    connection: Connection, station: str, *, community: str | None = None,
    category: str | None = None, has_case_file: bool | None = None,
    among: Sequence[str] | None = None, sort: str = "household", is_descending: bool = False,
    after: tuple[Any, str] | None = None, limit: int = 50,
) -> list[HouseholdRow]:
    """The station's households, filtered and sorted, a page at a time.

    ``after`` is the sort value and household of the last row of the page before; the value is
    ``None`` among the households without one, who stand last. A merged household is not
    listed: its survivor stands for it, found by what its own file says.
    """
    found = aliases_at(connection, station)
    query = _household_rows(station)
    if merged := found.merged("household"):
        query = query.where(households.c.household.not_in(merged))
    if community is not None:
        query = query.where(households.c.community == community)
    if category is not None:
        query = query.where(households.c.category == category)
    if among is not None:
        query = query.where(households.c.household.in_(among))
    if has_case_file is not None:
        is_open = households.c.case_file.is_not(None)
        query = query.where(is_open if has_case_file else ~is_open)
    column, identity = _sorted_by(connection, station, sort, found), households.c.household
    is_lacking = sort not in ALWAYS_THERE
    if after is not None:
        query = query.where(_beyond(column, after, is_lacking, is_descending))
    order = column.desc() if is_descending else column.asc()
    order = order.nulls_last() if is_lacking else order
    rows = connection.execute(query.order_by(order, identity).limit(limit)).all()
    listed = [HouseholdRow(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name
    survivors = {found.root("household", household) for household in merged}
    return [
        _with_merged(connection, station, row, found) if row.household in survivors else row
        for row in listed
    ]


def _sorted_by(
    connection: Connection, station: str, sort: str, found: Aliases
) -> ColumnElement[Any]:
    """What a list is sorted by: of a survivor, when anybody of all its files was last met."""
    files = [*found.merged("household")]
    files += {found.root("household", household) for household in files}
    if sort != "last_contact_on" or not files:
        return SORTS[sort]
    query = select(contacts.c.household, func.max(contacts.c.occurred_on)).where(
        contacts.c.station == station, contacts.c.is_met, contacts.c.household.in_(files)
    )
    whole: dict[str, date] = {}
    for household, day in connection.execute(query.group_by(contacts.c.household)):
        root = found.root("household", household)
        whole[root] = max(day, whole.get(root, day))
    days = {root: literal(day, Date) for root, day in whole.items()}
    return case(days, value=households.c.household, else_=_last_met) if days else _last_met


def _beyond(
    column: ColumnElement[Any], after: tuple[Any, str], is_lacking: bool, is_descending: bool  # noqa: FBT001 - internal
) -> ColumnElement[bool]:
    """Which households come after one in a list."""
    (value, last), identity = after, households.c.household
    is_lacking_too = column.is_(None)
    if value is None:
        return is_lacking_too & (identity > last)
    beyond: ColumnElement[bool] = (column < value if is_descending else column > value) | (
        (column == value) & (identity > last)
    )
    return beyond | is_lacking_too if is_lacking else beyond


def _with_merged(
    connection: Connection, station: str, row: HouseholdRow, found: Aliases
) -> HouseholdRow:
    """A survivor's row that speaks for all its files; covered persons are a sum, and stay one."""
    files = found.family("household", row.household)
    asked = _household_rows(station, files).where(households.c.household == row.household)
    whole = HouseholdRow(**connection.execute(asked).one()._mapping)  # noqa: SLF001 - as above
    covered = select(func.sum(households.c.covered_count)).where(
        households.c.station == station, households.c.household.in_(files)
    )
    return replace(
        whole, merged=files[1:], covered_count=connection.execute(covered).scalar_one(),
        member_count=len(members_of(connection, station, files, found)),
    )


@dataclass(frozen=True, slots=True)
class NeedRow:
    """A stated need of a household."""

    need: str
    urgency: str
    assessed_on: date
    is_open: bool


@dataclass(frozen=True, slots=True)
class HouseholdStatus:
    """A household as it stands; ``merged_into`` where another one was asked for."""

    household: HouseholdRow
    members: tuple[MemberRow, ...]
    needs: tuple[NeedRow, ...]
    merged_into: str | None = None
    covered_twice: tuple[CoveredTwice, ...] = ()


def households_numbered(connection: Connection, station: str, number: str) -> list[str]:
    """The ids of the households with a file number: one, unless it was given twice."""
    row = households.c
    query = select(row.household).where(row.station == station, row.file_number == number)
    found = connection.execute(query.order_by(row.household).limit(MOST_NUMBERED))
    return [str(household) for household in found.scalars()]


def household_status(
    connection: Connection, station: str, household: str
) -> HouseholdStatus | None:
    """A household's status, or ``None`` where it is not (yet) projected.

    Asked about a merged household, it answers its survivor's.
    """
    found = aliases_at(connection, station)
    files = found.family("household", household)
    query = _household_rows(station).where(households.c.household == files[0])
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    own = HouseholdRow(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
    listed = listed_in(connection, station, files)
    stated = connection.execute(
        select(*(needs.c[n] for n in NeedRow.__dataclass_fields__))
        .where(needs.c.station == station, needs.c.household.in_(files))
        .order_by(needs.c.assessed_on, needs.c.need)
    )
    return HouseholdStatus(
        own if len(files) == 1 else _with_merged(connection, station, own, found),
        once_each(listed, files, found),
        tuple(NeedRow(**n._mapping) for n in stated),  # noqa: SLF001 - as above
        files[0] if files[0] != household else None,
        covered_twice(listed, found),
    )
