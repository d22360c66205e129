"""Is somebody whom a form is about to register on record already? Shown before, not after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from api.identity import READ_NAMES, may
from api.pages.fields import FormField
from api.pages.writing import Given, questions_of
from api.queries import one_station, status_shown
from api.searching import STRENGTH, Found, asked
from api.services import services
from domain.kernel import Event
from projections.household_status import household_status

REGISTERED: Final = {
    "household.registered": "household", "household.member_added": "household",
    "volunteer.registered": "volunteer",
}
"""By which events somebody comes on record, and as what."""
CHECKED: Final = "checked"
"""The form's word that whoever fills it in has seen who is alike."""


@dataclass(frozen=True, slots=True)
class Alike:
    """Somebody on record, and by what he or she is like the one to be registered."""

    kind: str
    id: str
    name: str
    where: str
    matched: tuple[str, ...]


def alike(
    event: type[Event], questions: Sequence[FormField], given: Given, own: str = ""
) -> list[Alike]:
    """Who on record has a name, number or phone that the form says.

    But for ``own``: the household that the form is about, or that it has made already.

    Nobody, where the form says that this was seen.
    """
    kind = REGISTERED.get(event.topic)
    if kind is None or given.first(CHECKED) or not may(READ_NAMES):
        return []
    station, found = one_station(), dict[str, Found]()
    with services().read_models.engine.connect() as connection:
        for mark, text in _said(questions, given):
            for one in asked(connection, station, [kind], {mark: text}):
                same = found.get(one.merged_into or one.id, one)
                matched = tuple(dict.fromkeys((*same.matched, mark)))
                found[one.merged_into or one.id] = Found(one.kind, one.id, matched)
                one.as_data()  # the access log names whoever was found
        found.pop(own, None)
        return [_shown(connection, station, id_, one) for id_, one in found.items()]


def _said(questions: Sequence[FormField], given: Given) -> Iterator[tuple[str, str]]:
    """What the form says by which somebody is found."""
    for one in questions_of(questions, given):
        mark, text = one.name.rpartition(".")[2], given.first(one.name).strip()
        if mark in STRENGTH and text:
            yield mark, text


def _shown(connection: Connection, station: str, identity: str, one: Found) -> Alike:
    if one.kind == "household":
        status = household_status(connection, station, identity)
        if status is not None:
            own = status_shown(station, status).household
            return Alike(one.kind, identity, own.head_name or identity, own.community, one.matched)
    return Alike(one.kind, identity, identity, "", one.matched)
