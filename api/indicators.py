"""By which definitions does a station count, and what if it counted by others?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from marshmallow import Schema, fields, validate
from sqlalchemy import Connection

from api.answers import stated
from api.bodies import Blueprint
from api.identity import READ_FIGURES, action
from api.messages import coded
from api.moments import MomentSchema, moment_of, summed_at
from api.queries import FigureSchema, one_station
from api.report_data import AS_OF_HELP, KNOWN_AT_HELP, figure_data
from api.schemas import struct_schema
from api.services import services
from api.statements import struct_of
from domain.catalog import to_builtins
from domain.indicators import (
    BadIndicator,
    Fault,
    Indicator,
    IndicatorDefined,
    IndicatorRevised,
    refuse_faults,
)
from domain.kernel import Context
from domain.ledger import Instruction
from domain.record_keeping import Correct, Record
from projections.figures import figures
from projections.indicator_checks import faults_of, set_faults
from projections.indicator_versions import set_of_own, station_set, versions
from projections.indicators import IndicatorSet
from projections.late_entries import lateness
from projections.monthly_report import station_profile
from projections.periods import Period

indicators = Blueprint("indicators", __name__, url_prefix="/api/v1", description="指标与口径")
MOST: Final = 100


class PreviewSchema(Schema):
    """Definitions to count by, and what to count."""

    definitions = fields.List(
        fields.Nested(struct_schema(Indicator)), required=True,
        validate=validate.Length(
            min=1, max=MOST, error=coded("out_of_range", f"应有 1 到 {MOST} 项")
        ),
    )
    period = fields.String(
        required=True, metadata={"description": "期间：2024-11、2024-Q4、2024-07..2025-06 等"}
    )
    indicator_set = fields.String(metadata={"description": "与哪个指标集对照（默认本站的）"})
    as_of = fields.Date(metadata={"description": AS_OF_HELP})
    known_at = fields.String(metadata={"description": KNOWN_AT_HELP})


class PreviewedSchema(Schema):
    """A figure by the definition given, and beside it by the one that is valid."""

    asked = fields.Nested(FigureSchema)
    valid = fields.Nested(FigureSchema, allow_none=True)


class PreviewAnswerSchema(Schema):
    """The figures of a preview, in the order of the definitions."""

    station = fields.String()
    as_of = fields.String(allow_none=True)
    known_at = fields.Raw(allow_none=True)
    position = fields.Integer()
    period = fields.Dict()
    indicator_set = fields.String()
    indicator_set_version = fields.Integer()
    indicators = fields.List(fields.Nested(PreviewedSchema))


@indicators.route("/indicators/<set_code>/versions")
@action(READ_FIGURES)
@indicators.arguments(MomentSchema, location="query")
@indicators.response(200)
def list_versions(query: dict[str, Any], set_code: str) -> dict[str, Any]:
    """一套指标在本站的各版口径：自何日起，各行如何计数。"""
    moment = moment_of(query)
    with summed_at(moment) as then:
        known = versions(then.connection, one_station(), set_code, then.known_at)
    return stated(moment, then.position) | {"items": [_version(found) for found in known]}


def _version(found: IndicatorSet) -> dict[str, Any]:
    return {
        "version": found.version, "valid_from": found.valid_from.isoformat(),
        "indicators": [to_builtins(row) for row in found.indicators],
    }


@indicators.route("/indicators/preview", methods=["POST"])
@action(READ_FIGURES)
@indicators.arguments(PreviewSchema)
@indicators.response(200, PreviewAnswerSchema)
def preview(body: dict[str, Any]) -> dict[str, Any]:
    """按给出的口径试算一段期间的数字，与现行口径并列；什么也不保存。"""
    station, period = one_station(), Period.of(body["period"])
    definitions = definitions_of(body["definitions"])
    moment = moment_of(body)
    set_code = body.get("indicator_set") or _own_set(station)
    with summed_at(moment) as then:
        chosen = station_set(then.connection, station, set_code, period, known_at=then.known_at)
        refuse_unfit(chosen, definitions)
        asking = (then.connection, station, chosen, period)
        asked: dict[str, Any] = {"as_of": then.as_of, "known_at": then.known_at}
        valid = figures(*asking, **asked)
        found = figures(*asking, definitions=definitions, **asked)
        late = lateness(*asking, **asked)
        late_by_these = lateness(
            *asking[:2], chosen.defining(definitions), period, **asked
        )
    by_code = {f.indicator.code: figure_data(f, late_by_these) for f in found}
    beside = {f.indicator.code: figure_data(f, late) for f in valid}
    return {
        "station": station, **stated(moment, then.position),
        "period": {"first": period.first.isoformat(), "last": period.last.isoformat()},
        "indicator_set": chosen.code, "indicator_set_version": chosen.version,
        "indicators": [
            {"asked": by_code[row.code], "valid": beside.get(row.code)} for row in definitions
        ],
    }


def definitions_of(given: list[dict[str, Any]]) -> list[Indicator]:
    """Definitions as they were given, to count by without storing them.

    :raises BadIndicator: for what cannot be counted, with its place.
    """
    definitions = [struct_of(Indicator, one) for one in given]
    for number, row in enumerate(definitions):
        refuse_faults(faults_of(row), f"/definitions/{number}")
    return definitions


def refuse_unfit(chosen: IndicatorSet, definitions: Sequence[Indicator]) -> None:
    """Refuse definitions that do not close with the other rows of a set.

    :raises BadIndicator: for the first such definition, with its place.
    """
    refuse_faults(_together(chosen, definitions), "/definitions")


def _own_set(station: str) -> str:
    return station_profile(services().ledger, station).indicator_set


def _together(chosen: IndicatorSet, definitions: Sequence[Indicator]) -> Iterator[Fault]:
    """What is wrong with definitions among the rows of a set, where they would stand in it."""
    numbers = {row.code: number for number, row in enumerate(definitions)}
    if len(numbers) < len(definitions):
        yield from (f for f in set_faults(definitions) if f.where.endswith("/code"))
    rows = chosen.defining(definitions).indicators
    for where, problem in set_faults(rows):
        _, place, *inner = where.split("/")
        number = numbers.get(rows[int(place)].code)
        if number is not None:
            yield Fault("/".join(("", str(number), *inner)), problem)


def refuse_what_does_not_close(instruction: Instruction, said: Context) -> None:
    """Let a station define only what closes with the other rows of its set.

    :raises BadIndicator: where a row is missing, or a remainder goes round.
    """
    if not isinstance(instruction.command, Record | Correct):
        return
    event, station = instruction.command.statement.event, said.station
    assert isinstance(event, IndicatorDefined | IndicatorRevised)
    with services().read_models.engine.connect() as connection:
        set_code = _set_meant(connection, station, event)
        if set_code is None:
            return
        day = Period(event.valid_from, event.valid_from)
        chosen = station_set(connection, station, set_code, day)
    for where, problem in _together(chosen, [event.indicator]):
        raise BadIndicator(where=f"/indicator{where.removeprefix('/0')}", problem=problem)


def _set_meant(
    connection: Connection, station: str, event: IndicatorDefined | IndicatorRevised
) -> str | None:
    """The set that a definition is for; a revision is for the one of its first definition."""
    if isinstance(event, IndicatorDefined):
        return event.indicator_set
    return set_of_own(connection, station, event.indicator.code)
