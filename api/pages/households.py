"""Which households are there, how does each stand, and what was recorded of it?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from flask import render_template, request

from api.events import follow
from api.identity import READ_CASES, READ_NAMES, action, today
from api.language import translated
from api.moments import standing_at
from api.pages.record import form_ready, others_for_household, shortcuts_for_household
from api.pages.views import PAGE, Labels, asked_moment, asked_times, pages
from api.pages.writing import may_state
from api.paging import make_cursor, next_url, read_cursor
from api.personal import reading, rows_shown
from api.problems import WAIT_SECONDS
from api.queries import one_station, status_shown
from api.searching import asked as sought
from api.services import services
from domain.code_lists import code_list
from domain.field_labels import field_label
from domain.fields import CODE_LIST, marks_of
from domain.household import Household
from domain.kernel import EVENTS, KINDS, UnknownRecord, stream_id
from projections.household_status import HouseholdStatus, household_status
from projections.looking_back import STATUS, Page, households_then, status_then, timeline_then
from projections.monthly_report import station_profile
from projections.timeline import RecordRow

ROWS: Final = 20
"""So much of the timeline at once: with the form that lies ready a page stays within 30 KB."""
MOST_SAID: Final = 4
"""So many things of a record its line in the timeline says."""


# ---- the list, and finding somebody ----


@pages.route("/households")
@action(READ_CASES)
def household_list_page() -> str:
    """The register of households, a page at a time."""
    return _list_page()


@pages.route("/households/search", methods=["POST"])
@action(READ_NAMES, "households")
def household_search() -> str | tuple[str, int]:
    """Who is on record by a name, ID number, phone or address: sent in a form, in no address."""
    text = request.form.get("sought", "").strip()
    if not text:
        return _list_page()
    return _list_page(text=text[:200], found=households_by(text[:200]))


def households_by(text: str) -> list[HouseholdStatus]:
    """The households where somebody is known by what was typed."""
    station = one_station()
    with services().read_models.engine.connect() as connection:
        ids: dict[str, None] = {}
        for name in could_be(text):
            found = sought(connection, station, ["household"], {name: text}, is_every=True)
            ids |= dict.fromkeys(one.merged_into or one.id for one in found)
            for one in found:
                one.as_data()  # the access log names whoever was found
        statuses = [household_status(connection, station, household) for household in ids]
    return [status_shown(station, status) for status in statuses if status is not None]


def could_be(text: str) -> Sequence[str]:
    """What a typed text could be: digits are a number, anything else a name or an address."""
    compact = re.sub(r"[\s-]", "", text)
    if re.fullmatch(r"\d{17}[\dXx]|\d{15}", compact):
        return ("id_number",)
    if re.fullmatch(r"\+?\d{5,20}", compact):
        return ("phone",)
    return ("name", "address") if len(text) <= 50 else ("address",)


def _list_page(text: str = "", found: Sequence[HouseholdStatus] | None = None) -> str:
    station, moment = one_station(), asked_moment()
    community, category = (request.args.get(n) or None for n in ("community", "category"))
    profile = station_profile(services().ledger, station)
    rows: list[Any] = []
    with standing_at(moment, *STATUS) as then:
        if found is None:
            rows = households_then(
                then, station, community=community, category=category,
                after=read_cursor(request.args.to_dict()), limit=PAGE + 1,
            )
    last = rows[PAGE - 1].household if len(rows) > PAGE else None
    rows = rows_shown(rows, [stream_id(station, "household", row.household) for row in rows])
    return render_template(
        "pages/households.html", rows=rows[:PAGE], community=community, category=category,
        communities=[c.name for c in profile.communities], found=found, text=text,
        categories=list(code_list("assistance_categories").values()),
        labels=Labels("assistance_categories"),
        next_url=last and next_url(make_cursor((last, last))),
        position=then.position, may_register=may_state("household.registered"), **asked_times(),
    )


# ---- one household ----


@pages.route("/households/<household>")
@action(READ_CASES)
def household_page(household: str) -> str:
    """A household: members, needs, timeline, and what can be recorded of it."""
    return _page(household, is_open=False)


@pages.route("/households/<household>/particulars", methods=["POST"])
@action(READ_NAMES, "households")
def household_particulars(household: str) -> str:
    """The same with ID numbers, phones and address: asked for by a form, and logged as such."""
    return _page(household, is_open=True)


def _page(household: str, *, is_open: bool) -> str:
    station, moment = one_station(), asked_moment()
    follow(subject=f"household:{household}")
    recorded = request.args.get("recorded", type=int)
    is_seen = recorded is None or services().read_models.wait_for(recorded, WAIT_SECONDS)
    page = Page(after=read_cursor(request.args.to_dict(), date, int), limit=ROWS + 1)
    with standing_at(moment, *STATUS, "timeline") as then:
        status = status_then(then, station, household)
        rows = timeline_then(then, station, f"household:{household}", page)
    if status is None:
        raise UnknownRecord(id=household, kind=KINDS["household"].label)
    last = rows[ROWS - 1] if len(rows) > ROWS else None
    times = asked_times()
    ready = None if any(times.values()) else form_ready("visit.recorded", status)
    status = status_shown(station, status)
    return render_template(
        "pages/household.html", status=status, timeline=rows[:ROWS], gist=gist,
        labels=Labels("assistance_categories"), relations=Labels("relations"),
        needs=Labels("needs"), position=then.position, ready=ready, **times,
        next_url=last and next_url(make_cursor((last.occurred_on, last.position))),
        particulars=_particulars(station, status) if is_open else None,
        names=_names(station, status), shortcuts=shortcuts_for_household(),
        others=others_for_household(), recorded=recorded, is_seen=is_seen,
        **_slider(status.household.registered_on, moment.as_of),
    )


def _slider(first: date | None, asked: date | None) -> dict[str, int]:
    """How many days the slider covers, from the registration to today, and where it stands."""
    first, last = first or today(), today()
    return {
        "days_on_record": max((last - first).days, 0),
        "days_asked": max(((asked or last) - first).days, 0),
    }


def _particulars(station: str, status: HouseholdStatus) -> dict[str, Any]:
    """What is shown when it is asked for: of each file, its address, phone and members."""
    own = status.household
    opened = {}
    for file in (own.household, *own.merged):
        name = stream_id(station, "household", file)
        stream = services().ledger.stream(station, "household", file)
        state: Household | None = stream.state if stream else None
        if state is not None:
            said = {"address": state.address, "phone": state.phone, "members": {
                person: {"id_number": m.id_number, "phone": m.phone}
                for person, m in state.members.items()
            }}
            opened[file] = reading().shown(said, name)
    return opened


def _names(station: str, status: HouseholdStatus) -> dict[str, str]:
    """The heads' names of the files that were merged into this household, by their ids."""
    files = [*status.household.merged, *([status.merged_into] if status.merged_into else [])]
    names = {}
    for file in files:
        name = stream_id(station, "household", file)
        stream = services().ledger.stream(station, "household", file)
        members = stream.state.members.values() if stream else ()
        head = next((m.name for m in members if m.relation == "head"), None)
        names[file] = reading().shown(head, name) if head else file
    return names


def gist(row: RecordRow) -> str:
    """What a record says in a few words, without anything personal."""
    struct: Any = EVENTS[row.topic]
    marks = marks_of(struct)
    said: list[str] = []
    for name, mark in marks.items():
        value = row.data.get(name)
        if CODE_LIST in mark and value:
            labels = Labels(mark[CODE_LIST])
            said += [labels[code] for code in ([value] if isinstance(value, str) else value)]
        elif type(value) is int and not mark:
            said.append(f"{translated(field_label(struct, name))} {value}")
    return " · ".join(said[:MOST_SAID])

