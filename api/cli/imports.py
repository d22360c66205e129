"""How does a station move in? ``taizhang import history FILE``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from api.cli.common import CommandFailedError, json_option, print_json, read_settings, talk
from workers.history import ImportResult, import_history
from workers.history.reading import history_lines
from workers.queues import Wakeups
from workers.runtime import Runtime
from workers.service import running

FAULTS_SHOWN: Final = 50


@click.group("import")
def imports() -> None:
    """导入往年的台账。"""


@imports.command
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--station", required=True, help="导入到哪个社工站（编号）。")
@click.option("--source", help="来源名称（默认为文件名）；同一来源的编号指同一户、同一人。")
@click.option("--dry-run", is_flag=True, help="只检查，不写入。")
@json_option
def history(file: Path, station: str, source: str | None, *, dry_run: bool, as_json: bool) -> None:
    """导入历史台账文件（JSON Lines，可为 .gz）；格式见 docs/history-format.md。"""
    settings = read_settings()
    settings.prepare_home()
    runtime = Runtime(settings)
    try:
        with progress_bar("检查") as progress:
            result = import_history(
                runtime.ledger, history_lines(file), station, source or file.name.split(".")[0],
                datetime.now(UTC),  # noqa: TID251 - the command line is an edge
                dry_run=dry_run, progress=progress,
            )
        is_live = _catch_up(runtime) if result.written else False
    finally:
        runtime.close()
    if as_json:
        print_json(result)
    else:
        _say(result, is_live=is_live)
    if result.fault_count:
        raise CommandFailedError(f"{result.fault_count} 行有错，没有写入任何内容")


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error; gives the function that moves it."""
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=talk, transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _catch_up(runtime: Runtime) -> bool:
    """Bring the figures up to date: by the running service, else here and now."""
    service = running(runtime.settings)
    redis_url = runtime.settings.redis_url or (service.redis_url if service else None)
    wakeups = Wakeups(redis_url)
    try:
        if service is not None and wakeups.wake():
            return True
    finally:
        wakeups.close()
    runtime.read_models.advance(runtime.ledger)
    return False


def _say(result: ImportResult, *, is_live: bool) -> None:
    for fault in result.faults[:FAULTS_SHOWN]:
        click.echo(f"第 {fault.line} 行 {fault.key} [{fault.code}] {fault.title}：{fault.detail}")
    if result.fault_count > FAULTS_SHOWN:
        talk.print(f"……另有 {result.fault_count - FAULTS_SHOWN} 处；用 --json 查看更多。")
    talk.print(
        f"共 {result.lines} 行，写入 {result.written} 条，已有 {result.repeated} 条，"
        f"有错 {result.fault_count} 行。"
    )
    if result.is_dry_run and not result.fault_count:
        talk.print(f"只检查，未写入；去掉 --dry-run 将写入 {result.acceptable} 条。")
    if result.written:
        talk.print("各项数字正由任务进程计入。" if is_live else "各项数字已是最新。")
