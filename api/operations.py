"""Is the service well? Health, readiness, metrics, and rebuilding."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from flask import Flask, Response, current_app, g, jsonify, request
from marshmallow import Schema
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from sqlalchemy.exc import SQLAlchemyError

from api.bodies import Blueprint
from api.identity import OPERATE, PUBLIC, action, caller
from api.operations_data import operations_data
from api.problems import WAIT_SECONDS, NotYetProjected
from api.services import Services, services
from domain.kernel import Refused
from domain.vocabulary import Role
from projections.catalog import PARTS
from projections.engine import ReadModels
from workers import verdicts

operations = Blueprint("operations", __name__, description="运行")

Nothing: Final = Schema.from_dict({}, name="Nothing")
"""The body of what needs no more said."""
ALL: Final = "all"
"""Instead of a name: every read model."""
LAG_LIMIT: Final = 10_000
"""Events behind which the service still counts as ready."""


class UnknownProjection(
    Refused, code="unknown_projection", status=404, title="没有这个读模型",
    detail="没有名为“{got}”的读模型，可用：{choices}。",
):
    """A projection that does not exist."""


class SharedReadModels(
    Refused, code="shared_read_models", status=403, title="须由管理员重建",
    detail="这里的统计由几个社工站共用，重建会影响各站，须由管理员办理。",
):
    """Whoever is of one station makes no read model anew that others share."""


class UnknownJob(
    Refused, code="unknown_job", status=404, title="没有这个任务",
    detail="没有编号为“{got}”的任务，或它已过期。",
):
    """A job that is unknown or forgotten."""


@operations.route("/healthz")
@action(PUBLIC)
@operations.response(200)
def healthz() -> dict[str, str]:
    """进程是否活着。"""
    return {"status": "ok"}


@operations.route("/readyz")
@action(PUBLIC)
def readyz() -> Response:
    """能否服务：台账、读模型、队列、落后多少。"""
    checks = [*_checks(services())]
    is_ready = all(check["ok"] for check in checks if check["is_needed"])
    answer = jsonify({"ready": is_ready, "checks": checks})
    answer.status_code = 200 if is_ready else 503
    return answer


def _checks(found: Services) -> Iterator[dict[str, Any]]:
    """Each part: Redis is not needed, since writing and reading go on without it."""
    head = -1
    try:
        head = found.ledger.head()
    except Exception as error:  # noqa: BLE001 - whatever keeps it from answering
        yield _check("ledger", ok=False, detail=type(error).__name__)
    else:
        yield _check("ledger", ok=True, detail=f"{head}")
    try:
        behind = head - found.read_models.position()
        yield _check("read_models", ok=behind <= LAG_LIMIT, detail=f"落后 {behind}")
    except SQLAlchemyError as error:
        yield _check("read_models", ok=False, detail=type(error).__name__)
    yield _sealed(found)
    wrong = verdicts.alarm(found.settings.home, verdicts.EVIDENCE)
    yield _check("evidence", ok=wrong is None, detail=wrong or "文件齐全", is_needed=False)
    server = found.wakeups.state().server
    yield _check("redis", ok=server is not None, detail=server or "无法访问", is_needed=False)


def _sealed(found: Services) -> dict[str, Any]:
    """The sealing: an alarm does not stop the recording, and must be seen."""
    try:
        state = found.runtime.sealer.kept_state()
    except Exception as error:  # noqa: BLE001 - whatever keeps it from answering
        return _check("seal", ok=False, detail=type(error).__name__, is_needed=False)
    detail = state.alarm or f"存证到 {state.position}，未存证 {state.unsealed}"
    return _check("seal", ok=state.alarm is None, detail=detail, is_needed=False)


def _check(name: str, *, ok: bool, detail: str, is_needed: bool = True) -> dict[str, Any]:
    return {"name": name, "ok": ok, "detail": detail, "is_needed": is_needed}


# ---- metrics ----


class LedgerCollector:
    """Reads the log's head, positions and queues when Prometheus asks."""

    def __init__(self, found: Services) -> None:
        """Collect from these services."""
        self._services = found

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges of this moment."""
        head = self._services.ledger.head()
        yield GaugeMetricFamily("taizhang_log_head", "Position of the newest event", head)
        gauges = {
            "position": GaugeMetricFamily(
                "taizhang_projection_position", "Last event taken in", labels=["projection"]
            ),
            "lag": GaugeMetricFamily(
                "taizhang_projection_lag", "Events behind the log", labels=["projection"]
            ),
            "parked": GaugeMetricFamily(
                "taizhang_parked_events", "Events not taken in", labels=["projection"]
            ),
        }
        for c in self._services.read_models.checkpoints():
            gauges["position"].add_metric([c.name], c.position)
            gauges["lag"].add_metric([c.name], max(head - c.position, 0))
            gauges["parked"].add_metric([c.name], c.parked)
        yield from gauges.values()
        yield from self._seal()
        yield from self._queues()

    def _seal(self) -> Iterator[GaugeMetricFamily]:
        state = self._services.runtime.sealer.kept_state()
        yield GaugeMetricFamily("taizhang_sealed_events", "Events in the checkpoint", state.size)
        yield GaugeMetricFamily("taizhang_seal_lag", "Positions not sealed yet", state.unsealed)
        alarm = int(state.alarm is not None)
        yield GaugeMetricFamily("taizhang_seal_alarm", "The log contradicts what was sealed", alarm)

    def _queues(self) -> Iterator[GaugeMetricFamily]:
        state = self._services.wakeups.state()
        yield GaugeMetricFamily("taizhang_redis_up", "Redis answers", int(state.server is not None))
        jobs = GaugeMetricFamily(
            "taizhang_jobs", "Jobs by queue and state", labels=["queue", "state"]
        )
        for queue in state.queues:
            for name in ("waiting", "running", "failed"):
                jobs.add_metric([queue.name, name], getattr(queue, name))
        yield jobs
        yield GaugeMetricFamily("taizhang_workers", "Workers alive", len(state.workers))


def install(app: Flask, found: Services) -> None:
    """Measure each request, wait where a query asks to, and say how far behind a read is."""
    registry = CollectorRegistry()
    registry.register(LedgerCollector(found))
    seconds = Histogram(
        "taizhang_request_seconds", "Time to answer", ["method", "route", "status"],
        registry=registry,
    )
    app.extensions["taizhang_metrics"] = registry

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()
        _wait(found.read_models)

    @app.after_request
    def measured(answer: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "none"
        took = time.perf_counter() - getattr(g, "began", time.perf_counter())
        seconds.labels(request.method, route, str(answer.status_code)).observe(took)
        answer.headers["X-Request-Id"] = request.environ.get("taizhang.request_id", "")
        is_list = str(request.endpoint).endswith(".list_records")
        is_projected = is_list or request.blueprint in {"queries", "audit", "signals"}
        if is_projected and answer.status_code == 200:
            reached, head = found.read_models.position(), found.ledger.head()
            answer.headers["Taizhang-Position"] = str(reached)
            answer.headers["Taizhang-Behind"] = str(max(head - reached, 0))
        return answer


def _wait(read_models: ReadModels) -> None:
    """``at_least``: a bounded wait until one's own write can be read."""
    asked = request.args.get("at_least", type=int)
    if asked is None or request.method not in {"GET", "HEAD"} or g.get("caller") is None:
        return  # only who has shown a token may hold a thread
    if not read_models.wait_for(asked, WAIT_SECONDS):
        reached = read_models.position()
        raise NotYetProjected(seconds=WAIT_SECONDS, wanted=asked, reached=reached)


