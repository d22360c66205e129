"""How does a page's form record? By the same schema, rules and service as the API's route.

A form carries a request id of its own, made with it, so that a button pressed twice, or a
page sent again, records once. What is wrong is said at its field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from flask import request
from marshmallow import ValidationError
from msgspec.structs import replace
from werkzeug.datastructures import MultiDict

from api.identity import RECORD as TO_RECORD
from api.identity import allowed, caller, context, new_id
from api.nouns import NOUNS
from api.pages.fields import SEPARATOR, FormField
from api.problems import MARK, NotAllowed
from api.recording import Noun, Statable
from api.schemas import statement_schema
from api.statements import statement_of
from domain.kernel import Context, Event, Refused
from domain.ledger import Instruction, KeyReused, Receipt
from domain.record_keeping import Record

OCCURRED: Final = "occurred_on"
FIELD_OF: Final[Mapping[str, str]] = {
    "date_in_future": OCCURRED, "occurrence_missing": OCCURRED, "date_too_early": OCCURRED,
    "persons_met_contradicts_outcome": "persons_met", "more_persons_than_met": "persons",
    "person_not_of_household": "persons", "unknown_community": "community",
    "need_stated_twice": "needs",
}
"""The field that a refusal of the rules is about, where it is one."""


@dataclass(slots=True)
class Given:
    """What a form was filled with, and what is wrong with it."""

    request_id: str
    values: dict[str, list[str]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    refusal: Refused | None = None

    def first(self, name: str) -> str:
        """The one answer to a question."""
        return next(iter(self.values.get(name, ())), "")

    @property
    def status(self) -> int:
        """Of the page that shows the form (again)."""
        if self.refusal is not None:
            return self.refusal.status
        return 422 if self.errors else 200


@cache
def stated_by(topic: str) -> tuple[Noun, type[Event], Statable] | None:
    """Which noun states an event, and how."""
    return next(
        (
            (noun, event, how)
            for noun in NOUNS for event, how in noun.statements.items() if event.topic == topic
        ),
        None,
    )


def may_state(topic: str) -> bool:
    """Whether the caller's role may state an event."""
    found = stated_by(topic)
    return found is not None and allowed(caller().role, TO_RECORD, found[2].by)


def form_context() -> Context:
    """The context of a form: its request id makes a second press of the button the same."""
    given = request.form.get("request", "")
    is_usable = re.fullmatch(r"[0-9A-Za-z]{1,64}", given) is not None
    return replace(context(), idempotency_key=f"form-{given}" if is_usable else None)


def posted() -> Given:
    """What was filled in."""
    return Given(request.form.get("request", ""), dict(request.form.lists()))


def state(
    topic: str, asked: Sequence[FormField], given: Given, known: Mapping[str, Any], subject: str
) -> tuple[Receipt, list[dict[str, Any]]] | None:
    """Record what a form states; ``None`` where ``given`` now says why not.

    ``known`` is what the form is about already; ``subject`` the record that takes it.
    """
    found = stated_by(topic)
    assert found is not None
    noun, event, how = found
    if not allowed(caller().role, TO_RECORD, how.by):
        raise NotAllowed(role=caller().role.label, verb=how.by)
    try:
        body = statement_schema(event)().load(_body(asked, given) | dict(known))
        said = form_context()
        about = _new_id(said) if how.is_opening else how.of or subject
        instruction = Instruction(noun.kind, about, Record(statement=statement_of(event, body)))
        return noun.carry_out(instruction, said, body)
    except ValidationError as error:
        given.errors = _said(error.messages_dict)
    except Refused as refusal:
        _refused(given, refusal)
    return None


def _new_id(said: Context) -> str:
    """A new record's id, the same for the same form sent again."""
    if said.idempotency_key is None:
        return new_id()
    return uuid5(NAMESPACE_URL, f"{said.station}/{said.actor}/{said.idempotency_key}").hex


def _refused(given: Given, refusal: Refused) -> None:
    """Say a refusal at its field; a form that was sent before gets an id anew."""
    given.refusal = refusal
    if (name := FIELD_OF.get(refusal.code)) is not None:
        given.errors[name] = str(refusal)
    if isinstance(refusal, KeyReused):
        given.request_id = new_id()


# ---- from what was typed to a body ----


def _body(asked: Sequence[FormField], given: Given) -> dict[str, Any]:
    """The answers as the API would be given them; one left empty is not given."""
    body = {OCCURRED: given.first(OCCURRED).strip()}
    for one in asked:
        if (value := _value(one, given)) not in (None, "", [], {}):
            body[one.name] = value
    return {name: value for name, value in body.items() if value != ""}


def _value(one: FormField, given: Given) -> Any:
    text = given.first(one.name).strip()
    match one.kind:
        case "choices" | "persons":
            chosen = [value for value in given.values.get(one.name, ()) if value]
            return [{one.of_each: value} for value in chosen] if one.of_each else chosen
        case "texts":
            return [part for part in re.split(r"[、，,;；\s]+", text) if part]
        case "number":
            return _number(text)
        case "money":
            return _fen(text)
        case "quantity" if text:
            return {"value": _number(text), "approximation": given.first(f"{one.name}.as")}
        case _:
            return text


def _number(text: str) -> int | str:
    return int(text) if re.fullmatch(r"-?\d{1,12}", text, re.ASCII) else text


def _fen(text: str) -> int | str:
    """Yuan as typed, in fen; what is no sum is left for the schema to refuse."""
    try:
        fen = Decimal(text) * 100
    except InvalidOperation:
        return text
    return int(fen) if fen.is_finite() and fen == fen.to_integral_value() else text


def _said(messages: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with each field, in a sentence, without its code."""
    return {name: SEPARATOR.join(_texts(inner)) for name, inner in messages.items()}


def _texts(inner: Any) -> list[str]:
    if isinstance(inner, Mapping):
        return [text for value in inner.values() for text in _texts(value)]
    if isinstance(inner, list):
        return [text for value in inner for text in _texts(value)]
    return [str(inner).partition(MARK)[2] or str(inner)]


def filled(values: Mapping[str, object]) -> MultiDict[str, str]:
    """Values as a form holds them."""
    return MultiDict([
        (name, str(item))
        for name, value in values.items()
        for item in (value if isinstance(value, list | tuple) else [value]) if item is not None
    ])
