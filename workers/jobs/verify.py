"""When is the whole log verified? Once a day; every hour while there is an alarm.

The sealer looks at the last tile only. A change further back is found here, kept beside
the log and shown as the alarm, so that nobody has to think of ``taizhang verify``. Files
that no event of the log names are taken away on the same occasion.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from domain.checkpoint import signer_of
from domain.verdict import Verdict
from workers import runtime, verdicts
from workers.evidence_files import drop_unnamed
from workers.evidence_verifying import FileVerification, files_alarm_of
from workers.runtime import Runtime
from workers.sealing import SealBrokenError
from workers.settings import BadSettingError
from workers.verdicts import EVIDENCE, VERIFICATION, Kept
from workers.verifying import alarm_of, verify_log

EVERY: Final = timedelta(hours=23, minutes=30)
"""After which time the log is verified again; the job is handed over every hour."""

log = structlog.get_logger(__name__)


def verify() -> None:
    """Verify the log where that is due, and leave no file of evidence that it does not name."""
    here, now = runtime.current(), datetime.now(UTC)  # noqa: TID251 - a job is an edge
    _verify_where_due(here, now)
    if count := drop_unnamed(here.settings, here.ledger, here.read_models, now):
        log.info("files of evidence that nothing names are gone", count=count)


def _verify_where_due(here: Runtime, now: datetime) -> None:
    """Verify the log, and keep what was found."""
    home = here.settings.home
    last = verdicts.read(home, VERIFICATION)
    is_wrong = any(verdicts.alarm(home, name) for name in (VERIFICATION, EVIDENCE))
    is_due = last is None or is_wrong or now - last.at >= EVERY
    if not is_due or here.seals.newest() is None:
        return
    try:
        alarm, files = _found(here)
    except BadSettingError:  # without its key nothing is sealed either, which is said there
        return
    verdicts.keep(home, VERIFICATION, Kept(now, alarm))
    if alarm is not None:
        log.error("the log is not what was sealed", why=alarm)
    if files is None:  # none was looked at, so that what was found of them before stands
        return
    verdicts.keep(home, EVIDENCE, Kept(now, files_alarm_of(files)))
    if not files.is_ok:
        log.error("files of evidence are not what the log names", why=files.faults[0].detail)


def _found(here: Runtime) -> tuple[str | None, Verdict | None]:
    """What is wrong with the log, and with the files beside it where the log was read."""
    verifier = signer_of(here.settings.sealing_key()).verifier
    try:
        noted = here.sealer.noted()
    except SealBrokenError as error:
        return str(error), None
    files = Verdict(EVIDENCE)
    look = FileVerification(here.settings, here.ledger.vault, files).look
    notes = [noted] if noted else []
    return alarm_of(verify_log(here.ledger, here.seals, verifier, notes, look=look)), files
