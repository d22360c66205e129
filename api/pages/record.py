"""How is something recorded on a page? One form an event, filled with what is likely.

A follow-up of a known household needs three taps: the household, the kind of contact, the
button. What was said last time of the same household stands in the form already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import count
from typing import Any

from flask import jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from api.bodies import takes_files
from api.evidence import may_attach
from api.identity import READ_CASES, READ_RECORDS, action, caller, may, new_id, today
from api.kept_forms import Typed, drawn
from api.language import translated
from api.nouns import NOUNS
from api.pages.alike import CHECKED, Alike, alike
from api.pages.attaching import attach_of_form, file_of_form
from api.pages.fields import Around, Choices, FormField, NoFormError, form_fields
from api.pages.gist import gist
from api.pages.likely import likely
from api.pages.month_writing import planned
from api.pages.published_months import told
from api.pages.shortcuts import OFTEN, QUEUED, READY, REGISTERING, WITHOUT_HOUSEHOLD, Shortcut
from api.pages.steps import page_of
from api.pages.taken import refuse_if_changed, seen_of
from api.pages.views import pages
from api.pages.whose import people_in
from api.pages.writing import (
    OCCURRED,
    Given,
    SaidAtFields,
    form_context,
    id_of_form,
    may_state,
    posted,
    questions_of,
    recorded_before,
    state,
    stated_by,
)
from api.personal import rows_shown, shown
from api.problems import OF_STATUS, NotAllowed, is_from_script, problem
from api.queries import one_station
from api.searching import MARK_LABELS
from api.services import services
from api.speaking import worded
from domain.evidence import EvidenceKind
from domain.fields import REFERS_TO, marks_of
from domain.household import AssistanceAssigned
from domain.kernel import KIND_OF_TOPIC, KINDS, Event, UnknownRecord, stream_id
from domain.ledger import Receipt
from domain.station_month import MONTH, PlanItemCarriedOver, PlanItemCompleted
from domain.visit import VisitRecorded
from projections.household_status import HouseholdStatus, household_status
from projections.monthly_report import station_profile
from projections.timeline import records_named
from workers.evidence_cleaning import CleanFile


@dataclass(frozen=True, slots=True)
class About:
    """What a form is about: a household by its status, or some other record."""

    household: HouseholdStatus | None
    subject: str

    @property
    def household_id(self) -> str | None:
        """The household, under the id that survives where it was merged."""
        return None if self.household is None else self.household.household.household


# ---- which forms there are ----


@pages.route("/record")
@action(READ_RECORDS)
def record_choice() -> str:
    """What can be recorded at a station."""
    one_station()
    return render_template(
        "pages/record_choice.html", often=shortcuts_for_household(),
        registering=REGISTERING if may_state(REGISTERING.topic) else None,
        others=[s for s in WITHOUT_HOUSEHOLD if may_state(s.topic)],
        rarer=rarer_openings(), ready=form_ready("survey.held"),
    )


def shortcuts_for_household() -> list[Shortcut]:
    """What the caller may record of a household, the most frequent first."""
    return [shortcut for shortcut in OFTEN if may_state(shortcut.topic)]


def others_for_household() -> list[type[Event]]:
    """Everything else that the caller may record of a household and that has a form."""
    often = {shortcut.topic for shortcut in OFTEN}
    return [e for e in _with_forms() if _is_about_household(e) and e.topic not in often]


def rarer_openings() -> list[type[Event]]:
    """What begins a record of its own, is about no household, and is seldom recorded."""
    often = {shortcut.topic for shortcut in (*WITHOUT_HOUSEHOLD, REGISTERING)}
    return [
        event for event in _with_forms()
        if _opens(event) and not _is_about_household(event) and event.topic not in often
    ]


def steps_of(kind: str) -> list[type[Event]]:
    """What the caller may record further of a record of a kind, and that has a form."""
    return [e for e in _with_forms() if not _opens(e) and KIND_OF_TOPIC[e.topic].name == kind]


def _with_forms() -> Iterator[type[Event]]:
    """Every event that the caller may state and that has a form."""
    return (event for event in _whole_forms() if may_state(event.topic))


@cache
def _whole_forms() -> tuple[type[Event], ...]:
    """The same, whoever asks: it follows from the events' fields alone."""
    around = Around(date.min, ("—",), {"-": "—"}, frozenset({"household"}))
    return tuple(
        event for noun in NOUNS for event in noun.statements if has_form(event, around)
    )


