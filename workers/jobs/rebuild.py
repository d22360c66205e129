"""How is a read model rebuilt from zero in the background?"""

from __future__ import annotations

import msgspec
from rq import get_current_job

from workers import runtime


def rebuild(projection: str) -> dict[str, object]:
    """Rebuild a projection, with its progress on the job; answers what came of it."""
    job = get_current_job()
    assert job is not None

    def progress(position: int, head: int) -> None:
        job.meta.update(done=position, total=head)
        job.save_meta()  # type: ignore[no-untyped-call]

    here = runtime.current()
    result = msgspec.to_builtins(here.read_models.rebuild(projection, here.ledger, progress))
    assert isinstance(result, dict)
    return result
