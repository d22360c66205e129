"""What makes good what was lost or left undone? The sweep, every two seconds."""

from __future__ import annotations

import structlog

from workers import runtime
from workers.erasing import carry_out_all
from workers.jobs.advance import catch_up
from workers.jobs.seal import ask_where_unsealed

log = structlog.get_logger(__name__)


def sweep() -> None:
    """Advance every projection, carry out every erasure, have the rest sealed."""
    behind = catch_up()
    carry_out_all(runtime.current())
    if behind > 0:
        log.info("the sweep found events that no wake-up had announced", behind=behind)
    ask_where_unsealed()
