"""Which referrals wait for whom, for how long, and what is to be recorded of each next?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from flask import Response, render_template, request

from api.access_log import AccessAction
from api.identity import READ_CASES, action, today
from api.language import translated
from api.pages.asking import asked_choice
from api.pages.steps import allowed_steps, heads_of
from api.pages.views import Labels, pages
from api.pages.writing import own_write
from api.paging import make_cursor, next_url, read_cursor
from api.personal import noted, rows_shown
from api.problems import BadCursor
from api.queries import one_station
from api.services import services
from api.tables import MOST_EXPORTED, attachment, csv_text, refuse_too_many
from domain.kernel import Event, stream_id
from domain.referral import ReferralStatus, next_steps
from projections.referrals import (
    OPEN_STATUSES,
    Asked,
    ReferralRow,
    referral_choices,
    referral_counts,
    referral_list,
)

STATUSES: Final = tuple(s for s in ReferralStatus if s is not ReferralStatus.NONE)
SHOWN: Final = 5
"""Cards in each part of the board; the rest is a click away."""
LISTED: Final = 25
"""Cards of one status on a page: about 30 KB with their buttons."""
COLUMNS: Final = (
    "转出日期", "户主", "社区", "需求", "转往", "经办社工", "状态", "天数", "接收日期", "办结日期",
    "结果",
)
ASKED: Final = {"community": "社区", "worker": "经办社工", "to_agency": "转往"}
"""What the board is filtered by."""


@dataclass(frozen=True, slots=True)
class Part:
    """The referrals that stand somewhere: the first of them, and how many there are."""

    status: ReferralStatus
    count: int
    rows: Sequence[ReferralRow]
    steps: Sequence[type[Event]]


@pages.route("/referrals")
@action(READ_CASES)
def referral_board() -> str:
    """The board by status; one status alone is a list, a page at a time."""
    station, asked, said = one_station(), _asked(), own_write()
    typed = asked_choice("status", [s.value for s in STATUSES], "")
    chosen = next((s for s in STATUSES if s.value == typed), None)
    after = _after(chosen)
    shown = [s for s in STATUSES if chosen in {None, s}]
    limit = SHOWN if chosen is None else LISTED
    with services().read_models.engine.connect() as connection:
        counts = referral_counts(connection, station, asked)
        found = {
            status: referral_list(
                connection, station, status=status, asked=asked, after=after, limit=limit + 1,
                is_newest_first=status not in OPEN_STATUSES,
            )
            for status in shown
        }
        offered = {name: referral_choices(connection, station, name) for name in ASKED}
    parts = [_part(status, counts, rows[:limit]) for status, rows in found.items()]
    rows = found[chosen] if chosen else []
    last = rows[limit - 1] if len(rows) > limit else None
    return render_template(
        "pages/referrals.html", parts=parts, chosen=chosen, asked=asked, offered=offered,
        labels=ASKED, heads=heads_of(row.household for part in parts for row in part.rows),
        needs=Labels("needs"), today=today(), **said,
        next_url=last and next_url(make_cursor((last.made_on, last.referral))),
        filters={name: value for name in ASKED if (value := getattr(asked, name))},
    )


def _after(chosen: ReferralStatus | None) -> tuple[Any, Any] | None:
    """Where the page before ended; the board as a whole has none.

    :raises BadCursor: where the cursor is not one of the list.
    """
    found = read_cursor(request.args.to_dict(), date)
    if found and chosen is None:
        raise BadCursor
    return found


def _part(status: ReferralStatus, counts: Mapping[str, int], rows: Sequence[ReferralRow]) -> Part:
    streams = [stream_id(one_station(), "referral", row.referral) for row in rows]
    steps = allowed_steps(next_steps(status))
    return Part(status, counts.get(status, 0), rows_shown(rows, streams), steps)


def _asked() -> Asked:
    return Asked(**{name: request.args.get(name) or None for name in ASKED})


@pages.route("/referrals.csv")
@action(READ_CASES)
def referral_csv() -> Response:
    """Every referral of the board as CSV, those made first first; the access log says so."""
    station = one_station()
    status = asked_choice("status", [s.value for s in STATUSES], "") or None
    with services().read_models.engine.connect() as connection:
        rows = referral_list(
            connection, station, status=status, asked=_asked(), limit=MOST_EXPORTED + 1
        )
    refuse_too_many(len(rows))
    streams = [stream_id(station, "referral", row.referral) for row in rows]
    lines, heads = rows_shown(rows, streams), heads_of(row.household for row in rows)
    noted(action=AccessAction.EXPORT)
    text = csv_text([translated(name) for name in COLUMNS], [_line(row, heads) for row in lines])
    return attachment(text, f"referrals-{today()}.csv", "text/csv; charset=utf-8")


def _line(row: ReferralRow, heads: dict[str, str]) -> list[Any]:
    """A referral as a line of the file, under ``COLUMNS``."""
    return [
        row.made_on, heads.get(row.household, row.household), row.community,
        Labels("needs")[row.need], row.to_agency, row.worker,
        translated(ReferralStatus.of(row.status).label), row.days(today()), row.accepted_on,
        row.completed_on or row.ended_on, row.outcome,
    ]
