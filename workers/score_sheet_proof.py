"""By what is a live ledger's score sheet checked: the newest checkpoint and the public key?"""

from __future__ import annotations

from domain.checkpoint import Checkpoint, signer_of
from domain.kernel import STATION_TIME
from workers import verdicts
from workers.score_sheet_tables import Proof
from workers.seals import Seals
from workers.settings import Settings
from workers.verdicts import VERIFICATION


def proof_of(settings: Settings, seals: Seals) -> Proof:
    """What the last verification of the whole log found, and what others can check by.

    :raises BadNote: where the newest checkpoint was not signed by this installation.
    """
    verdict = _last_verdict(settings)
    if not settings.has_sealing_key:
        return Proof(verdict, None, None)
    verifier, sealed = signer_of(settings.sealing_key()).verifier, seals.newest()
    newest = None if sealed is None else Checkpoint.opened(sealed.note, verifier)
    return Proof(verdict, newest, verifier)


def _last_verdict(settings: Settings) -> str:
    last = verdicts.read(settings.home, VERIFICATION)
    if last is None:
        return "尚未全库核对"
    at = f"{last.at.astimezone(STATION_TIME):%Y-%m-%d %H:%M}"
    return f"{at} 全库核对：{last.alarm or '没有发现改动'}"
