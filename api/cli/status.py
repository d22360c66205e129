"""How is the service doing? ``taizhang status`` answers also when parts of it are away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from api.cli.common import json_option, needs_ledger, print_json, read_settings
from domain.kernel import STATION_TIME
from workers import verdicts
from workers.queues import QueuesState, Wakeups
from workers.runtime import Runtime
from workers.sealing import SealState
from workers.service import ServiceInfo, running
from workers.settings import Settings


@dataclass(frozen=True, slots=True)
class ProjectionStatus:
    """How far a projection has come; ``behind`` counts events not yet taken in."""

    name: str
    label: str
    position: int
    behind: int
    parked: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the service. ``service`` is ``None`` where it does not run here."""

    home: str
    head: int
    projections: list[ProjectionStatus]
    seal: SealState
    queues: QueuesState
    service: ServiceInfo | None


@click.command
@json_option
def status(*, as_json: bool) -> None:
    """显示台账、统计、队列和进程的状态。"""
    settings = read_settings()
    needs_ledger(settings)
    found = look(settings)
    if as_json:
        print_json(found)
    else:
        show(found)


def look(settings: Settings) -> Status:
    """The state of everything; Redis may be away."""
    runtime = Runtime(settings)
    try:
        head = runtime.ledger.head()
        projections = [
            ProjectionStatus(
                c.name, c.label, c.position, max(head - c.position, 0), c.parked, c.updated_at
            )
            for c in runtime.read_models.checkpoints()
        ]
        seal = runtime.sealer.state()
    finally:
        runtime.close()
    service = running(settings)
    wakeups = Wakeups(_redis_url(settings, service))
    queues = wakeups.state()
    wakeups.close()
    return Status(str(settings.home), head, projections, seal, queues, service)


def _redis_url(settings: Settings, service: ServiceInfo | None) -> str | None:
    """The Redis that the settings name, or the one that the running service started."""
    if settings.redis_url or service is None:
        return settings.redis_url
    return service.redis_url


def show(found: Status) -> None:
    """Print the state for people."""
    console = Console(highlight=False, soft_wrap=True)
    address = found.service.address if found.service else "未运行"
    console.print(f"数据目录  {found.home}\n服务      {address}\n记录      {found.head} 条")
    table = Table("统计", "已处理到", "落后", "搁置", "更新时间", box=None, pad_edge=False)
    for p in found.projections:
        when = p.updated_at.astimezone(STATION_TIME).strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(p.label, str(p.position), str(p.behind), str(p.parked), when)
    console.print(table)
    _show_seal(console, found.seal)
    if wrong := verdicts.alarm(Path(found.home), verdicts.EVIDENCE):
        console.print(f"佐证文件  ✗ {wrong}；请运行 taizhang verify", markup=False)
    queues = found.queues
    console.print(f"队列      {queues.server or '无法访问（记录不受影响，统计稍后补上）'}")
    for queue in queues.queues:
        console.print(
            f"  {queue.name}：等待 {queue.waiting}，进行中 {queue.running}，失败 {queue.failed}"
        )
    for worker in queues.workers:
        console.print(f"  进程 {worker.name}：{worker.state}（{'、'.join(worker.queues)}）")
    for job in queues.jobs:
        console.print(f"  任务 {job.id}：{job.status} {job.done}/{job.total}")


def _show_seal(console: Console, seal: SealState) -> None:
    if seal.alarm is not None:
        console.print(f"存证      ✗ 已停止：{seal.alarm}；请运行 taizhang verify", markup=False)
    elif seal.sealed_at is None:
        console.print(f"存证      尚无检查点，未存证 {seal.unsealed}")
    else:
        when = seal.sealed_at.astimezone(STATION_TIME).strftime("%Y-%m-%d %H:%M:%S")
        console.print(f"存证      第 {seal.size} 条（{when}），未存证 {seal.unsealed}")
    if seal.verified_at is not None:
        when = seal.verified_at.astimezone(STATION_TIME).strftime("%Y-%m-%d %H:%M:%S")
        console.print(f"          上次核对全部记录：{when}")
