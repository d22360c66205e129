"""Which routes has evidence? Those of every record; a file's are in ``api/evidence.py``."""

from __future__ import annotations

from typing import Final

from api.recording import Noun
from api.services import services
from domain.evidence import EVIDENCE as KIND
from domain.evidence import EvidenceAttached, EvidenceOfOther, about, owner_shown
from domain.kernel import Context, Refused
from domain.ledger import Instruction
from domain.record_keeping import Correct, Reinstate
from domain.vault import NOT_SHOWN, is_sealed

FIXED: Final = ("record", "step", "media_type", "byte_count", "file")
NOT_ASKED: Final = frozenset({*FIXED, "file_key", "digest"})
"""What the form of a correction leaves as it is."""


class EvidenceFixed(
    Refused, code="evidence_fixed", status=409, title="文件不能更换",
    detail="佐证材料只能更正类别和说明；文件或所属记录有误的，请作废后重新添加。",
):
    """What was attached is what was attached."""


def _check(instruction: Instruction, context: Context) -> None:
    """Let a correction change what a file is called, and never which or whose it is."""
    command = instruction.command
    if not isinstance(command, Correct | Reinstate):
        return
    stream = services().ledger.stream(context.station, KIND.name, instruction.subject)
    entry = stream.entries.get(command.entry) if stream else None
    if entry is None or not isinstance(before := entry.statement.event, EvidenceAttached):
        return  # the decision refuses it
    if isinstance(command, Reinstate):
        _check_owner(before, context.station)
    elif isinstance(after := command.statement.event, EvidenceAttached):
        _check_same(before, after)


def _check_owner(event: EvidenceAttached, station: str) -> None:
    kind, _, subject = event.record.partition("/")
    shown = services().ledger.stream(station, kind, subject)
    if shown is not None and about(event, owner_shown(shown, event.step)) != event:
        raise EvidenceOfOther


def _check_same(before: EvidenceAttached, after: EvidenceAttached) -> None:
    is_same = all(getattr(after, name) == getattr(before, name) for name in FIXED)
    if not is_same or not (after.file_key == NOT_SHOWN or is_sealed(after.file_key)):
        raise EvidenceFixed


EVIDENCE: Final = Noun("evidence", KIND, before=_check)
