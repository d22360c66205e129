"""Whose is each of some records? The household or volunteer, by name and file number, with links.

The names of a whole page are read in one batch, opened for whoever may see names, and their
reading is in the access log as that of a household's page is. Who may not see names reads
the file's number and a pseudonym; who reads no cases is told nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from flask import url_for

from api.identity import READ_CASES, may
from api.language import translated
from api.personal import rows_shown
from api.queries import one_station
from api.services import services
from domain.fields import OF_RECORD, PERSON_MARK, REFERS_TO, bearing
from domain.kernel import EVENTS, KINDS, stream_id
from projections.known_people import PEOPLE, Known, known, subjects_of

NOUNS: Final = {"household": "households", "volunteer": "volunteers"}
"""Who has a page of their own, and what one must be allowed to read to see it."""
SEPARATOR: Final = "、"


@dataclass(frozen=True, slots=True)
class Whose:
    """Somebody whose record it is, as a list says it: the name, what tells them apart, the page."""

    name: str
    apart: str
    href: str


@dataclass(frozen=True, slots=True)
class People:
    """Whoever the records of a page name."""

    named: Mapping[str, Sequence[str]]
    known: Mapping[str, Known]

    def of(self, stream: str) -> list[Whose]:
        """Whose a record is; nobody where it is about nobody in particular."""
        own = [s for s in self.named.get(stream, ()) if s.partition(":")[0] in NOUNS]
        return [_whose(s, self.known[s]) for s in own if s in self.known]

    def of_record(self, kind: str, subject: str) -> list[Whose]:
        """The same by a record's kind and id."""
        return self.of(stream_id(one_station(), kind, subject))

    def of_subject(self, kind: str, identity: str) -> list[Whose]:
        """A household or volunteer itself, by its id."""
        found = self.known.get(f"{kind}:{identity}") if kind in NOUNS else None
        return [] if found is None else [_whose(f"{kind}:{identity}", found)]

    def called(self, identity: str) -> str:
        """Whoever has an id, by name; an id that is nobody's whom the caller reads as itself."""
        found = self._known_as(identity)
        return identity if found is None else called(found)

    def telling(self, text: str, records: Iterable[Mapping[str, Any]]) -> str:
        """A sentence about records with whose each is, or of which day, instead of its id."""
        for one in records:
            own = self.of_record(one["kind"], one["id"])
            names = SEPARATOR.join(f"{who.name} {who.apart}".strip() for who in own[:1])
            text = text.replace(one["id"], names or one["occurred_on"])
        return text

    def said(self, text: str | None, field: str) -> str | None:
        """A text of the audit trail with the names of those whose ids it gives."""
        if not text or field.partition(".")[0] not in _naming():
            return text
        return SEPARATOR.join(self._named(part) for part in text.split(SEPARATOR))

    def _named(self, text: str) -> str:
        kind, _, subject = text.partition("/")
        return translated(KINDS[kind].label) if subject and kind in KINDS else self.called(text)

    def _known_as(self, identity: str) -> Known | None:
        return next((k for kind in PEOPLE if (k := self.known.get(f"{kind}:{identity}"))), None)


def people_in(streams: Iterable[str], also: Iterable[str] = ()) -> People:
    """Whoever some records name, and other subjects, as far as the caller reads of them."""
    station, read = one_station(), {kind for kind, noun in NOUNS.items() if may(READ_CASES, noun)}
    if not read:
        return People({}, {})
    with services().read_models.engine.connect() as connection:
        named = {
            stream: [s for s in found if _belongs(s) in read]
            for stream, found in subjects_of(connection, station, streams).items()
        }
        others = {s for s in also if _belongs(s) in read}
        every = others.union(*named.values())
        found = known(connection, station, every)
    shown = rows_shown(list(found.values()), [one.stream for one in found.values()])
    return People(named, dict(zip(found, shown, strict=True)))


def _belongs(subject: str) -> str:
    """A person is of a household."""
    kind = subject.partition(":")[0]
    return "household" if kind == "person" else kind


def _whose(subject: str, found: Known) -> Whose:
    kind, _, identity = subject.partition(":")
    arguments: dict[str, Any] = {kind: identity}
    apart = found.number if found.name and found.number else found.community
    return Whose(called(found), apart or "", url_for(f"pages.{kind}_page", **arguments))


def called(found: Known) -> str:
    """The name of somebody, or the file's number where none is given."""
    return found.name or found.number or translated("（未写姓名）")


def apart(names: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Names by id; of two that are the same, each with what tells it from the other."""
    counts = Counter(name for name, _more in names.values())
    return {
        identity: f"{name} {more}".strip() if counts[name] > 1 else name
        for identity, (name, more) in names.items()
    }


@cache
def _naming() -> frozenset[str]:
    """The fields by which some event names somebody, or a record."""
    return frozenset(
        name for event in EVENTS.values() for mark in (REFERS_TO, PERSON_MARK, OF_RECORD)
        for name, _marks in bearing(event, mark)
    )


def with_names(rows: Sequence[dict[str, Any]], people: People) -> list[dict[str, Any]]:
    """Rows of the audit trail that say names where events say ids."""
    return [row | {"changes": [_with_names(c, people) for c in row["changes"]]} for row in rows]


def _with_names(change: dict[str, Any], people: People) -> dict[str, Any]:
    sides = {side: people.said(change[side], change["field"]) for side in ("before", "after")}
    return change | sides
