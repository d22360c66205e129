"""What is there to do today? Whom to see, what waits, and what this month's report lacks."""

from __future__ import annotations

from typing import Any, Final

from flask import redirect, render_template, request, url_for
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
from api.pages.approvals import waiting_here
from api.pages.views import Labels, pages
from api.personal import reading, rows_shown
from api.publications import press
from api.queries import one_station
from api.report_places import place_href
from api.services import services
from domain.kernel import stream_id
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
from workers.publishing import at_present

SHOWN: Final = 5
"""How many of each list the page shows; the rest is a click away."""
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
    days = request.args.get("days", type=int)
    days = days if days in UNSEEN_DAYS else UNSEEN_DAYS[1]
    month = f"{today():%Y-%m}"
    return render_template(
        "pages/today.html", **_waiting(one_station(), days), days=days, month=month,
        unseen_days=UNSEEN_DAYS, follow_up_days=FOLLOW_UP_DAYS, today=today(),
        missing=_missing(month), needs=Labels("needs"),
        categories=Labels("assistance_categories"),
        approvals=waiting_here(),
        behind=services().ledger.head() - services().read_models.position(),
    )


def _waiting(station: str, days: int) -> dict[str, Any]:
    with services().read_models.engine.connect() as connection:
        unseen = households_unseen(connection, station, today(), days=days, limit=SHOWN)
        missed = households_missed(connection, station, limit=SHOWN)
        cases = cases_to_follow_up(connection, station, today(), limit=SHOWN)
        hours = hours_unconfirmed(connection, station, limit=SHOWN)
        referrals = referrals_open(connection, station, limit=SHOWN)
    return {
        "unseen": _opened(unseen, "household"), "missed": _opened(missed, "household"),
        "cases": cases, "hours": _opened(hours, "volunteer"), "referrals": referrals,
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
