"""How is a report published, restated and checked over HTTP?"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from flask import Response, jsonify, make_response, request
from marshmallow import Schema, fields, validate

from api.access_log import AccessAction
from api.bodies import Blueprint
from api.identity import (
    READ_CASES,
    READ_FIGURES,
    RECORD,
    action,
    caller,
    context,
    may,
    sees_names,
)
from api.messages import coded
from api.paging import ReadSchema
from api.personal import noted, reading, shown
from api.publication_data import (
    checked_data,
    differences_data,
    publication_data,
    publication_summary,
    published_row,
)
from api.queries import one_station, word_file
from api.report_places import place_href
from api.schemas import reason_field
from api.services import services
from api.versions import expected_version, tagged
from domain.catalog import to_builtins
from domain.ledger import Receipt
from domain.publication import ReportNotPublished
from projections.publications import publications_coded, publications_of
from projections.published_reports import Publication, publications_for
from projections.publishing_checks import Severity
from projections.report_differences import Differences
from workers.published_documents import write_published
from workers.publishing import (
    Press,
    Preview,
    differences_since,
    preview,
    publish,
    restate,
)
from workers.report_check import Checked, NotAWordFile, check
from workers.restatement_document import Sources, write_restatement

publishing = Blueprint(
    "publishing", __name__, url_prefix="/api/v1/reports", description="发布报告"
)
LONGEST_CODE: Final = 300


class NumberQuerySchema(ReadSchema):
    """Which publication of the period."""

    number = fields.Integer(
        validate=validate.Range(1, 10_000, error=coded("out_of_range", "应为 1 到 10000")),
        metadata={"description": "第几次发布（1 为首次发布，其后为更正）；默认为最近一次"},
    )


class PublicationBodySchema(Schema):
    """What the lead has seen."""

    acknowledged = fields.List(
        fields.String(
            validate=validate.Length(
                1, LONGEST_CODE, error=coded("text_too_long", "代码为 1 到 300 个字符")
            )
        ),
        load_default=list,
        validate=validate.Length(max=1_000, error=coded("out_of_range", "最多 1000 项")),
        metadata={"description": "已看过的提示的代码（见核对清单）"},
    )


class RestatementBodySchema(Schema):
    """Why the report is restated."""

    reason = reason_field()


def press() -> Press:
    """What publishing works with: the ledger, the workers' own read models, the templates."""
    found = services()
    return Press(
        found.ledger, found.own_read_models, found.settings.home / "templates",
        found.runtime.newest_checkpoint,
    )


def sources() -> Sources:
    """Where publications are read, with the reading noted."""
    return Sources(services().ledger, services().settings.home / "templates", shown)


# ---- before ----


@publishing.route("/<period>/checklist")
@action(READ_FIGURES)
@publishing.arguments(ReadSchema, location="query")
@publishing.response(200)
def get_checklist(_query: dict[str, Any], period: str) -> dict[str, Any]:
    """发布前的核对清单：须先处理的、请确认的，各在何处处理。"""
    return checklist_data(
        preview(press(), one_station(), period, context().today, opened=reading().opened)
    )


def checklist_data(found: Preview) -> dict[str, Any]:
    """The check list as the API gives it."""
    blocking = [item for item in found.items if item.severity is Severity.BLOCKS]
    return {
        "station": found.report.station, "period": found.report.month,
        "position": found.report.known_at, "is_publishable": not blocking,
        "items": [
            {
                "code": item.code, "severity": item.severity.value,
                "severity_label": item.severity.label, "title": item.title,
                "detail": item.detail, "href": place_href(item.place, found.report),
            }
            for item in found.items
        ],
    }


# ---- publishing ----


@publishing.route("/<period>/publication", methods=["POST"])
@action(RECORD, "reports")
@publishing.arguments(PublicationBodySchema)
@publishing.response(201)
def publish_report(body: dict[str, Any], period: str) -> Response:
    """发布报告：数字、口径和正文从此冻结。"""
    receipt = publish(
        press(), period, context(), body["acknowledged"], expected_version(required=False)
    )
    return _recorded(receipt, period)


@publishing.route("/<period>/restatement", methods=["POST"])
@action(RECORD, "reports")
@publishing.arguments(RestatementBodySchema)
@publishing.response(201)
def restate_report(body: dict[str, Any], period: str) -> Response:
    """发布更正说明：发布以来的变动及其记录和原因。"""
    receipt = restate(
        press(), period, context(), body["reason"], expected_version(required=False)
    )
    return _recorded(receipt, period)


def _recorded(receipt: Receipt, period: str) -> Response:
    services().wakeups.wake()
    chain = publications_for(services().ledger, receipt.recorded.envelope.station, period)
    answer = make_response(publication_summary(chain[receipt.version - 1]), 201)
    answer.headers["ETag"] = f'"{receipt.version}"'
    answer.headers["Location"] = (
        f"/api/v1/reports/{period}/publication?number={receipt.version}"
    )
    if receipt.is_repeated:
        answer.headers["Idempotency-Replayed"] = "true"
    return answer


# ---- what was published ----


