"""How does a project cycle score, month by month?

The sheet is replayed when it is looked at; a run is recorded by a button. Forms are plain.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from flask import Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from api.evaluations import (
    as_allowed,
    asked_stations,
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
from api.moments import moment_of
from api.pages.views import pages
from api.paging import next_url
from api.queries import one_station
from api.score_sheets import sheet_in_excel, sheet_in_word
from api.services import services
from domain.kernel import KINDS, STATION_TIME, stream_kind, stream_subject
from projections.evaluation.evaluating import Question
from projections.evaluation.score_sheet import BY_REVIEWERS, ScoreSheet
from projections.evaluations import EvaluationRow, evaluations_of
from projections.timeline import records_of_kind
from workers.evaluating import is_as_recorded, looked_at

RUNS: Final = 50
"""How many runs a page of the list has."""
SECONDS: Final = 2
"""After which time the page of a run that goes on looks again."""


@pages.route("/evaluations")
@action(READ_EVALUATIONS)
def evaluations_page() -> str:
    """The cycles of the station's task books, and the runs that were recorded."""
    runs, cursor = runs_page(request.args.to_dict() | {"limit": RUNS})
    return render_template(
        "pages/evaluations.html", cycles=task_book_cycles(one_station()), runs=runs, at=_at,
        next_url=cursor and next_url(cursor),
    )


def task_book_cycles(station: str) -> list[str]:
    """The cycles for which a station wrote a task book, the newest first."""
    with services().read_models.engine.connect() as connection:
        books = records_of_kind(connection, station, "task_book", topic="task_book.drafted")
    return list(dict.fromkeys(str(book.data["cycle"]) for book in books))


@pages.route("/evaluations/<cycle>")
@action(READ_EVALUATIONS)
def evaluation_page(cycle: str) -> str:
    """The score sheet of a cycle, replayed now, and whether it is the one last recorded."""
    latest = _latest_run(cycle)
    with turn():
        sheet = _sheet_now(cycle)
        is_recorded = latest is not None and is_as_recorded(
            workshop(), one_station(), latest.id, sheet
        )
    return render_template(
        "pages/evaluation.html", run=None, request_id=new_id(), latest=latest, at=_at,
        run_id=latest.id if latest and is_recorded else None,
        **_shown(as_allowed(sheet), cycle),
    )


def _latest_run(cycle: str) -> EvaluationRow | None:
    with services().read_models.engine.connect() as connection:
        return next(iter(evaluations_of(connection, one_station(), cycle, limit=1)), None)


@pages.route("/evaluations/<cycle>/docx")
@action(READ_EVALUATIONS)
def evaluation_docx(cycle: str) -> Response:
    """The sheet that is looked at, as a Word file; nothing is recorded."""
    with turn():
        return sheet_in_word(as_allowed(_sheet_now(cycle)))


@pages.route("/evaluations/<cycle>/xlsx")
@action(READ_EVALUATIONS)
def evaluation_xlsx(cycle: str) -> Response:
    """The same as an Excel file."""
    with turn():
        return sheet_in_excel(as_allowed(_sheet_now(cycle)))


def _sheet_now(cycle: str) -> ScoreSheet:
    moment = moment_of(request.args, is_projected=False)
    asked = Question(cycle, moment.as_of, moment.known_at)
    return looked_at(workshop(), one_station(), asked)


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
