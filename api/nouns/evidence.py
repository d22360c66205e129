"""Which routes has evidence? Those of every record; a file's are in ``api/evidence.py``."""

from __future__ import annotations

from typing import Final

from api.recording import Noun
from api.services import services
from domain.evidence import EVIDENCE as KIND
from domain.evidence import EvidenceAttached
from domain.kernel import Context, Refused
from domain.ledger import Instruction
from domain.record_keeping import Correct
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
    """Let a correction change what a file is called, and never which it is."""
    if not isinstance(instruction.command, Correct):
        return
    stream = services().ledger.stream(context.station, KIND.name, instruction.subject)
    entry = stream.entries.get(instruction.command.entry) if stream else None
    after = instruction.command.statement.event
    if entry is None or not isinstance(after, EvidenceAttached):
        return  # the decision refuses it
    before = entry.statement.event
    is_same = all(getattr(after, name) == getattr(before, name) for name in FIXED)
    if not is_same or not (after.file_key == NOT_SHOWN or is_sealed(after.file_key)):
        raise EvidenceFixed


EVIDENCE: Final = Noun("evidence", KIND, before=_check)
