"""How is a reviewer's bundle written in the background?"""

from __future__ import annotations

from datetime import UTC, datetime

from rq import get_current_job

from domain.kernel import Refused
from projections.integrity import thresholds_of
from workers import runtime
from workers.bundles import Asked, seal_and_write
from workers.kept_bundles import bundle_file, room_for


def bundle(station: str, cycle: str) -> dict[str, int | str]:
    """Write the bundle for a station's evaluation, with the progress on the job.

    What is refused, such as an altered log, is the job's answer: tried again it would be
    refused again.
    """
    here, now = runtime.current(), datetime.now(UTC)  # noqa: TID251 - a job is an edge
    job = get_current_job()
    assert job is not None

    def progress(position: int, end: int) -> None:
        job.meta.update(done=position, total=end)
        job.save_meta()  # type: ignore[no-untyped-call]

    limits = thresholds_of(here.settings.thresholds_file)
    file = bundle_file(here.settings, station, cycle)
    room_for(file, now)
    try:
        manifest = seal_and_write(
            file, Asked.for_evaluation(station, cycle, limits), here.ledger, here.seals,
            here.settings, now=now, progress=progress,
        )
    except Refused as refusal:
        return {"problem": str(refusal), "refused": refusal.code}
    return {"events": manifest.events, "size": manifest.size}
