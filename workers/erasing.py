"""How is an approved erasure carried out? By destroying keys, once, as often as it takes.

The events say what is to be done; the keyring remembers in the same transaction what
was. Whoever dies between both is made good by the next sweep, and a keyring that was
restored from an older copy is brought where the log is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import structlog

from domain.erasure import Erasure, ErasureProposed, ErasureStatus
from domain.fields import PERSON_MARK, PERSONAL, marked_values
from domain.household import Household
from domain.kernel import (
    KINDS,
    Event,
    Recorded,
    Refused,
    Statement,
    UnknownRecord,
    stream_id,
    stream_kind,
    stream_station,
    stream_subject,
)
from domain.ledger import Ledger, recorded_from
from domain.owners import free_text_owner, person_owner
from domain.vault import KeyState, plain_texts, sealed_places
from projections.erasures import TO_CARRY_OUT, erasure_list
from workers.keyring import Keyring
from workers.runtime import Runtime

CHANGES: Final = {
    ErasureStatus.APPROVED: KeyState.ERASED,
    ErasureStatus.LOCKED: KeyState.LOCKED,
    ErasureStatus.UNLOCKED: KeyState.ACTIVE,
}
"""What each state of an erasure makes of the keys."""

log = structlog.get_logger(__name__)


class RecordNotSeparate(
    Refused, code="record_not_separate", title="该记录的文字属于某人或某户",
    detail="记录 {record} 的文字随其所属的人或户一同删除，不能单独列出；"
    "只能列出小组、活动、月报等不属于某户的记录。",
):
    """A visit's note goes with the household that it is about."""


class TextsNotSealed(
    Refused, code="texts_not_sealed", status=409, title="早期记录未加密，无法删除",
    detail="{record} 中有未加密保存的个人信息（由 0.1.0 版写入）。记录不可更改，因此无法删除；"
    "请先按 docs/personal-data.md 把旧台账重新导入到新的台账。",
):
    """A log that was begun before texts were sealed cannot forget."""


# ---- whose keys ----


def owners_of(ledger: Ledger, keyring: Keyring, stream: str) -> set[str]:
    """Whose keys an erasure is about: the person's, and all whose texts may name the person."""
    station = stream_station(stream)
    proposal = _proposal(ledger, stream)
    found = {stream, *(f"{station}/{record}" for record in proposal.records)}
    if proposal.volunteer is not None:
        return found | {stream_id(station, "volunteer", proposal.volunteer)}
    person = str(proposal.person)
    found.add(person_owner(station, person))
    for household in households_of(ledger, station, person):
        found.add(free_text_owner(household))
        if _is_left_alone(ledger, keyring, household, person):
            found.add(household)
    return found


def households_of(ledger: Ledger, station: str, person: str) -> set[str]:
    """Every household that a person ever belonged to, whatever was corrected since."""
    prefix, needle = f"{station}/household/", f'"{person}"'.encode()
    found: set[str] = set()
    after = 0
    while page := ledger.notifications(after):
        after = page[-1].id
        for stored in page:
            name = str(stored.originator_id)
            is_candidate = name.startswith(prefix) and name not in found
            if is_candidate and needle in stored.state and _names(recorded_from(stored), person):
                found.add(name)
    return found


def _names(recorded: Recorded, person: str) -> bool:
    return any(
        text == person
        for event in _statements(recorded.event)
        for _path, _mark, text in marked_values(event, PERSON_MARK)
    )


def _statements(event: Event) -> Iterator[Event]:
    """An event, and the statements that it repeats."""
    yield event
    for name in event.__struct_fields__:
        if isinstance(said := getattr(event, name), Statement):
            yield said.event


def _is_left_alone(ledger: Ledger, keyring: Keyring, household: str, person: str) -> bool:
    """Whether nobody lives in a household but the person and whoever is erased already."""
    stream = ledger.stream(stream_station(household), "household", stream_subject(household))
    assert stream is not None
    state: Household = stream.state
    station = stream_station(household)
    others = {person_owner(station, p) for p in state.members if p != person}
    states = keyring.states_of(others)
    return all(states.get(owner) is KeyState.ERASED for owner in others)


def _proposal(ledger: Ledger, stream: str) -> ErasureProposed:
    proposal = _state(ledger, stream).proposal
    assert proposal is not None
    return proposal


def _state(ledger: Ledger, stream: str) -> Erasure:
    found = ledger.stream(stream_station(stream), "erasure", stream_subject(stream))
    if found is None:
        raise UnknownRecord(id=stream_subject(stream), kind=KINDS["erasure"].label)
    state: Erasure = found.state
    return state


# ---- before it is recorded ----


def check_proposal(ledger: Ledger, station: str, proposal: ErasureProposed) -> None:
    """Be sure that the records named with an erasure exist and own their texts.

    :raises UnknownRecord: for one that does not exist.
    :raises RecordNotSeparate: for one whose texts are a person's or a household's.
    """
    for record in proposal.records:
        kind, _, subject = record.partition("/")
        history = ledger.history(stream_id(station, kind, subject)) if kind in KINDS else []
        if not history:
            raise UnknownRecord(id=record, kind="记录")
        owners = {o for event in history for o, _v in sealed_places(_texts(event.event))}
        if stream_kind(history[0].stream) in {"household", "volunteer", "erasure"} or (
            owners - {history[0].stream}
        ):
            raise RecordNotSeparate(record=record)


def _texts(event: Event) -> list[str]:
    return [text for e in _statements(event) for _p, _m, text in marked_values(e, PERSONAL)]


def check_sealed(ledger: Ledger, stream: str) -> None:
    """Be sure that what an erasure is about was sealed when it was recorded.

    :raises TextsNotSealed: where the log was begun by a program that sealed nothing.
    """
    station, proposal = stream_station(stream), _proposal(ledger, stream)
    about = {f"{station}/{record}" for record in proposal.records}
    if proposal.volunteer is not None:
        about.add(stream_id(station, "volunteer", proposal.volunteer))
    else:
        about |= households_of(ledger, station, str(proposal.person))
    for name in sorted(about):
        for recorded in ledger.history(name):
            if any(plain_texts(e, name) for e in _statements(recorded.event)):
                raise TextsNotSealed(record=name.partition("/")[2])


# ---- carrying out ----


def carry_out(ledger: Ledger, keyring: Keyring, stream: str) -> bool:
    """Do with the keys what an erasure's latest step says; false where nothing was left to do."""
    change = CHANGES.get(_state(ledger, stream).status)
    if change is None or (stream, change) in keyring.carried_out():
        return False
    owners = set() if change is KeyState.ACTIVE else owners_of(ledger, keyring, stream)
    return keyring.carry_out(stream, change, owners)


def carry_out_all(here: Runtime) -> int:
    """Carry out whatever was approved, locked or unlocked and is not done; answers how much."""
    with here.read_models.engine.connect() as connection:
        rows = erasure_list(connection, None, statuses=[s.value for s in TO_CARRY_OUT])
    done = here.keyring.carried_out() if rows else set()
    left = [r.stream for r in rows if (r.stream, CHANGES[ErasureStatus.of(r.status)]) not in done]
    count = 0
    for stream in left:
        try:
            count += carry_out(here.ledger, here.keyring, stream)
        except Exception:  # one that fails stops no other, and is tried again by the next sweep
            log.exception("an erasure could not be carried out", stream=stream)
    if count:
        log.info("erasures that were left are carried out", count=count)
    return count
