"""How does a page's form record? By the same schema, rules and service as the API's route.

A form carries a request id of its own, made with it, so that a button pressed twice, or a
page sent again, records once. What is wrong is said at its field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from flask import request
from marshmallow import ValidationError
from msgspec.structs import replace
from werkzeug.datastructures import MultiDict

from api.identity import RECORD as TO_RECORD
from api.identity import caller, context, may, new_id, today
from api.nouns import NOUNS
from api.pages.fields import SEPARATOR, FormField
from api.problems import MARK, WAIT_SECONDS, NotAllowed
from api.recording import Noun, Statable
from api.schemas import statement_schema
from api.services import services
from api.statements import statement_of
from domain.identity_number import BadIdNumber, check_id_number
from domain.kernel import Context, Event, Refused
from domain.ledger import Instruction, KeyReused, Receipt
from domain.record_keeping import Record

OCCURRED: Final = "occurred_on"
NOT_ASKED: Final = frozenset({"form_token", "request", "seen"})
"""What a form carries beside what it states."""
MOST_ROWS: Final = 30
"""How many rows a list of values in a form has at most."""
FIELD_OF: Final[Mapping[str, str]] = {
    "date_in_future": OCCURRED, "occurrence_missing": OCCURRED, "date_too_early": OCCURRED,
    "persons_met_contradicts_outcome": "persons_met", "more_persons_than_met": "persons",
    "person_not_of_household": "persons", "unknown_community": "community",
    "need_stated_twice": "needs", "evidence_empty": "evidence_file",
    "evidence_type": "evidence_file", "evidence_too_large": "evidence_file",
    "evidence_unreadable": "evidence_file", "evidence_twice": "evidence_file",
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

    def rows(self, name: str) -> list[int]:
        """The rows of a list of values that the form holds, the first also where it is empty."""
        form = re.compile(rf"{re.escape(name)}\.(\d{{1,3}})\.")
        found = {int(m[1]) for key in self.values if (m := form.match(key))}
        return sorted(found) or [0]

    def reshape(self, asked: Sequence[FormField]) -> bool:
        """Add or drop a row, where one of those buttons was pressed; nothing is to be recorded."""
        more, drop = self.values.pop("more", None), self.values.pop("drop", None)
        for one in asked:
            if more == [one.name] and len(rows := self.rows(one.name)) < MOST_ROWS:
                self.values[f"{one.name}.{rows[-1] + 1}.new"] = [""]
        for key in [key for key in self.values if drop and key.startswith(f"{drop[0]}.")]:
            del self.values[key]
        return bool(more or drop)

    def close_up(self, asked: Sequence[FormField]) -> None:
        """Leave out the rows in which nothing was typed, and number the others from 0."""
        for one in (one for one in asked if one.kind == "rows"):
            filled_in = [n for n in self.rows(one.name) if self._is_filled(one.within(n))]
            moved = {
                f"{one.name}.{to}.{key.removeprefix(f'{one.name}.{n}.')}": self.values[key]
                for to, n in enumerate(filled_in)
                for key in self.values if key.startswith(f"{one.name}.{n}.")
            }
            kept = {k: v for k, v in self.values.items() if not k.startswith(f"{one.name}.")}
            self.values = kept | moved

    def _is_filled(self, parts: Sequence[FormField]) -> bool:
        return any(self.first(part.name).strip() for part in parts if part.is_typed)

    @property
    def status(self) -> int:
        """Of the page that shows the form (again)."""
        if self.refusal is not None:
            return self.refusal.status
        return 422 if self.errors else 200


@lru_cache(maxsize=256)
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
    return found is not None and may(TO_RECORD, found[2].by)


def own_write() -> dict[str, Any]:
    """Whether something was recorded just now, and whether the page shows it already."""
    recorded = request.args.get("recorded", type=int)
    is_seen = recorded is None or services().read_models.wait_for(recorded, WAIT_SECONDS)
    return {"recorded": recorded, "is_seen": is_seen}


def form_context() -> Context:
    """The context of a form: its request id makes a second press of the button the same."""
    given = request.form.get("request", "")
    is_usable = re.fullmatch(r"[0-9A-Za-z]{1,64}", given) is not None
    return replace(context(), idempotency_key=f"form-{given}" if is_usable else None)


def form_asked(topic: str) -> bytes:
    """What a form states, as it was sent: the same bytes for the same form sent again.

    Not what was made of it: a household that was merged meanwhile would make another
    request of the same form.
    """
    said = sorted(item for item in request.form.items(multi=True) if item[0] not in NOT_ASKED)
    return json.dumps([topic, *said], ensure_ascii=False).encode()


def recorded_before(topic: str) -> Receipt | None:
    """What the same form recorded when it was sent before; whatever has changed since."""
    try:
        return services().ledger.answered(form_asked(topic), form_context())
    except KeyReused:  # another form had its id: told where it is recorded
        return None


def posted(form: MultiDict[str, str] | None = None) -> Given:
    """What was filled in: in the form that was sent, or in one that was sent before."""
    form = request.form if form is None else form
    return Given(form.get("request", ""), dict(form.lists()))


def state(
    topic: str, asked: Sequence[FormField], given: Given, known: Mapping[str, Any], subject: str
) -> tuple[Receipt, list[dict[str, Any]]] | None:
    """Record what a form states; ``None`` where ``given`` now says why not.

    ``known`` is what the form is about already; ``subject`` the record that takes it.
    """
    found = stated_by(topic)
    assert found is not None
    noun, event, how = found
    if not may(TO_RECORD, how.by):
        raise NotAllowed(role=caller().role.label, verb=how.by)
    given.close_up(asked)
    with SaidAtFields(given, asked):
        body = statement_schema(event)().load(body_of(asked, given) | dict(known))
        said = form_context()
        goes_on = bool(subject) and event in noun.kind.also_opening
        is_new = how.is_opening and not goes_on
        about = id_of_form(said) if is_new else how.of or subject
        command = Record(statement=statement_of(event, body))
        instruction = Instruction(noun.kind, about, command, asked=form_asked(topic))
        return noun.carry_out(instruction, said, body)
    return None


@dataclass(frozen=True, slots=True)
class SaidAtFields:
    """Lets ``given`` say what is refused within: at its field, or of the whole."""

    given: Given
    asked: Sequence[FormField] = ()

    def __enter__(self) -> None:
        """Nothing yet."""

    def __exit__(self, _kind: object, error: BaseException | None, _where: object) -> bool:
        """Whether what went wrong is said; anything else goes on its way."""
        match error:
            case ValidationError():
                self.given.errors = _said(error.messages_dict, self.asked)
            case Refused():
                _refused(self.given, error, self.asked)
            case _:
                return False
        return True


def id_of_form(said: Context) -> str:
    """A new record's id, the same for the same form sent again."""
    if said.idempotency_key is None:
        return new_id()
    return uuid5(NAMESPACE_URL, f"{said.station}/{said.actor}/{said.idempotency_key}").hex


