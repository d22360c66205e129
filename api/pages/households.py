"""Which households are there, how does each stand, and what was recorded of it?"""

from __future__ import annotations

from datetime import date
from typing import Any, Final
from urllib.parse import urlencode

from flask import render_template, request, url_for

from api.events import follow
from api.identity import READ_CASES, READ_NAMES, action, today
from api.moments import standing_at
from api.pages.asking import asked_choice
from api.pages.finding import HOUSEHOLD, households_shown, sought
from api.pages.gist import gist, record_of
from api.pages.listed_twice import Twice, listed_twice, merges_told
from api.pages.record import form_ready, others_for_household, shortcuts_for_household
from api.pages.register import HOUSEHOLD_COLUMNS, orders_of
from api.pages.views import Labels, asked_moment, asked_times, pages
from api.pages.writing import may_state
from api.paging import make_cursor, next_url, read_cursor
from api.personal import reading, rows_shown
from api.problems import WAIT_SECONDS
from api.queries import household_cursor, one_station, status_shown
from api.services import services
from domain.code_lists import code_list
from domain.household import Household
from domain.kernel import KINDS, UnknownRecord, stream_id
from projections.household_status import HouseholdStatus
from projections.looking_back import STATUS, Page, households_then, status_then, timeline_then
from projections.monthly_report import station_profile

TIMELINE: Final = 20
"""So much of the timeline at once: with the form that lies ready a page stays within 30 KB."""
ROWS: Final = 30
"""Households on a page: ten columns in about 25 KB."""
MOST_SOUGHT: Final = 200

# ---- the list, and finding somebody ----


@pages.route("/households")
@action(READ_CASES)
def household_list_page() -> str:
    """The register of households, a page at a time."""
    return _list_page()


@pages.route("/households/search", methods=["POST"])
@action(READ_NAMES, "households")
def household_search() -> str:
    """Who is on record by a name or a part of it, or by a number: sent in a form, in no address."""
    text = request.form.get("sought", "").strip()[:MOST_SOUGHT]
    if not text:
        return _list_page()
    found = sought(HOUSEHOLD, text, ROWS)
    shown_now = households_shown(found)
    return render_template(
        "pages/households.html", text=text, found=found, households=shown_now,
        found_by={one.row.household: one.names for one in shown_now},
        labels=Labels("assistance_categories"), may_register=may_state("household.registered"),
        **asked_times(),
    )


def _list_page() -> str:
    station, moment = one_station(), asked_moment()
    community, category = (request.args.get(n) or None for n in ("community", "category"))
    orders = orders_of(HOUSEHOLD_COLUMNS)
    asked = asked_choice("sort", orders, "file_number")
    sort = asked.removeprefix("-")
    profile = station_profile(services().ledger, station)
    with standing_at(moment, *STATUS) as then:
        rows = households_then(
            then, station, community=community, category=category, sort=sort,
            is_descending=asked.startswith("-"),
            after=household_cursor(request.args.to_dict(), sort), limit=ROWS + 1,
        )
    last = rows[ROWS - 1] if len(rows) > ROWS else None
    rows = rows_shown(rows, [stream_id(station, HOUSEHOLD, row.household) for row in rows])
    return render_template(
        "pages/households.html", rows=rows[:ROWS], community=community, category=category,
        communities=[c.name for c in profile.communities],
        categories=list(code_list("assistance_categories").values()),
        labels=Labels("assistance_categories"),
        next_url=last and next_url(make_cursor((getattr(last, sort), last.household))),
        orders=orders, sort=asked, sorted_by=_sorted_by, position=then.position,
        may_register=may_state("household.registered"), **asked_times(),
    )


def _sorted_by(sort: str) -> str:
    """The address of the same list, in another order, from its first page."""
    kept = {name: value for name, value in request.args.items() if name != "cursor" and value}
    return f"{url_for('pages.household_list_page')}?{urlencode(kept | {'sort': sort})}"


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
    page = Page(after=read_cursor(request.args.to_dict(), date, int), limit=TIMELINE + 1)
    with standing_at(moment, *STATUS, "timeline") as then:
        status = status_then(then, station, household)
        rows = timeline_then(then, station, f"household:{household}", page)
    if status is None:
        raise UnknownRecord(id=household, kind=KINDS["household"].label)
    last = rows[TIMELINE - 1] if len(rows) > TIMELINE else None
    times = asked_times()
    ready = None if any(times.values()) else form_ready("visit.recorded", status)
    status, told = status_shown(station, status), merges_told(rows[:TIMELINE])
    return render_template(
        "pages/household.html", status=status, timeline=rows[:TIMELINE], gist=gist,
        record_of=record_of,
        labels=Labels("assistance_categories"), relations=Labels("relations"),
        needs=Labels("needs"), position=then.position, ready=ready, **times,
        next_url=last and next_url(make_cursor((last.occurred_on, last.position))),
        particulars=_particulars(station, status) if is_open else None,
        names=_names(station, status), twice=_twice(status, times), told=told,
        shortcuts=shortcuts_for_household(), others=others_for_household(),
        recorded=recorded, is_seen=is_seen,
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


def _twice(status: HouseholdStatus, times: dict[str, Any]) -> list[Twice]:
    """Whom two of its files list today; at an earlier moment nothing is proposed."""
    return [] if any(times.values()) else listed_twice(status)


def _names(station: str, status: HouseholdStatus) -> dict[str, str]:
    """The names and numbers of the files that were merged into this household, by their ids."""
    files = [*status.household.merged, *([status.merged_into] if status.merged_into else [])]
    names = {}
    for file in files:
        name = stream_id(station, "household", file)
        stream = services().ledger.stream(station, "household", file)
        members = stream.state.members.values() if stream else ()
        head = next((m.name for m in members if m.relation == "head"), None)
        number = stream.state.file_number if stream else None
        called = reading().shown(head, name) if head else None
        names[file] = " ".join(filter(None, (called, number))) or file
    return names
