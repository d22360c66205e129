"""How is a project cycle evaluated over HTTP, and counted by other rules beside?

A run is a job a station; its result is read when it is there. A what-if answers at once
and stores nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from flask import Response
from marshmallow import Schema, fields, validate

from api.bodies import Blueprint
from api.evaluation_data import beside_data, run_data, sheet_data
from api.identity import (
    ANY_STATION,
    READ_CASES,
    READ_EVALUATIONS,
    RECORD,
    action,
    caller,
    may,
    new_record_id,
    station_of_request,
)
from api.indicators import definitions_of, refuse_unfit
from api.messages import coded
from api.moments import moment_of
from api.paging import PageSchema, ReadSchema, page_of, read_cursor, rows_answer
from api.problems import StationMissing
from api.queries import one_station
from api.report_data import AS_OF_HELP, KNOWN_AT_HELP
from api.schemas import struct_schema
from api.services import services
from api.statements import struct_of
from domain.evaluation import EvaluationRun
from domain.indicators import Indicator
from domain.kernel import Refused, UnknownRecord
from domain.task_book import OtherTarget
from projections.evaluation.beside import Beside
from projections.evaluation.cycles import BadCycle, cycle_set, stated_cycle
from projections.evaluation.evaluating import Question
from projections.evaluation.score_sheet import ScoreSheet
from projections.evaluations import EvaluationRow, evaluations_of
from projections.moments import KnownAt, Moment, known_at_text
from projections.monthly_report import station_profile
from projections.stations import station_codes
from workers.evaluating import Workshop, run_of, sheet_of
from workers.evaluating import what_if as sheets_beside
from workers.queues import EvaluationAsked, JobState, QueueUnavailableError, evaluation_job

evaluations = Blueprint(
    "evaluations", __name__, url_prefix="/api/v1/evaluations", description="年度评估"
)
MOST_DEFINITIONS: Final = 100
PATIENCE_SECONDS: Final = 5.0
_AT_ONCE: Final = threading.BoundedSemaphore(2)
"""So that replays within requests leave threads and processors to everybody else."""
CYCLE_HELP: Final = "项目周期，如 2024-2025（7 月至次年 6 月）"


class NothingToCompare(
    Refused, code="nothing_to_compare", title="没有可对照的口径",
    detail="请给出要试算的口径（definitions）、目标或分值（targets），或另一个“当时所知”（what_if_known_at）。",
):
    """A what-if that changes nothing."""


class TooManyAtOnce(
    Refused, code="too_many_at_once", status=503, title="正在重算的太多",
    detail="同时从台账重算的评估太多，请稍后重试；要评估许多站，请改用评估任务。",
):
    """Whoever asks for a replay now would wait long, and so would everybody else."""


class EvaluationQuestionSchema(Schema):
    """Which cycle, as of which day, and as known when."""

    cycle = fields.String(required=True, metadata={"description": CYCLE_HELP})
    as_of = fields.Date(metadata={"description": AS_OF_HELP})
    known_at = fields.String(metadata={"description": KNOWN_AT_HELP})


class WhatIfSchema(EvaluationQuestionSchema):
    """Beside it: other definitions, other targets, or another moment of knowing."""

    definitions = fields.List(
        fields.Nested(struct_schema(Indicator)), load_default=list,
        validate=validate.Length(
            max=MOST_DEFINITIONS, error=coded("out_of_range", f"最多 {MOST_DEFINITIONS} 项")
        ),
        metadata={"description": "要试算的口径，写法与 /indicators/preview 相同"},
    )
    targets = fields.List(
        fields.Nested(struct_schema(OtherTarget)), load_default=list,
        validate=validate.Length(
            max=MOST_DEFINITIONS, error=coded("out_of_range", f"最多 {MOST_DEFINITIONS} 项")
        ),
        metadata={"description": "要试算的目标值或分值，代替任务书里同一指标的"},
    )
    what_if_known_at = fields.String(metadata={"description": f"对照的{KNOWN_AT_HELP}"})


class StationRunSchema(Schema):
    """How the evaluation of one station stands, and what it came to."""

    station = fields.String()
    status = fields.String(
        metadata={"description": "finished、refused、queued、started、failed、canceled 或 unknown"}
    )
    done = fields.Integer()
    total = fields.Integer()
    problem = fields.String(allow_none=True, metadata={"description": "不能评估的原因"})
    run = fields.Dict(allow_none=True, metadata={"description": "评估结果；未完成时为空"})


class EvaluationRunSchema(Schema):
    """An evaluation of one or all stations."""

    id = fields.String()
    done = fields.Integer(metadata={"description": "已有结果的社工站数"})
    total = fields.Integer()
    stations = fields.List(fields.Nested(StationRunSchema))


class CycleQuerySchema(PageSchema):
    """The runs of which cycle, and which page of them."""

    cycle = fields.String(metadata={"description": CYCLE_HELP})


@evaluations.route("", methods=["POST"])
@action(RECORD, "evaluations")
@evaluations.arguments(EvaluationQuestionSchema)
@evaluations.response(202, EvaluationRunSchema)
def start_evaluation(body: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """从台账重算一个项目周期并评分：一个站，或（区总站的令牌不指明站时）全部各站，每站一个任务。"""
    stations, moment = asked_stations(), moment_of(body, is_projected=False)
    asked = (body["cycle"], moment.as_of, known_at_text(moment.known_at), stations)
    identity = new_record_id(repr(asked))  # under one key another question is another run
    start_run(identity, body["cycle"], moment, stations)
    location = f"/api/v1/evaluations/{identity}"
    return run_state(identity, stations), 202, {"Location": location}


@evaluations.route("")
@action(READ_EVALUATIONS)
@evaluations.arguments(CycleQuerySchema, location="query")
@evaluations.response(200)
def list_evaluations(query: dict[str, Any]) -> Response:
    """一个站历次评估的结果，最近的在前。"""
    runs, cursor = runs_page(query)
    return rows_answer([run_data(row) for row in runs], cursor)


@evaluations.route("/<identity>")
@action(READ_EVALUATIONS)
@evaluations.arguments(ReadSchema, location="query")
@evaluations.response(200, EvaluationRunSchema)
def get_evaluation(_query: dict[str, Any], identity: str) -> dict[str, Any]:
    """一次评估进行得怎样，各站得分多少。"""
    return run_state(identity, asked_stations())


@evaluations.route("/<identity>", methods=["DELETE"])
@action(RECORD, "evaluations")
@evaluations.response(200)
def cancel_evaluation(identity: str) -> dict[str, Any]:
    """放弃尚未开始的各站；已经开始的做完为止，已有的结果不受影响。"""
    asked = asked_stations()
    run_state(identity, asked)
    stations = {evaluation_job(identity, station): station for station in asked}
    cancelled = services().wakeups.cancel(stations)
    return {"cancelled": [stations[job] for job in cancelled]}


@evaluations.route("/<identity>/sheet")
@action(READ_EVALUATIONS)
@evaluations.arguments(ReadSchema, location="query")
@evaluations.response(200)
def get_sheet(_query: dict[str, Any], identity: str) -> dict[str, Any]:
    """一个站的评分表：各考核维度的目标、完成、得分、分月、补录、更正、与已发布报告的对照。"""
    return sheet_data(recorded_sheet(identity))


@evaluations.route("/what-if", methods=["POST"])
@action(READ_EVALUATIONS)
@evaluations.arguments(WhatIfSchema)
@evaluations.response(200)
def what_if(body: dict[str, Any]) -> dict[str, Any]:
    """按另外的口径，或另一时刻所知，重算同一周期，与现行的并列；什么也不保存。"""
    moment = moment_of(body, is_projected=False)
    other = moment_of({"known_at": body.get("what_if_known_at")}, is_projected=False)
    tried = Tried(
        definitions_of(body["definitions"]),
        [struct_of(OtherTarget, one) for one in body["targets"]], other.known_at,
    )
    return beside_data(counted_beside(one_station(), body["cycle"], moment, tried))


# ---- the same for the pages ----


def runs_page(query: dict[str, Any]) -> tuple[Sequence[EvaluationRow], str | None]:
    """A page of a station's runs, and the cursor of the next."""
    after, limit = read_cursor(query, datetime, str), query["limit"]
    with services().read_models.engine.connect() as connection:
        rows = evaluations_of(
            connection, one_station(), query.get("cycle"), after=after, limit=limit + 1
        )
    return page_of(rows, limit, lambda row: (row.run_at, row.id))