def _refused(given: Given, refusal: Refused, asked: Sequence[FormField]) -> None:
    """Say a refusal at its field; a form that was sent before gets an id anew."""
    given.refusal = refusal
    if isinstance(refusal, BadIdNumber):
        given.errors |= {
            one.name: str(refusal) for one in questions_of(asked, given)
            if one.name.rpartition(".")[2] == "id_number" and _is_wrong(given.first(one.name))
        }
    if (name := FIELD_OF.get(refusal.code)) is not None:
        given.errors[name] = str(refusal)
    if isinstance(refusal, KeyReused):
        given.request_id = new_id()


def _is_wrong(number: str) -> bool:
    try:
        check_id_number(number.strip(), today())
    except BadIdNumber:
        return bool(number.strip())
    return False


# ---- from what was typed to a body ----


def body_of(asked: Sequence[FormField], given: Given) -> dict[str, Any]:
    """The answers as the API would be given them; one left empty is not given."""
    body = {OCCURRED: given.first(OCCURRED).strip()}
    for one in asked:
        if (value := _value(one, given)) not in (None, "", [], {}):
            body[one.name] = value
    return {name: value for name, value in body.items() if value != ""}


def _value(one: FormField, given: Given) -> Any:
    match one.kind:
        case "group":
            return _parts(one.within(), given)
        case "rows":
            rows = (_parts(one.within(number), given) for number in given.rows(one.name))
            return [row for row in rows if row]
        case "new_id":
            made = uuid5(NAMESPACE_URL, f"{given.request_id}/{one.name}").hex
            return given.first(one.name) or made
        case "choices" | "persons":
            chosen = [value for value in given.values.get(one.name, ()) if value]
            return [{one.of_each: value} for value in chosen] if one.of_each else chosen
        case _:
            return _typed(one, given)