def _opens(event: type[Event]) -> bool:
    found = stated_by(event.topic)
    return found is not None and found[2].is_opening


def _is_about_household(event: type[Event]) -> bool:
    found = stated_by(event.topic)
    if found is None or found[2].of:
        return False
    noun, _event, how = found
    names = any(m.get(REFERS_TO) == "household" for m in marks_of(event).values())
    return names if how.is_opening else noun.kind.name == "household"


def has_form(event: type[Event], around: Around) -> bool:
    """Whether a form can ask for all that an event needs."""
    try:
        form_fields(event, around)
    except NoFormError:
        return False
    return True


# ---- a form ----


@pages.route("/record/<topic>")
@action(READ_RECORDS)
def record_new(topic: str) -> str:
    """The form that states an event."""
    event, about = _event(topic), _about(request.args)
    return render_template("pages/record_form.html", said=new_form(event, about, request.args))


@pages.route("/record/<topic>", methods=["POST"])
@action(READ_RECORDS)
@takes_files
def record_form(topic: str) -> BaseResponse | tuple[str, int]:
    """Record what a form states, and show it where it belongs; or say at the field why not.

    A form that was recorded before is answered as then, even where its household has been
    merged or voided since. One that waited on a phone (``seen``) does not go on silently
    where the household has changed.
    """
    event = _event(topic)
    if (earlier := recorded_before(topic)) is not None:
        _attach(file_of_form(KIND_OF_TOPIC[topic].name), earlier)  # perhaps it was not then
        return _recorded(request.form.get("household"), earlier, has_warning=False)
    about = _about(request.form)
    refuse_if_changed(about.household, request.form.get("seen", ""))
    asked, given = form_fields(event, _around(about, event)), posted()
    if given.reshape(asked):
        return _page(event, about, asked, given), 200
    given.close_up(asked)
    if others := alike(event, asked, given, about.household_id or id_of_form(form_context())):
        return _page(event, about, asked, given, others), 409
    if event is VisitRecorded:
        _nobody_where_not_met(given)
    return _stated(event, about, asked, given)


@drawn("pages.record_form")
def record_again(said: Typed, topic: str) -> str:
    """The form with what was typed before its session ended."""
    event, about = _event(topic), _about(said)
    asked, given = form_fields(event, _around(about, event)), posted(said)
    given.reshape(asked)
    return _page(event, about, asked, given)


def _nobody_where_not_met(given: Given) -> None:
    """Whoever was not met is nobody, where the form still says what it began with."""
    is_untouched = given.first("persons_met") in {"", "1"} and not given.values.get("persons")
    if given.first("outcome") != "met" and is_untouched:
        given.values["persons_met"] = ["0"]  # anything else is refused


def _stated(
    event: type[Event], about: About, asked: Sequence[FormField], given: Given
) -> BaseResponse | tuple[str, int]:
    """Record what a form states, with the file that it brought; or show it again."""
    file, done = None, None
    with SaidAtFields(given):
        file = file_of_form(KIND_OF_TOPIC[event.topic].name)  # refused before it is recorded
    if given.refusal is None:
        known, subject = _known(event, about), about.household_id or about.subject
        done = state(event.topic, asked, given, known, subject)
    if done is None:
        form_again = _page(event, about, asked, given), given.status
        return _problem(given) if is_from_script() else form_again
    receipt, warnings = done
    _attach(file, receipt)
    return _recorded(about.household_id, receipt, has_warning=bool(warnings))


