"""How is a report published on the pages? The check list, the preview, the published report.

Forms are plain; each carries the session's token and a request id of its own, so that a
button that is pressed twice publishes once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from api.identity import (
    READ_CASES,
    READ_FIGURES,
    RECORD,
    action,
    context,
    may,
    new_id,
)
from api.pages.asking import asked_number
from api.pages.views import pages, publication_state
from api.pages.whose import People, people_in
from api.pages.writing import form_context
from api.personal import reading
from api.publications import (
    checked,
    chosen_of,
    found_differences,
    press,
    published_chain,
    sources,
    uploaded,
)
from api.queries import one_station
from api.report_places import place_href
from api.services import services
from domain.kernel import KINDS, Refused, stream_kind, stream_subject
from domain.publication import RestatedFigure
from projections.monthly_report import NUMERALS
from projections.publishing_checks import Severity
from projections.report_differences import ChangedText, changed_texts
from workers.published_documents import published_fillings
from workers.publishing import preview, publish, restate
from workers.reports import fillings

LONGEST_REASON: Final = 500


class ReasonMissing(
    Refused, code="reason_missing", title="请写明缘由",
    detail="发布更正说明须写明缘由，1 到 {limit} 字。",
):
    """A restatement says why."""


# ---- publishing ----


@pages.route("/months/<month>/publish")
@action(READ_FIGURES)
def publish_page(month: str) -> str:
    """The check list, the report as the Word file looks, and the button."""
    return _publish_page(month, None)


def _publish_page(month: str, problem: Refused | None) -> str:
    found = preview(
        press(), one_station(), month, context().today, opened=reading().opened
    )
    filled = fillings(found.report)
    return render_template(
        "pages/publish.html", found=found, filled=filled, month=month, problem=problem,
        numerals=NUMERALS, request_id=new_id(),
        items=[
            (item, place_href(item.place, found.report, checklist=month)) for item in found.items
        ],
        is_blocked=any(item.severity is Severity.BLOCKS for item in found.items),
        **publication_state(month),
    )


@pages.route("/months/<month>/publish", methods=["POST"])
@action(RECORD, "reports")
def publish_form(month: str) -> BaseResponse | tuple[str, int]:
    """Publish, and show what was published; or say on the same page why not."""
    acknowledged = request.form.getlist("acknowledged") if request.form.get("seen") else []
    try:
        publish(press(), month, form_context(), acknowledged)
    except Refused as refusal:
        return _publish_page(month, refusal), refusal.status
    services().wakeups.wake()
    return redirect(url_for("pages.published_page", month=month), 303)


@pages.route("/months/<month>/published")
@action(READ_FIGURES)
def published_page(month: str) -> str:
    """A published report as it was published, and the chain of its publications."""
    chain = published_chain(month)
    chosen = chosen_of(chain, asked_number("number", None), month)
    changed: tuple[ChangedText, ...] = ()
    if chosen.is_restatement:
        changed = changed_texts(chain[chosen.number - 2].sections, chosen.sections)
    return render_template(
        "pages/published.html", chosen=chosen, filled=published_fillings(chosen), month=month,
        numerals=NUMERALS, changed=changed, kinds=_kind_of, ids=stream_subject,
        reasons=_reasons(chosen.differences), people=_people_of(chosen.differences),
        **publication_state(month),
    )


def _reasons(figures: tuple[RestatedFigure, ...]) -> dict[int, str | None]:
    """The reasons of changed records, for those who may read cases."""
    return sources().reasons(figures) if may(READ_CASES) else {}


def _people_of(figures: Iterable[RestatedFigure]) -> People:
    """Whose the records are by which figures changed."""
    return people_in(record.stream for figure in figures for record in figure.records)


def _kind_of(stream: str) -> str:
    return KINDS[stream_kind(stream)].label


# ---- differences and restatement ----


@pages.route("/months/<month>/differences")
@action(READ_CASES)
def differences_page(month: str) -> str:
    """What has changed since the newest publication, and the form that restates it."""
    return _differences_page(month, None)


def _differences_page(month: str, problem: Refused | None) -> str:
    found = found_differences(None, month)
    return render_template(
        "pages/differences.html", found=found, month=month, problem=problem,
        kinds=_kind_of, ids=stream_subject,
        reasons=sources().reasons(found.figures), request_id=new_id(),
        people=_people_of(found.figures),
        reason=request.form.get("reason", ""), **publication_state(month),
    )


@pages.route("/months/<month>/restate", methods=["POST"])
@action(RECORD, "reports")
def restate_form(month: str) -> BaseResponse | tuple[str, int]:
    """Publish the differences, and show them; or say on the same page why not."""
    reason = request.form.get("reason", "").strip()
    try:
        if not 1 <= len(reason) <= LONGEST_REASON:
            raise ReasonMissing(limit=LONGEST_REASON)
        restate(press(), month, form_context(), reason)
    except Refused as refusal:
        return _differences_page(month, refusal), refusal.status
    services().wakeups.wake()
    return redirect(url_for("pages.published_page", month=month), 303)


# ---- checking a file ----


@pages.route("/verify", methods=["GET"])
@action(READ_FIGURES)
def verify_page() -> str:
    """The form that takes a Word file."""
    return render_template("pages/verify.html", found=None, problem=None)


@pages.route("/verify", methods=["POST"])
@action(READ_FIGURES)
def verify_form() -> str | tuple[str, int]:
    """What a Word file was found to be."""
    try:
        found = checked(uploaded())
    except Refused as refusal:
        return render_template("pages/verify.html", found=None, problem=refusal), refusal.status
    return render_template("pages/verify.html", found=found, problem=None)
