"""What was recorded, step by step, and how is it corrected, voided or reinstated on a page?

By the API's one mechanism. A correction's form holds what is said now; what it does not ask
for stays as it is. It names the version that was seen: where somebody was faster, both texts
are shown, and nothing is recorded until the button is pressed once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from api.audit_rows import audit_row
from api.evidence import may_attach
from api.identity import (
    READ_CASES,
    READ_RECORDS,
    RECORD,
    action,
    caller,
    may,
    new_id,
    today,
)
from api.kept_forms import Typed, drawn
from api.nouns import nouns_of
from api.nouns.evidence import NOT_ASKED
from api.pages.attaching import evidence_shown
from api.pages.fields import Around, FormField, form_fields
from api.pages.published_months import told
from api.pages.record import around_household, labels_of, steps_of
from api.pages.steps import STEPPED
from api.pages.views import pages
from api.pages.whose import people_in, with_names
from api.pages.writing import (
    OCCURRED,
    Given,
    SaidAtFields,
    body_of,
    form_context,
    posted,
    questions_of,
    said_as,
)
from api.personal import reading, shown
from api.problems import WAIT_SECONDS, IfMatchRequired, NotAllowed
from api.queries import one_station
from api.recording import Noun, ReasonSchema
from api.schemas import correction_reason, correction_schema
from api.services import services
from api.statements import statement_of
from domain.catalog import to_builtins
from domain.describing import statements_in
from domain.evidence import EvidenceAttached
from domain.fields import DERIVED, marks_of
from domain.kernel import KINDS, Entry, Event, Statement, Stream, UnknownRecord, stream_id
from domain.ledger import Instruction, Receipt
from domain.record_keeping import Command, Correct, Reinstate, Void, fold

ENTRY: Final = "/records/<kind>/<subject>/entries/<int:version>"
VERSION: Final = "version"
REASON: Final = "reason"
KEEPINGS: Final = {"void": "作废", "reinstate": "恢复"}


@dataclass(frozen=True, slots=True)
class Kept:
    """The entry that a form is about."""

    noun: Noun
    stream: Stream[Any]
    entry: Entry

    @property
    def event(self) -> type[Event]:
        """What the entry states."""
        return type(self.entry.statement.event)

    @property
    def subject(self) -> str:
        """The record's id."""
        return self.stream.id.rpartition("/")[2]

    def said(self) -> dict[str, Any]:
        """What it says now, opened for whoever may see names."""
        marks, said = marks_of(self.event), to_builtins(self.entry.statement.event)
        own = {name: value for name, value in said.items() if DERIVED not in marks[name]}
        found: dict[str, Any] = shown(own, self.stream.id)
        return found | {OCCURRED: str(self.entry.statement.occurred.on)}


def may_keep(kind: str) -> bool:
    """Whether the caller may correct, void and reinstate records of a kind."""
    noun = _noun(kind)
    return noun is not None and may(RECORD, noun.plural)


def _noun(kind: str) -> Noun | None:
    return next((noun for noun in nouns_of(kind) if not noun.kind.is_final), None)


def _kept(kind: str, subject: str, version: int) -> Kept:
    """The entry of an address.

    :raises UnknownRecord: where there is none that can be corrected.
    :raises NotAllowed: where the role may not.
    """
    noun = _noun(kind)
    if noun is None:
        raise UnknownRecord(id=subject, kind=KINDS[kind].label if kind in KINDS else kind[:40])
    if not may_keep(kind):
        raise NotAllowed(role=caller().role.label, verb=noun.plural)
    stream = services().ledger.stream(one_station(), kind, subject)
    entry = None if stream is None else stream.entries.get(version)
    if stream is None or entry is None:
        raise UnknownRecord(id=subject, kind=noun.kind.label)
    return Kept(noun, stream, entry)


# ---- what was recorded ----


