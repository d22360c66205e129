"""What does what a lost wake-up left undone? The sweep, every two seconds."""

from __future__ import annotations

import structlog

from workers.jobs.advance import catch_up
from workers.jobs.seal import ask_where_unsealed

log = structlog.get_logger(__name__)


def sweep() -> None:
    """Advance every projection, have the rest sealed, and say where there was something to do."""
    behind = catch_up()
    if behind > 0:
        log.info("the sweep found events that no wake-up had announced", behind=behind)
    ask_where_unsealed()
