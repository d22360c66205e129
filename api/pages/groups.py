"""Which groups run, who came to each session, and what is to be recorded next?"""

from __future__ import annotations

from datetime import date
from typing import Final

from flask import render_template, request

from api.identity import READ_CASES, action, today
from api.pages.asking import asked_choice
from api.pages.cases import STATES, STEPS_SHOWN
from api.pages.steps import allowed_steps, step_line
from api.pages.views import PAGE, Labels, pages
from api.pages.writing import may_state, own_write
from api.paging import make_cursor, next_url, read_cursor
from api.personal import reading
from api.queries import one_station
from api.services import services
from domain.group import GroupClosed, GroupOpened, GroupSessionHeld
from domain.kernel import KINDS, UnknownRecord
from projections.group_progress import group_list, group_row

STEPS: Final = (GroupSessionHeld, GroupClosed)


@pages.route("/groups")
@action(READ_CASES)
def group_list_page() -> str:
    """The groups, those opened last first."""
    station, state = one_station(), asked_choice("state", STATES, "open")
    with services().read_models.engine.connect() as connection:
        rows = group_list(
            connection, station, is_open=STATES[state],
            after=read_cursor(request.args.to_dict(), date), limit=PAGE + 1,
        )
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    return render_template(
        "pages/groups.html", rows=rows[:PAGE], state=state, audiences=Labels("audiences"),
        today=today(), may_open=may_state(GroupOpened.topic),
        next_url=last and next_url(make_cursor((last.opened_on, last.group))),
    )


@pages.route("/groups/<group>")
@action(READ_CASES)
def group_page(group: str) -> str:
    """A group: its sessions, who came, and the next step."""
    station, said = one_station(), own_write()
    with services().read_models.engine.connect() as connection:
        row = group_row(connection, station, group)
    stream = services().ledger.stream(station, "group", group)
    if row is None or stream is None:
        raise UnknownRecord(id=group, kind=KINDS["group"].label)
    steps = list(reading().opened(stream).active())
    return render_template(
        "pages/group.html", row=row, lines=[step_line(one) for one in steps[::-1][:STEPS_SHOWN]],
        count=len(steps),
        audiences=Labels("audiences"), **said,
        next_steps=[] if row.closed_on else allowed_steps(STEPS),
    )
