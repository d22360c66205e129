"""Who is this? Persons found by what identifies them, which never stands in an address.

Every match is exact: the keyring keeps keyed hashes, and no text that could be compared.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from flask import Response
from marshmallow import RAISE, Schema, fields, validate
from sqlalchemy import Connection

from api.access_log import AccessAction
from api.answers import local_time
from api.bodies import Blueprint
from api.identity import READ_CASES, action
from api.messages import coded
from api.paging import PageSchema, page_answer, read_cursor
from api.personal import noted
from api.queries import one_station, status_shown
from api.services import services
from domain.erasure import ErasureStatus
from domain.kernel import Refused, stream_kind, stream_subject
from domain.vault import KeyState
from projections.erasures import ErasureRow, erasure_list
from projections.household_status import household_status, households_of_person
from workers.erasing import CHANGES

persons: Final = Blueprint("persons", __name__, url_prefix="/api/v1", description="查找个人")
MOST_FOUND: Final = 50


class NothingToFind(
    Refused, code="nothing_to_find", title="没有写明查找条件",
    detail="请至少填写 name（姓名）、id_number（证件号码）、phone（电话）、address（住址）之一。",
):
    """A search for nothing would answer everybody."""


def _text(most: int, label: str) -> fields.String:
    return fields.String(
        validate=validate.Length(1, most, error=coded("text_too_long", f"应为 1 到 {most} 个字符")),
        metadata={"description": label},
    )


class SearchSchema(Schema):
    """What is known of somebody; all that is named must match."""

    class Meta:
        """A mistyped condition is refused: ignored, it would find others."""

        unknown = RAISE

    name = _text(50, "姓名")
    id_number = _text(40, "证件号码")
    phone = _text(20, "电话")
    address = _text(200, "住址")


class FoundSchema(Schema):
    """A household with the persons who matched, or a volunteer."""

    kind = fields.String(metadata={"description": "household 或 volunteer"})
    id = fields.String()
    persons = fields.List(fields.String(), metadata={"description": "相符的成员"})
    status = fields.Dict(allow_none=True, metadata={"description": "该户的现状"})


class FoundListSchema(Schema):
    """What was found."""

    items = fields.List(fields.Nested(FoundSchema))


@persons.route("/persons/search", methods=["POST"])
@action(READ_CASES)
@persons.arguments(SearchSchema)
@persons.response(200, FoundListSchema)
def search_persons(conditions: dict[str, str]) -> dict[str, Any]:
    """按姓名、证件号码、电话或住址查找本站的人和户（完全相符；已删除或封存的查不到）。"""
    station = one_station()
    noted(action=AccessAction.SEARCH)
    with services().read_models.engine.connect() as connection:
        found = sorted(_found(connection, station, conditions).items())
        return {"items": [
            _item(connection, station, kind, subject, matching)
            for (kind, subject), matching in found[:MOST_FOUND]
        ]}


Subject = tuple[str, str]
"""A kind of stream and an id."""


def _found(
    connection: Connection, station: str, conditions: dict[str, str]
) -> dict[Subject, set[str]]:
    """What matches every condition, with the members who do.

    :raises NothingToFind: without any condition.
    """
    if not conditions:
        raise NothingToFind
    matches = [_matching(connection, station, *condition) for condition in conditions.items()]
    found: dict[Subject, set[str]] = {}
    for subject in set.intersection(*(set(match) for match in matches)):
        named = [match[subject] for match in matches if match[subject]]
        members = set.intersection(*named) if named else set()
        if members or not named:
            found[subject] = members
    return found


def _matching(
    connection: Connection, station: str, mark: str, said: str
) -> dict[Subject, set[str]]:
    """What matches one condition; a household itself has its address and phone."""
    found: dict[Subject, set[str]] = {}
    for owner in services().runtime.keyring.owners_by(station, mark, said):
        kind, subject = stream_kind(owner), stream_subject(owner)
        if kind != "person":
            found.setdefault((kind, subject), set())
            continue
        for household in households_of_person(connection, station, subject):
            found.setdefault(("household", household), set()).add(subject)
    return found


def _item(
    connection: Connection, station: str, kind: str, subject: str, matching: set[str]
) -> dict[str, Any]:
    noted(f"{kind}:{subject}")
    status = household_status(connection, station, subject) if kind == "household" else None
    return {
        "kind": kind, "id": subject, "persons": sorted(matching),
        "status": status and asdict(status_shown(station, status)),
    }


# ---- whose information is to be erased ----


class ErasureQuerySchema(PageSchema):
    """Which erasures."""

    status = fields.String(
        validate=validate.OneOf(
            [s.value for s in ErasureStatus],
            error=coded("unknown_choice", f"应为 {'、'.join(s.value for s in ErasureStatus)} 之一"),
        )
    )


@persons.route("/erasure-tracking")
@action(READ_CASES)
@persons.arguments(ErasureQuerySchema, location="query")
def list_erasures(query: dict[str, Any]) -> Response:
    """个人信息删除的申请：待核准、已决定，以及是否已执行。"""
    cursor = read_cursor(query)
    after = (datetime.fromisoformat(cursor[0]), cursor[1]) if cursor else None
    with services().read_models.engine.connect() as connection:
        rows = erasure_list(
            connection, one_station(), statuses=[query["status"]] if "status" in query else (),
            after=after, limit=query["limit"] + 1,
        )
    done = services().runtime.keyring.carried_out()
    return page_answer(
        rows, query["limit"], lambda row: _erasure(row, done),
        lambda row: (row.last_at.isoformat(), row.erasure),
    )


def _erasure(row: ErasureRow, done: set[tuple[str, KeyState]]) -> dict[str, Any]:
    change = CHANGES.get(ErasureStatus.of(row.status))
    fields_of_row = asdict(row) | {
        "proposed_at": local_time(row.proposed_at), "last_at": local_time(row.last_at),
        "is_carried_out": None if change is None else (row.stream, change) in done,
    }
    del fields_of_row["stream"]
    return fields_of_row
