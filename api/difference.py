"""What changed in a month's figures between two moments of knowing?"""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from api.answers import stated
from api.bodies import Blueprint
from api.difference_data import difference_data, without_reason, without_records
from api.identity import READ_CASES, READ_FIGURES, action, may
from api.moments import BadKnownAt, moment_of, summed_at
from api.paging import ReadSchema
from api.personal import shown
from api.queries import one_station
from api.report_data import AS_OF_HELP, KNOWN_AT_HELP
from api.services import services
from projections.difference import difference
from projections.figures import Period
from projections.indicator_versions import station_set
from projections.moments import known_at_text

differences = Blueprint("differences", __name__, url_prefix="/api/v1", description="查询")


class DifferenceQuerySchema(ReadSchema):
    """Which month, between which two moments of knowing."""

    month = fields.String(required=True, metadata={"description": "月份，如 2024-11"})
    as_of = fields.Date(metadata={"description": AS_OF_HELP})
    from_known_at = fields.String(
        required=True, metadata={"description": f"先前所知。{KNOWN_AT_HELP}"}
    )
    to_known_at = fields.String(metadata={"description": f"后来所知，默认为现在。{KNOWN_AT_HELP}"})


@differences.route("/indicators/<set_code>/difference")
@action(READ_FIGURES)
@differences.arguments(DifferenceQuerySchema, location="query")
@differences.response(200)
def get_difference(query: dict[str, Any], set_code: str) -> dict[str, Any]:
    """一个月的数字在两个时刻之间变了什么，由哪些记录引起。"""
    station, period = one_station(), Period.of_month(query["month"])
    since = moment_of({"known_at": query["from_known_at"]}).known_at
    if since is None:
        raise BadKnownAt(got="")
    moment = moment_of({"as_of": query.get("as_of"), "known_at": query.get("to_known_at")})
    with summed_at(moment) as then:
        chosen = station_set(
            then.connection, station, set_code, period, known_at=then.known_at
        )
        found = difference(
            then.connection, station, chosen, period, since=since, until=then.known_at,
            as_of=then.as_of,
        )
    answer, reads = stated(moment, then.position), may(READ_CASES)
    told = difference_data(found, services().ledger, shown if reads else without_reason)
    return {
        "station": station, "month": query["month"], "indicator_set": chosen.code,
        "from_known_at": known_at_text(since), "to_known_at": answer.pop("known_at"), **answer,
    } | (told if reads else without_records(told))
