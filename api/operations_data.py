"""How are the log, the read models, the jobs and the room doing? What the page and the API say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from api.answers import local_time
from api.identity import caller
from api.services import Services
from domain.kernel import stream_station
from workers import verdicts
from workers.queues import QueuesState
from workers.sealing import SealState
from workers.storage import storage_of
from workers.verdicts import BACKUP


def operations_data(found: Services) -> dict[str, Any]:
    """Everything that is known of how the service is doing."""
    head, state = found.ledger.head(), found.wakeups.state()
    backup = verdicts.read(found.settings.home, BACKUP)
    return {
        "head": head,
        "projections": list(_projections(found, head)),
        "parked": [
            {
                "projection": row.projection, "position": row.position, "stream": row.stream,
                "error": row.error, "parked_at": local_time(row.parked_at),
            }
            for row in parked_here(found)
        ],
        "rebuilds": [
            {
                "name": r.name, "done": r.position, "total": head,
                "updated_at": local_time(r.updated_at),
            }
            for r in found.read_models.rebuilds_under_way()
        ],
        "seal": seal_data(found.runtime.sealer.kept_state()),
        "evidence_alarm": verdicts.alarm(found.settings.home, verdicts.EVIDENCE),
        "backup_at": backup and local_time(backup.at),
        "storage": asdict(storage_of(found.settings, found.tokens, found.read_models.engine)),
        "listeners": found.newsroom.listeners,
        "redis": state.server,
        **_work(state),
    }


def _projections(found: Services, head: int) -> Iterator[dict[str, Any]]:
    for c in found.read_models.checkpoints():
        yield {
            "name": c.name, "label": c.label, "position": c.position,
            "behind": max(head - c.position, 0), "parked": c.parked,
            "updated_at": local_time(c.updated_at),
        }


def _work(state: QueuesState) -> dict[str, Any]:
    return {
        "queues": [
            {"name": q.name, "waiting": q.waiting, "running": q.running, "failed": q.failed}
            for q in state.queues
        ],
        "workers": [
            {"name": w.name, "state": w.state, "queues": list(w.queues)} for w in state.workers
        ],
        "jobs": [
            {"id": j.id, "status": j.status, "done": j.done, "total": j.total} for j in state.jobs
        ],
    }


def parked_here(found: Services) -> list[Any]:
    """The events that could not be taken in, of the caller's stations."""
    scope, rows = caller().scope, found.read_models.parked()
    return [row for row in rows if scope.admits(stream_station(row.stream))]


def seal_data(state: SealState) -> dict[str, Any]:
    """The newest checkpoint, what is not sealed yet, and what is wrong, if anything."""
    return {
        "size": state.size, "position": state.position, "unsealed": state.unsealed,
        "sealed_at": state.sealed_at and local_time(state.sealed_at), "alarm": state.alarm,
        "verified_at": state.verified_at and local_time(state.verified_at),
    }
