"""What would a project cycle score if something were otherwise: as is, what if, difference?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from typing import Any

from flask import render_template, request
from marshmallow import ValidationError

from api.evaluations import NothingToCompare, Tried, counted_beside
from api.identity import READ_EVALUATIONS, action
from api.moments import BadAsOf, BadKnownAt, moment_of
from api.pages.views import pages
from api.pages.what_if_form import TRIED, WhatIfForm, at_fields, named, present, tried_text
from api.pages.writing import Given, posted
from api.queries import one_station
from api.services import services
from domain.indicators import BadIndicator
from domain.kernel import Refused
from domain.task_book import BadTarget, TaskIndicator
from projections.evaluation.beside import Beside, RowBeside
from projections.evaluation.cycles import cycle_book, cycle_set
from projections.evaluation.score_sheet import FigureDifference, ScoreSheet
from projections.indicators import IndicatorSet
from projections.moments import KnownAt, KnownAtAhead
from projections.monthly_report import station_profile


class NothingTried(
    Refused, code="nothing_tried", title="没有改动，无从对照",
    detail="填的与现行的一样。请改动怎样计、目标或分值，或在“试算：另一时刻所知”选一天。",
):
    """A form of a what-if in which nothing was changed."""


@pages.route("/evaluations/<cycle>/what-if", methods=["GET"])
@action(READ_EVALUATIONS)
def what_if_page(cycle: str) -> str:
    """The form: which indicator, and what of it, or the day of knowing, is to be otherwise."""
    asked = Given("", {key: [value] for key, value in request.args.items()})
    chosen, targets = _offered(cycle, asked)
    code = asked.first("indicator")
    asked.values |= present(chosen.row(code), targets.get(code))
    return _page(cycle, asked, None)


@pages.route("/evaluations/<cycle>/what-if", methods=["POST"])
@action(READ_EVALUATIONS)
def what_if_form(cycle: str) -> str | tuple[str, int]:
    """Both countings side by side; nothing is stored."""
    given, found = posted(), None
    if given.values.pop("look", None) is None:
        with _said_at_fields(given):
            found = _counted(cycle, given)
    return _page(cycle, given, found), given.status


def _counted(cycle: str, given: Given) -> tuple[Beside, Tried]:
    form = _form(cycle, given)
    moment = moment_of(request.form, is_projected=False)
    tried = Tried(form.definitions(), form.targets(), _tried_known_at(given))
    return counted_beside(one_station(), cycle, moment, tried), tried


def _tried_known_at(given: Given) -> KnownAt | None:
    name = "what_if_known_at"
    try:
        return moment_of({"known_at": given.first(name)}, is_projected=False).known_at
    except BadKnownAt as refusal:
        given.errors[name] = str(refusal)
        raise


@contextmanager
def _said_at_fields(given: Given) -> Iterator[None]:
    """Lets the form say what is refused within: at its field, or of the whole."""
    try:
        yield
    except ValidationError as refusal:
        given.errors |= at_fields(refusal)
    except (BadIndicator, BadTarget) as refusal:
        given.refusal = refusal
        given.errors |= at_fields(refusal)
    except (BadAsOf, BadKnownAt) as refusal:
        given.refusal = refusal
        name = "as_of" if isinstance(refusal, BadAsOf) else "known_at"
        given.errors = given.errors or {name: str(refusal)}
    except NothingToCompare:
        given.refusal = NothingTried()
    except Refused as refusal:
        given.refusal = refusal


def _page(cycle: str, given: Given, found: tuple[Beside, Tried] | None) -> str:
    form = _form(cycle, given)
    chosen, targets = _offered(cycle, given)
    offered = [row for row in chosen.indicators if row.measure or row.code in targets]
    beside, tried = found or (None, None)
    return render_template(
        "pages/evaluation_what_if.html", cycle=cycle, found=beside, given=given, form=form,
        offered=[(row.code, named(row)) for row in offered], named=named,
        links=_Links(*found) if found else None, gained=gained, tried=tried,
        fields={one.name for one in _asked_by(form)},
        as_of=given.first("as_of") or None, known_at=given.first("known_at") or None,
    )


def _asked_by(form: WhatIfForm) -> Iterator[Any]:
    yield from (*form.counting, *form.absent, *form.scored)
    for term in form.added:
        yield from term


def _form(cycle: str, given: Given) -> WhatIfForm:
    chosen, targets = _offered(cycle, given)
    code = given.first("indicator")
    profile = station_profile(services().ledger, one_station())
    communities = [community.name for community in profile.communities]
    return WhatIfForm(chosen.row(code), targets.get(code), communities, given)


def _offered(cycle: str, given: Given) -> tuple[IndicatorSet, dict[str, TaskIndicator]]:
    """The set by which the cycle is counted, and the targets of the task book that is scored."""
    station, ledger, then = one_station(), services().ledger, _known_at(given)
    with services().read_models.engine.connect() as connection:
        chosen = cycle_set(connection, ledger, station, cycle, then)
        book = cycle_book(connection, ledger, station, cycle, then)
    return chosen, {row.indicator: row for row in book.indicators} if book else {}


def _known_at(given: Given) -> KnownAt | None:
    """The moment of knowing that is typed; of one that is none the form says so elsewhere."""
    try:
        return moment_of({"known_at": given.first("known_at")}, is_projected=False).known_at
    except (BadKnownAt, KnownAtAhead):
        return None


def gained(before: str, after: str) -> str:
    """By how much a figure is above another, as printed; nothing where one is no plain number."""
    try:
        difference = (Decimal(after) - Decimal(before)).normalize()
    except InvalidOperation:
        return "—"
    return f"{difference:+f}" if difference else "0"


class _Links:
    """Where the list behind a figure of either sheet is."""

    def __init__(self, found: Beside, tried: Tried) -> None:
        """Of two sheets, and what is otherwise in the second."""
        self._sheets = (found.sheet, found.other)
        self._tried = tried

    def row(self, row: RowBeside, number: int) -> dict[str, Any]:
        """The address of an indicator's figure of the cycle, in the first sheet or the second."""
        sheet = self._sheets[number]
        counted_by = next(
            (one.counted_by for one in sheet.rows if one.target.indicator == row.code), None
        )
        return self._of(sheet, _span(sheet), row.code, number) | {
            "version": counted_by.version if counted_by else None,
        }

    def figure(self, figure: FigureDifference, number: int) -> dict[str, Any]:
        """The address of a month's figure, or of the cycle's."""
        sheet = self._sheets[number]
        where = _span(sheet) if figure.where == sheet.cycle else figure.where
        return self._of(sheet, where, figure.code, number)

    def _of(self, sheet: ScoreSheet, month: str, code: str, number: int) -> dict[str, Any]:
        definitions = self._tried.definitions if number else ()
        is_known_so = sheet.known_at is not None
        return {
            "month": month, "code": code, "set": sheet.indicator_set, "as_of": sheet.as_of,
            "known_at": sheet.known_at if is_known_so else None,
            TRIED: tried_text(definitions[0]) if definitions else None,
        }


def _span(sheet: ScoreSheet) -> str:
    return f"{sheet.first_on}..{sheet.as_of}"
