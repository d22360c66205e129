"""Is the service well, and what is at work? 运行: positions, parked events, jobs, room."""

from __future__ import annotations

from typing import Final

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from api.identity import OPERATE, action
from api.language import translated
from api.operations import begin_rebuild, begin_retry, give_up_rebuild, may_rebuild
from api.operations_data import operations_data
from api.pages.views import pages
from api.services import services
from projections.catalog import PROJECTIONS
from workers.queues import WAITING

JOBS: Final = {
    "rebuild": "重建", "retry": "重试搁置的事件", "evaluate": "年度评估", "bundle": "评审导出包",
}
STATUSES: Final = {
    "queued": "等待", "started": "进行中", "finished": "完成", "failed": "失败",
    "scheduled": "等待重试", "deferred": "等待", "stopped": "已停止", "canceled": "已取消",
}
WORKER_STATES: Final = {
    "started": "刚启动", "idle": "空闲", "busy": "忙", "suspended": "暂停",
    "?": "未知", "None": "未知",
}
"""What RQ says of a worker, as people read it."""
QUEUE_LABELS: Final = {"advance": "更新统计", "seal": "存证", "long": "长任务"}


@pages.route("/operations")
@action(OPERATE)
def operations() -> str:
    """Everything that is known of how the service is doing; it looks again while work goes on."""
    found = operations_data(services())
    labels = {one["name"]: one["label"] for one in found["projections"]}
    waiting = [job for job in found["jobs"] if job["status"] in WAITING]
    return render_template(
        "pages/operations.html", found=found, labels=labels, job_label=job_label,
        is_busy=bool(waiting or found["rebuilds"]), size=size, statuses=STATUSES,
        queue_labels=QUEUE_LABELS, worker_states=WORKER_STATES, may_rebuild=may_rebuild(),
    )


def job_label(job_id: str) -> str:
    """What a job does, in words, of its id, which names no station."""
    work, _, what = job_id.partition("-")
    label = translated(JOBS.get(work, work))
    named = [PROJECTIONS[name].label for name in what.split("-") if name in PROJECTIONS]
    if not named or len(named) == len(PROJECTIONS):
        return label
    return f"{label} {'、'.join(translated(name) for name in named)}"


def size(count: int) -> str:
    """Bytes as people read them."""
    amount, units = float(count), ["B", "KB", "MB", "GB", "TB"]
    while amount >= 1024 and len(units) > 1:
        amount, units = amount / 1024, units[1:]
    places = 0 if amount >= 10 or units[0] == "B" else 1
    return f"{amount:.{places}f} {units[0]}"


def _back() -> BaseResponse:
    return redirect(url_for("pages.operations"), 303)


@pages.route("/operations/rebuild", methods=["POST"])
@action(OPERATE)
def rebuild_form() -> BaseResponse:
    """Make a read model anew, or all of them, in the background."""
    begin_rebuild(request.form.get("name", ""))
    return _back()


@pages.route("/operations/<name>/cancel", methods=["POST"])
@action(OPERATE)
def cancel_form(name: str) -> BaseResponse:
    """Give up an unfinished rebuild."""
    give_up_rebuild(name)
    return _back()


@pages.route("/operations/<name>/retry", methods=["POST"])
@action(OPERATE)
def retry_form(name: str) -> BaseResponse:
    """Try a read model's parked events again, in the background."""
    begin_retry(name)
    return _back()
