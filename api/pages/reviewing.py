"""Where does a reviewer begin? With what was published, what it scores, what is to be checked."""

from __future__ import annotations

from typing import Final

from flask import render_template

from api.evaluations import runs_page
from api.identity import AUDIT, action
from api.pages.evaluation import task_book_cycles
from api.pages.views import pages
from api.queries import one_station
from api.services import services
from projections.monthly_report import station_profile
from projections.publications import publications_of

SHOWN: Final = 6
"""How many reports and runs the page names; the rest is a click away."""


@pages.route("/review")
@action(AUDIT)
def review_page() -> str:
    """The newest reports and score sheets of a station, and the ways into its audit."""
    station, found = one_station(), services()
    with found.read_models.engine.connect() as connection:
        reports = publications_of(connection, station, SHOWN)
    runs, _cursor = runs_page({"limit": SHOWN})
    return render_template(
        "pages/review.html", profile=station_profile(found.ledger, station), reports=reports,
        cycles=task_book_cycles(station), runs=runs,
    )
