"""What does the form of a what-if ask, and which definition and target do its answers make?

It begins with the definition that an indicator has. Everything is chosen, or typed as a
number or a day; what is wrong is said at its field.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict

from api.indicators import definitions_of
from api.language import SOURCE, language, translated
from api.pages.fields import SEPARATOR, Choices, FormField
from api.pages.writing import Given, body_of
from api.problems import flat
from api.schemas import struct_schema
from domain.catalog import to_builtins
from domain.code_lists import code_list
from domain.indicators import Aggregation, BadIndicator, Counted, Indicator, PeriodRule, Without
from domain.shapes import shape_said
from domain.task_book import BadTarget, OtherTarget, TaskIndicator
from domain.vocabulary import Labelled
from projections.explaining.reasons import DIMENSION_LABELS
from projections.indicator_checks import POSSIBLE, aggregation_of, fits_unit
from projections.measures import MEASURES, CodeSource, Measure
from projections.postings import ENVELOPE_DIMENSIONS

TRIED: Final = "tried"
"""Where an address says by which other definition a figure is counted."""
LONGEST_TRIED: Final = 6_000
UNSAID: Final[tuple[object, ...]] = (None, [], {}, False)
"""What a definition need not say: its fields are so by themselves."""
MOST_PLUS: Final = 4
"""How many further measures the form adds up."""
NUMBERS: Final = ("target", "weight")
LABELS: Final = {
    "measure": "计量", "aggregation": "汇总", "over": "起算", "plus": "另加的计量",
    "without": "没有的是", "without.days": "多少天内没有（空为不问）", "weight": "分值",
}
"""What the form's questions are called, besides the conditions."""


def tried_definitions(query: MultiDict[str, str]) -> tuple[Indicator, ...]:
    """The definitions by which an address has a figure counted: a link of a what-if.

    :raises BadIndicator: for what is no definition.
    """
    text = query.get(TRIED, "")
    if not text:
        return ()
    if len(text) > LONGEST_TRIED:
        raise BadIndicator(where="/definitions", problem="口径过长")
    try:
        said = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadIndicator(where="/definitions", problem=shape_said(error)) from error
    return tuple(definitions_of([said]))


def tried_text(row: Indicator) -> str:
    """A definition as such an address has it."""
    said = {name: value for name, value in to_builtins(row).items() if value not in UNSAID}
    return msgspec.json.encode(said, order="sorted").decode()


@dataclass(frozen=True, slots=True)
class WhatIfForm:
    """What may be otherwise of an indicator: its definition, its target and weight."""

    row: Indicator | None
    target: TaskIndicator | None
    communities: Sequence[str]
    given: Given

    @property
    def counting(self) -> list[FormField]:
        """How it is counted."""
        if self.row is None or self.row.measure is None:
            return []
        fit = [measure for measure in MEASURES.values() if _could_count(self.row, measure)]
        ways = [*POSSIBLE[self._measure.kind]] if self._measure else list(Aggregation)
        return [
            FormField("measure", LABELS["measure"], "choice", is_required=True,
                      choices=_measures(fit)),
            *self._filters("", self.given.first("measure")),
            FormField("aggregation", LABELS["aggregation"], "choice", choices=_members(ways)),
            FormField("over", LABELS["over"], "choice", choices=_members(PeriodRule)),
        ]

    @property
    def added(self) -> list[list[FormField]]:
        """What is added to it, measure by measure; the last is for one more."""
        if not self.counting:
            return []
        return [list(self._term(f"plus.{number}", LABELS["plus"])) for number in self._plus()]

    @property
    def absent(self) -> list[FormField]:
        """What it is left out by: of those on file whoever had none of it for so many days."""
        if not self.counting or self._measure is None or not self._measure.entities:
            return []
        days = FormField("without.days", LABELS["without.days"], "number")
        return [days, *self._term("without", LABELS["without"])]

    @property
    def scored(self) -> list[FormField]:
        """What the task book wants of it."""
        if self.target is None:
            return []
        unit = translated(self.target.unit.label)
        return [
            FormField("target", f"{translated('目标')}（{unit}）", "number"),
            FormField("weight", LABELS["weight"], "number"),
        ]

    @property
    def names_staff(self) -> bool:
        """Whether only somebody's statements, or a project's, count."""
        return any(self.given.first(f"filter.{name}") for name in ENVELOPE_DIMENSIONS)

    @property
    def _measure(self) -> Measure | None:
        return MEASURES.get(self.given.first("measure"))

    def _plus(self) -> list[int]:
        used = [n for n in self.given.rows("plus") if self.given.first(f"plus.{n}.measure")]
        return list(range(min(len(used) + 1, MOST_PLUS)))

    def _term(self, where: str, label: str) -> Iterator[FormField]:
        choices = _measures(MEASURES.values())
        yield FormField(f"{where}.measure", label, "choice", choices=choices)
        yield from self._filters(f"{where}.", self.given.first(f"{where}.measure"))

    def _filters(self, where: str, code: str) -> Iterator[FormField]:
        """Which of a measure's postings count, by each dimension that it has."""
        measure = MEASURES.get(code)
        for name, source in measure.by.items() if measure else ():
            field, label = f"{where}filter.{name}", DIMENSION_LABELS[name]
            kept = self.given.values.get(field, [])
            offered = tuple((one, one) for one in dict.fromkeys([*self.communities, *kept]))
            choices = offered if name == "community" else _codes(source)
            yield FormField(field, label, "choices", choices=choices)
        for name in ENVELOPE_DIMENSIONS if measure else ():
            yield FormField(f"{where}filter.{name}", DIMENSION_LABELS[name], "texts")

    # ---- what the answers make ----

    def definitions(self) -> list[Indicator]:
        """The definition that the answers make, where it is another than the present one.

        :raises ValidationError: where an answer is none, by the fields' names.
        :raises BadIndicator: where it cannot be counted.
        """
        row = self.row
        if row is None or row.measure is None or not self.given.first("measure"):
            return []
        body = to_builtins(row) | self._said()
        made = definitions_of([_loaded(Indicator, body)])
        return [one for one in made if plain(one) != plain(row)]

    def _said(self) -> dict[str, Any]:
        given = self.given
        plus = [self._counted(f"plus.{n}.") for n in given.rows("plus")]
        without: dict[str, Any] | None = None
        if given.first("without.days").strip():
            without = self._counted("without.") | {"days": _number(given.first("without.days"))}
        return self._counted("") | {
            "plus": [term for term in plus if term["measure"]], "without": without,
            "aggregation": given.first("aggregation") or None,
            "over": given.first("over") or PeriodRule.PERIOD.value,
        }

    def _counted(self, where: str) -> dict[str, Any]:
        code = self.given.first(f"{where}measure")
        asked = list(self._filters(where, code))
        said = body_of(asked, self.given)
        return {
            "measure": code,
            "filter": {
                one.name.rpartition(".")[2]: said[one.name] for one in asked if one.name in said
            },
        }

    def targets(self) -> list[OtherTarget]:
        """The target and weight that the answers make, where they are others.

        :raises ValidationError: where one is no such number.
        """
        if self.target is None:
            return []
        typed = {name: self.given.first(name).strip() for name in NUMBERS}
        said = {name: _number(text) for name, text in typed.items() if text}
        body = _loaded(OtherTarget, {"indicator": self.target.indicator, **said})
        other = msgspec.convert(body, OtherTarget)
        is_other = any(getattr(other, n) not in {None, getattr(self.target, n)} for n in NUMBERS)
        return [other] if is_other else []


