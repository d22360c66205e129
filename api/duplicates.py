"""Is whoever is about to be registered on record already?

Asked before a registration by the routes, and of a registration's ID numbers after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from flask import url_for
from sqlalchemy.exc import SQLAlchemyError

from api.bodies import Blueprint
from api.identity import READ_NAMES, action
from api.queries import one_station
from api.searching import FoundListSchema, SoughtSchema, asked, search
from api.services import services
from domain.household import HouseholdRegistered, Member, MemberAdded
from domain.kernel import KINDS, Event, stream_kind, stream_subject
from domain.volunteer import VolunteerRegistered
from projections.household_members import households_listing

duplicates = Blueprint("duplicates", __name__, url_prefix="/api/v1", description="查重")

def _searching(plural: str, kind: str) -> None:
    def find(said: dict[str, str]) -> dict[str, Any]:
        with services().read_models.engine.connect() as connection:
            found = asked(connection, one_station(), [kind], said)
        return {"items": [one.as_data() for one in found]}

    find.__name__ = f"search_{plural}"
    find.__doc__ = f"登记前查重：按姓名、身份证号、电话、地址之一查找已有的{LABELS[kind]}。"
    view = duplicates.response(200, FoundListSchema)(find)
    view = duplicates.arguments(SoughtSchema)(view)
    path, endpoint = f"/{plural}/duplicates", find.__name__
    duplicates.route(path, methods=["POST"], endpoint=endpoint)(action(READ_NAMES, plural)(view))


LABELS: Final = {
    "household": KINDS["household"].label, "person": "个人", "volunteer": KINDS["volunteer"].label
}
for _plural, _kind in (
    ("households", "household"), ("persons", "person"), ("volunteers", "volunteer"),
):
    _searching(_plural, _kind)


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
                said = {"id_number": event.id_number}
                with services().read_models.engine.connect() as connection:
                    found = search(connection, station, ["volunteer"], said)
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
