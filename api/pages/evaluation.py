"""How does a project cycle score, month by month, and what if it were counted otherwise?

The sheet is replayed when it is looked at; a run is recorded by a button. Forms are plain.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec
from flask import Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from api.evaluations import (
    as_allowed,
    asked_stations,
    counted_beside,
    recorded_sheet,
    run_state,
    runs_page,
    start_run,
    turn,
    workshop,
)
from api.identity import (
    READ_EVALUATIONS,
    RECORD,
    action,
    may,
    new_id,
)
from api.indicators import definitions_of
from api.moments import moment_of
from api.pages.views import pages
from api.paging import next_url
from api.queries import one_station
from api.score_sheets import sheet_in_excel, sheet_in_word
from api.services import services
from domain.catalog import to_builtins
from domain.indicators import BadIndicator, Indicator
from domain.kernel import KINDS, STATION_TIME, Refused, stream_kind, stream_subject
from projections.evaluation.beside import Beside
from projections.evaluation.cycles import cycle_set
from projections.evaluation.evaluating import Question
from projections.evaluation.score_sheet import BY_REVIEWERS, ScoreSheet
from projections.indicators import IndicatorSet
from projections.timeline import records_of_kind
from workers.evaluating import looked_at

LONGEST_JSON: Final = 20_000
RUNS: Final = 50
"""How many runs a page of the list has."""
SECONDS: Final = 2
"""After which time the page of a run that goes on looks again."""


@pages.route("/evaluations")
@action(READ_EVALUATIONS)
def evaluations_page() -> str:
    """The cycles of the station's task books, and the runs that were recorded."""
    station = one_station()
    with services().read_models.engine.connect() as connection:
        books = records_of_kind(connection, station, "task_book", topic="task_book.drafted")
    cycles = dict.fromkeys(str(book.data["cycle"]) for book in books)
    runs, cursor = runs_page(request.args.to_dict() | {"limit": RUNS})
    return render_template(
        "pages/evaluations.html", cycles=list(cycles), runs=runs, at=_at,
        next_url=cursor and next_url(cursor),
    )


@pages.route("/evaluations/<cycle>")
@action(READ_EVALUATIONS)
def evaluation_page(cycle: str) -> str:
    """The score sheet of a cycle, replayed now."""
    return render_template(
        "pages/evaluation.html", run=None, request_id=new_id(), **_shown(_sheet_now(cycle), cycle)
    )


@pages.route("/evaluations/<cycle>/docx")
@action(READ_EVALUATIONS)
def evaluation_docx(cycle: str) -> Response:
    """The sheet that is looked at, as a Word file; nothing is recorded."""
    return sheet_in_word(_sheet_now(cycle))


@pages.route("/evaluations/<cycle>/xlsx")
@action(READ_EVALUATIONS)
def evaluation_xlsx(cycle: str) -> Response:
    """The same as an Excel file."""
    return sheet_in_excel(_sheet_now(cycle))


def _sheet_now(cycle: str) -> ScoreSheet:
    moment = moment_of(request.args, is_projected=False)
    asked = Question(cycle, moment.as_of, moment.known_at)
    with turn():
        return as_allowed(looked_at(workshop(), one_station(), asked))


def _shown(sheet: Any, cycle: str) -> dict[str, Any]:
    """What every page of a sheet needs."""
    times = {name: request.values.get(name) or None for name in ("as_of", "known_at")}
    return {
        "sheet": sheet, "cycle": cycle, "by_reviewers": BY_REVIEWERS, "kinds": _kind_of,
        "ids": stream_subject, "may_run": may(RECORD, "evaluations"), **times,
    }


def _at(instant: datetime) -> str:
    return f"{instant.astimezone(STATION_TIME):%Y-%m-%d %H:%M}"


def _kind_of(stream: str) -> str:
    return KINDS[stream_kind(stream)].label


@pages.route("/evaluations/<cycle>/run", methods=["POST"])
@action(RECORD, "evaluations")
def evaluation_form(cycle: str) -> BaseResponse:
    """Run and record it; the request id makes a second press of the button the same run."""
    given = request.form.get("request", "")
    identity = given if given.isascii() and given.isalnum() and len(given) <= 64 else new_id()
    moment = moment_of(request.form, is_projected=False)
    start_run(identity, cycle, moment, asked_stations())
    return redirect(url_for("pages.evaluation_run_page", identity=identity), 303)


@pages.route("/evaluations/runs/<identity>")
@action(READ_EVALUATIONS)
def evaluation_run_page(identity: str) -> str:
    """A recorded run with its sheet, or how far it has come."""
    station = one_station()
    (state,) = run_state(identity, [station])["stations"]
    if state["run"] is None:
        return render_template(
            "pages/evaluation_waiting.html", state=state, seconds=SECONDS,
            is_over=state["status"] not in {"queued", "started", "scheduled", "deferred"},
        )
    sheet = recorded_sheet(identity)
    return render_template(
        "pages/evaluation.html", run=state["run"], run_id=identity, request_id=None,
        **_shown(sheet, sheet.cycle),
    )


# ---- what if ----


@pages.route("/evaluations/<cycle>/what-if", methods=["GET"])
@action(READ_EVALUATIONS)
def what_if_page(cycle: str) -> str:
    """The form: an indicator's present definition to change, or another day of knowing."""
    return _what_if_page(cycle, None, None)


@pages.route("/evaluations/<cycle>/what-if", methods=["POST"])
@action(READ_EVALUATIONS)
def what_if_form(cycle: str) -> str | tuple[str, int]:
    """Both countings side by side; nothing is stored."""
    try:
        other = moment_of(
            {"known_at": request.form.get("what_if_known_at")}, is_projected=False
        )
        moment = moment_of(request.form, is_projected=False)
        found = counted_beside(one_station(), cycle, moment, other, _given())
    except Refused as refusal:
        return _what_if_page(cycle, None, refusal), refusal.status
    return _what_if_page(cycle, found, None)


def _given() -> list[Indicator]:
    """The definition of the form.

    :raises BadIndicator: for what is no definition.
    """
    text = request.form.get("definition", "").strip()
    if not text:
        return []
    try:
        said = msgspec.json.decode(text[:LONGEST_JSON])
        given = said if isinstance(said, list) else [said]
        return definitions_of([msgspec.convert(one, dict[str, Any]) for one in given])
    except msgspec.MsgspecError as error:
        raise BadIndicator(where="/definitions", problem=f"不是合格的 JSON（{error}）") from error


def _what_if_page(cycle: str, found: Beside | None, problem: Refused | None) -> str:
    chosen = _set(cycle)
    code = request.values.get("indicator", "")
    row = chosen.row(code)
    present = msgspec.json.format(msgspec.json.encode(to_builtins(row)), indent=2) if row else b""
    return render_template(
        "pages/evaluation_what_if.html", cycle=cycle, found=found, problem=problem,
        indicators=[row for row in chosen.indicators if row.measure], code=code,
        definition=request.form.get("definition") or present.decode(),
        what_if_known_at=request.form.get("what_if_known_at", ""),
        as_of=request.values.get("as_of") or None,
    )


def _set(cycle: str) -> IndicatorSet:
    station = one_station()
    with services().read_models.engine.connect() as connection:
        return cycle_set(connection, services().ledger, station, cycle)