def _typed(one: FormField, given: Given) -> Any:
    text = given.first(one.name).strip()
    match one.kind:
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


def _parts(parts: Sequence[FormField], given: Given) -> dict[str, Any]:
    """A value by its parts; nothing where nothing was typed."""
    typed = [part for part in parts if part.kind != "new_id"]
    said = {part.name: _value(part, given) for part in typed}
    if not any(said[part.name] for part in typed if part.is_typed):
        return {}
    said |= {part.name: _value(part, given) for part in parts if part.kind == "new_id"}
    return {
        name.rpartition(".")[2]: value
        for name, value in said.items() if value not in (None, "", [], {})
    }


def _number(text: str) -> int | str:
    return int(text) if re.fullmatch(r"-?\d{1,12}", text, re.ASCII) else text


def _fen(text: str) -> int | str:
    """Yuan as typed, in fen; what is no sum is left for the schema to refuse."""
    try:
        fen = Decimal(text) * 100
    except InvalidOperation:
        return text
    return int(fen) if fen.is_finite() and fen == fen.to_integral_value() else text


def questions_of(asked: Sequence[FormField], given: Given) -> Iterator[FormField]:
    """Each question, and those of a value's parts, row by row, under their names in the form."""
    for one in asked:
        yield one
        for number in given.rows(one.name) if one.kind == "rows" else [None]:
            yield from one.within(number)


def said_as(asked: Sequence[FormField], said: Mapping[str, Any]) -> dict[str, list[str]]:
    """What a record says as the answers of its form; only what the form asks for."""
    found = {OCCURRED: [str(said[OCCURRED])]} if OCCURRED in said else {}
    for one in asked:
        value = said.get(one.name.rpartition(".")[2])
        if value is None:
            continue
        if one.kind == "rows":
            for number, row in enumerate(value):
                found |= said_as(one.within(number), row)
        elif one.kind == "group":
            found |= said_as(one.within(), value)
        else:
            found |= _answers(one, value)
    return found


def _answers(one: FormField, value: Any) -> dict[str, list[str]]:
    """The reverse of ``_value``."""
    match one.kind:
        case "choices" | "persons":
            return {one.name: [str(v[one.of_each]) if one.of_each else str(v) for v in value]}
        case "texts":
            return {one.name: [SEPARATOR.join(value)]}
        case "money":
            return {one.name: [f"{Decimal(value) / 100:f}"]}
        case "quantity":
            how = str(value.get("approximation") or "")
            return {one.name: [str(value["value"])], f"{one.name}.as": [how]}
        case _:
            return {one.name: [str(value)]}


def _said(messages: Mapping[str, Any], asked: Sequence[FormField]) -> dict[str, str]:
    """What is wrong with each field, in a sentence, without its code; of a value, by its parts."""
    kinds = {one.name: one.kind for one in asked}
    found: dict[str, str] = {}
    for name, inner in messages.items():
        parts = isinstance(inner, Mapping) and kinds.get(name) in {"group", "rows"}
        for place, text in _placed(inner, name) if parts else [(name, inner)]:
            found[place] = SEPARATOR.join(_texts(text))
    return found


def _placed(inner: Any, where: str) -> Iterator[tuple[str, Any]]:
    """The messages of a value by the names of its parts in the form."""
    if not isinstance(inner, Mapping):
        yield where, inner
        return
    for name, more in inner.items():
        yield from _placed(more, f"{where}.{name}")


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
