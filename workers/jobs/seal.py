"""When is the log sealed? Soon after something was recorded, for all that was, and not oftener.

The advancing job and the sweep ask for it where something is not sealed yet. One seal job
is handed over in each span of some seconds, so that events are sealed together. What is
late is sealed by the next sweep; a job that is killed leaves nothing half done.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

import structlog
from rq import get_current_job

from workers import runtime
from workers.queues import ask_for_seal, enqueue_seal
from workers.sealing import SealBrokenError
from workers.settings import BadSettingError

MOST_SECONDS: Final = 0.5
"""When a long sealing makes room for the advancing jobs of its worker."""

log = structlog.get_logger(__name__)


def seal() -> None:
    """Seal what is not sealed yet, some of it now and the rest in a further job."""
    job = get_current_job()
    assert job is not None
    end, sealer = time.monotonic() + MOST_SECONDS, runtime.current().sealer
    try:
        while has_more := sealer.seal(datetime.now(UTC)):  # noqa: TID251 - a job is an edge
            if time.monotonic() >= end:
                break
    except (SealBrokenError, BadSettingError) as error:
        # Not a failed job: it would fail every few seconds. Status and readiness show it.
        log.error("the log is not sealed any more", why=str(error))  # noqa: TRY400 - says it all
    else:
        if has_more:
            enqueue_seal(job.connection)


def ask_where_unsealed() -> None:
    """Ask for a seal where something was recorded after the newest checkpoint."""
    here, job = runtime.current(), get_current_job()
    newest = here.seals.newest()
    if job is not None and here.ledger.head() > (newest.position if newest else 0):
        ask_for_seal(job.connection)
