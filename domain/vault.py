"""How are personal fields kept, so that a person can be forgotten?

What an event says of a person is sealed with that person's own data key before it is
stored and hashed. A sealed text stands in the field's place and names its mark, its
owner, the epoch of the owner's key and the version of its event; those and the stream
are authenticated with it (AES-GCM), so that it opens only where it was written. Whoever
destroys the key has made every copy of the text unreadable: in the log, in read models,
in backups taken later. Nothing here keeps an opened text.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import StrEnum
from typing import Any, Final, Protocol, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.fields import PERSON_MARK, PERSONAL, REFERS_TO, bearing, marked_values
from domain.kernel import (
    Event,
    Refused,
    Statement,
    Stream,
    stream_id,
    stream_kind,
    stream_station,
)

ERASED: Final = "（已删除）"
LOCKED: Final = "（已封存）"
NONCE_BYTES: Final = 12
_SEALED: Final = re.compile(r"⟦1:([a-z_]+):([^:⟦⟧]+):([0-9]+):([0-9]+):([0-9A-Za-z_-]+)⟧")
_ABOUT_ITSELF: Final = frozenset({"household", "volunteer"})
_REFERRED: Final = ("household", "volunteer")

T = TypeVar("T")


class PersonErased(
    Refused, code="person_erased", status=409, title="此人的信息已删除",
    detail="此人（{owner}）的个人信息已依申请删除，不能再登记其个人信息；如重新建档请使用新的编号。",
):
    """A person whose key was destroyed gets no new one."""


class PersonLocked(
    Refused, code="person_locked", status=409, title="此人的信息已封存",
    detail="此人（{owner}）的个人信息已封存，只保存而不再使用，不能登记其个人信息。",
):
    """What is locked is kept and not used."""


class SealedByHand(
    Refused, code="sealed_by_hand", title="文字中有系统专用的符号",
    detail="文字中不能含有符号 ⟦ ⟧，请删去后重新填写。",
):
    """Only the ledger seals; a sealed text that somebody sends in is no text."""


class TamperedTextError(ValueError):
    """A sealed text that does not open with its key: altered, or not where it was written."""


class KeyState(StrEnum):
    """What may be done with what a key sealed."""

    ACTIVE = "active"
    LOCKED = "locked"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class DataKey:
    """A key of an owner; an owner whose texts were erased has a new one, of the next epoch."""

    owner: str
    epoch: int
    state: KeyState
    secret: bytes


class Keys(Protocol):
    """Where data keys are: apart from the log, so that they can be destroyed."""

    def to_seal(self, owners: Collection[str]) -> Mapping[str, DataKey]:
        """The newest key of each owner, made where there is none.

        :raises PersonErased: for a person whose key was destroyed.
        :raises PersonLocked: for a person whose information is locked.
        """

    def to_open(self, owner: str, epoch: int) -> DataKey | None:
        """A key, or ``None`` where it is not (or no longer) there."""

    def read_ahead(self, owners: Collection[str]) -> None:
        """Have the keys of many owners at hand for the next moment."""

    def remember(self, texts: Collection[tuple[str, str, str]]) -> None:
        """Let owners be found by texts (owner, mark, text) that identify them."""

    def fingerprint(self, content: bytes) -> str:
        """A keyed hash: equal contents have equal ones, and it tells nothing else."""


SEARCHABLE: Final = frozenset({"name", "id_number", "phone", "address"})
"""The marks by whose texts a person can be found."""


# ---- owners ----


def person_owner(station: str, person: str) -> str:
    """Who owns what is said of one person."""
    return f"{station}/person/{person}"


def owner_of(event: Event, stream: str) -> str:
    """Who owns an event's texts that name no single person: the household as a whole.

    Such a text may speak of each of its members, so that it is gone when one of them is
    erased (``docs/decisions/0009``).
    """
    if stream_kind(stream) not in _ABOUT_ITSELF:
        references = [(kind, said) for _path, kind, said in marked_values(event, REFERS_TO)]
        for wanted in _REFERRED:
            for kind, subject in references:
                if kind == wanted:
                    return stream_id(stream_station(stream), kind, subject)
    return stream


def owners_in(event: Event, stream: str) -> set[str]:
    """Everybody whose key an event is sealed with."""
    return {owner for owner, _mark, _text in _said(event, stream)}


def _said(event: Event, stream: str) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []

    def see(text: str, mark: str, owner: str) -> str:
        found.append((owner, mark, text))
        return text

    _rewritten_event(event, stream, see)
    return found


# ---- sealing and opening ----


def is_sealed(text: str) -> bool:
    """Whether a text is sealed, or says of itself that it was erased."""
    return text.startswith("⟦") or text == ERASED


def refuse_sealed(event: Event) -> None:
    """Refuse what somebody typed that looks sealed.

    :raises SealedByHand: where it does.
    """
    for _path, _mark, text in marked_values(event, PERSONAL):
        if "⟦" in text or "⟧" in text:
            raise SealedByHand


@dataclass(frozen=True, slots=True)
class Vault:
    """Seals the personal fields of events, and opens them for whoever may read them."""

    keys: Keys

    def prepare(self, events: Collection[tuple[Event, str]]) -> None:
        """Have the keys of many events (with their streams) ready at once.

        :raises PersonErased: where one of their persons was erased.
        """
        said = [item for event, stream in events for item in _said(event, stream)]
        wanted = [item for item in said if not is_sealed(item[2])]
        if wanted:
            self.keys.to_seal({owner for owner, _mark, _text in wanted})
            self.keys.remember([item for item in wanted if item[1] in SEARCHABLE])

    def sealed(self, event: Event, stream: str, version: int) -> Event:
        """The event as it is stored; what is sealed already stays as it is.

        :raises PersonErased: where its person was erased.
        """
        wanted = {owner for owner, _mark, text in _said(event, stream) if not is_sealed(text)}
        if not wanted:
            return event
        keys = self.keys.to_seal(wanted)

        def seal(text: str, mark: str, owner: str) -> str:
            if is_sealed(text):
                return text
            key, nonce = keys[owner], secrets.token_bytes(NONCE_BYTES)
            place = _place(stream, mark, owner, str(key.epoch), str(version))
            box = nonce + AESGCM(key.secret).encrypt(nonce, text.encode(), place)
            coded = base64.urlsafe_b64encode(box).decode().rstrip("=")
            return f"⟦1:{mark}:{owner}:{key.epoch}:{version}:{coded}⟧"

        return _rewritten_event(event, stream, seal)

    def opened(self, event: Event, stream: str) -> Event:
        """The event as it was stated; what cannot be opened any more stays sealed."""
        return _rewritten_event(
            event, stream, lambda text, _mark, _owner: self._open(text, stream, ())
        )

    def opened_stream(self, stream: Stream[Any]) -> Stream[Any]:
        """A stream whose entries are as they were stated, for a decision on them."""
        entries = {
            version: replace(
                entry,
                statement=entry.statement.stating(self.opened(entry.statement.event, stream.id)),
            )
            for version, entry in stream.entries.items()
        }
        return replace(stream, entries=entries)

    def shown(self, value: T, stream: str) -> T:
        """Plain data or a row with every sealed text opened, or said to be erased or locked."""
        found: T = _walked(value, lambda text: self._open(text, stream, (ERASED, LOCKED)))
        return found

    def _open(self, text: str, stream: str, instead: tuple[str, ...]) -> str:
        """A text opened; where it cannot be, itself or what is to be read ``instead``."""
        found = _SEALED.fullmatch(text) if text.startswith("⟦") else None
        if found is None:
            return text
        mark, owner, epoch, version, coded = found.groups()
        key = self.keys.to_open(owner, int(epoch))
        if key is None or key.state is KeyState.ERASED:
            return instead[0] if instead else text
        if key.state is KeyState.LOCKED and instead:
            return instead[1]
        box = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4))
        nonce, sealed = box[:NONCE_BYTES], box[NONCE_BYTES:]
        try:
            place = _place(stream, mark, owner, epoch, version)
            return AESGCM(key.secret).decrypt(nonce, sealed, place).decode()
        except InvalidTag:
            raise TamperedTextError(f"{stream}@{version} {mark}") from None


def sealed_places(value: object) -> Iterator[tuple[str, int]]:
    """The owner and event version that each sealed text in plain data or rows names."""
    if isinstance(value, str):
        if value.startswith("⟦") and (found := _SEALED.fullmatch(value)):
            yield found.group(2), int(found.group(4))
    elif isinstance(value, dict):
        for item in value.values():
            yield from sealed_places(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from sealed_places(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for part in fields(value):
            yield from sealed_places(getattr(value, part.name))


def _place(*parts: str) -> bytes:
    """What is authenticated with a text: where it stands."""
    return "\x1f".join(parts).encode()


def _walked(value: Any, change: Callable[[str], str]) -> Any:
    match value:
        case str():
            return change(value)
        case dict():
            return {name: _walked(item, change) for name, item in value.items()}
        case list():
            return [_walked(item, change) for item in value]
        case tuple():
            return tuple(_walked(item, change) for item in value)
        case _ if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{
                part.name: _walked(getattr(value, part.name), change) for part in fields(value)
            })
        case _:
            return value


Rewrite = Callable[[str, str, str], str]
"""Given a personal text, its mark and its owner: what is to stand there."""


def _rewritten_event(event: Event, stream: str, rewrite: Rewrite) -> Event:
    """An event with every personal text rewritten, also in the statements it repeats."""
    owner, changes = owner_of(event, stream), {}
    for name in event.__struct_fields__:
        said = getattr(event, name)
        if isinstance(said, Statement):
            owner = owner_of(said.event, stream)
            inner = _rewritten_event(said.event, stream, rewrite)
            if inner is not said.event:
                changes[name] = said.stating(inner)
    if changes:
        event = msgspec.structs.replace(event, **changes)
    found: Event = _rewritten(event, stream, owner, rewrite)
    return found


def _rewritten(value: Any, stream: str, owner: str, rewrite: Rewrite) -> Any:
    struct: Any = type(value)
    for name, _marks in bearing(struct, PERSON_MARK):
        if isinstance(person := getattr(value, name), str):
            owner = person_owner(stream_station(stream), person)
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
            text = rewrite(value, mark, owner)
            return value if text == value else text
        case msgspec.Struct():
            return _rewritten(value, stream, owner, rewrite)
        case tuple():
            items = tuple(
                _rewritten_item(item, stream, owner, rewrite, mark) for item in value
            )
            same = all(new is old for new, old in zip(items, value, strict=True))
            return value if same else items
        case _:
            return value
