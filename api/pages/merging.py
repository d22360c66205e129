"""Is a household, or a person, on record twice? Proposed here, decided by another (核准)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from api.identity import READ_CASES, READ_NAMES, action, caller, may, new_id, today
from api.kept_forms import Typed, drawn
from api.pages.finding import HOUSEHOLD, HouseholdFound, households_shown, sought
from api.pages.listed_twice import SEPARATOR
from api.pages.views import Labels, pages
from api.pages.writing import OCCURRED, Given, may_state, posted, state
from api.problems import NotAllowed
from api.queries import one_station, status_shown
from api.services import services
from domain.kernel import KINDS, UnknownRecord
from domain.ledger import Receipt
from domain.merging import (
    HOUSEHOLDS,
    PERSONS,
    HouseholdMergeProposed,
    PersonMergeProposed,
)
from projections.household_status import HouseholdStatus, household_status

MOST_OFFERED: Final = 20
"""So many households that could be the same are offered, the nearest first."""


@pages.route("/households/<household>/merge")
@action(READ_CASES)
def merge_page(household: str) -> str:
    """The form that proposes; whoever has the head's name is offered first.

    ``person`` and ``same_as`` are chosen in the form of persons already.
    """
    chosen = {name: [request.args[name]] for name in ("person", "same_as") if name in request.args}
    return _page(household, Given(new_id(), chosen))


@pages.route("/households/<household>/merge/search", methods=["POST"])
@action(READ_NAMES, "households")
def merge_search(household: str) -> str:
    """The same with the households where somebody is known by what was typed."""
    return _page(household, Given(new_id()), request.form.get("sought", "").strip()[:200])


@pages.route("/households/<household>/merge", methods=["POST"])
@action(READ_CASES)
def merge_form(household: str) -> BaseResponse | tuple[str, int]:
    """Propose that two households, or two persons, are one; or say why not."""
    given = posted()
    receipt = _proposed(_status(household), given)
    if receipt is None:
        return _page(household, given, given.first("sought")[:200]), given.status
    return redirect(url_for("pages.approvals_page", recorded=receipt.position), 303)


@drawn("pages.merge_form")
def merge_again(said: Typed, household: str) -> str:
    """The form with what was typed before its session ended.

    :raises UnknownRecord: where it would not show which household was chosen.
    """
    text, other = said.get("sought", "")[:200], said.get("other", "")
    offered = {one.row.household for one in _others(_status(household), text)}
    if "person" not in said and other not in offered:
        raise UnknownRecord(id=other, kind=KINDS["household"].label)
    return _page(household, posted(said), text)


def _proposed(status: HouseholdStatus, given: Given) -> Receipt | None:
    """What was recorded; ``None`` where ``given`` now says why not."""
    said = {"reason": given.first("reason").strip(), OCCURRED: str(today())}
    if "person" in given.values:
        topic, subject = PersonMergeProposed.topic, PERSONS
        for name, asked in (("merged", "person"), ("survivor", "same_as")):
            said[f"{name}_household"], _, said[name] = given.first(asked).partition(SEPARATOR)
    else:
        topic, subject = HouseholdMergeProposed.topic, HOUSEHOLDS
        pair = [given.first("other"), status.household.household]
        said["merged"], said["survivor"] = pair if given.first("keep") != "other" else pair[::-1]
    done = state(topic, (), given, {name: value for name, value in said.items() if value}, subject)
    return None if done is None else done[0]


def _status(household: str) -> HouseholdStatus:
    if not may_state(HouseholdMergeProposed.topic):
        raise NotAllowed(role=caller().role.label, verb="merges")
    station = one_station()
    with services().read_models.engine.connect() as connection:
        found = household_status(connection, station, household)
    if found is None:
        raise UnknownRecord(id=household, kind=KINDS["household"].label)
    return status_shown(station, found)


def _page(household: str, given: Given, text: str = "") -> str:
    status = _status(household)
    return render_template(
        "pages/merge.html", status=status, own=status.household, given=given, text=text,
        others=_others(status, text), relations=Labels("relations"),
        labels=Labels("assistance_categories"), separator=SEPARATOR,
    )


def _others(status: HouseholdStatus, text: str) -> Sequence[HouseholdFound]:
    """Who could be the same: found by what was typed, else by the head's name as a whole."""
    asked = text or status.household.head_name
    if not asked or not may(READ_NAMES, "households"):
        return ()
    own = {status.household.household, *status.household.merged}
    found = households_shown(sought(HOUSEHOLD, asked, MOST_OFFERED, is_whole=not text))
    return [one for one in found if one.row.household not in own]