@pages.route("/records/<kind>/<subject>")
@action(READ_RECORDS)
def record_page(kind: str, subject: str) -> str | BaseResponse:
    """A record's audit trail: who recorded what, when, and what it was corrected to."""
    if kind not in KINDS:
        raise UnknownRecord(id=subject, kind=kind)
    _refuse_unread(kind)
    if kind == "report":
        return redirect(url_for("pages.published_page", month=subject), 303)
    history = services().ledger.history(stream_id(one_station(), kind, subject))
    if not history:
        raise UnknownRecord(id=subject, kind=KINDS[kind].label)
    stream = fold(KINDS[kind], None, history) if may_keep(kind) else None
    recorded = request.args.get("recorded", type=int)
    if recorded is not None:
        services().read_models.wait_for(recorded, WAIT_SECONDS)
    people = people_in([stream_id(one_station(), kind, subject)])
    rows = with_names([audit_row(event, reading()) for event in history], people)
    return render_template(
        "pages/record.html", subject=subject, kind_label=KINDS[kind].label, kind=kind,
        entries=rows, stream=stream, people=people, recorded=recorded,
        evidence=evidence_shown(kind, subject), may_attach=may_attach(kind),
        of=_said_of("record", rows),
        may_keep_evidence=may_keep("evidence"),
        steps=steps_of(kind) if kind in STEPPED else [],
    )


