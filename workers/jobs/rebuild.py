"""How are read models made anew in the background?"""

from __future__ import annotations

import msgspec
import structlog
from rq import get_current_job

from projections.engine import RebuildSupersededError
from workers import runtime

log = structlog.get_logger(__name__)


def rebuild(*projections: str) -> list[dict[str, object]]:
    """Rebuild some projections in one pass, with the progress on the job.

    Answers what came of each; nothing where the rebuild was cancelled meanwhile. A job
    that is tried again after its worker was killed goes on where it stopped.
    """
    job = get_current_job()
    assert job is not None

    def progress(position: int, head: int) -> None:
        job.meta.update(done=position, total=head)
        job.save_meta()  # type: ignore[no-untyped-call]

    here = runtime.current()
    claim = f"{job.id} {job.created_at.isoformat()}"
    try:
        results = here.read_models.rebuild_together(projections, here.ledger, claim, progress)
    except RebuildSupersededError as error:
        log.info("the rebuild was cancelled", projections=str(error))
        return []
    return [msgspec.to_builtins(result) for result in results]
