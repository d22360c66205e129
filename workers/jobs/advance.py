"""How does a wake-up bring the read models to the head of the log?

The job stays a moment after it has caught up: where somebody records, somebody soon
records again, and a worker that is looking sees it sooner than one that must be woken.
"""

from __future__ import annotations

import time
from typing import Final

import structlog
from rq import get_current_job

from workers import runtime
from workers.jobs.seal import ask_where_unsealed
from workers.queues import WAITING_FLAG

log = structlog.get_logger(__name__)


STAY_SECONDS: Final = 0.2
"""How long the job looks on after it found nothing new."""
MOST_SECONDS: Final = 8.0
"""When it makes room for the next job of its queue, however much is recorded.

Going from one job to the next takes some 20 ms, which whoever recorded meanwhile waits;
the supervisor waits for a job's end a little longer than this.
"""
PAUSE_SECONDS: Final = 0.001


def advance() -> None:
    """Advance every projection, and stay a moment.

    The flag goes first: whoever appends after this line finds no flag and wakes again,
    and whatever was appended before it is read below.
    """
    job = get_current_job()
    assert job is not None
    job.connection.delete(WAITING_FLAG)
    _stay()
    ask_where_unsealed()


def _stay() -> None:
    """Advance, and again whenever something new is there, until nothing came for a while."""
    here = runtime.current()
    now = time.monotonic()
    end, quiet_at = now + MOST_SECONDS, now + STAY_SECONDS
    reached = here.read_models.advance(here.ledger)
    while time.monotonic() < min(end, quiet_at):
        before, reached = reached, here.read_models.advance(here.ledger, reached)
        if reached == before:
            time.sleep(PAUSE_SECONDS)
        else:
            quiet_at = time.monotonic() + STAY_SECONDS


def catch_up() -> int:
    """Bring every projection to the head; answers how far behind they were."""
    here = runtime.current()
    behind = here.ledger.head() - here.read_models.position()
    here.read_models.advance(here.ledger)
    return behind