def _said_of(field: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """What a record said in a field when it was made."""
    return next((c["after"] for c in rows[0]["changes"] if c["field"] == field), "")


def _refuse_unread(kind: str) -> None:
    """A role may read the records of some kinds only."""
    plural = next((noun.plural for noun in nouns_of(kind)), kind)
    if not may(READ_CASES, plural):
        raise NotAllowed(role=caller().role.label, verb=plural)


# ---- correcting ----


@pages.route(f"{ENTRY}/correct")
@action(READ_RECORDS)
def correct_page(kind: str, subject: str, version: int) -> str:
    """The form that states an entry anew, filled with what it says."""
    found = _kept(kind, subject, version)
    asked = _questions(found)
    values = said_as(asked, found.said()) | {VERSION: [str(found.stream.version)]}
    return _correction(found, asked, Given(new_id(), values))


@pages.route(f"{ENTRY}/correct", methods=["POST"])
@action(READ_RECORDS)
def correct_form(kind: str, subject: str, version: int) -> BaseResponse | tuple[str, int]:
    """Correct it, or say why not; where somebody was faster, show both."""
    found = _kept(kind, subject, version)
    asked, given = _questions(found), posted()
    if given.reshape(asked):
        return _correction(found, asked, given), 200
    if (receipt := _corrected(found, asked, given)) is not None:
        return redirect(_shown_at(found, receipt), 303)
    return _correction(found, asked, given), given.status


@drawn("pages.correct_form")
def correct_again(said: Typed, kind: str, subject: str, version: int) -> str:
    """The form with what was typed before its session ended."""
    found = _kept(kind, subject, version)
    asked, given = _questions(found), posted(said)
    given.reshape(asked)
    return _correction(found, asked, given)


def _corrected(found: Kept, asked: Sequence[FormField], given: Given) -> Receipt | None:
    """State an entry anew by a form; ``None`` where ``given`` now says why not.

    What the form does not ask for stays as it is, and so does the occurrence where its day
    was not changed: it may be an instant, or a span of days.
    """
    given.close_up(asked)
    names, why = {one.name for one in asked} | {OCCURRED}, correction_reason(found.event)
    unasked = {name: value for name, value in found.said().items() if name not in names and value}
    with SaidAtFields(given, asked):
        said = body_of(asked, given) | unasked | {why: given.first(why).strip()}
        body = correction_schema(found.event)().load(said)
        reason, occurred = body.pop(why), found.entry.statement.occurred
        statement = statement_of(found.event, body)
        if statement.occurred.on == occurred.on:
            statement = Statement(statement.event, occurred)
        command = Correct(entry=found.entry.version, statement=statement, reason=reason)
        return _carried_out(found, command)
    return None


def _carried_out(found: Kept, command: Command) -> Receipt:
    """Execute a command on what was seen when the form was made."""
    seen = request.form.get(VERSION, type=int)
    if seen is None:
        raise IfMatchRequired
    instruction = Instruction(found.noun.kind, found.subject, command, seen)
    receipt, _warnings = found.noun.carry_out(instruction, form_context(), {})
    return receipt


def _questions(found: Kept) -> list[FormField]:
    """What the form asks: not what the record is about, which stays."""
    event, station = found.entry.statement.event, one_station()
    household = found.subject if found.noun.kind.name == "household" else getattr(
        event, "household", None
    )
    around = around_household(station, household, found.event)
    asked = form_fields(found.event, Around(
        around.day, around.communities, around.persons, frozenset(KINDS), _with_own(around, event),
    ))
    fixed = NOT_ASKED if found.event is EvidenceAttached else frozenset[str]()
    return [one for one in asked if one.name not in {OCCURRED} | fixed]


def _with_own(around: Around, event: Event) -> Mapping[str, Any]:
    """The choices, with what the entry itself says among them."""
    own = getattr(event, "unit", None)
    return {
        name: choices if own in dict(choices) else ((own, own), *choices)
        for name, choices in around.choices.items()
    }


def _correction(found: Kept, asked: Sequence[FormField], given: Given) -> str:
    is_stale = given.refusal is not None and given.refusal.code == "stale_version"
    now = said_as(asked, found.said())
    labels = labels_of(asked, given)
    unlike = [
        (labels[name], "、".join(now.get(name, ())), "、".join(given.values.get(name, ())))
        for name in labels
        if is_stale and now.get(name, [""]) != given.values.get(name, [""])
    ]
    if is_stale:
        given.values[VERSION] = [str(found.stream.version)]
    reason = correction_reason(found.event)
    return render_template(
        "pages/record_correct.html", found=found, asked=asked, given=given, unlike=unlike,
        is_stale=is_stale, occurred=OCCURRED, today=today(), reason=reason,
        form_labels=labels | {reason: "更正原因"}, version_field=VERSION,
    )


# ---- voiding and reinstating ----


@pages.route(f"{ENTRY}/void", defaults={"how": "void"})
@pages.route(f"{ENTRY}/reinstate", defaults={"how": "reinstate"})
@action(READ_RECORDS)
def keep_page(kind: str, subject: str, version: int, how: str) -> str:
    """The form that asks why."""
    found = _kept(kind, subject, version)
    return _keeping(found, how, Given(new_id(), {VERSION: [str(found.stream.version)]}))


@pages.route(f"{ENTRY}/void", methods=["POST"], defaults={"how": "void"})
@pages.route(f"{ENTRY}/reinstate", methods=["POST"], defaults={"how": "reinstate"})
@action(READ_RECORDS)
def keep_form(kind: str, subject: str, version: int, how: str) -> BaseResponse | tuple[str, int]:
    """Void or reinstate it, or say why not."""
    found, given = _kept(kind, subject, version), posted()
    with SaidAtFields(given):
        body = ReasonSchema().load({REASON: given.first(REASON).strip()})
        command = Void if how == "void" else Reinstate
        receipt = _carried_out(found, command(entry=version, reason=body[REASON]))
        return redirect(_shown_at(found, receipt), 303)
    given.values[VERSION] = [str(found.stream.version)]
    return _keeping(found, how, given), given.status


@drawn("pages.keep_form")
def keep_again(said: Typed, kind: str, subject: str, version: int, how: str) -> str:
    """The form with what was typed before its session ended."""
    return _keeping(_kept(kind, subject, version), how, posted(said))


def _keeping(found: Kept, how: str, given: Given) -> str:
    return render_template(
        "pages/record_keep.html", found=found, how=how, label=KEEPINGS[how], given=given,
        version_field=VERSION, reason=REASON,
        said=[(name, text) for name, text in _told(found).items() if any(text)],
    )


def _told(found: Kept) -> dict[str, list[str]]:
    """What the entry says, by what people read for each question."""
    asked = _questions(found)
    given = Given("", said_as(asked, found.said()))
    told = {"发生日期": given.values[OCCURRED]}
    for one in questions_of(asked, given):
        names, texts = dict(one.choices), given.values.get(one.name, [])
        if one.kind != "new_id":
            told.setdefault(one.label, []).extend(names.get(text, text) for text in texts)
    return told


def _shown_at(found: Kept, receipt: Receipt) -> str:
    """The record's page; of a published month, of the day before and after, it tells."""
    stated = statements_in(receipt.recorded.event, receipt.recorded.occurred)
    days = [one.occurred.on for one in (stated.before, stated.after) if one is not None]
    more: dict[str, Any] = told([found.entry.statement.occurred.on, *days])
    return url_for(
        "pages.record_page", kind=found.noun.kind.name, subject=found.subject,
        recorded=receipt.position, **more, _anchor=f"p{receipt.position}",
    )
