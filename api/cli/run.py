"""How does one process of the service run? Hidden commands for supervisors and containers."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from workers import logs
from workers.processes import die_with_parent, run_redis, run_scheduler, run_worker
from workers.queues import QUEUES
from workers.settings import Settings

parent_option = click.option("--parent", type=int, help="随该进程一同结束。")


@click.group(hidden=True)
def run() -> None:
    """运行单个进程（供监管程序和容器使用）。"""


def _begin(parent: int | None) -> Settings:
    if parent is not None:
        die_with_parent(parent)
    settings = Settings.from_environment()
    settings.prepare_home()
    logs.configure(settings.logging_level)
    return settings


@run.command
@parent_option
@click.option("--socket", type=click.Path(path_type=Path), required=True)
def redis(parent: int | None, socket: Path) -> None:
    """内置的 Redis 协议服务。"""
    _begin(parent)
    run_redis(socket)


@run.command
@parent_option
@click.option("--queue", "queues", type=click.Choice(QUEUES), multiple=True, default=QUEUES)
def worker(parent: int | None, queues: tuple[str, ...]) -> None:
    """处理队列中的任务。"""
    sys.exit(run_worker(_begin(parent), queues))


@run.command
@parent_option
def scheduler(parent: int | None) -> None:
    """定时任务。"""
    sys.exit(run_scheduler(_begin(parent)))


@run.command
@parent_option
@click.option("--fd", type=int, help="已在监听的套接字。")
def web(parent: int | None, fd: int | None) -> None:
    """网页与接口。"""
    from api.cli.web import serve_web  # noqa: PLC0415 - Flask is no part of the other processes

    serve_web(_begin(parent), fd)