@publishing.route("")
@action(READ_FIGURES)
@publishing.arguments(ReadSchema, location="query")
@publishing.response(200)
def list_publications(_query: dict[str, Any]) -> dict[str, Any]:
    """本站已发布的报告。"""
    with services().read_models.engine.connect() as connection:
        rows = publications_of(connection, one_station())
    return {"items": [published_row(row) for row in rows]}


@publishing.route("/<period>/publication")
@action(READ_FIGURES)
@publishing.arguments(NumberQuerySchema, location="query")
@publishing.response(200)
def get_publication(query: dict[str, Any], period: str) -> Response:
    """已发布的报告，一如发布之时。"""
    chain = published_chain(period)
    chosen = chosen_of(chain, query.get("number"), period)
    snapshot = shown(to_builtins(chosen.snapshot), chosen.stream)
    return tagged(jsonify(publication_data(chosen, snapshot)), len(chain))


@publishing.route("/<period>/publications")
@action(READ_FIGURES)
@publishing.arguments(ReadSchema, location="query")
@publishing.response(200)
def get_chain(_query: dict[str, Any], period: str) -> dict[str, Any]:
    """一个期间的历次发布：首次发布和其后的更正。"""
    chain = published_chain(period)
    return {"period": period, "items": [publication_summary(one) for one in chain]}


@publishing.route("/<period>/publication/docx")
@action(READ_FIGURES)
@publishing.arguments(NumberQuerySchema, location="query")
def get_publication_docx(query: dict[str, Any], period: str) -> Response:
    """已发布报告的 Word 文件，由冻结的内容写成。"""
    chosen = chosen_of(published_chain(period), query.get("number"), period)
    return _docx(
        lambda target: write_published(chosen, target, sources().templates),
        f"{chosen.snapshot.title}.docx",
    )


@publishing.route("/<period>/restatement/docx")
@action(READ_CASES)
@publishing.arguments(NumberQuerySchema, location="query")
def get_restatement_docx(query: dict[str, Any], period: str) -> Response:
    """更正说明的 Word 文件。"""
    chain = published_chain(period)
    chosen = chosen_of(chain, query.get("number"), period)
    if not chosen.is_restatement:
        raise ReportNotPublished(period=f"{period[:20]} 的更正说明")
    return _docx(
        lambda target: write_restatement(chain, chosen.number, sources(), target),
        f"{chosen.snapshot.title}更正说明.docx",
    )


def published_chain(period: str) -> list[Publication]:
    """The publications of a period of the caller's station, with their texts opened.

    :raises ReportNotPublished: where there is none.
    """
    chain = sources().chain(one_station(), period)
    if not chain:
        raise ReportNotPublished(period=period[:20])
    return chain


def chosen_of(chain: Sequence[Publication], number: int | None, period: str) -> Publication:
    """The publication of a number, or the newest.

    :raises ReportNotPublished: where there is none of that number.
    """
    if number is not None and number > len(chain):
        raise ReportNotPublished(period=f"{period[:20]} 的第 {number} 次发布")
    return chain[(number or len(chain)) - 1]


def _docx(write: Callable[[Path], None], name: str) -> Response:
    noted(action=AccessAction.EXPORT)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "report.docx"
        write(target)
        return word_file(target.read_bytes(), name)


# ---- what has changed since ----


@publishing.route("/<period>/differences")
@action(READ_CASES)
@publishing.arguments(NumberQuerySchema, location="query")
@publishing.response(200)
def get_differences(query: dict[str, Any], period: str) -> dict[str, Any]:
    """发布以来的变动：每个数字由多少变为多少，由哪些记录，为什么。"""
    found = found_differences(query.get("number"), period)
    return differences_data(found, sources().reasons(found.figures))


def found_differences(number: int | None, period: str) -> Differences:
    """What has changed since a publication of the caller's station."""
    chosen = chosen_of(published_chain(period), number, period)
    working = press()
    with working.read_models.engine.connect() as connection:
        return differences_since(connection, working, chosen, opened=reading().opened)


# ---- checking a file ----


@publishing.route("/verify", methods=["POST"])
@action(READ_FIGURES)
@publishing.response(200)
def verify_file() -> dict[str, Any]:
    """核对一个 Word 文件：是否就是发布的那份报告，哪里不同。"""
    return checked_data(checked(uploaded()))


def uploaded() -> bytes:
    """The file that a request brings: as a form's ``file``, or as its whole body.

    :raises NotAWordFile: where it brings none.
    """
    given = request.files.get("file")
    content = given.read() if given is not None else request.get_data()
    if not content:
        raise NotAWordFile(problem="没有收到文件")
    return content


def checked(content: bytes) -> Checked:
    """What a file is found to be, among the publications that the caller may read."""
    own = caller().scope.stations

    def find(codes: Sequence[str]) -> list[tuple[str, str, int]]:
        with services().read_models.engine.connect() as connection:
            rows = publications_coded(connection, list(codes), own)
        return [(row.station, row.period, row.number) for row in rows]

    compared = Sources(sources().ledger, sources().templates, reading().one_compared)
    found = check(content, find, compared, tells_reasons=may(READ_CASES) and sees_names())
    noted(action=AccessAction.SEARCH)
    return found
