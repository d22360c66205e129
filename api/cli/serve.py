"""How is the service started? ``taizhang serve``."""

from __future__ import annotations

import click

from api.accounts import links
from api.accounts.tables import tokens_engine
from api.assets import missing_parts
from api.cli.account import entry_address
from api.cli.common import json_option, print_json, read_settings, talk
from api.edge import now
from workers.service import ServiceInfo, run_service
from workers.settings import Settings


@click.command
@click.option("--port", type=click.IntRange(0, 65535), help="端口（默认 8000；被占用时用下一个）。")
@click.option("--host", help="监听的地址（默认 127.0.0.1，只限本机）。")
@click.option("--workers", type=click.IntRange(1, 64), help="更新统计的进程数（默认 1）。")
@json_option
def serve(port: int | None, host: str | None, workers: int | None, *, as_json: bool) -> None:
    """启动全部服务，Ctrl-C 停止。"""
    settings = read_settings(port=port, host=host, workers=workers)
    talk.print(f"正在启动，数据目录 {settings.home} …")

    def begun(info: ServiceInfo) -> None:
        (print_json if as_json else announce)(info)
        offer_first_account(settings, info)

    run_service(settings, begun)
    talk.print("已停止。")


def announce(info: ServiceInfo) -> None:
    """Say what runs, and give the address as the result."""
    describe(info)
    click.echo(info.address)
    talk.print("按 Ctrl-C 停止全部进程。")


def offer_first_account(settings: Settings, info: ServiceInfo) -> None:
    """Where nobody could let anybody in, show the link of the first administrator, once."""
    engine = tokens_engine(settings.database_url)
    made = links.first_link(engine, now())
    engine.dispose()
    if made is not None:
        talk.print("还没有管理员。请在 24 小时内打开这个一次性链接，建立第一个管理员账号：")
        talk.print(f"  {entry_address(info.address, made)}")


def describe(info: ServiceInfo) -> None:
    """Say what runs and where."""
    if info.port_taken is not None:
        talk.print(f"端口 {info.port_taken} 已被占用，改用下一个空闲端口。")
    talk.print(f"  数据库   {info.database}")
    talk.print(f"  队列     {info.redis_version}（{info.redis_source}）")
    talk.print(f"  Python   {info.python_version}")
    talk.print(f"  进程     {'、'.join(f'{n} {pid}' for n, pid in info.processes.items())}")
    talk.print(f"  日志     {info.home}/log")
    talk.print(f"  地址     {info.address}")
    _say_missing_parts()


def _say_missing_parts() -> None:
    """Say what the pages do without, and how to get it."""
    if missing := missing_parts():
        talk.print(
            f"没有前端部件（{'、'.join(missing)}）：网页照样能看、能填，"
            "只是没有图标、图表和免刷新。装上：./taizhang install"
        )
