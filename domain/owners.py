"""Whose is what an event says of persons: a person's, a household's, or the record's own?

An owner is a name like a stream's: ``station/person/ID`` for one person, a household's
or volunteer's stream for what names no single person of it, else the record's stream.
Each owner has a data key of its own, so that this is also what an erasure destroys.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final, get_type_hints

import msgspec

from domain.fields import (
    OF_RECORD,
    PERSON_MARK,
    PERSONAL,
    REFERS_TO,
    bearing,
    marked_values,
)
from domain.kernel import (
    Event,
    Statement,
    stream_id,
    stream_kind,
    stream_station,
    stream_subject,
)

FREE_TEXT: Final = "#text"
"""What is added to a household's name for the owner of its free texts and its phone."""
PAIR: Final = "#"
"""What stands between a stream of merges and the two whom a reason is about."""
_ABOUT_ITSELF: Final = frozenset({"household", "volunteer", "erasure"})
_REFERRED: Final = ("household", "volunteer")


def person_owner(station: str, person: str) -> str:
    """Who owns what is said of one person."""
    return f"{station}/person/{person}"


def owner_of(event: Event, stream: str, opening: Event | None = None) -> str:
    """Who owns an event's texts: the one person that it, or its stream, is about; else the
    household or volunteer; else the record itself.

    ``opening`` is the stream's first statement: a case's session says nothing of whose
    case it is.
    """
    if stream_kind(stream) == "erasure":
        return stream
    if stream_kind(stream) == "merge":
        return _pair_of(event, stream)
    if (person := _person_of(event)) is not None:
        return person_owner(stream_station(stream), person)
    if stream_kind(stream) in _ABOUT_ITSELF:
        return stream
    if opening is not None and (person := _person_of(opening)) is not None:
        return person_owner(stream_station(stream), person)
    return _of_many(event, stream, opening)


def pair_owner(stream: str, one: str, other: str) -> str:
    """Who owns the reasons of merging two households or ids, and of taking them apart.

    They speak of both, so that they are gone when either is erased.
    """
    return stream + PAIR + "+".join(sorted((one, other)))


def _pair_of(event: Event, stream: str) -> str:
    named = [text for _path, _mark, text in marked_values(event, PERSON_MARK)]
    if not named:
        named = [subject for _path, _kind, subject in marked_values(event, REFERS_TO)]
    return pair_owner(stream, *named) if len(named) == 2 else stream


def streams_of(owner: str) -> list[str]:
    """Whose an owner's texts are, each named like a stream: of a merge's reason, both."""
    stream, _, pair = owner.partition(PAIR)
    if stream_kind(stream) != "merge" or not pair:
        return [owner.removesuffix(FREE_TEXT)]
    kind = stream_subject(stream).removesuffix("s")  # households, persons
    return [stream_id(stream_station(stream), kind, one) for one in pair.split("+")]


def _of_many(event: Event, stream: str, opening: Event | None) -> str:
    """The household or volunteer that an event or its stream is about, else the record:
    its own, or the one that it belongs to.
    """
    if stream_kind(stream) in _ABOUT_ITSELF:
        return stream
    for said in (event, opening):
        references = () if said is None else marked_values(said, REFERS_TO)
        named = {kind: subject for _path, kind, subject in references}
        for kind in _REFERRED:
            if kind in named:
                return stream_id(stream_station(stream), kind, named[kind])
    for _path, _mark, record in marked_values(event, OF_RECORD):
        return f"{stream_station(stream)}/{record}"
    return stream


def _person_of(value: Any) -> str | None:
    """The one person that an event or a part of it is about as a whole."""
    kind: Any = type(value)
    for name, marks in bearing(kind, PERSON_MARK):
        if PERSON_MARK in marks and isinstance(person := getattr(value, name), str):
            return str(person)
    return None


def free_text_owner(stream: str) -> str:
    """Who owns a household's free texts.

    They may speak of each of its members, so that they are gone when one of them is
    erased; the address stays while another member lives there (decision 0009).
    """
    return stream + FREE_TEXT


def _owner_for(owner: str, mark: str) -> str:
    is_shared = stream_kind(owner) == "household" and mark != "address"
    return free_text_owner(owner) if is_shared else owner


def texts_of(event: Event, stream: str, opening: Event | None) -> list[tuple[str, str, str]]:
    """Each personal text of an event: owner, mark, text."""
    found: list[tuple[str, str, str]] = []

    def see(text: str, mark: str, owner: str) -> str:
        found.append((owner, mark, text))
        return text

    rewritten_event(event, stream, opening, see)
    return found


# ---- rewriting ----

Rewrite = Callable[[str, str, str], str]
"""Given a personal text, its mark and its owner: what is to stand there."""


def rewritten_event(
    event: Event, stream: str, opening: Event | None, rewrite: Rewrite
) -> Event:
    """An event with every personal text rewritten, also in the statements it repeats."""
    if not bearing(type(event), PERSONAL) and not repeats(type(event)):
        return event
    owner, changes = owner_of(event, stream, opening), {}
    for name in repeats(type(event)):
        said: Statement = getattr(event, name)
        # Why a record is corrected may be said also after its person was erased.
        owner = _of_many(said.event, stream, opening)
        inner = rewritten_event(said.event, stream, opening, rewrite)
        if inner is not said.event:
            changes[name] = said.stating(inner)
    if changes:
        event = msgspec.structs.replace(event, **changes)
    found: Event = _rewritten(event, stream, owner, rewrite)
    return found


@cache
def repeats(event: Any) -> tuple[str, ...]:
    """The fields in which an event of a class repeats statements."""
    hints = get_type_hints(event)
    return tuple(name for name in event.__struct_fields__ if hints[name] is Statement)


def _rewritten(value: Any, stream: str, owner: str, rewrite: Rewrite) -> Any:
    struct: Any = type(value)
    changes = {}
    for name, marks in bearing(struct, PERSONAL):
        old = getattr(value, name)
        new = _rewritten_item(old, stream, owner, rewrite, marks.get(PERSONAL))
        if new is not old:
            changes[name] = new
    return msgspec.structs.replace(value, **changes) if changes else value


def _rewritten_item(
    value: Any, stream: str, owner: str, rewrite: Rewrite, mark: str | None
) -> Any:
    match value:
        case str() if mark is not None:
            text = rewrite(value, mark, _owner_for(owner, mark))
            return value if text == value else text
        case msgspec.Struct():
            person = _person_of(value)
            mine = owner if person is None else person_owner(stream_station(stream), person)
            return _rewritten(value, stream, mine, rewrite)
        case tuple():
            items = tuple(
                _rewritten_item(item, stream, owner, rewrite, mark) for item in value
            )
            same = all(new is old for new, old in zip(items, value, strict=True))
            return value if same else items
        case _:
            return value
