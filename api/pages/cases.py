"""Which cases run, how far is each, and what is to be recorded of it next?"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from flask import render_template, request

from api.identity import READ_CASES, action, today
from api.pages.asking import asked_choice
from api.pages.steps import allowed_steps, heads_of, step_line
from api.pages.views import PAGE, Labels, pages
from api.pages.writing import own_write
from api.paging import make_cursor, next_url, read_cursor
from api.personal import reading
from api.queries import one_station
from api.services import services
from domain.case import ORDER, CasePlanned, Stage, next_steps
from domain.kernel import KINDS, Entry, Stream, UnknownRecord
from projections.case_progress import case_list, case_row, case_totals, case_workers

STATES: Final = {"open": True, "closed": False, "all": None}
STEPS_SHOWN: Final = 60
"""Steps that the page of a case shows, the newest first; its audit trail has all."""


@pages.route("/cases")
@action(READ_CASES)
def case_list_page() -> str:
    """The cases, those opened last first, and what they come to."""
    station, worker = one_station(), request.args.get("worker") or None
    state = asked_choice("state", STATES, "open")
    with services().read_models.engine.connect() as connection:
        rows = case_list(
            connection, station, is_open=STATES[state], worker=worker,
            after=read_cursor(request.args.to_dict(), date), limit=PAGE + 1,
        )
        totals = case_totals(connection, station, worker=worker)
        workers = case_workers(connection, station)
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    return render_template(
        "pages/cases.html", rows=rows[:PAGE], totals=totals, workers=workers, worker=worker,
        state=state, heads=heads_of(row.household for row in rows[:PAGE]),
        reasons=Labels("closing_reasons"), today=today(),
        next_url=last and next_url(make_cursor((last.opened_on, last.case))),
    )


@pages.route("/cases/<case>")
@action(READ_CASES)
def case_page(case: str) -> str:
    """A case: where it stands, its goals, what was done, and the next step."""
    station, said = one_station(), own_write()
    with services().read_models.engine.connect() as connection:
        row = case_row(connection, station, case)
    stream = services().ledger.stream(station, "case", case)
    if row is None or stream is None:
        raise UnknownRecord(id=case, kind=KINDS["case"].label)
    opened = reading().opened(stream)
    steps = list(opened.active())
    return render_template(
        "pages/case.html", row=row, lines=[step_line(one) for one in steps[::-1][:STEPS_SHOWN]],
        count=len(steps),
        goals=_goals(steps), household=heads_of([row.household]), opening=opened.opening,
        course=[stage for stage in ORDER if stage is not Stage.NONE],
        at=ORDER.index(Stage.of(row.stage)), next_steps=allowed_steps(_next(opened)),
        reasons=Labels("closing_reasons"), today=today(),
        **said,
    )


def _next(stream: Stream[Any]) -> Any:
    return next_steps(stream.state.stage)


def _goals(steps: list[Entry]) -> tuple[str, ...]:
    """What was agreed last."""
    plans = [s.statement.event for s in steps if isinstance(s.statement.event, CasePlanned)]
    return plans[-1].goals if plans else ()
