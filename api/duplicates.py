"""Who is on record already by a name, an ID number, a phone or an address?

Asked before somebody is registered, and answered by keyed hashes, since what is said of
persons is sealed in the log. What is asked for is personal: it is sent in the body and
stands in no address and no log line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import url_for
from marshmallow import RAISE, Schema, fields, validate
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from api.access_log import AccessAction
from api.bodies import Blueprint
from api.identity import READ_CASES, action
from api.messages import coded
from api.personal import noted
from api.queries import one_station
from api.services import services
from domain.household import HouseholdRegistered, Member, MemberAdded
from domain.kernel import KINDS, Event, Refused, stream_id, stream_kind, stream_subject
from domain.volunteer import VolunteerRegistered
from projections.aliases import aliases_at
from projections.household_members import households_listing
from projections.timeline import active_streams_about

duplicates = Blueprint("duplicates", __name__, url_prefix="/api/v1", description="查重")

STRENGTH: Final = ("id_number", "phone", "address", "name")
"""By what somebody can be found, the surest first."""
MOST_FOUND: Final = 50


class NothingToSearch(
    Refused, code="nothing_to_search", title="没有可查重的内容",
    detail="请至少填写姓名（name）、身份证号（id_number）、电话（phone）、地址（address）之一。",
):
    """A search by nothing."""


class SoughtSchema(Schema):
    """What is known of whoever is about to be registered."""

    class Meta:
        """A mistyped field is refused: ignored, it would find others."""

        unknown = RAISE

    name, id_number, phone, address = (
        fields.String(
            validate=validate.Length(1, 200, error=coded("wrong_form", "应为 1 到 200 个字符")),
            metadata={"description": label},
        )
        for label in ("姓名", "身份证号", "电话", "地址")
    )


class DuplicateSchema(Schema):
    """Somebody on record, with what matched; ``merged_into`` where merged since."""

    kind = fields.String()
    id = fields.String()
    matched = fields.List(fields.String())
    persons = fields.List(fields.String())
    households = fields.List(fields.String())
    merged_into = fields.String(allow_none=True)
    href = fields.String(allow_none=True)


class DuplicateListSchema(Schema):
    """Whoever was found, the surest first."""

    items = fields.List(fields.Nested(DuplicateSchema))


def _searching(plural: str, kind: str) -> None:
    def search(said: dict[str, str]) -> dict[str, Any]:
        if not said:
            raise NothingToSearch
        noted(action=AccessAction.SEARCH)
        return {"items": [found.as_data() for found in _found(one_station(), kind, said)]}

    search.__name__ = f"search_{plural}"
    search.__doc__ = f"登记前查重：按姓名、身份证号、电话、地址查找已有的{LABELS[kind]}。"
    view = duplicates.response(200, DuplicateListSchema)(search)
    view = duplicates.arguments(SoughtSchema)(view)
    path, endpoint = f"/{plural}/duplicates", search.__name__
    duplicates.route(path, methods=["POST"], endpoint=endpoint)(action(READ_CASES)(view))


LABELS: Final = {
    "household": KINDS["household"].label, "person": "个人", "volunteer": KINDS["volunteer"].label
}
for _plural, _kind in (
    ("households", "household"), ("persons", "person"), ("volunteers", "volunteer"),
):
    _searching(_plural, _kind)


# ---- searching ----


@dataclass(frozen=True, slots=True)
class Found:
    """A household, person or volunteer on record, and by what it was found."""

    station: str
    kind: str
    id: str
    matched: tuple[str, ...]
    persons: tuple[str, ...] = ()
    households: tuple[str, ...] = ()
    merged_into: str | None = None

    def as_data(self) -> dict[str, Any]:
        """As the API gives it."""
        noted(f"{self.kind}:{self.id}")
        href = None
        if self.kind != "person":
            href = url_for(f"{self.kind}s.get_record", subject=self.id)
        return {
            "kind": self.kind, "id": self.id, "matched": self.matched,
            "persons": self.persons, "households": self.households,
            "merged_into": self.merged_into, "href": href,
        }


def _found(station: str, kind: str, said: Mapping[str, str]) -> list[Found]:
    """Whoever is on record at a station by one of some texts, the surest first."""
    owners: dict[str, set[str]] = {}
    for mark in STRENGTH:
        if mark in said:
            for owner in services().runtime.keyring.owners_by(station, mark, said[mark]):
                owners.setdefault(owner, set()).add(mark)
    of_kind = {
        wanted: {stream_subject(o): m for o, m in owners.items() if stream_kind(o) == wanted}
        for wanted in LABELS
    }
    with services().read_models.engine.connect() as connection:
        find = {"household": _households, "person": _persons, "volunteer": _volunteers}[kind]
        found = find(connection, station, of_kind)
    return sorted(found, key=_surest_first)[:MOST_FOUND]


def _surest_first(found: Found) -> tuple[Any, ...]:
    return (*(mark not in found.matched for mark in STRENGTH), found.id)


OfKind = Mapping[str, Mapping[str, Collection[str]]]
"""By kind, who was found by which marks."""


def _households(connection: Connection, station: str, of_kind: OfKind) -> list[Found]:
    """The households found by themselves, and those that list a person who was found."""
    matched: dict[str, set[str]] = {}
    persons: dict[str, set[str]] = {}
    for household, marks in _standing(connection, station, "household", of_kind).items():
        matched.setdefault(household, set()).update(marks)
    for person, household in _listings(connection, station, of_kind["person"]):
        matched.setdefault(household, set()).update(of_kind["person"][person])
        persons.setdefault(household, set()).add(person)
    merged = aliases_at(connection, station)
    return [
        Found(
            station, "household", household, _in_order(marks),
            persons=tuple(sorted(persons.get(household, ()))),
            merged_into=_other(merged.root("household", household), household),
        )
        for household, marks in matched.items()
    ]


def _persons(connection: Connection, station: str, of_kind: OfKind) -> list[Found]:
    """The persons found; one whose every record was voided is not among them."""
    homes: dict[str, list[str]] = {}
    for person, household in _listings(connection, station, of_kind["person"]):
        homes.setdefault(person, []).append(household)
    merged = aliases_at(connection, station)
    return [
        Found(
            station, "person", person, _in_order(of_kind["person"][person]),
            households=tuple(listing), merged_into=_other(merged.root("person", person), person),
        )
        for person, listing in homes.items()
    ]


def _volunteers(connection: Connection, station: str, of_kind: OfKind) -> list[Found]:
    standing = _standing(connection, station, "volunteer", of_kind)
    return [
        Found(station, "volunteer", volunteer, _in_order(marks))
        for volunteer, marks in standing.items()
    ]


def _standing(
    connection: Connection, station: str, kind: str, of_kind: OfKind
) -> dict[str, Collection[str]]:
    """Those who were found and whose registration was not voided."""
    found = of_kind[kind]
    streams = {stream_id(station, kind, subject): subject for subject in found}
    named = [f"{kind}:{subject}" for subject in found]
    standing = active_streams_about(connection, station, kind, named)
    return {streams[s]: found[streams[s]] for _subject, s in standing if s in streams}


def _listings(
    connection: Connection, station: str, persons: Iterable[str]
) -> list[tuple[str, str]]:
    """The households whose records name some persons: (person, household)."""
    named = [f"person:{person}" for person in persons]
    found = active_streams_about(connection, station, "household", named)
    return [(subject.partition(":")[2], stream_subject(stream)) for subject, stream in found]


def _in_order(marks: Collection[str]) -> tuple[str, ...]:
    return tuple(mark for mark in STRENGTH if mark in marks)


def _other(root: str, subject: str) -> str | None:
    return root if root != subject else None


# ---- warning ----


def registration_warnings(event: Event, stream: str, station: str) -> list[dict[str, Any]]:
    """Who else on record has the ID number of somebody registered just now."""
    try:
        match event:
            case HouseholdRegistered():
                return _member_warnings(event.members, stream, station)
            case MemberAdded():
                return _member_warnings((event.member,), stream, station)
            case VolunteerRegistered() if event.id_number:
                own = stream_subject(stream)
                found = _found(station, "volunteer", {"id_number": event.id_number})
                return [_warning("volunteer", f.id) for f in found if f.id != own]
            case _:
                return []
    except SQLAlchemyError:  # it is recorded already, and the answer must say so
        return [
            {
                "code": "duplicates_not_checked", "title": "未能查重",
                "detail": "已登记；读模型或密钥库暂时不可用，没有检查是否重复。",
            }
        ]


def _member_warnings(
    members: Iterable[Member], stream: str, station: str
) -> list[dict[str, Any]]:
    warnings = []
    for member in members:
        if member.id_number is None:
            continue
        owners = services().runtime.keyring.owners_by(station, "id_number", member.id_number)
        same = {stream_subject(owner) for owner in owners if stream_kind(owner) == "person"}
        with services().read_models.engine.connect() as connection:
            listed = households_listing(connection, station, same)
        here = stream_subject(stream)
        elsewhere = {(p, h) for p, h in listed if h != here}
        unlisted = same - {person for person, _household in listed} - {member.person}
        warnings += [
            _warning("household", household) | {"person": member.person, "other_person": person}
            for person, household in sorted(elsewhere)
        ] + [
            _warning("person", person) | {"person": member.person, "other_person": person}
            for person in sorted(unlisted)
        ]
    return warnings


def _warning(kind: str, subject: str) -> dict[str, Any]:
    said = {
        "code": "possible_duplicate", "title": "可能重复登记", "kind": kind, "record": subject,
        "detail": f"同一身份证号已登记在{LABELS[kind]} {subject}，请核对；如系重复，请提出合并。",
    }
    if kind == "person":
        return said
    return said | {"href": url_for(f"{kind}s.get_record", subject=subject)}
