"""Who is on record by a name, an ID number, a phone or an address?

Every match is exact and by keyed hashes, since what is said of persons is sealed in the
log. What is asked for is personal: it is sent in the body and stands in no address and no
log line. What was voided is not found; merged ones are found as one, each with its survivor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from flask import url_for
from marshmallow import RAISE, Schema, fields, validate
from sqlalchemy import Connection

from api.access_log import AccessAction
from api.messages import coded
from api.personal import noted
from api.services import services
from domain.kernel import Refused, stream_id, stream_kind, stream_subject
from projections.aliases import Aliases, aliases_at
from projections.timeline import active_streams_about

STRENGTH: Final = ("id_number", "phone", "address", "name")
"""By what somebody can be found, the surest first."""
MARK_LABELS: Final = {"name": "姓名", "id_number": "证件号码", "phone": "电话", "address": "住址"}
MOST_FOUND: Final = 50


class NothingToFind(
    Refused, code="nothing_to_find", title="没有写明查找条件",
    detail="请至少填写 name（姓名）、id_number（证件号码）、phone（电话）、address（住址）之一。",
):
    """A search for nothing would answer everybody."""


def _text(most: int, label: str) -> fields.String:
    return fields.String(
        validate=validate.Length(1, most, error=coded("wrong_form", f"应为 1 到 {most} 个字符")),
        metadata={"description": label},
    )


class SoughtSchema(Schema):
    """What is known of somebody."""

    class Meta:
        """A mistyped condition is refused: ignored, it would find others."""

        unknown = RAISE

    name = _text(50, "姓名")
    id_number = _text(40, "证件号码")
    phone = _text(20, "电话")
    address = _text(200, "住址")


class FoundSchema(Schema):
    """Somebody on record, with what matched; ``merged_into`` where merged since."""

    kind = fields.String(metadata={"description": "household、person 或 volunteer"})
    id = fields.String()
    matched = fields.List(fields.String(), metadata={"description": "相符的各项"})
    persons = fields.List(fields.String(), metadata={"description": "相符的成员"})
    households = fields.List(fields.String(), metadata={"description": "列有此人的户"})
    merged_into = fields.String(allow_none=True)
    href = fields.String(allow_none=True)


class FoundListSchema(Schema):
    """Whoever was found, the surest first."""

    items = fields.List(fields.Nested(FoundSchema))


@dataclass(frozen=True, slots=True)
class Found:
    """A household, person or volunteer on record, and by what it was found."""

    kind: str
    id: str
    matched: tuple[str, ...]
    persons: tuple[str, ...] = ()
    households: tuple[str, ...] = ()
    merged_into: str | None = None

    def as_data(self) -> dict[str, Any]:
        """As the API gives it."""
        noted(f"{self.kind}:{self.id}", action=AccessAction.SEARCH)
        href = None
        if self.kind != "person":
            href = url_for(f"{self.kind}s.get_record", subject=self.id)
        return {
            "kind": self.kind, "id": self.id, "matched": self.matched,
            "persons": self.persons, "households": self.households,
            "merged_into": self.merged_into, "href": href,
        }


def asked(
    connection: Connection, station: str, kinds: Sequence[str], said: Mapping[str, str], *,
    is_every: bool = False,
) -> list[Found]:
    """What somebody asked for; the access log says that they searched.

    :raises NothingToFind: without any condition.
    """
    if not said:
        raise NothingToFind
    noted(action=AccessAction.SEARCH)
    return search(connection, station, kinds, said, is_every=is_every)


def search(
    connection: Connection, station: str, kinds: Sequence[str], said: Mapping[str, str], *,
    is_every: bool = False,
) -> list[Found]:
    """Whoever is on record at a station by one of some texts, the surest first.

    With ``is_every`` only those by whom all of them were said: a volunteer, or a person
    together with the household that lists him or her.
    """
    owners: dict[str, set[str]] = {}
    for mark in STRENGTH:
        if mark in said:
            for owner in services().runtime.keyring.owners_by(station, mark, said[mark]):
                owners.setdefault(owner, set()).add(mark)
    wanted = frozenset(said) if is_every else frozenset()
    matches = _Matches(connection, station, owners, wanted, aliases_at(connection, station))
    found = [one for kind in kinds for one in FINDERS[kind](matches)]
    return sorted(found, key=_surest_first)[:MOST_FOUND]


def _surest_first(found: Found) -> tuple[Any, ...]:
    return (*(mark not in found.matched for mark in STRENGTH), found.kind, found.id)


@dataclass(frozen=True)
class _Matches:
    """Whose texts matched; ``wanted`` are the marks that all must match."""

    connection: Connection
    station: str
    owners: Mapping[str, set[str]]
    wanted: frozenset[str]
    merged: Aliases

    def suits(self, marks: set[str]) -> bool:
        """Whether everything that is wanted matched."""
        return self.wanted <= marks

    def by_kind(self, kind: str) -> dict[str, set[str]]:
        """The marks by which those of a kind were found."""
        return {stream_subject(o): m for o, m in self.owners.items() if stream_kind(o) == kind}

    def standing(self, kind: str) -> dict[str, set[str]]:
        """Those that were found and whose registration was not voided."""
        found = self.by_kind(kind)
        streams = {stream_id(self.station, kind, subject): subject for subject in found}
        named = [f"{kind}:{subject}" for subject in found]
        standing = active_streams_about(self.connection, self.station, kind, named)
        return {streams[s]: found[streams[s]] for _subject, s in standing if s in streams}

    @cached_property
    def listings(self) -> list[tuple[str, str]]:
        """The households whose records name the persons found: (person, household)."""
        named = [f"person:{person}" for person in self.by_kind("person")]
        found = active_streams_about(self.connection, self.station, "household", named)
        return [(subject.partition(":")[2], stream_subject(stream)) for subject, stream in found]

    @cached_property
    def of_person(self) -> dict[str, set[str]]:
        """The marks of every person who is listed, by whichever id they were said."""
        found = self.by_kind("person")
        listed = dict.fromkeys(person for person, _household in self.listings)
        by_root: dict[str, set[str]] = {}
        for person in listed:
            by_root.setdefault(self.merged.root("person", person), set()).update(found[person])
        return {person: by_root[self.merged.root("person", person)] for person in listed}

    def survivor(self, kind: str, subject: str) -> str | None:
        """What something was merged into."""
        root = self.merged.root(kind, subject)
        return root if root != subject else None


def _households(matches: _Matches) -> Iterator[Found]:
    """The households found by themselves, and those that list a person who was found."""
    own = matches.standing("household")
    families: dict[str, dict[str, list[str]]] = {}
    for person, household in (*((None, h) for h in own), *matches.listings):
        root = matches.merged.root("household", household)
        persons = families.setdefault(root, {}).setdefault(household, [])
        if person is not None:
            persons.append(person)
    for files in families.values():
        yield from _family(matches, own, files)


def _family(
    matches: _Matches, own: Mapping[str, set[str]], files: Mapping[str, list[str]]
) -> Iterator[Found]:
    """The files of one household; ``files`` are each with the persons found in it."""
    of_household = set[str]().union(*(own.get(file, ()) for file in files))
    suiting = {
        person
        for persons in files.values() for person in persons
        if matches.suits(of_household | matches.of_person[person])
    }
    if not (suiting or matches.suits(of_household)):
        return
    marks = of_household.union(*(matches.of_person[person] for person in suiting))
    for file, persons in files.items():
        yield Found(
            "household", file, _in_order(marks), persons=tuple(sorted(suiting & set(persons))),
            merged_into=matches.survivor("household", file),
        )


def _persons(matches: _Matches) -> Iterator[Found]:
    """The persons found; one whose every record was voided is not among them."""
    for person, marks in matches.of_person.items():
        if matches.suits(marks):
            homes = tuple(home for listed, home in matches.listings if listed == person)
            yield Found(
                "person", person, _in_order(marks), households=homes,
                merged_into=matches.survivor("person", person),
            )


def _volunteers(matches: _Matches) -> Iterator[Found]:
    for volunteer, marks in matches.standing("volunteer").items():
        if matches.suits(marks):
            yield Found("volunteer", volunteer, _in_order(marks))


FINDERS: Final[Mapping[str, Callable[[_Matches], Iterator[Found]]]] = {
    "household": _households, "person": _persons, "volunteer": _volunteers,
}


def _in_order(marks: set[str]) -> tuple[str, ...]:
    return tuple(mark for mark in STRENGTH if mark in marks)
