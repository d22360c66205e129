"""Which fields does a form have that states an event? Derived from the event: declared once.

``api/schemas.py`` derives what is accepted from the same types; this module says how a
person is asked for it. An event with a field that no form can ask for has no form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from typing import Any, Final

from msgspec import Struct, inspect

from api.language import SOURCE, language
from domain.code_lists import code_list
from domain.field_labels import field_label
from domain.fields import (
    CODE_LIST,
    COMMUNITY,
    DERIVED,
    PERSON_MARK,
    REFERS_TO,
    TEXT,
    Quantity,
    marks_of,
)
from domain.kernel import Event
from domain.vocabulary import Approximation

MOST_PILLS: Final = 9
"""So many choices are shown side by side; more become a list to open."""
LONG: Final = 200
"""A text that may be longer gets a box of several lines."""
SEPARATOR: Final = "、"
FEN: Final = "_fen"
"""How a sum's name ends: a form asks for yuan."""
Choices = tuple[tuple[str, str], ...]


class NoFormError(LookupError):
    """An event that has a field no form can ask for."""


@dataclass(frozen=True, slots=True)
class Around:
    """What the choices of a form depend on."""

    day: date
    communities: Sequence[str] = ()
    persons: Mapping[str, str] = field(default_factory=dict)
    """The household's members: id → name."""
    given: frozenset[str] = frozenset()
    """Kinds of record that the form is about already: it does not ask for them."""
    choices: Mapping[str, Choices] = field(default_factory=dict)
    """What can be chosen for a field of some name, where only the record knows."""
    is_within: bool = False
    """Whether it is asked within a value: whoever is named there is new."""


@dataclass(frozen=True, slots=True)
class FormField:
    """One question of a form. ``kind`` is how it is asked."""

    name: str
    label: str
    kind: str
    is_required: bool = False
    choices: Choices = ()
    most: int | None = None
    least: int | None = None
    of_each: str = ""
    """In a list of values that one code makes: the name of that code."""
    parts: tuple[FormField, ...] = ()
    """The questions of a value (``group``), or of each of several (``rows``)."""

    @property
    def is_plain(self) -> bool:
        """Whether it is asked at once; the others wait behind “more”."""
        is_usual = self.kind in {"choice", "long"} or self.name in {"persons", "address"}
        return self.is_required or is_usual

    @property
    def is_many(self) -> bool:
        """Whether several answers can be given."""
        return self.kind in {"choices", "persons"}

    @property
    def is_typed(self) -> bool:
        """Whether an answer is typed, and so says that its row is filled in."""
        return self.kind in {"text", "long", "number", "money", "day", "time", "texts"}

    def within(self, number: int | None = None) -> tuple[FormField, ...]:
        """Its parts under their names in the form: ``member.name``, ``members.0.name``."""
        where = self.name if number is None else f"{self.name}.{number}"
        return tuple(replace(part, name=f"{where}.{part.name}") for part in self.parts)


def form_fields(event: type[Event], around: Around) -> list[FormField]:
    """The questions of an event's form, those that are asked at once first.

    :raises NoFormError: where one cannot be asked.
    """
    marks = marks_of(event)
    asked = [
        _asked(event, one, marks[one.name], around)
        for one in _declared(event) if DERIVED not in marks[one.name]
    ]
    return sorted((f for f in asked if f is not None), key=lambda f: not f.is_plain)


@cache
def _declared(event: type[Event]) -> tuple[inspect.Field, ...]:
    """An event's fields with their types; reading them takes longer than asking for them."""
    found = inspect.type_info(event)
    assert isinstance(found, inspect.StructType)
    return found.fields


def _asked(
    event: type[Struct], one: inspect.Field, marks: Mapping[str, Any], around: Around
) -> FormField | None:
    """One field; ``None`` where it is optional and cannot be asked, or is known already."""
    if marks.get(REFERS_TO) in around.given:
        return None
    kind = _bare(one.type)
    if one.name in around.choices:
        return FormField(
            one.name, field_label(event, one.name), "choice", is_required=one.required,
            choices=around.choices[one.name],
        )
    try:
        asked = next(_kinds(kind, marks, around))
    except StopIteration:
        if one.required:
            raise NoFormError(f"{event.__name__}: {one.name}") from None
        return None
    return replace(
        asked, name=one.name, label=field_label(event, one.name), is_required=one.required,
        kind="money" if one.name.endswith(FEN) else asked.kind,
    )


