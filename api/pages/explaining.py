"""What is behind a figure, why is somebody not in it, and what proves a record?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from api.explaining import answered, asked_of, explanation_page
from api.explaining_data import answer_data, line_data, reads_records
from api.explaining_questions import ABOUT, Named, within_of
from api.forms import FIELD
from api.identity import READ_CASES, READ_FIGURES, READ_NAMES, action, may
from api.moments import moment_of
from api.pages.asking import asked_number
from api.pages.gist import gist
from api.pages.views import pages
from api.pages.what_if_form import TRIED, tried_definitions
from api.pages.whose import people_in
from api.paging import next_url
from api.personal import shown
from api.proofs import inclusion_at
from api.queries import one_station
from api.searching import MARK_LABELS, Found, NothingToFind
from api.searching import asked as searched
from api.services import services
from domain.checkpoint import Checkpoint, signer_of
from domain.kernel import KINDS, Refused, stream_id, stream_kind, stream_subject
from domain.merkle import leaf_hash, verify_inclusion
from projections.explaining.reasons import term_said
from projections.explaining.sought_records import SUBJECTS
from projections.figures import Evidence
from projections.indicator_checks import aggregation_of
from projections.report_periods import BadReportPeriod, report_period
from projections.timeline import records_named
from projections.trends import PARTED_BY

LINES: Final = 60
"""Postings on a page."""
KEPT: Final = ("as_of", "known_at", "version", "published", "set", TRIED, *PARTED_BY)
"""What the address says of the figure besides its name."""


def _named(period: str, code: str) -> Named:
    """The figure that the address names."""
    version, published = asked_number("version", None), asked_number("published", None, least=0)
    return Named(
        period, code, request.args.get("set") or None, moment_of(request.args), version, published,
        within_of(request.args), tried_definitions(request.args),
    )


def _kept() -> dict[str, str]:
    """The rest of the address, for links and forms."""
    return {name: request.args[name] for name in KEPT if _is_asked(name)}


def _is_asked(name: str) -> bool:
    """Whether the address asks it; an empty community is one, too: that of nowhere."""
    return bool(request.args.get(name)) or (name in PARTED_BY and name in request.args)


def _page_of(period: str) -> str | None:
    """The report from which a figure was looked at; a task book's days are no report's."""
    try:
        name = report_period(period).name
    except BadReportPeriod:
        return None
    if "published" in request.args:
        number = request.args.get("published", type=int) or None
        return url_for("pages.published_page", month=name, number=number)
    asked = request.args.get("as_of"), request.args.get("known_at")
    return url_for("pages.month", month=name, as_of=asked[0], known_at=asked[1])


# ---- the figure ----


@pages.route("/months/<month>/figures/<code>", endpoint="explanation_page")
@action(READ_FIGURES)
def explanation_view(month: str, code: str) -> str:
    """A figure, its definition and the postings that make it, each with the ways on."""
    query = request.args.to_dict() | {"limit": LINES}
    with asked_of(_named(month, code)) as found:
        told, cursor = explanation_page(found, query)
        lines = [line_data(line, reads_records) for line in told.lines]
        return render_template(
            "pages/explanation.html", found=found, told=told, lines=lines,
            **_recorded(told.lines, lines),
            next_url=cursor and next_url(cursor),
            terms=[(term, term_said(term)) for term in told.terms],
            absent=found.question.sought.absent and term_said(found.question.sought.absent)
            if found.question.row.measure else None,
            aggregation=aggregation_of(found.question.row), **_surroundings(month, code),
        )


def _recorded(evidence: Sequence[Evidence], lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Whose the records behind some postings are, and what they say, as far as they are read."""
    read = [one for one, line in zip(evidence, lines, strict=True) if line["id"]]
    also = [f"household:{line['counts_as']}" for line in lines if line["counts_as"]]
    with services().read_models.engine.connect() as connection:
        rows = records_named(connection, one_station(), {(one.stream, one.entry) for one in read})
    return {
        "people": people_in([one.stream for one in read], also),
        "gists": {(row.id, row.entry): gist(row) for row in rows},
    }


