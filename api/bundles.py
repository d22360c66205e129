"""How does a reviewer fetch the file with which he recounts an evaluation at home?

Written by a job, since the whole log is verified first; then downloaded as one file.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from flask import Response, request, send_file
from marshmallow import Schema, fields

from api.access_log import AccessAction
from api.answers import local_time
from api.bodies import Blueprint
from api.identity import AUDIT, action
from api.paging import ReadSchema
from api.personal import noted
from api.queries import one_station
from api.services import services
from domain.kernel import Refused
from projections.evaluation.cycles import stated_cycle
from projections.monthly_report import station_profile
from workers.kept_bundles import bundle_file
from workers.queues import JobState, QueueUnavailableError, bundle_job

bundles = Blueprint("bundles", __name__, url_prefix="/api/v1/bundles", description="评审导出包")


class BundleNotWritten(
    Refused, code="bundle_not_written", status=404, title="还没有导出包",
    detail="{cycle} 的导出包还没有写成，或已过期；请先用 POST /api/v1/bundles/{cycle} 导出。",
):
    """No bundle was asked for, or its file is gone."""


class BundleSchema(Schema):
    """A bundle: the job that writes it, and the file once there is one."""

    cycle = fields.String()
    status = fields.String(
        metadata={"description": "任务状态：queued、started、finished、refused、failed 等"}
    )
    problem = fields.String(allow_none=True, metadata={"description": "不能导出的原因"})
    done = fields.Integer(metadata={"description": "已读到的台账位置"})
    total = fields.Integer()
    file = fields.String(allow_none=True, metadata={"description": "下载地址；尚无文件时为空"})
    bytes = fields.Integer(allow_none=True)
    written_at = fields.String(allow_none=True)


@bundles.route("/<cycle>", methods=["POST"])
@action(AUDIT)
@bundles.arguments(Schema.from_dict({}, name="BundleAsked"))
@bundles.response(202, BundleSchema)
def start_bundle(_body: dict[str, Any], cycle: str) -> tuple[dict[str, Any], int, dict[str, str]]:
    """写出供评审离线复算的文件：全部记录（个人信息仍为密文）、口径、任务书、已发布的报告和证明。"""
    station, cycle = asked_of(cycle)
    services().wakeups.bundle(station, cycle)
    return bundle_data(station, cycle), 202, {"Location": f"/api/v1/bundles/{cycle}"}


@bundles.route("/<cycle>")
@action(AUDIT)
@bundles.arguments(ReadSchema, location="query")
@bundles.response(200, BundleSchema)
def get_bundle(_query: dict[str, Any], cycle: str) -> dict[str, Any]:
    """导出包写到哪里了，是否可以下载。"""
    return bundle_data(*asked_of(cycle))


@bundles.route("/<cycle>/file")
@action(AUDIT)
@bundles.arguments(ReadSchema, location="query")
def get_bundle_file(_query: dict[str, Any], cycle: str) -> Response:
    """下载导出包；用 taizhang evaluate 复算，用 taizhang verify 核对。"""
    station, cycle = asked_of(cycle)
    if bundle_data(station, cycle)["file"] is None:
        raise BundleNotWritten(cycle=cycle)
    try:
        content = bundle_file(services().settings, station, cycle).open("rb")
    except FileNotFoundError as error:  # it went, or is written anew, just now
        raise BundleNotWritten(cycle=cycle) from error
    try:
        noted(f"station:{station}", action=AccessAction.EXPORT)
        return _sent(content, f"{station}-{cycle}.zip")
    except BaseException:
        content.close()
        raise


def _sent(content: BinaryIO, name: str) -> Response:
    """A file that is open, and stays whole although another is put in its place meanwhile.

    With its size, so that a download cut short is noticed, and by parts where it is resumed.
    """
    about = os.fstat(content.fileno())
    answer = send_file(
        content, mimetype="application/zip", as_attachment=True, download_name=name,
        conditional=False, last_modified=about.st_mtime,
        etag=f"{about.st_ino:x}-{about.st_mtime_ns:x}-{about.st_size:x}",
    )
    answer.content_length = about.st_size
    answer.make_conditional(request.environ, accept_ranges=True, complete_length=about.st_size)
    return answer


def asked_of(cycle: str) -> tuple[str, str]:
    """The station and the cycle of a request: both exist, and so may name a file.

    :raises UnknownStation: where there is no such station.
    :raises BadCycle: for what is no project cycle.
    """
    station = one_station()
    station_profile(services().ledger, station)
    with services().read_models.engine.connect() as connection:
        stated_cycle(connection, station, cycle)
    return station, cycle


def bundle_data(station: str, cycle: str) -> dict[str, Any]:
    """How the bundle of a station and cycle stands.

    :raises BundleNotWritten: where none is on its way and none is there.
    :raises QueueUnavailableError: where Redis, which knows, is away.
    """
    about = _written(bundle_file(services().settings, station, cycle))
    job = _job(station, cycle, is_needed=about is None)
    if job is None and about is None:
        raise BundleNotWritten(cycle=cycle)
    found = job or JobState(bundle_job(station, cycle), "finished")
    problem = found.result.get("problem") if isinstance(found.result, dict) else None
    if found.status != "finished" or problem:  # what is there was asked for before
        about = None
    return {
        "cycle": cycle, "status": "refused" if problem else found.status, "problem": problem,
        "done": found.done, "total": found.total,
        "file": about and f"/api/v1/bundles/{cycle}/file",
        "bytes": about and about.st_size,
        "written_at": about and local_time(datetime.fromtimestamp(about.st_mtime, UTC)),
    }


def _written(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except FileNotFoundError:
        return None


def _job(station: str, cycle: str, *, is_needed: bool) -> JobState | None:
    try:
        return services().wakeups.job(bundle_job(station, cycle))
    except QueueUnavailableError:
        if is_needed:
            raise
        return None