def _kinds(
    kind: inspect.Type, marks: Mapping[str, Any], around: Around
) -> Iterator[FormField]:
    """How a field of some type and marks is asked: the first that fits."""
    is_list = isinstance(kind, inspect.VarTupleType)
    if CODE_LIST in marks and isinstance(kind, inspect.StrType):
        yield FormField("", "", "choice", choices=_codes(marks[CODE_LIST], around.day))
    if CODE_LIST in marks and is_list:
        yield FormField("", "", "choices", choices=_codes(marks[CODE_LIST], around.day))
    if isinstance(kind, inspect.VarTupleType):
        yield from _coded_values(_bare(kind.item_type), around)
    if COMMUNITY in marks:
        yield FormField("", "", "choice", choices=tuple((n, n) for n in around.communities))
    if PERSON_MARK in marks and around.is_within and not is_list:
        yield FormField("", "", "new_id")
    if PERSON_MARK in marks and around.persons:
        people = tuple(around.persons.items())
        yield FormField("", "", "persons" if is_list else "choice", choices=people)
    if not {REFERS_TO, PERSON_MARK, CODE_LIST} & set(marks):
        yield from _plain(kind, marks)
        yield from _values(kind, around)


def _values(kind: inspect.Type, around: Around) -> Iterator[FormField]:
    """How a value of several fields is asked, or a list of them: whole or not at all."""
    how = "rows" if isinstance(kind, inspect.VarTupleType) else "group"
    each = _bare(kind.item_type) if isinstance(kind, inspect.VarTupleType) else kind
    if around.is_within or not isinstance(each, inspect.StructType) or each.cls is Quantity:
        return
    marks, inner = marks_of(each.cls), replace(around, is_within=True, persons={})
    stated = [one for one in each.fields if DERIVED not in marks[one.name]]
    try:
        parts = [_asked(each.cls, one, marks[one.name], inner) for one in stated]
    except NoFormError:
        return
    if None not in parts:
        yield FormField("", "", how, parts=tuple(filter(None, parts)))


def _plain(kind: inspect.Type, marks: Mapping[str, Any]) -> Iterator[FormField]:
    match kind:
        case inspect.StrType():
            most = marks[TEXT].longest if TEXT in marks else kind.max_length
            is_long = most is not None and most > LONG
            yield FormField("", "", "long" if is_long else "text", most=most)
        case inspect.IntType() if not marks:
            low = kind.ge if kind.ge is not None else kind.gt and kind.gt + 1
            yield FormField("", "", "number", least=low, most=kind.le)
        case inspect.DateType():
            yield FormField("", "", "day")
        case inspect.TimeType():
            yield FormField("", "", "time")
        case inspect.EnumType():
            choices = tuple((m.value, m.label) for m in kind.cls)  # type: ignore[attr-defined]
            yield FormField("", "", "choice", choices=choices)
        case inspect.VarTupleType() if isinstance(_bare(kind.item_type), inspect.StrType):
            yield FormField("", "", "texts")
        case inspect.StructType() if kind.cls is Quantity:
            choices = tuple((m.value, m.label) for m in Approximation)
            yield FormField("", "", "quantity", choices=choices)
        case _:
            return


def _coded_values(kind: inspect.Type, around: Around) -> Iterator[FormField]:
    """A list of values each of which one code makes: all else of them may be left out."""
    if not isinstance(kind, inspect.StructType):
        return
    required = [one.name for one in kind.fields if one.required]
    marks = marks_of(kind.cls)
    if len(required) == 1 and CODE_LIST in marks[required[0]]:
        choices = _codes(marks[required[0]][CODE_LIST], around.day)
        yield FormField("", "", "choices", choices=choices, of_each=required[0])


def _bare(kind: inspect.Type) -> inspect.Type:
    """A type without its marks and without null."""
    if isinstance(kind, inspect.Metadata):
        return _bare(kind.type)
    if isinstance(kind, inspect.UnionType):
        return _bare(next(t for t in kind.types if not isinstance(t, inspect.NoneType)))
    return kind


def _codes(name: str, day: date) -> Choices:
    """The codes of a list that may be used on a day, in the reader's language."""
    is_chinese = language() == SOURCE
    return tuple(
        (row.code, row.label if is_chinese else row.label_en)
        for row in code_list(name).values() if row.is_valid_on(day)
    )