@contextmanager
def turn() -> Iterator[None]:
    """A turn to replay a station's log within a request; few have one at once.

    :raises TooManyAtOnce: where none comes free in a while.
    """
    if not _AT_ONCE.acquire(timeout=PATIENCE_SECONDS):
        raise TooManyAtOnce
    try:
        yield
    finally:
        _AT_ONCE.release()


def as_allowed(sheet: ScoreSheet) -> ScoreSheet:
    """A sheet with single records only for who may read them."""
    return sheet if may(READ_CASES) else sheet.without_records()


def recorded_sheet(identity: str) -> ScoreSheet:
    """The sheet of a recorded run, as far as the caller may see it.

    :raises UnknownRecord: where there is no such run.
    :raises SheetChanged: where it is gone and the log now gives another.
    """
    with turn():
        return as_allowed(sheet_of(workshop(), one_station(), identity))


def start_run(identity: str, cycle: str, moment: Moment, stations: list[str]) -> None:
    """Hand over the evaluation of some stations, asked by whoever calls.

    :raises BadCycle: where the cycle is none.
    :raises QueueUnavailableError: where Redis is away.
    """
    _refuse_unknown(cycle, stations)
    who, said = caller(), known_at_text(moment.known_at)
    asked = EvaluationAsked(
        identity, cycle, moment.as_of.isoformat() if moment.as_of else None,
        None if said is None else str(said), who.actor, who.role.value,
    )
    services().wakeups.evaluate(asked, stations)


