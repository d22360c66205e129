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
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Any, Final, Protocol, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.fields import FILE_KEY, PERSONAL, marked_values
from domain.kernel import Entry, Event, Refused, Stream, stream_kind, stream_subject
from domain.owners import rewritten_event, texts_of

ERASED: Final = "（已删除）"
LOCKED: Final = "（已封存）"
HIDDEN: Final = "（已隐去 {tag}）"
"""Shown to who may not see names; the same text has the same tag, which tells nothing else."""
OF_THE_STATION: Final = frozenset({
    "month", "report", "meeting", "training_delivered", "training_received", "supervision",
    "project", "project_review", "competition", "task_book", "brand", "indicator",
})
"""Kinds of records whose texts are about the station's work: a report is for everybody.

Their photos and sign-in sheets are not: those show and name who was there.
"""
UNREADABLE: Final = "（密钥缺失）"
"""Shown where a key is lost: its keyring was restored from a copy older than the log."""
NOT_SHOWN: Final = "（不显示）"
"""Shown in place of a file's key: whoever noted it could open a copy that should be forgotten."""
NONCE_BYTES: Final = 12
_SEALED: Final = re.compile(r"⟦1:([a-z_]+):([^:⟦⟧]+):([0-9]+):([0-9]+):([0-9A-Za-z_-]+)⟧")

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
        """A key, or ``None`` where there never was one (or it is lost)."""

    def read_ahead(self, owners: Collection[str]) -> None:
        """Have the keys of many owners at hand for the next moment."""

    def remember(self, texts: Collection[tuple[DataKey, str, str]]) -> None:
        """Let owners be found by texts (key, mark, text) that identify them."""

    def fingerprint(self, content: bytes) -> str:
        """A keyed hash: equal contents have equal ones, and it tells nothing else."""


def refuse_unless_active(key: DataKey) -> None:
    """Refuse to go on with a person who was erased or locked.

    :raises PersonErased: where the key was destroyed.
    :raises PersonLocked: where it is locked.
    """
    if key.state is KeyState.ERASED:
        raise PersonErased(owner=stream_subject(key.owner))
    if key.state is KeyState.LOCKED:
        raise PersonLocked(owner=stream_subject(key.owner))


SEARCHABLE: Final = frozenset({"name", "id_number", "phone", "address"})
"""The marks by whose texts a person can be found."""


# ---- sealing and opening ----


def is_sealed(text: str) -> bool:
    """Whether a text is sealed, or says of itself that it was erased or locked."""
    return text in {ERASED, LOCKED} or (text[:1] == "⟦" and bool(_SEALED.fullmatch(text)))


def refuse_sealed(event: Event, *texts: str) -> None:
    """Refuse what somebody typed that looks sealed, in an event or in other texts.

    :raises SealedByHand: where it does.
    """
    for text in (*(said for _path, _mark, said in marked_values(event, PERSONAL)), *texts):
        if "⟦" in text or "⟧" in text:
            raise SealedByHand


def keeping_sealed(after: Event, before: Event, stream: str) -> Event:
    """A restatement in which what was read as erased or locked stays what it was.

    Whoever corrects a record states all of it anew, also what he could not read, or was not
    shown.
    """
    kept: dict[tuple[str, str], list[str]] = {}
    for owner, mark, text in texts_of(before, stream, None):
        if is_sealed(text) or mark == FILE_KEY:
            kept.setdefault(_kept_by(owner, mark), []).append(text)

    def keep(text: str, mark: str, owner: str) -> str:
        is_unread = text in {ERASED, LOCKED, NOT_SHOWN}
        same = kept.get(_kept_by(owner, mark)) if is_unread else None
        return same.pop(0) if same else text

    return rewritten_event(after, stream, None, keep)


def _kept_by(owner: str, mark: str) -> tuple[str, str]:
    """By what a text that was not read is known again: a file has one key, whoever owns it."""
    return ("" if mark == FILE_KEY else owner, mark)


def plain_texts(event: Event, stream: str) -> list[tuple[str, str]]:
    """The owner and mark of each personal text that is stored as it was stated: in a log
    that was begun before texts were sealed.
    """
    said = texts_of(event, stream, None)
    return [(owner, mark) for owner, mark, text in said if text and not is_sealed(text)]


Stated = tuple[Event, str, Event | None]
"""An event on its way into the log: the event, its stream, the stream's first statement."""


