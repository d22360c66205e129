"""How is something recorded over HTTP? The same way for every noun.

A noun is a kind of stream under its plural name. Its routes record (POST), correct (PUT),
void (DELETE) and reinstate entries, give a record as it stands, its audit trail, and the
list of all. What differs between nouns is a line each in ``api/nouns``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
from flask import Response, make_response, url_for
from marshmallow import Schema, fields, validate
from sqlalchemy.exc import SQLAlchemyError

from api.answers import (
    RecordedSchema,
    RecordSchema,
    receipt_data,
    record_data,
    record_row,
    stated,
)
from api.audit_rows import AuditRowSchema, audit_row
from api.bodies import Blueprint
from api.duplicates import registration_warnings
from api.evidenced import refuse_to_move
from api.identity import (
    ANY_STATION,
    READ_CASES,
    RECORD,
    action,
    caller,
    context,
    new_record_id,
    station_of_request,
)
from api.messages import coded
from api.moments import MomentPageSchema, MomentSchema, moment_of, standing_at
from api.paging import page_answer, read_cursor
from api.personal import noted, reading, shown
from api.problems import OtherStation
from api.schemas import (
    correction_reason,
    correction_schema,
    reason_field,
    statement_schema,
)
from api.services import services
from api.statements import statement_of
from api.versions import expected_version, tagged
from domain.catalog import to_builtins
from domain.kernel import (
    Context,
    Event,
    Recorded,
    StreamKind,
    UnknownRecord,
    stream_id,
)
from domain.ledger import Instruction, Receipt
from domain.record_keeping import (
    Correct,
    EntryCorrected,
    EntryReinstated,
    EntryVoided,
    Record,
    Reinstate,
    Void,
)
from domain.visit import VisitRecorded
from projections.looking_back import Page, records_then
from projections.moments import Moment, known
from projections.timeline import possible_duplicates


class ReasonSchema(Schema):
    """Why."""

    reason = reason_field()


class ListQuerySchema(MomentPageSchema):
    """Which records of a kind."""

    first = fields.Date(data_key="from", metadata={"description": "发生日期不早于"})
    last = fields.Date(data_key="to", metadata={"description": "发生日期不晚于"})
    topic = fields.String()
    household = fields.String()
    person = fields.String()
    status = fields.String(
        validate=validate.OneOf(
            ["active", "voided", "all"], error=coded("unknown_choice", "应为 active、voided 或 all")
        ),
        load_default="active",
    )
    sort = fields.String(
        validate=validate.OneOf(
            ["occurred_on", "-occurred_on"],
            error=coded("unknown_choice", "应为 occurred_on 或 -occurred_on"),
        ),
        load_default="-occurred_on",
    )


Before = Callable[[Instruction, Context], None]
After = Callable[[Receipt], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Statable:
    """How an event is stated: ``by`` names in the policy who may, ``of`` its one record."""

    by: str
    of: str | None
    is_opening: bool


class Noun:
    """The routes of one noun."""

    def __init__(
        self, plural: str, kind: StreamKind[Any], *, before: Before | None = None,
        after: After | None = None,
    ) -> None:
        """Give a kind of stream its routes under ``/api/v1/<plural>``.

        ``before`` may refuse what is to be recorded; ``after`` acts on what was, and
        answers what the recorder should know.
        """
        self.plural, self.kind, self.before, self.after = plural, kind, before, after
        self.statements: dict[type[Event], Statable] = {}
        self.blueprint = Blueprint(
            plural, __name__, url_prefix=f"/api/v1/{plural}", description=kind.label
        )
        self._add_reading()
        if not kind.is_final:
            self._add_record_keeping()

    # ---- recording ----

    def opens(self, event: type[Event], *, subject_named: bool = False) -> None:
        """``POST /`` begins a record; ``subject_named`` lets the path name it."""
        path = "/<subject>" if subject_named else ""
        self._add_statement(path, event, is_opening=not subject_named)

    def opens_also(self, path: str, event: type[Event]) -> None:
        """``POST /<path>`` begins a record by another event."""
        self._add_statement(f"/{path}", event, is_opening=True)

    def takes(
        self, path: str, event: type[Event], *, of: str | None = None, by: str | None = None
    ) -> None:
        """``POST /<id>/<path>`` states something about a record.

        ``of`` names the one record that takes it; ``by`` names in the policy who may, where
        it is not whoever records the noun.
        """
        where = f"/{of or '<subject>'}/{path}"
        self._add_statement(where, event, is_opening=False, of=of, by=by)

    def _add_statement(
        self, path: str, event: type[Event], *, is_opening: bool, of: str | None = None,
        by: str | None = None,
    ) -> None:
        plural, kind = self.plural, self.kind
        self.statements.setdefault(event, Statable(by or plural, of, is_opening=is_opening))

        def state(body: dict[str, Any], subject: str | None = of) -> Response:
            command = Record(statement=statement_of(event, body))
            about = new_record_id() if is_opening else str(subject)
            expected = expected_version(required=False)
            return _recorded(self, Instruction(kind, about, command, expected), body)

        opening = "open" if is_opening else "state"
        state.__name__ = f"{opening}_{event.topic.replace('.', '_')}"
        state.__doc__ = f"{event.label}（{event.topic}）"
        view = self.blueprint.response(201, RecordedSchema)(state)
        view = self.blueprint.arguments(statement_schema(event))(view)
        self._route(path, "POST", action(RECORD, by or plural)(view))

    def _add_record_keeping(self) -> None:
        for event in self.kind.events:
            self._add_correction(event)
        plural, kind = self.plural, self.kind

        def void_entry(body: dict[str, Any], subject: str, version: int) -> Response:
            """作废一条记录。"""
            command = Void(entry=version, reason=body["reason"])
            expected = expected_version(required=True)
            return _recorded(self, Instruction(kind, subject, command, expected))

        def reinstate_entry(body: dict[str, Any], subject: str, version: int) -> Response:
            """恢复一条已作废的记录。"""
            command = Reinstate(entry=version, reason=body["reason"])
            expected = expected_version(required=True)
            return _recorded(self, Instruction(kind, subject, command, expected))

        entry = "/<subject>/entries/<int:version>"
        for path, method, keep in (
            (entry, "DELETE", void_entry), (f"{entry}/reinstatement", "POST", reinstate_entry),
        ):
            view = self.blueprint.response(201, RecordedSchema)(keep)
            view = self.blueprint.arguments(ReasonSchema)(view)
            self._route(path, method, action(RECORD, plural)(view))

    def _add_correction(self, event: type[Event]) -> None:
        plural, kind = self.plural, self.kind

        def correct(body: dict[str, Any], subject: str, version: int) -> Response:
            reason = body.pop(correction_reason(event))
            command = Correct(entry=version, statement=statement_of(event, body), reason=reason)
            expected = expected_version(required=True)
            return _recorded(self, Instruction(kind, subject, command, expected))

        correct.__name__ = f"correct_{event.topic.replace('.', '_')}"
        correct.__doc__ = f"更正一条“{event.label}”（{event.topic}）"
        view = self.blueprint.response(201, RecordedSchema)(correct)
        view = self.blueprint.arguments(correction_schema(event))(view)
        name = event.topic.rpartition(".")[2].replace("_", "-")
        path = f"/<subject>/entries/<int:version>/{name}"
        self._route(path, "PUT", action(RECORD, plural)(view))

    def carry_out(
        self, instruction: Instruction, said: Context, body: Mapping[str, Any]
    ) -> tuple[Receipt, list[dict[str, Any]]]:
        """Execute a command, whether a route or a page's form gave it, and wake the workers.

        Answers what was recorded, and what the recorder should look at.
        """
        kind, subject = instruction.kind, instruction.subject
        if kind.name == "station" and not caller().scope.admits(subject):
            raise OtherStation(own=str(caller().scope)[:200], got=subject)
        said = msgspec.structs.replace(
            said,
            project_cycle=body.get("project_cycle"), programmes=tuple(body.get("programmes", ())),
        )
        if self.before is not None:
            self.before(instruction, said)
        refuse_to_move(instruction, said)
        receipt = services().ledger.execute(instruction, said)
        services().wakeups.wake()
        warnings = _warnings(receipt.recorded)
        warnings += self.after(receipt) if self.after is not None else []
        if isinstance(instruction.command, Record):
            stated = instruction.command.statement.event
            warnings += registration_warnings(stated, receipt.stream, said.station)
        return receipt, warnings

    # ---- reading ----

    def _add_reading(self) -> None:
        kind = self.kind

        def get_record(query: dict[str, Any], subject: str) -> Response:
            """一条记录的状况（按更正、作废后的内容），可问截至某日、当时所知。"""
            moment = moment_of(query, is_projected=False)
            history = _history(kind, subject, moment)
            found = shown(record_data(history, moment), history[-1].stream)
            answer = make_response(found)
            return tagged(answer, history[-1].version) if moment.as_of is None else answer

        def get_audit(subject: str) -> dict[str, Any]:
            """一条记录的审计轨迹：谁、何时、经哪个请求，记了什么、改了什么。"""
            history = _history(kind, subject, Moment())
            return {"id": subject, "entries": [audit_row(e, reading()) for e in history]}

        def list_records(query: dict[str, Any]) -> Response:
            """按条件列出记录，分页。"""
            return _list(kind, query)

        read = action(READ_CASES, self.plural)
        view = self.blueprint.response(200, RecordSchema)(get_record)
        view = self.blueprint.arguments(MomentSchema, location="query")(view)
        self._route("/<subject>", "GET", read(view))
        listed = Schema.from_dict(
            {"id": fields.String(), "entries": fields.List(fields.Nested(AuditRowSchema))},
            name=f"{self.kind.name}Audit",
        )
        view = self.blueprint.response(200, listed)(get_audit)
        self._route("/<subject>/audit", "GET", read(view))
        view = self.blueprint.arguments(ListQuerySchema, location="query")(list_records)
        path = "/records" if self.plural == "households" else ""
        self._route(path, "GET", read(view))

    def _route(self, path: str, method: str, view: Callable[..., Any]) -> None:
        self.blueprint.route(path, methods=[method], endpoint=view.__name__)(view)


# ---- from a body to the ledger ----


def _recorded(
    noun: Noun, instruction: Instruction, body: dict[str, Any] | None = None
) -> Response:
    """Execute a command, and answer what was recorded."""
    kind, subject = instruction.kind, instruction.subject
    said = context(subject if kind.name == "station" else None)
    receipt, warnings = noun.carry_out(instruction, said, body or {})
    data = receipt_data(receipt) | {"warnings": warnings}
    said_back = reading().said_back(data, receipt.stream, earlier=_earlier(receipt))
    answer = make_response(said_back, 201)
    answer.headers["ETag"] = f'"{receipt.version}"'
    answer.headers["Location"] = f"/api/v1/{noun.plural}/{receipt.recorded.id}"
    if receipt.is_repeated:
        answer.headers["Idempotency-Replayed"] = "true"
    return answer


def _earlier(receipt: Receipt) -> list[Any]:
    """What a receipt repeats that was stated before, perhaps by somebody else."""
    match receipt.recorded.event:
        case EntryCorrected(before=said) | EntryVoided(voided=said) | EntryReinstated(
            reinstated=said
        ):
            return [to_builtins(said.event)]
        case _:
            return []


def _warnings(recorded: Recorded) -> list[dict[str, Any]]:
    """What the recorder should look at: never a reason to refuse."""
    visit = recorded.event
    if not isinstance(visit, VisitRecorded) or visit.household is None:
        return []
    try:
        with services().read_models.engine.connect() as connection:
            others = possible_duplicates(
                connection, recorded.envelope.station, stream=recorded.stream,
                household=visit.household, on=recorded.occurred.on, mode=visit.mode,
                workers=visit.workers,
            )
    except SQLAlchemyError:  # the visit is recorded already, and the answer must say so
        return [
            {
                "code": "duplicates_not_checked", "title": "未能查重",
                "detail": "已登记；读模型暂时不可用，没有检查是否重复。",
            }
        ]
    return [
        {
            "code": "possible_duplicate", "title": "可能重复登记", "record": other,
            "detail": "同一户、同一天、同一社工、同一方式已有一条走访，请核对。",
            "href": url_for("visits.get_record", subject=other),
        }
        for other in others
    ]


# ---- from the ledger to an answer ----


def _history(kind: StreamKind[Any], subject: str, moment: Moment) -> list[Recorded]:
    """What was known of a record of the caller's station."""
    is_one_of_many = kind.name == "station" and caller().scope.only is None
    station = subject if is_one_of_many else station_of_request()
    history: list[Recorded] = []
    if station != ANY_STATION:
        name = stream_id(station, kind.name, subject)
        history = known(services().ledger.history(name), moment.known_at)
    if not history:
        raise UnknownRecord(id=subject, kind=kind.label)
    return history


def _list(kind: StreamKind[Any], query: dict[str, Any]) -> Response:
    subject = next(
        (f"{name}:{query[name]}" for name in ("household", "person") if name in query), None
    )
    moment = moment_of(query)
    page = Page(
        query.get("first"), query.get("last"), read_cursor(query, date, int),
        query["limit"] + 1, query["sort"].startswith("-"),
    )
    with standing_at(moment, "timeline") as then:
        rows = records_then(
            then, station_of_request(), kind.name, page, topic=query.get("topic"),
            subject=subject, status=None if query["status"] == "all" else query["status"],
        )
    if subject is not None:
        noted(subject)
    return page_answer(
        rows, query["limit"], record_row, lambda row: (row.occurred_on, row.position),
        stated(moment, then.position),
    )
