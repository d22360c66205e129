"""What is on in a month: which activities, trainings, supervisions, meetings, on which day?"""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from flask import render_template, request
from msgspec import convert

from api.identity import READ_CASES, action, allowed, caller, today
from api.nouns import NOUNS
from api.pages.asking import asked_choice
from api.pages.steps import allowed_steps
from api.pages.views import Labels, pages
from api.pages.writing import may_state
from api.queries import one_station
from api.report_places import figure_href
from api.services import services
from domain.describing import quantity
from domain.fields import Quantity
from domain.kernel import EVENTS, KINDS
from domain.supervision import SupervisionCancelled, SupervisionReceived
from projections.figures import Figure, Period, figures
from projections.happenings import HAPPENING, MOST, Happening, happenings
from projections.indicator_versions import station_set
from projections.measures import POSTS
from projections.monthly_report import station_profile
from projections.stations import months_on_record

LISTED: Final = 60
"""Rows of the list; the ledger has all."""
ON_A_DAY: Final = 3
"""So many are named on a day of the calendar; of the others it says how many."""
RECORDED_BY: Final = {
    "activity": ("activity.held",), "training_delivered": ("training.delivered",),
    "training_received": ("training.received",),
    "supervision": ("supervision.scheduled", "supervision.received"),
    "meeting": ("meeting.held",),
}
"""By which events each kind is recorded anew."""
SORTS: Final = {
    "activity": "activity_kinds", "training_delivered": "audiences",
    "training_received": "audiences", "supervision": "supervision_kinds",
    "meeting": "meeting_kinds",
}
"""What tells those of a kind apart: a code list."""
STATUSES: Final = {"held": "已开展", "scheduled": "已约定", "cancelled": "已取消"}


@dataclass(frozen=True, slots=True)
class Section:
    """The happenings of a kind in a month, and the report's figures that they make."""

    kind: str
    held: int
    figures: Sequence[tuple[Figure, str]]

    @property
    def label(self) -> str:
        """What people read for the kind."""
        return KINDS[self.kind].label


@pages.route("/calendar")
@action(READ_CASES, "activities")
def month_calendar() -> str:
    """A month as a calendar and as a list, of all kinds or of one."""
    station = one_station()
    month = request.args.get("month") or f"{today():%Y-%m}"
    period, readable = Period.of_month(month), readable_kinds()
    chosen = asked_choice("kind", readable, "")
    kinds = [kind for kind in readable if chosen in {"", kind}]
    profile = station_profile(services().ledger, station)
    with services().read_models.engine.connect() as connection:
        found = happenings(connection, station, kinds, period.first, period.last)
        chosen_set = station_set(connection, station, profile.indicator_set, period)
        counted = figures(connection, station, chosen_set, period)
        recorded = [] if found else months_on_record(connection, station)
    return render_template(
        "pages/calendar.html", month=month, period=period, kinds=readable, chosen=chosen,
        found=found[:LISTED], count=len(found), is_cut=len(found) >= MOST, weeks=_weeks(period),
        by_day=_by_day(found), sections=[_section(kind, found, counted, month) for kind in kinds],
        events=[EVENTS[t] for kind in kinds for t in RECORDED_BY[kind] if may_state(t)],
        steps=allowed_steps((SupervisionReceived, SupervisionCancelled)), statuses=STATUSES,
        before=f"{period.first - timedelta(days=1):%Y-%m}", said=_said, kind_labels=KINDS,
        after=f"{period.last + timedelta(days=1):%Y-%m}", today=today(), on_a_day=ON_A_DAY,
        last_on_record=next((m for m in recorded if m != month), None),
    )


def readable_kinds() -> list[str]:
    """The kinds whose records the caller may read, in the order of the page."""
    plural = {noun.kind.name: noun.plural for noun in NOUNS}
    role = caller().role
    return [kind for kind in HAPPENING if allowed(role, READ_CASES, plural[kind])]


def _weeks(period: Period) -> list[list[date]]:
    """The weeks of a month, from Monday, with the days before and after that fill them."""
    first = period.first
    return calendar.Calendar().monthdatescalendar(first.year, first.month)


def _by_day(found: Sequence[Happening]) -> dict[date, list[Happening]]:
    days: dict[date, list[Happening]] = {}
    for one in found:
        days.setdefault(one.on, []).append(one)
    return days


def _section(
    kind: str, found: Sequence[Happening], counted: Sequence[Figure], month: str
) -> Section:
    """A kind in a month, with every figure of the report that its records make."""
    topics = {event.topic for event in KINDS[kind].events}
    made = {measure.code for topic in topics for measure, _post in POSTS.get(topic, ())}
    own = [
        (figure, figure_href(month, figure.indicator.code))
        for figure in counted if figure.indicator.measure in made
    ]
    held = sum(one.kind == kind and one.status == "held" for one in found)
    return Section(kind, held, own)


def _said(one: Happening) -> str:
    """What else is known of a happening, in a few words."""
    return " · ".join(_parts(one))


def _parts(one: Happening) -> Iterator[str]:
    if one.sort:
        yield _labels(SORTS[one.kind])[one.sort]
    if one.role:
        yield _labels("activity_roles")[one.role]
    if one.attendance:
        yield f"{quantity(convert(one.attendance, Quantity))}"


def _labels(name: str) -> Mapping[str, Any]:
    return Labels(name)
