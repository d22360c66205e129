"""How is what is not a template's own text said on a page: labels, sentences, names?

A template says the program's words (labels, sentences, refusals) with ``|said``, or ``|worded``
where no markup may stand, and what people wrote (names, notes, titles of documents) with
``|written``, which marks it as Chinese; with ``|either`` what may be one or the other.

A sentence is known by its words around its places, wherever it was made or kept: in a read
model, in a stored score sheet, in a job's answer (decision 0035). Nothing of it is kept here:
what stands in its places may be about a person.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from heapq import merge
from operator import itemgetter
from typing import Any, Final

from flask import Flask
from markupsafe import Markup, escape

from api.language import CHINESE, HAN, SOURCE, catalogue, language, vocabulary
from domain.kernel import Refused

PLACE: Final = re.compile(r"\{(\w+)\}")
COUNTED: Final = frozenset({"count", "number", "days", "minutes", "amount", "version"})
"""Places of a sentence that hold a number and nothing else."""
NUMBER: Final = re.compile(r"[0-9.,+-]+")
LONGEST: Final = 600
"""Characters of the longest sentence; what is longer, people wrote."""
TELLING: Final = 3
"""With how many characters of its own a sentence is known whatever stands in its places."""
MOST_DEEP: Final = 4
"""How deep a sentence stands in a sentence at most."""


# ---- what templates say ----


def said(text: object) -> object:
    """What the program says, in the language of this request; what is not known stays as it is."""
    spoken = language()
    if spoken == SOURCE or text is None:
        return text
    found = _refusal(spoken, text) if isinstance(text, Refused) else None
    found = found or _spoken(spoken, str(text))
    return text if found is None else found


def worded(text: object) -> str:
    """The same without markup: for an attribute, an option, a script."""
    found = said(text)
    return found.striptags() if isinstance(found, Markup) else "" if found is None else str(found)


def written(text: object) -> object:
    """What people wrote: never translated, and marked as Chinese on a page that is not."""
    is_foreign = language() != SOURCE and text is not None and CHINESE.search(str(text))
    return Markup('<span lang="zh">{}</span>').format(text) if is_foreign else text


def either(text: object) -> object:
    """What may be the program's word or what people wrote, such as a field of a record."""
    found = said(text)
    return found if isinstance(found, Markup) else written(text)


# ---- sentences with places ----


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the program, and how it reads in another language."""

    words: tuple[str, ...]
    """What stands before, between and after its places."""
    places: tuple[str, ...]
    reads: str

    @property
    def is_telling(self) -> bool:
        """Whether it has words enough of its own to be no other, nor what people wrote."""
        return len(HAN.findall("".join(self.words))) >= TELLING

    def values(self, text: str) -> dict[str, str] | None:
        """What stands in its places in a text; ``None`` where the text is not this sentence."""
        if not (text.startswith(self.words[0]) and text.endswith(self.words[-1])):
            return None
        found, at, last = dict[str, str](), len(self.words[0]), len(self.places) - 1
        for index, (place, word) in enumerate(zip(self.places, self.words[1:], strict=True)):
            end = len(text) - len(word) if index == last else text.find(word, at + 1)
            value = text[at:end]
            if end <= at or (place in COUNTED and not NUMBER.fullmatch(value)):
                return None
            if found.setdefault(place, value) != value:
                return None
            at = end + len(word)
        return found


@cache
def sentences(spoken: str) -> tuple[Sentence, ...]:
    """Every sentence of the catalogue; the one with the most words of its own first."""
    found = [
        Sentence(tuple(PLACE.split(text)[::2]), tuple(PLACE.split(text)[1::2]), reads)
        for text, reads in catalogue(spoken).items() if PLACE.search(text)
    ]
    return tuple(sorted(found, key=lambda one: -len("".join(one.words))))


@dataclass(frozen=True, slots=True)
class Beginnings:
    """The sentences by their first character, else by their last one; each with its place in line.

    A text is compared with the dozen that begin or end as it does, and not with all thousands.
    """

    beginning: Mapping[str, Sequence[tuple[int, Sentence]]]
    ending: Mapping[str, Sequence[tuple[int, Sentence]]]
    """Of those that begin with a place; under nothing, what ends with one as well."""


@cache
def _beginnings(spoken: str) -> Beginnings:
    beginning, ending = defaultdict[str, list[Any]](list), defaultdict[str, list[Any]](list)
    for place, one in enumerate(sentences(spoken)):
        if one.words[0]:
            beginning[one.words[0][0]].append((place, one))
        else:
            ending[one.words[-1][-1:]].append((place, one))
    return Beginnings(dict(beginning), dict(ending))


def fitting_of(spoken: str, text: str) -> Iterator[Sentence]:
    """The sentences that a text may be, in their order."""
    known = _beginnings(spoken)
    found = merge(
        known.beginning.get(text[:1], ()), known.ending.get(text[-1:], ()),
        known.ending.get("", ()), key=itemgetter(0),
    )
    return (sentence for _place, sentence in found)


def _refusal(spoken: str, refusal: Refused) -> Markup | None:
    """A refusal by its sentence, into which its facts are put."""
    reads = catalogue(spoken).get(refusal.detail)
    facts = {name: str(value) for name, value in refusal.facts.items()}
    return None if reads is None else _filled(spoken, reads, facts, 0)


def _spoken(spoken: str, text: str, depth: int = 0) -> Markup | None:
    """A text in a language; ``None`` where the catalogue does not have it."""
    if not CHINESE.search(text):
        return escape(text)
    if (found := vocabulary(spoken).get(text)) is not None:
        return escape(found)
    if depth >= MOST_DEEP or len(text) > LONGEST:
        return None
    for one in fitting_of(spoken, text):
        values = one.values(text)
        if values and (one.is_telling or _are_known(spoken, values.values(), depth)):
            return _filled(spoken, one.reads, values, depth)
    return _listed(spoken, text, depth)


def _are_known(spoken: str, values: Iterable[str], depth: int) -> bool:
    return all(_spoken(spoken, value, depth + 1) is not None for value in values)


def _filled(spoken: str, reads: str, values: dict[str, str], depth: int) -> Markup:
    """A sentence with its places filled: by what is known, else by what people wrote."""
    places = {
        name: written(value) if (found := _clause(spoken, value, depth)) is None else found
        for name, value in values.items()
    }
    return escape(reads).format(**places)


def _listed(spoken: str, text: str, depth: int) -> Markup | None:
    """Several words of the program one after the other."""
    parts = [_clause(spoken, part, depth) for part in re.split("[、，；]", text)]
    known = [part for part in parts if part is not None]
    return Markup(", ").join(known) if 1 < len(parts) == len(known) else None


def _clause(spoken: str, text: str, depth: int) -> Markup | None:
    """A text, or a sentence that lost its full stop where it became part of another."""
    if (found := _spoken(spoken, text, depth + 1)) is not None or text.endswith("。"):
        return found
    ended = _spoken(spoken, f"{text}。", depth + 1)
    return None if ended is None else Markup(ended.removesuffix("."))  # noqa: S704 - it was markup


def install(app: Flask) -> None:
    """Let templates say so."""
    app.jinja_env.filters.update(said=said, worded=worded, written=written, either=either)