def _refuse_unknown(cycle: str, stations: list[str]) -> None:
    """Refuse what is a cycle at none of the stations; each has cycles of its own.

    :raises BadCycle: where it is none.
    """
    refusal: BadCycle | None = None
    with services().read_models.engine.connect() as connection:
        for station in stations:
            try:
                stated_cycle(connection, station, cycle)
            except BadCycle as error:
                refusal = error
            else:
                return
    if refusal is not None:
        raise refusal


def workshop() -> Workshop:
    """What evaluating works with."""
    found = services()
    return Workshop(found.settings, found.ledger, found.own_read_models)


def asked_stations() -> list[str]:
    """The station that is asked about; for who has several, where none is named, all of them.

    :raises UnknownStation: where there is no such station.
    """
    try:
        station = station_of_request()
    except StationMissing:
        return sorted(caller().scope.stations or ())
    if station == ANY_STATION:
        with services().read_models.engine.connect() as connection:
            return station_codes(connection)
    station_profile(services().ledger, station)
    return [station]


@dataclass(frozen=True, slots=True)
class Tried:
    """What is otherwise in a what-if: definitions, targets, the moment of knowing."""

    definitions: Sequence[Indicator] = ()
    targets: Sequence[OtherTarget] = ()
    known_at: KnownAt | None = None

    @property
    def is_otherwise(self) -> bool:
        """Whether anything is."""
        return bool(self.definitions or self.targets) or self.known_at is not None


def counted_beside(station: str, cycle: str, moment: Moment, tried: Tried) -> Beside:
    """A cycle as it counts, beside the same where something is tried otherwise.

    :raises NothingToCompare: where nothing is.
    :raises BadCycle: where the cycle is none.
    :raises BadIndicator: where a definition does not close with the rows of the set.
    :raises BadTarget: where a target is of no indicator of the task book.
    """
    if not tried.is_otherwise:
        raise NothingToCompare
    asked = Question(cycle, moment.as_of, moment.known_at)
    then = moment.known_at if tried.known_at is None else tried.known_at
    with services().read_models.engine.connect() as connection:
        counted_by = cycle_set(connection, services().ledger, station, cycle, then)
    refuse_unfit(counted_by, tried.definitions)
    beside_it = replace(
        asked, known_at=then, definitions=tuple(tried.definitions), targets=tuple(tried.targets)
    )
    with turn():
        found = sheets_beside(workshop(), station, asked, beside_it)
    return replace(found, sheet=as_allowed(found.sheet), other=as_allowed(found.other))


def run_state(identity: str, stations: list[str]) -> dict[str, Any]:
    """How an evaluation stands at some stations.

    What the log holds is told also where Redis, which knows of the rest, is away.

    :raises UnknownRecord: where nothing is known of such an evaluation.
    """
    runs = {station: run_of(services().ledger, station, identity) for station in stations}
    jobs = _jobs(identity, [station for station in stations if runs[station] is None])
    states = [_state(station, runs[station], jobs.get(station)) for station in stations]
    known = [state for state in states if state["status"] != "unknown"]
    if not known:
        raise UnknownRecord(id=identity[:64], kind="年度评估")
    done = sum(state["status"] in {"finished", "refused"} for state in known)
    return {"id": identity, "done": done, "total": len(known), "stations": known}


def _jobs(identity: str, stations: list[str]) -> dict[str, JobState]:
    ids = {evaluation_job(identity, station): station for station in stations}
    if not ids:
        return {}
    try:
        found = services().wakeups.jobs(list(ids))
    except QueueUnavailableError:
        return {}
    return {ids[job]: state for job, state in found.items()}


def _state(station: str, run: EvaluationRun | None, job: JobState | None) -> dict[str, Any]:
    state: dict[str, Any] = {
        "station": station, "status": job.status if job else "unknown",
        "done": job.done if job else 0, "total": job.total if job else 0, "problem": None,
        "run": None,
    }
    if run is not None:
        said = run_event_data(run)
        return state | {"status": "finished", "run": said}
    if job is not None and isinstance(job.result, dict) and "problem" in job.result:
        return state | {"status": "refused", "problem": job.result["problem"]}
    return state


def run_event_data(run: EvaluationRun) -> dict[str, Any]:
    """What the log says of a run."""
    weight, judged = (sum(getattr(h, n) for h in run.heads) for n in ("weight", "judged_weight"))
    return {
        "cycle": run.cycle, "as_of": run.as_of.isoformat(), "known_at": run.known_at,
        "position": run.position, "task_book": run.task_book, "weight": weight,
        "judged_weight": judged, "points": str(sum(h.points for h in run.heads)),
        "heads": [
            {
                "head": h.head.value, "label": h.head.label, "weight": h.weight,
                "judged_weight": h.judged_weight, "points": str(h.points),
            }
            for h in run.heads
        ],
        "late": run.late, "signals": run.signals, "differing": run.differing,
        "changed": list(run.changed), "code": run.code,
    }
