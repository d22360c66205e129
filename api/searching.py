"""Who is on record by a name, an ID number, a phone or an address?

Every match is exact and by keyed hashes, since what is said of persons is sealed in the
log; but for a part of a name, which is looked for among names in memory (``name_index.py``).
What is asked for is personal: it is sent in the body and stands in no address and no
log line. What was voided is not found; merged ones are found as one, each with its survivor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from domain.owners import person_owner
from projections.aliases import Aliases, aliases_at
from projections.timeline import active_streams_about

PART: Final = "name_part"
"""One or two characters of a name, its pinyin or initials."""
STRENGTH: Final = ("id_number", "phone", "address", "name", PART)
"""By what somebody can be found, the surest first."""
MARK_LABELS: Final = {"name": "姓名", "id_number": "证件号码", "phone": "电话", "address": "住址"}
MOST_FOUND: Final = 50
MOST_LIKE: Final = 200
"""So many persons with a part of a name are looked at, the nearest first."""


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


class TooManyLike(
    Refused, code="too_many_like", title="相符的人太多",
    detail="姓名中有这一部分的人太多，不能再与其他条件合并查找；请把姓名写得更全。",
):
    """A part of a name that hundreds have, together with something else that must match."""


class SoughtSchema(Schema):
    """What is known of somebody."""

    class Meta:
        """A mistyped condition is refused: ignored, it would find others."""

        unknown = RAISE

    name = _text(50, "姓名")
    id_number = _text(40, "证件号码")
    phone = _text(20, "电话")
    address = _text(200, "住址")


class PersonSoughtSchema(SoughtSchema):
    """The same, or a part of the name."""

    name_part = _text(
        50, "姓名的一部分：一两个汉字、拼音或首字母（秀兰、wangxl、wxl），只查现在的姓名"
    )


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
    nearness: int = 0
    """Its place among those with a part of a name."""

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
    is_every: bool = False, most: int = MOST_FOUND,
) -> list[Found]:
    """What somebody asked for; the access log says that they searched.

    :raises NothingToFind: without any condition.
    """
    if not said:
        raise NothingToFind
    noted(action=AccessAction.SEARCH)
    return search(connection, station, kinds, said, is_every=is_every, most=most)


def search(
    connection: Connection, station: str, kinds: Sequence[str], said: Mapping[str, str], *,
    is_every: bool = False, most: int = MOST_FOUND,
) -> list[Found]:
    """Whoever is on record at a station by one of some texts, the surest first.

    With ``is_every`` only those by whom all of them were said: a volunteer, or a person
    together with the household that lists him or her.

    :raises NamesNotReady: for a part of a name, while the station's names are being opened.
    :raises TooManyLike: for one that too many have, where something else must match as well.
    """
    like = _owners_like(station, said, is_every=is_every)
    by_mark = {m: services().runtime.keyring.owners_by(station, m, t)
               for m, t in said.items() if m != PART}
    owners: dict[str, set[str]] = {}
    for mark, found_by in (*by_mark.items(), (PART, like)):
        for owner in found_by:
            owners.setdefault(owner, set()).add(mark)
    matches = _Matches(
        connection, station, owners, frozenset(said) if is_every else frozenset(),
        aliases_at(connection, station), {owner: place for place, owner in enumerate(like)},
    )
    found = [one for kind in kinds for one in FINDERS[kind](matches)]
    return sorted(found, key=_surest_first)[:most]


def _owners_like(station: str, said: Mapping[str, str], *, is_every: bool) -> list[str]:
    """Those with a part of a name, the nearest first."""
    if PART not in said:
        return []
    found = services().names.owners_like(station, said[PART])
    if len(found) > MOST_LIKE and is_every and len(said) > 1:
        raise TooManyLike
    return found[:MOST_LIKE]


def _surest_first(found: Found) -> tuple[Any, ...]:
    marks = (mark not in found.matched for mark in STRENGTH)
    return (*marks, found.nearness, found.kind, found.id)


@dataclass(frozen=True)
class _Matches:
    """Whose texts matched; ``wanted`` are the marks that all must match.

    ``places`` are those of owners with a part of a name, the nearest first.
    """

    connection: Connection
    station: str
    owners: Mapping[str, set[str]]
    wanted: frozenset[str]
    merged: Aliases
    places: Mapping[str, int]

    def nearness(self, owners: Iterable[str]) -> int:
        """The place of the nearest of some owners."""
        return min((self.places[o] for o in owners if o in self.places), default=MOST_LIKE)

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
    near = matches.nearness(person_owner(matches.station, person) for person in suiting)
    for file, persons in files.items():
        yield Found(
            "household", file, _in_order(marks), persons=tuple(sorted(suiting & set(persons))),
            merged_into=matches.survivor("household", file), nearness=near,
        )


def _persons(matches: _Matches) -> Iterator[Found]:
    """The persons found; one whose every record was voided is not among them."""
    for person, marks in matches.of_person.items():
        if matches.suits(marks):
            homes = tuple(home for listed, home in matches.listings if listed == person)
            yield Found(
                "person", person, _in_order(marks), households=homes,
                merged_into=matches.survivor("person", person),
                nearness=matches.nearness([person_owner(matches.station, person)]),
            )


def _volunteers(matches: _Matches) -> Iterator[Found]:
    for volunteer, marks in matches.standing("volunteer").items():
        if matches.suits(marks):
            owner = stream_id(matches.station, "volunteer", volunteer)
            near = matches.nearness([owner])
            yield Found("volunteer", volunteer, _in_order(marks), nearness=near)


FINDERS: Final[Mapping[str, Callable[[_Matches], Iterator[Found]]]] = {
    "household": _households, "person": _persons, "volunteer": _volunteers,
}


def _in_order(marks: set[str]) -> tuple[str, ...]:
    return tuple(mark for mark in STRENGTH if mark in marks)
