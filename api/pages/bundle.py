"""How does a reviewer get his file in the browser: asked for, written, downloaded?"""

from __future__ import annotations

from typing import Final

from flask import redirect, render_template, url_for
from werkzeug.wrappers import Response as BaseResponse

from api.bundles import BundleNotWritten, asked_of, bundle_data
from api.identity import AUDIT, action
from api.pages.views import pages
from api.services import services
from domain.checkpoint import signer_of
from workers.queues import WAITING

SECONDS: Final = 2
"""After which time the page of a bundle that is being written looks again."""


@pages.route("/evaluations/<cycle>/bundle")
@action(AUDIT)
def bundle_page(cycle: str) -> str:
    """The bundle of a cycle: whether it is there, and how it is recounted at home."""
    station, cycle = asked_of(cycle)
    try:
        found = bundle_data(station, cycle)
    except BundleNotWritten:
        found = None
    is_waiting = found is not None and found["status"] in WAITING
    return render_template(
        "pages/evaluation_bundle.html", cycle=cycle, station=station, found=found,
        is_waiting=is_waiting, seconds=SECONDS,
        key=signer_of(services().settings.sealing_key()).verifier,
    )


@pages.route("/evaluations/<cycle>/bundle", methods=["POST"])
@action(AUDIT)
def bundle_form(cycle: str) -> BaseResponse:
    """Have the bundle written, or written anew."""
    station, cycle = asked_of(cycle)
    services().wakeups.bundle(station, cycle)
    return redirect(url_for("pages.bundle_page", cycle=cycle), 303)
