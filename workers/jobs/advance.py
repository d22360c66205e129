"""How does a wake-up bring the read models to the head of the log?"""

from __future__ import annotations

import structlog
from rq import get_current_job

from workers import runtime
from workers.queues import WAITING_FLAG

log = structlog.get_logger(__name__)


def advance() -> None:
    """Advance every projection.

    The flag goes first: whoever appends after this line finds no flag and wakes again,
    and whatever was appended before it is read below.
    """
    job = get_current_job()
    assert job is not None
    job.connection.delete(WAITING_FLAG)
    catch_up()


def catch_up() -> int:
    """Bring every projection to the head; answers how far behind they were."""
    here = runtime.current()
    behind = here.ledger.head() - here.read_models.position()
    here.read_models.advance(here.ledger)
    return behind