@dataclass(frozen=True, slots=True)
class Vault:
    """Seals the personal fields of events, and opens them for whoever may read them.

    Where ``hides_names``, what is said of persons is shown as hidden, and everything else
    as it was stated.
    """

    keys: Keys
    hides_names: bool = False

    def prepare(self, stated: Collection[Stated]) -> Mapping[str, DataKey]:
        """The keys with which many events are sealed, got (or made) at once.

        :raises PersonErased: where one of their persons was erased.
        :raises PersonLocked: where one of them is locked.
        """
        stated_texts = [item for each in stated for item in texts_of(*each)]
        wanted = [item for item in stated_texts if not is_sealed(item[2])]
        if not wanted:
            return {}
        keys = self.keys.to_seal({owner for owner, _mark, _text in wanted})
        self.keys.remember(
            [(keys[owner], mark, said) for owner, mark, said in wanted if mark in SEARCHABLE]
        )
        return keys

    def sealed(
        self, stated: Stated, version: int, keys: Mapping[str, DataKey] | None = None
    ) -> Event:
        """The event as it is stored; what is sealed already stays as it is.

        :raises PersonErased: where its person was erased.
        """
        event, stream, opening = stated
        held = self.prepare([stated]) if keys is None else keys

        def seal(text: str, mark: str, owner: str) -> str:
            if is_sealed(text):
                return text
            key, nonce = held[owner], secrets.token_bytes(NONCE_BYTES)
            place = _place(stream, mark, owner, str(key.epoch), str(version))
            box = nonce + AESGCM(key.secret).encrypt(nonce, text.encode(), place)
            coded = base64.urlsafe_b64encode(box).decode().rstrip("=")
            return f"⟦1:{mark}:{owner}:{key.epoch}:{version}:{coded}⟧"

        return rewritten_event(event, stream, opening, seal)

    def opened(self, event: Event, stream: str, *, to_show: bool = False) -> Event:
        """The event as it was stated; what is locked or erased stays sealed.

        ``to_show`` says in its place that it is erased or locked.
        """
        return rewritten_event(
            event, stream, None,
            lambda text, _mark, _owner: self._open(text, stream, to_show=to_show),
        )

    def opened_stream(self, stream: Stream[Any], *, to_show: bool = False) -> Stream[Any]:
        """A stream whose entries are as they were stated: for a decision, or ``to_show``."""

        def opened(entry: Entry) -> Entry:
            event = self.opened(entry.statement.event, stream.id, to_show=to_show)
            return msgspec.structs.replace(entry, statement=entry.statement.stating(event))

        entries = {version: opened(entry) for version, entry in stream.entries.items()}
        return replace(stream, entries=entries)

    def shown(self, value: T, stream: str) -> T:
        """Plain data or a row with every sealed text opened, or said to be erased or locked."""
        found: T = _walked(value, lambda text: self._open(text, stream, to_show=True))
        return found

    def is_erased(self, text: str) -> bool:
        """Whether the key of a sealed text is destroyed; nothing is opened."""
        found = _SEALED.fullmatch(text)
        key = None if found is None else self.keys.to_open(found.group(2), int(found.group(3)))
        return key is not None and key.state is KeyState.ERASED

    def _open(self, text: str, stream: str, *, to_show: bool) -> str:
        """A text opened; where it may not be, itself or what is to be read instead."""
        found = _SEALED.fullmatch(text) if text[:1] == "⟦" else None
        if found is None:
            return text
        mark, owner, epoch, version, coded = found.groups()
        key = self.keys.to_open(owner, int(epoch))
        if key is None or key.state is not KeyState.ACTIVE:
            return _instead(key) if to_show else text
        try:
            box = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4))
            nonce, sealed = box[:NONCE_BYTES], box[NONCE_BYTES:]
            place = _place(stream, mark, owner, epoch, version)
            opened = AESGCM(key.secret).decrypt(nonce, sealed, place).decode()
        except (InvalidTag, ValueError):  # altered, or cut off
            raise TamperedTextError(f"{stream}@{version} {mark}") from None
        is_told = mark != FILE_KEY and stream_kind(owner) in OF_THE_STATION
        if to_show and self.hides_names and not is_told:
            return HIDDEN.format(tag=self.keys.fingerprint(opened.encode())[:6])
        return NOT_SHOWN if to_show and mark == FILE_KEY else opened


def _instead(key: DataKey | None) -> str:
    """What is read in place of a text that its key may not open."""
    if key is None:
        return UNREADABLE
    return LOCKED if key.state is KeyState.LOCKED else ERASED


def sealed_places(value: object) -> list[tuple[str, int]]:
    """The owner and event version that each sealed text in plain data or a row names."""
    found, left = list[tuple[str, int]](), [value]
    while left:
        part = left.pop()
        if isinstance(part, str):
            if part[:1] == "⟦" and (sealed := _SEALED.fullmatch(part)):
                found.append((sealed.group(2), int(sealed.group(4))))
        elif part is not None:
            left += _parts_of(part)
    return found


def _parts_of(value: object) -> Collection[Any]:
    """What plain data or a row is made of."""
    match value:
        case dict():
            return value.values()
        case list() | tuple():
            return value
        case _:
            kind: Any = type(value)
            return [getattr(value, name) for name in _names_of(kind)]


@cache
def _names_of(kind: Any) -> tuple[str, ...]:
    """The fields of a kind of row; none of what is no row."""
    return tuple(part.name for part in fields(kind)) if is_dataclass(kind) else ()


def _place(*parts: str) -> bytes:
    """What is authenticated with a text: where it stands."""
    return "\x1f".join(parts).encode()


def _walked(value: Any, change: Callable[[str], str]) -> Any:
    """A value with its sealed texts changed; whatever holds none is the same as before."""
    match value:
        case str() if value[:1] == "⟦":
            return change(value)
        case str() | None | int() | float() | date():
            return value
        case dict():
            return {name: _walked(item, change) for name, item in value.items()}
        case list():
            return [_walked(item, change) for item in value]
        case tuple():
            return tuple(_walked(item, change) for item in value)
        case _:
            kind: Any = type(value)
            names = _names_of(kind)
            before = [getattr(value, name) for name in names]
            after = [_walked(part, change) for part in before]
            parts = zip(names, before, after, strict=True)
            changes = {name: new for name, old, new in parts if new is not old}
            return replace(value, **changes) if changes else value
