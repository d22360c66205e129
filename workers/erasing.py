"""How is an approved erasure carried out? By destroying keys, once, as often as it takes.

The events say what is to be done; the keyring remembers in the same transaction what
was. Whoever dies between both is made good by the next sweep, and a keyring that was
restored from an older copy is brought where the log is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from domain.erasure import ErasureProposed, ErasureStatus
from domain.kernel import KINDS, Refused, UnknownRecord, stream_id, stream_kind
from domain.ledger import Ledger
from domain.vault import KeyState, plain_texts
from projections.erasures import TO_CARRY_OUT, erasure_list
from workers.erased_owners import asked_of, events_of, histories_about, owners_of, sealed_owners
from workers.evidence_files import drop_of_owners
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
        owners = sealed_owners(history)
        if stream_kind(history[0].stream) in {"household", "volunteer", "erasure"} or (
            owners - {history[0].stream}
        ):
            raise RecordNotSeparate(record=record)


def check_sealed(ledger: Ledger, stream: str) -> None:
    """Be sure that what an erasure is about was sealed when it was recorded.

    :raises TextsNotSealed: where the log was begun by a program that sealed nothing.
    """
    for name, history in histories_about(ledger, asked_of(ledger, stream)).items():
        for recorded in history:
            if any(plain_texts(said, name) for said in events_of(recorded.event)):
                raise TextsNotSealed(record=name.partition("/")[2])


# ---- carrying out ----


def _no_files(_owners: set[str]) -> None:
    """Where only a log and its keys are: there are no files to take away."""


def carry_out(
    ledger: Ledger, keyring: Keyring, stream: str, drop: Callable[[set[str]], None] = _no_files
) -> bool:
    """Do with the keys what an erasure's latest step says; false where nothing was left to do.

    ``drop`` takes away the files that erased keys open, before they are destroyed: whoever
    dies between both begins again.
    """
    change = CHANGES.get(asked_of(ledger, stream).status)
    if change is None or (stream, change) in keyring.carried_out():
        return False
    owners = set() if change is KeyState.ACTIVE else owners_of(ledger, keyring, stream)
    if change is KeyState.ERASED:
        drop(owners)
    return keyring.carry_out(stream, change, owners)


def carried_out_here(here: Runtime, stream: str) -> bool:
    """The same for the keys and files of an installation."""
    return carry_out(
        here.ledger, here.keyring, stream,
        lambda owners: drop_of_owners(here.settings, here.read_models, owners),
    )


def carry_out_all(here: Runtime) -> int:
    """Carry out whatever was approved, locked or unlocked and is not done; answers how much."""
    with here.read_models.engine.connect() as connection:
        rows = erasure_list(connection, None, statuses=[s.value for s in TO_CARRY_OUT])
    done = here.keyring.carried_out() if rows else set()
    left = [r.stream for r in rows if (r.stream, CHANGES[ErasureStatus.of(r.status)]) not in done]
    count = 0
    for stream in left:
        try:
            count += carried_out_here(here, stream)
        except Exception:  # one that fails stops no other, and is tried again by the next sweep
            log.exception("an erasure could not be carried out", stream=stream)
    if count:
        log.info("erasures that were left are carried out", count=count)
    return count