def _attach(file: CleanFile | None, receipt: Receipt) -> None:
    """Attach what a form brought to what it recorded; twice sent is once."""
    if file is not None:
        attach_of_form(file, receipt.stream.partition("/")[2], receipt.version)


def _recorded(
    household: str | None, receipt: Receipt, *, has_warning: bool
) -> BaseResponse | tuple[str, int]:
    """Where what was recorded is seen: lead there, or tell a page's own script."""
    there = _shown_at(household, receipt, has_warning=has_warning)
    if not is_from_script():
        return redirect(there, 303)
    said = {"position": receipt.position, "request": request.form.get("request"), "href": there}
    answer = jsonify(said)
    answer.status_code = 201
    return answer


def _problem(given: Given) -> BaseResponse:
    """What is wrong, field by field, for a page's own script."""
    code, title, detail = OF_STATUS[422]
    if given.refusal is not None:
        code, title, detail = given.refusal.code, given.refusal.title, str(given.refusal)
    return problem(
        given.status, code, title, detail, request=given.request_id,
        fields={name: worded(text) for name, text in given.errors.items()},
    )


def _event(topic: str) -> type[Event]:
    """The event of a form.

    :raises UnknownRecord: where there is no such form.
    :raises NotAllowed: where the role may not state it.
    """
    found = stated_by(topic)
    if found is None:
        raise UnknownRecord(id=topic, kind="表单")
    if not may_state(topic):
        raise NotAllowed(role=caller().role.label, verb=topic)
    return found[1]


def _about(given: Mapping[str, str]) -> About:
    household, subject = given.get("household", ""), given.get("subject", "")
    if not household:
        return About(None, subject)
    if not may(READ_CASES):
        raise NotAllowed(role=caller().role.label, verb="households")
    with services().read_models.engine.connect() as connection:
        status = household_status(connection, one_station(), household)
    if status is None:
        raise UnknownRecord(id=household, kind=KINDS["household"].label)
    return About(status, subject)


def around_household(station: str, household: str | None, event: type[Event]) -> Around:
    """What the choices of a form about a household, or about none, depend on."""
    with services().read_models.engine.connect() as connection:
        status = household_status(connection, station, household) if household else None
    return _around(About(status, ""), event)


def _around(about: About, event: type[Event]) -> Around:
    profile = station_profile(services().ledger, one_station())
    communities = [community.name for community in profile.communities]
    if about.household is None:
        is_outcome = event in {PlanItemCompleted, PlanItemCarriedOver}
        items = {"item": planned(about.subject)} if is_outcome else {}
        return Around(today(), communities, choices=items)
    names = _names(about.household)
    return Around(
        today(), communities, names, frozenset({"household"}), _units(about.household, event, names)
    )


def _units(
    status: HouseholdStatus, event: type[Event], names: Mapping[str, str]
) -> dict[str, Choices]:
    """The household's assistance units to choose from, by whom they cover; a new one is named."""
    if "unit" not in marks_of(event):
        return {}
    covered: dict[str, list[str]] = {}
    for member in status.members:
        if member.unit:
            covered.setdefault(member.unit, []).append(names.get(member.person, member.person))
    if event is AssistanceAssigned:
        free = next(f"u{n}" for n in count(1) if f"u{n}" not in covered)
        return {"unit": ((free, translated("新的救助单元")),)}
    return {"unit": tuple((unit, f"{unit}（{'、'.join(who)}）") for unit, who in covered.items())}


def _names(status: HouseholdStatus) -> dict[str, str]:
    """The members' names, opened from the file that lists each."""
    files = [stream_id(one_station(), "household", m.household) for m in status.members]
    return {m.person: m.name for m in rows_shown(status.members, files)}