def present(row: Indicator | None, target: TaskIndicator | None) -> dict[str, list[str]]:
    """The answers with which the form begins: how it is counted, and what is wanted, now."""
    found: dict[str, list[str]] = {}
    if row is not None and row.measure is not None:
        found |= {"aggregation": [str(aggregation_of(row))], "over": [row.over.value]}
        places = ("", *(f"plus.{number}." for number in range(len(row.plus))))
        for where, term in zip(places, row.terms, strict=True):
            found |= _answers(where, term)
        if row.without:
            found |= _answers("without.", row.without) | {"without.days": [str(row.without.days)]}
    if target is not None:
        found |= {name: [str(getattr(target, name))] for name in NUMBERS}
    return found


def _answers(where: str, term: Counted | Without) -> dict[str, list[str]]:
    found = {f"{where}measure": [term.measure]}
    for name, wanted in term.filter.items():
        values = [wanted] if isinstance(wanted, str) else list(wanted)
        is_typed = name in ENVELOPE_DIMENSIONS
        found[f"{where}filter.{name}"] = [SEPARATOR.join(values)] if is_typed else values
    return found


def at_fields(refusal: BadIndicator | BadTarget | ValidationError) -> dict[str, str]:
    """What is refused, at the field of the form that it is about."""
    if isinstance(refusal, ValidationError):
        return {_field(pointer): text for pointer, _code, text in flat(refusal.messages_dict, "")}
    where, problem = str(refusal.facts["where"]), str(refusal.facts["problem"])
    _, _, place = where.removeprefix("/").partition("/")  # definitions/0/…, targets/0/…
    return {_field(place.removeprefix("0")): problem}


def _field(pointer: str) -> str:
    name = pointer.removeprefix("/").replace("/", ".")
    return {"unit": "measure", "indicator": "target"}.get(name, name)


def plain(row: Indicator) -> Indicator:
    """A definition of which one value and a list of one are the same, and what it leaves unsaid."""
    every = [
        msgspec.structs.replace(term, filter={
            name: (wanted,) if isinstance(wanted, str) else wanted
            for name, wanted in sorted(term.filter.items())
        }) if term else None for term in (*row.terms, row.without)
    ]
    own, *plus, without = every
    assert own is not None
    return msgspec.structs.replace(
        row, filter=own.filter, plus=tuple(plus), without=without,
        aggregation=aggregation_of(row),
    )


def _could_count(row: Indicator, measure: Measure) -> bool:
    """Whether a row can be counted by a measure in its unit, added up in some way."""
    ways = {None, Aggregation.COUNT} if Aggregation.COUNT in POSSIBLE[measure.kind] else {None}
    return any(
        fits_unit(msgspec.structs.replace(row, measure=measure.code, aggregation=way), measure)
        for way in ways
    )


def _loaded(struct: type[msgspec.Struct], body: dict[str, Any]) -> dict[str, Any]:
    loaded: dict[str, Any] = struct_schema(struct)().load(body)
    return loaded


def _number(text: str) -> int | str:
    """What was typed as a number; what is none is left for the schema to refuse."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


def named(one: Any) -> str:
    """The label of an indicator, measure or code in the reader's language."""
    label: str = one.label if language() == SOURCE else one.label_en
    return label


def _members(kind: Iterable[Labelled]) -> Choices:
    return tuple((member.value, translated(member.label)) for member in kind)


def _measures(measures: Iterable[Measure]) -> Choices:
    return tuple((m.code, f"{named(m)}（{translated(m.unit.label)}）") for m in measures)


def _codes(source: CodeSource) -> Choices:
    if isinstance(source, str):
        return tuple((row.code, named(row)) for row in code_list(source).values()) if source else ()
    return _members(source)
