"""From which records does a figure come, and why is a household or record not in it?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from flask import Response
from marshmallow import fields, validate

from api.answers import local_time, stated
from api.bodies import Blueprint
from api.explaining_data import (
    answer_data,
    as_read,
    explanation_data,
    question_data,
    reads_records,
)
from api.explaining_questions import ABOUT, Named, Posed, about_of, posed, within_of
from api.identity import READ_CASES, READ_FIGURES, action, caller
from api.messages import coded
from api.moments import MomentSchema, moment_of, summed_at
from api.paging import MOST_ROWS, PageSchema, page_of, read_cursor, rows_answer
from api.personal import noted, shown
from api.queries import FigureQuerySchema, one_station
from api.services import services
from domain.kernel import KINDS, stream_kind, stream_subject
from projections.explaining import Answer, Explanation, explained, row_of, why_not
from projections.figures import Evidence, Period, evidence
from projections.indicator_versions import station_set

explaining = Blueprint("explaining", __name__, url_prefix="/api/v1", description="数字溯源")

PAGE: Final = 100


class ExplainedSchema(MomentSchema):
    """Which figure, as of and as known when, or as it was published."""

    month = fields.String(
        required=True,
        metadata={"description": "期间：2024-11、2024-Q4、2024-2025，或 2024-07-01..2025-06-30"},
    )
    version = fields.Integer(
        validate=validate.Range(1, 10_000, error=coded("out_of_range", "应为 1 到 10000")),
        metadata={"description": "按第几版口径计数（默认用期间内有效的各版）"},
    )
    published = fields.Integer(
        validate=validate.Range(0, 10_000, error=coded("out_of_range", "应为 0 到 10000")),
        metadata={"description": "说明已发布的数字：第几次发布，0 为最近一次"},
    )
    community = fields.String(metadata={"description": "只计这个社区的（空为未写明社区的）"})
    staff = fields.String(metadata={"description": "只计这位工作人员登记的"})


class ExplanationQuerySchema(ExplainedSchema, PageSchema):
    """Which page of its postings."""


class WhyNotQuerySchema(ExplainedSchema):
    """About whom, or about which record: exactly one."""

    household = fields.String(
        metadata={"description": "户的编号（household/编号 必为编号），或档案号"}
    )
    person = fields.String(metadata={"description": "个人的编号"})
    volunteer = fields.String(metadata={"description": "志愿者的编号"})
    record = fields.String(
        metadata={"description": "记录：编号、种类/编号（visit/…）或 种类/编号/第几条"}
    )


@explaining.route("/indicators/<set_code>/<code>/explanation")
@action(READ_FIGURES)
@explaining.arguments(ExplanationQuerySchema, location="query")
@explaining.response(200)
def get_explanation(query: dict[str, Any], set_code: str, code: str) -> Response:
    """一个数字由哪些入账明细得出，各自通向记录、历史和存证证明；不能查看个案的看不到是哪条记录。"""
    with asked_of(named_in(query, code, set_code)) as found:
        told, cursor = explanation_page(found, query)
        data = explanation_data(found, told, reads_records)
    return rows_answer(data.pop("items"), cursor, data)


def named_in(query: dict[str, Any], code: str, set_code: str | None = None) -> Named:
    """The figure that a query names."""
    return Named(
        query["month"], code, set_code, moment_of(query), query.get("version"),
        query.get("published"), within_of(query),
    )


@contextmanager
def asked_of(named: Named) -> Iterator[Posed]:
    """The question about a figure of the caller's station."""
    found = services()
    with posed(found.read_models, found.ledger, one_station(), named) as question:
        yield question


def explanation_page(
    found: Posed, query: dict[str, Any]
) -> tuple[Explanation, str | None]:
    """A page of an explanation, and the cursor of the next."""
    limit = min(query["limit"], MOST_ROWS - 1)
    at = read_cursor(query, str, int)
    after = (int(at[0]), at[1]) if at and at[0].isascii() and at[0].isdigit() else None
    told = explained(found.question, after=after, limit=limit + 1)
    lines, cursor = page_of(told.lines, limit, _key)
    return told.showing(lines), cursor


def _key(line: Evidence) -> tuple[str, int]:
    return str(line.position), line.number


class EvidenceQuerySchema(FigureQuerySchema):
    """Which page of the evidence."""

    after = fields.Integer(load_default=0, metadata={"description": "从这个台账位置之后"})


@explaining.route("/indicators/<set_code>/<code>/evidence")
@action(READ_FIGURES)
@explaining.arguments(EvidenceQuerySchema, location="query")
@explaining.response(200)
def get_evidence(query: dict[str, Any], set_code: str, code: str) -> dict[str, Any]:
    """一个数字由哪些分录得出；不能查看个案的看不到是哪条记录。"""
    station, moment = one_station(), moment_of(query)
    period, version = Period.of_month(query["month"]), query.get("version")
    with summed_at(moment) as then:
        chosen = station_set(
            then.connection, station, set_code, period, known_at=then.known_at, version=version
        )
        rows = evidence(
            then.connection, station, row_of(chosen, code), period, as_of=then.as_of,
            known_at=then.known_at, after=query["after"], indicators=chosen,
        )
    items = [as_read(evidence_row(row), reads_records) for row in rows]
    return stated(moment, then.position) | {"items": items}


def evidence_row(row: Evidence) -> dict[str, Any]:
    """A posting as the API gives it, with the way to its record."""
    kind = stream_kind(row.stream)
    return {
        "position": row.position, "kind": kind, "kind_label": KINDS[kind].label,
        "id": stream_subject(row.stream), "entry": row.entry,
        "effective_on": row.effective_on.isoformat(),
        "recorded_at": local_time(row.recorded_at), "amount": row.amount,
        "approximation": row.approximation, "entity": row.entity,
        "community": row.community, "actor": row.actor, "is_late": row.is_late,
        "days_late": row.days_late, "is_imported": row.is_imported,
    } | ({"counts_as": row.counts_as} if row.counts_as else {})


@explaining.route("/indicators/<set_code>/<code>/why-not")
@action(READ_CASES)
@explaining.arguments(WhyNotQuerySchema, location="query")
@explaining.response(200)
def get_why_not(query: dict[str, Any], set_code: str, code: str) -> dict[str, Any]:
    """某户、某人或某条记录在不在一个数字里：由哪条记录计入，或者为什么没有。"""
    with asked_of(named_in(query, code, set_code)) as found:
        answer = answered(found, query)
        return question_data(found) | answer_data(answer, shown)


def answered(found: Posed, query: dict[str, Any]) -> Answer:
    """The answer to a caller who reads cases; the access log says about whom it was asked."""
    given = {name: query.get(name) for name in ABOUT}
    about = about_of(found.question, given, sees_all=caller().scope.stations is None)
    noted(f"{about.kind}:{about.id}")
    return why_not(found.question, about)