def _known(event: type[Event], about: About) -> dict[str, Any]:
    """What need not be asked: the household or the volunteer that the form is about."""
    known = {"household": about.household_id}
    if about.household is None and KIND_OF_TOPIC[event.topic].name != "volunteer":
        known["volunteer"] = about.subject
    return {
        name: known[marks[REFERS_TO]] for name, marks in marks_of(event).items()
        if known.get(marks.get(REFERS_TO, ""))
    }


def new_form(event: type[Event], about: About, says: Mapping[str, str]) -> dict[str, Any]:
    """A form to fill in, which says already what is likely and what led to it says."""
    asked = form_fields(event, _around(about, event))
    given = Given(new_id(), likely(event, about.household_id, asked, says))
    return _form(event, about, asked, given)


def form_ready(topic: str, household: HouseholdStatus | None = None) -> dict[str, Any] | None:
    """The form that lies in the page of a household, or of none, for whoever may record it."""
    if not may_state(topic):
        return None
    return new_form(_event(topic), About(household, ""), READY[topic])


def _page(
    event: type[Event], about: About, asked: Sequence[FormField], given: Given,
    others: Sequence[Alike] = (),
) -> str:
    said = _form(event, about, asked, given, others)
    return render_template("pages/record_form.html", said=said)


def _form(
    event: type[Event], about: About, asked: Sequence[FormField], given: Given,
    others: Sequence[Alike] = (),
) -> dict[str, Any]:
    """All that ``pages/_record_form.html`` shows of a form."""
    household = None if about.household is None else about.household.household
    if household is not None:
        household = shown(household, stream_id(one_station(), "household", household.household))
    is_step = bool(about.subject) and household is None
    of = _of_step(event, about.subject) if is_step else {}
    return {"whose": (), "of": ""} | of | {
        "event": event, "asked": asked, "given": given, "household": household,
        "is_queued": event.topic in QUEUED, "seen": about.household and seen_of(about.household),
        "back": _back(event, about), "back_label": KIND_OF_TOPIC[event.topic].label,
        "subject": about.subject, "occurred": OCCURRED, "today": today(), "others": others,
        "checked": CHECKED, "labels": labels_of(asked, given), "marks": MARK_LABELS,
        "evidence_kinds": list(EvidenceKind) if may_attach(KIND_OF_TOPIC[event.topic].name) else [],
    }


def _of_step(event: type[Event], subject: str) -> dict[str, Any]:
    """Whose the record is that a next step is about, and what it says that is not personal."""
    if KIND_OF_TOPIC[event.topic] is MONTH:  # its first entry is one of many texts
        return {"of": subject}
    stream = stream_id(one_station(), KIND_OF_TOPIC[event.topic].name, subject)
    with services().read_models.engine.connect() as connection:
        begun = records_named(connection, one_station(), [(stream, 1)])
    return {"whose": people_in([stream]).of(stream), "of": " ".join(map(gist, begun))}


def _back(event: type[Event], about: About) -> str | None:
    """The page of the record that a next step is about."""
    if about.household is not None or not about.subject:
        return None
    return page_of(KIND_OF_TOPIC[event.topic].name, about.subject)


def labels_of(asked: Sequence[FormField], given: Given) -> dict[str, str]:
    """What people read for each question, those of a value's parts as well."""
    return {OCCURRED: "发生日期"} | {one.name: one.label for one in questions_of(asked, given)}


def _shown_at(household: str | None, receipt: Receipt, *, has_warning: bool) -> str:
    """Where what was recorded is seen: in the household's timeline, or as a record."""
    more: dict[str, Any] = {"recorded": receipt.position} | told([receipt.recorded.occurred.on])
    more |= {"check": 1} if has_warning else {}
    if household:
        return url_for("pages.household_page", household=household, **more)
    recorded = receipt.recorded
    kind = recorded.stream.split("/")[1]
    if kind == "household":
        return url_for("pages.household_page", household=recorded.id, **more)
    return page_of(kind, recorded.id, **more)
