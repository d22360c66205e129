"""Whom does an event name: which households, persons, volunteers and communities?

A subject is ``household:…``, ``person:…``, ``community:…`` and so on: what timelines and the
audit trail are looked through by.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final

import msgspec

from domain.fields import COMMUNITY, PERSON_MARK, REFERS_TO, bearing
from domain.kernel import KINDS, Event, Recorded, stream_kind, stream_subject

_SUBJECT_KINDS: Final = {PERSON_MARK: "person", COMMUNITY: "community"}
"""What a mark is about; a reference says so itself."""
PEOPLE: Final = (REFERS_TO, PERSON_MARK)
EVERYTHING: Final = (*PEOPLE, COMMUNITY)


def named(value: msgspec.Struct, marks: tuple[str, ...]) -> Iterator[str]:
    """The subjects that the fields of an event with some marks name."""
    for field, mark, prefix in _naming(type(value), marks):
        found = getattr(value, field)
        if isinstance(found, str):
            yield prefix + found
        elif found:
            yield from _within(found, mark, prefix)


def _within(value: object, mark: str, prefix: str) -> Iterator[str]:
    if isinstance(value, str):
        yield prefix + value
    elif isinstance(value, tuple):
        for item in value:
            yield from _within(item, mark, prefix)
    elif isinstance(value, msgspec.Struct):
        yield from named(value, (mark,))


@cache
def _naming(struct: Any, marks: tuple[str, ...]) -> tuple[tuple[str, str, str], ...]:
    """The fields of a struct that name subjects: the field, the mark, what it is about."""
    return tuple(
        (name, mark, f"{_SUBJECT_KINDS.get(mark) or borne.get(mark)}:")
        for mark in marks
        for name, borne in bearing(struct, mark)
    )


def own_subject(stream: str) -> str:
    """What a stream itself is about: ``household:…`` of a household's."""
    return f"{stream_kind(stream)}:{stream_subject(stream)}"


def subjects(stream: str, event: Event, opening: Event | None) -> set[str]:
    """Whose timeline a record is in: its stream's own subject, and all whom it names.

    ``opening`` is the stream's first event, where later ones leave it to that.
    """
    found = {own_subject(stream), *named(event, EVERYTHING)}
    return found.union(named(opening, EVERYTHING)) if opening is not None else found


def inheriting(events: Iterable[Recorded]) -> set[str]:
    """The streams of later events that leave it to the first to say whom they are about."""
    return {e.stream for e in events if e.version > 1 and inherits(stream_kind(e.stream))}


@cache
def inherits(kind: str) -> bool:
    """Whether later events of a kind of stream leave it to the first to say so."""
    own = {"household", "volunteer", "station", "month", "merge"}
    return len(KINDS[kind].events) > 1 and kind not in own
