"""Who is this, and whose information is to be erased?"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from flask import Response
from marshmallow import Schema, fields, validate
from sqlalchemy import Connection

from api.answers import local_time
from api.bodies import Blueprint
from api.identity import READ_CASES, READ_NAMES, action
from api.messages import coded
from api.paging import PageSchema, page_answer, read_cursor
from api.queries import one_station, status_shown
from api.searching import MOST_FOUND, Found, FoundSchema, PersonSoughtSchema, asked
from api.services import services
from domain.erasure import ErasureStatus
from domain.vault import KeyState
from projections.erasures import ErasureRow, erasure_list
from projections.household_status import household_status
from workers.erasing import CHANGES

persons: Final = Blueprint("persons", __name__, url_prefix="/api/v1", description="查找个人")


class PersonFoundSchema(FoundSchema):
    """A household with the persons who matched, or a volunteer."""

    status = fields.Dict(allow_none=True, metadata={"description": "该户的现状"})


class PersonFoundListSchema(Schema):
    """What was found."""

    items = fields.List(fields.Nested(PersonFoundSchema))
    is_complete = fields.Boolean(
        metadata={"description": f"是否全部列出：最多 {MOST_FOUND} 项，最相符的在前"}
    )


@persons.route("/persons/search", methods=["POST"])
@action(READ_NAMES, "persons")
@persons.arguments(PersonSoughtSchema)
@persons.response(200, PersonFoundListSchema)
def search_persons(conditions: dict[str, str]) -> dict[str, Any]:
    """按姓名、证件号码、电话或住址查找本站的户和志愿者（各项都须相符；已删除或封存的查不到）。

    姓名也可只写一部分（name_part）；其余各项须写全。
    """
    station, kinds = one_station(), ["household", "volunteer"]
    with services().read_models.engine.connect() as connection:
        found = asked(
            connection, station, kinds, conditions, is_every=True, most=MOST_FOUND + 1
        )
        items = [_item(connection, station, one) for one in found[:MOST_FOUND]]
    return {"items": items, "is_complete": len(found) <= MOST_FOUND}


def _item(connection: Connection, station: str, found: Found) -> dict[str, Any]:
    is_household = found.kind == "household"
    status = household_status(connection, station, found.id) if is_household else None
    return found.as_data() | {"status": status and asdict(status_shown(station, status))}


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
