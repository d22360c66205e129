"""What is there to do today? Whom to see, what waits, and what this month's report lacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import redirect, render_template, url_for
from werkzeug.wrappers import Response as BaseResponse

from api.events import follow
from api.identity import (
    READ_CASES,
    READ_FIGURES,
    action,
    caller,
    may,
    station_of_request,
    today,
)
from api.language import translated
from api.pages.approvals import waiting_here
from api.pages.asking import asked_choice, asked_number
from api.pages.views import PAGE, Labels, pages
from api.pages.whose import people_in
from api.personal import reading, rows_shown
from api.publications import press
from api.queries import one_station
from api.report_places import place_href
from api.services import services
from domain.kernel import UnknownRecord, stream_id
from domain.vocabulary import Role
from projections.due import (
    FOLLOW_UP_DAYS,
    Listed,
    cases_to_follow_up,
    hours_unconfirmed,
    households_missed,
    households_unseen,
    referrals_open,
)
from projections.volunteer_hours import unconfirmed_count
from workers.publishing import at_present

SHOWN: Final = 5
"""How many of each list the page shows; the rest is a click away."""
MISSING: Final = "missing"
MISSING_SHOWN: Final = 8
TITLES: Final = {
    "missed": "待再访", "cases": "待回访的个案", "referrals": "转介待办", "unseen": "久未联系的户",
    MISSING: "本月月报还缺什么",
}
LISTS: Final = tuple(what for what in TITLES if what != MISSING)
UNSEEN_DAYS: Final = (30, 90, 180, 365)


@pages.route("/")
@action(READ_FIGURES)
def home() -> str | BaseResponse:
    """Today's work; whoever reads no cases begins with the figures."""
    station_of_request()
    if not may(READ_CASES):
        sees = may(READ_CASES, "volunteers")
        return redirect(url_for("pages.volunteers_page" if sees else "pages.month_list"), 303)
    if caller().role is Role.REVIEWER:  # who records nothing has nothing to do today
        return redirect(url_for("pages.review_page"), 303)
    follow()
    days, month = _days_asked(), f"{today():%Y-%m}"
    found = {what: due(what, days, SHOWN, 0) for what in LISTS}
    with services().read_models.engine.connect() as connection:
        hours = hours_unconfirmed(connection, one_station(), limit=SHOWN)
        waiting = unconfirmed_count(connection, one_station())
    return render_template(
        "pages/today.html", **found, hours=_opened(hours, "volunteer"), services_waiting=waiting,
        approvals=waiting_here(), days=days, month=month, unseen_days=UNSEEN_DAYS,
        follow_up_days=FOLLOW_UP_DAYS, today=today(), missing=_missing(month),
        missing_shown=MISSING_SHOWN,
        **_around_lines(found),
        behind=services().ledger.head() - services().read_models.position(),
    )


@pages.route("/due/<what>")
@action(READ_CASES)
def due_page(what: str) -> str | BaseResponse:
    """All of one of today's lists, a page at a time: as many lines as today's page counts."""
    if what not in TITLES:
        raise UnknownRecord(id=what[:40], kind="清单")
    follow()
    days, page = _days_asked(), asked_number("page", 1)
    if what == MISSING:
        every = _missing(f"{today():%Y-%m}")
        listed = Listed(every[(page - 1) * PAGE : page * PAGE], len(every))
    else:
        listed = due(what, days, PAGE, (page - 1) * PAGE)
    if page > 1 and not listed.rows:  # others have finished some meanwhile
        last = max(1, -(-listed.count // PAGE))
        return redirect(url_for("pages.due_page", what=what, days=days, page=last), 303)
    return render_template(
        "pages/due.html", what=what, title=translated(TITLES[what]), listed=listed, days=days,
        page=page, size=PAGE, **_around_lines({what: listed}),
    )


def _days_asked() -> int:
    return asked_choice("days", UNSEEN_DAYS, UNSEEN_DAYS[1])


def due(what: str, days: int, limit: int, skip: int) -> Listed:
    """Some of what is due of a kind, and how much there is in all."""
    station, some = one_station(), {"limit": limit, "skip": skip}
    with services().read_models.engine.connect() as connection:
        match what:
            case "missed":
                return _opened(households_missed(connection, station, **some), "household")
            case "unseen":
                found = households_unseen(connection, station, today(), days=days, **some)
                return _opened(found, "household")
            case "cases":
                return cases_to_follow_up(connection, station, today(), **some)
            case _:
                return referrals_open(connection, station, **some)


def _around_lines(found: Mapping[str, Listed]) -> dict[str, Any]:
    """What the lines of some lists say besides: whose each is, and the codes in words."""
    named = {"cases": ("case", "case"), "referrals": ("referral", "referral")}
    streams = [
        stream_id(one_station(), kind, getattr(row, name))
        for what, (kind, name) in named.items() if what in found for row in found[what].rows
    ]
    return {
        "people": people_in(streams), "needs": Labels("needs"),
        "categories": Labels("assistance_categories"),
    }


def _opened(listed: Listed, kind: str) -> Listed:
    """The names on a list, opened for whoever reads it."""
    streams = [stream_id(one_station(), kind, getattr(row, kind)) for row in listed.rows]
    return Listed(rows_shown(listed.rows, streams), listed.count)


def _missing(month: str) -> list[tuple[Any, str]]:
    """What the publishing check list says of this month; that it has not ended is no news."""
    found = at_present(press(), one_station(), month, today(), opened=reading().opened)
    return [
        (item, place_href(item.place, found.report))
        for item in found.items if item.code not in {"period_not_ended", "figures_behind"}
    ]