def _surroundings(month: str, code: str) -> dict[str, Any]:
    """What both pages of a figure show besides it."""
    return {
        "kept": _kept(), "back": _page_of(month), "month": month, "code": code,
        "abouts": {**SUBJECTS, "record": "记录"}, "marks": MARK_LABELS,
        "may_read": may(READ_CASES), "field": FIELD,
        "as_of": request.args.get("as_of"), "known_at": request.args.get("known_at"),
        "within": within_of(request.args),
    }


# ---- why not ----


@pages.route("/months/<month>/figures/<code>/why-not")
@action(READ_CASES)
def why_not_page(month: str, code: str) -> str | tuple[str, int] | BaseResponse:
    """Why a household, person or record is not in a figure, or by what it is."""
    if "about" in request.args:  # the form's two fields, as one question of its own address
        about = request.args["about"] if request.args["about"] in ABOUT else "record"
        named = {about: request.args.get("id", "").strip()}
        values: dict[str, Any] = {"month": month, "code": code} | _kept() | named
        return redirect(url_for("pages.why_not_page", **values), 303)
    return _why_not_page(month, code)


def _why_not_page(month: str, code: str) -> str | tuple[str, int]:
    with asked_of(_named(month, code)) as found:
        answer, refusal = None, None
        try:
            answer = answer_data(answered(found, request.args.to_dict()), shown)
        except Refused as refused:
            refusal = refused
        about = next((name for name in ABOUT if request.args.get(name)), "household")
        page = render_template(
            "pages/why_not.html", found=found, answer=answer, problem=refusal,
            asked=(about, request.args.get(about, "")),
            people=people_in(
                _streams_of(answer), [f"{answer['kind']}:{answer['id']}"] if answer else []
            ),
            figure=_figure_of(found.question.figures(), code), **_surroundings(month, code),
        )
    return (page, refusal.status) if refusal else page


def _streams_of(answer: dict[str, Any] | None) -> set[str]:
    """The records that an answer names, and those of its parts."""
    if answer is None:
        return set()
    own = [*answer["lines"], *(reason for reason in answer["reasons"] if reason["position"])]
    found = {stream_id(one_station(), one["kind"], one["id"]) for one in own}
    return found.union(*(_streams_of(part) for part in answer["parts"]))


def _figure_of(figures: Any, code: str) -> Any:
    return next(figure for figure in figures if figure.indicator.code == code)


@pages.route("/months/<month>/figures/<code>/find", methods=["POST"])
@action(READ_NAMES, "households")
def find_for_figure(month: str, code: str) -> str | tuple[str, int]:
    """Whoever is on record by a name: in a body, since it may stand in no address."""
    mark, text = request.form.get("mark", "name"), request.form.get("text", "").strip()
    station, found = one_station(), list[Found]()
    refusal: Refused | None = None
    try:
        found = _search(station, mark, text)
    except Refused as refused:
        refusal = refused
    page = render_template(
        "pages/find_for_figure.html", rows=[one.as_data() for one in found], problem=refusal,
        mark=mark, is_asked=bool(text), **_surroundings(month, code),
    )
    return (page, refusal.status) if refusal else page


def _search(station: str, mark: str, text: str) -> list[Found]:
    if mark not in MARK_LABELS or not 1 <= len(text) <= 200:
        raise NothingToFind
    with services().read_models.engine.connect() as connection:
        return searched(connection, station, tuple(SUBJECTS), {mark: text})


# ---- what proves it ----


@pages.route("/proofs/<int:position>")
@action(READ_CASES)
def proof_page(position: int) -> str:
    """That an event is in the sealed log: counted anew here, and to be checked elsewhere."""
    found = inclusion_at(position)
    verifier = signer_of(services().settings.sealing_key()).verifier
    signed = Checkpoint.opened(found.sealed.note, verifier)
    is_proved = verify_inclusion(
        found.index, signed.size, leaf_hash(found.entry), found.path, signed.root
    )
    stream = found.row[1]
    return render_template(
        "pages/proof.html", found=found, is_proved=is_proved, position=position,
        leaf=leaf_hash(found.entry).hex(), path=[one.hex() for one in found.path],
        kind=stream_kind(stream), kind_label=KINDS[stream_kind(stream)].label,
        subject=stream_subject(stream),
    )
