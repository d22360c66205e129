"""Is nothing lost and nothing signed twice when a sealer is killed in the middle of its work?"""

from __future__ import annotations

import pytest
from stage import Machine, until
from tampering import Log

from domain.checkpoint import signer_of
from domain.ledger import Ledger
from workers.seals import Seals
from workers.verifying import verify_log

pytestmark = pytest.mark.slow

SEALER = """
from datetime import UTC, datetime
from workers import sealing, settings
from workers.runtime import opened_ledger, sealer_of
from workers.seals import Seals
sealing.MOST = 500
here = settings.Settings.from_environment()
with opened_ledger(here) as ledger:
    sealer = sealer_of(ledger, Seals(here.database_url), here)
    while True:
        sealer.seal(datetime.now(UTC))
"""


def test_sealers_are_killed_while_others_seal_and_somebody_records(
    machine: Machine, ledger: Ledger
) -> None:
    log = Log(ledger, machine.settings.database_url)
    seals = Seals(machine.settings.database_url)
    log.append(60_000)

    def size() -> int:
        newest = seals.newest()
        return newest.size if newest else 0

    # given sealers at work beside one another, of which one is killed again and again
    machine.python("-c", SEALER)
    for _kill in range(5):
        before = size()
        victim = machine.python("-c", SEALER)
        until(lambda before=before: size() > before + 3_000, "the log has been sealed further")
        machine.kill(victim)
        log.append(700)
    until(lambda: size() == log.count, "everything is sealed")
    # then there is one chain of checkpoints over all that was recorded
    verifier = signer_of(machine.settings.sealing_key()).verifier
    verdict = verify_log(ledger, seals, verifier)
    assert verdict.is_ok, verdict.faults
    assert (verdict.events, verdict.sealed) == (log.count, log.count)
    assert verdict.checkpoints >= 100
    seals.close()
