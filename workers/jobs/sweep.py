"""What brings the read models forward when a wake-up was lost? The sweep, every two seconds."""

from __future__ import annotations

import structlog

from workers.jobs.advance import catch_up

log = structlog.get_logger(__name__)


def sweep() -> None:
    """Advance every projection, and say where there was something left to do."""
    behind = catch_up()
    if behind > 0:
        log.info("the sweep found events that no wake-up had announced", behind=behind)
