"""Which routes has an erasure? Proposing, and what a second person decides on it."""

from __future__ import annotations

from typing import Any, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api.identity import ERASURE_DECISIONS
from api.recording import Noun
from api.services import services
from domain.erasure import (
    ERASURE,
    ErasureApproved,
    ErasureProposed,
    ErasureRefused,
    ErasureUnlocked,
)
from domain.kernel import Context, Refused, stream_id
from domain.ledger import Instruction, Receipt
from domain.record_keeping import Record
from workers.erasing import carried_out_here, check_proposal, check_sealed

log = structlog.get_logger(__name__)


def _check(instruction: Instruction, context: Context) -> None:
    """Refuse what could not be carried out."""
    if not isinstance(instruction.command, Record):
        return
    ledger = services().ledger
    match instruction.command.statement.event:
        case ErasureProposed() as proposal:
            check_proposal(ledger, context.station, proposal)
        case ErasureApproved():
            check_sealed(ledger, stream_id(context.station, ERASURE.name, instruction.subject))


def _carry_out(receipt: Receipt) -> list[dict[str, Any]]:
    """Destroy or lock the keys at once; what fails is done by the next sweep."""
    here = services().runtime
    try:
        carried_out_here(here, receipt.stream)
    except (SQLAlchemyError, Refused):
        log.exception("an erasure is left to the sweep")
        return [{
            "code": "erasure_pending", "title": "尚未执行",
            "detail": "已登记；密钥库暂时不可用，系统会自动重试，直到执行完毕。",
        }]
    return []


ERASURES: Final = Noun("erasures", ERASURE, before=_check, after=_carry_out)
ERASURES.opens(ErasureProposed)
ERASURES.takes("approval", ErasureApproved, by=ERASURE_DECISIONS)
ERASURES.takes("refusal", ErasureRefused, by=ERASURE_DECISIONS)
ERASURES.takes("unlocking", ErasureUnlocked, by=ERASURE_DECISIONS)