@operations.route("/metrics")
@action(PUBLIC)
def metrics() -> Response:
    """Prometheus 指标。"""
    registry = current_app.extensions["taizhang_metrics"]
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


# ---- operations ----


@operations.route("/api/v1/operations")
@action(OPERATE)
@operations.response(200)
def get_operations() -> dict[str, Any]:
    """台账位置、各读模型的位置与搁置、队列和任务。"""
    return operations_data(services())


@operations.route("/api/v1/projections/<name>/rebuild", methods=["POST"])
@action(OPERATE)
@operations.arguments(Nothing)
@operations.response(202)
def start_rebuild(_body: dict[str, Any], name: str) -> tuple[dict[str, Any], int, dict[str, str]]:
    """从台账重建一个读模型，或全部（all，分给几个任务进程）。"""
    jobs = begin_rebuild(name)
    return {"job": jobs[0], "jobs": jobs}, 202, {"Location": f"/api/v1/jobs/{jobs[0]}"}


@operations.route("/api/v1/projections/<name>/rebuild", methods=["DELETE"])
@action(OPERATE)
@operations.response(200)
def cancel_rebuild(name: str) -> dict[str, Any]:
    """放弃尚未完成的重建；现有的统计不受影响。"""
    return {"cancelled": give_up_rebuild(name)}


@operations.route("/api/v1/projections/<name>/retry", methods=["POST"])
@action(OPERATE)
@operations.arguments(Nothing)
@operations.response(202)
def start_retry(_body: dict[str, Any], name: str) -> tuple[dict[str, Any], int, dict[str, str]]:
    """再试一次一个读模型搁置的事件（修复程序后）。"""
    job = begin_retry(name)
    return {"job": job}, 202, {"Location": f"/api/v1/jobs/{job}"}


def may_rebuild() -> bool:
    """Whether who is calling may make the read models anew, which all stations here share."""
    return caller().role is Role.ADMINISTRATOR or not services().ledger.is_shared()


def _refuse_unless_own() -> None:
    """Refuse to work on the read models of other stations for one of them.

    :raises SharedReadModels: where there are others.
    """
    if not may_rebuild():
        raise SharedReadModels


def begin_rebuild(name: str) -> list[str]:
    """Start rebuilding a read model, or all of them; answers the jobs' ids.

    :raises SharedReadModels: where they are other stations' as well.
    """
    _refuse_unless_own()
    parts = PARTS if name == ALL else ((_known(name),),)
    return [services().wakeups.rebuild(*part) for part in parts]


def give_up_rebuild(name: str) -> list[str]:
    """Give up unfinished rebuilds; answers of which read models.

    :raises SharedReadModels: where they are other stations' as well.
    """
    _refuse_unless_own()
    names = ReadModels.names() if name == ALL else (_known(name),)
    return [n for n in names if services().own_read_models.cancel_rebuild(n)]


def begin_retry(name: str) -> str:
    """Start trying a read model's parked events again; answers the job's id."""
    return services().wakeups.retry(_known(name))


def _known(name: str) -> str:
    if name not in ReadModels.names():
        choices = "、".join((*ReadModels.names(), ALL))
        raise UnknownProjection(got=name[:80], choices=choices)
    return name


@operations.route("/api/v1/jobs/<job_id>")
@action(OPERATE)
@operations.response(200)
def get_job(job_id: str) -> dict[str, Any]:
    """一个任务的状态和进度。"""
    job = services().wakeups.job(job_id)
    if job is None:
        raise UnknownJob(got=job_id[:80])
    return {"id": job.id, "status": job.status, "done": job.done, "total": job.total}
