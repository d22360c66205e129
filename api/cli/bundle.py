"""What does a reviewer take home? ``taizhang bundle``: a station's events with their proof."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from api.cli.common import (
    CommandFailedError,
    json_option,
    needs_ledger,
    only_station,
    print_json,
    read_settings,
)
from api.cli.imports import progress_bar
from projections.integrity import thresholds_of
from projections.stations import station_codes
from workers.bundles import Asked, seal_and_write
from workers.runtime import Runtime, opened_ledger
from workers.sealing import SealBrokenError
from workers.seals import Seals
from workers.settings import Settings

a_day = click.DateTime(["%Y-%m-%d"])


@click.command
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--station", help="社工站编号（只有一个站时可省略）。")
@click.option("--from", "first", type=a_day, help="从哪一天的服务（省略为最早）。")
@click.option("--to", "last", type=a_day, help="到哪一天的服务（省略为最近）。")
@click.option(
    "--cycle", metavar="周期",
    help="供评审复算的项目周期，如 2024-2025：含全部记录、口径、任务书和已发布的报告。",
)
@click.option("--at", "size", type=int, help="按某一条数时的检查点（省略为先存证再取最新的）。")
@json_option
def bundle(
    file: Path, station: str | None, first: datetime | None, last: datetime | None,
    *, cycle: str | None, size: int | None, as_json: bool,
) -> None:
    """把一个社工站的记录连同证明写成一个文件 FILE，供离线核对。"""
    settings = read_settings()
    needs_ledger(settings)
    if not file.absolute().parent.is_dir():
        raise CommandFailedError(f"目录 {file.absolute().parent} 不存在")
    asked = _asked(settings, station or _only(settings), first, last, cycle)
    with opened_ledger(settings) as ledger, progress_bar("导出") as progress:
        seals = Seals(settings.database_url)
        try:
            sealed = None if size is None else seals.at(size)
            if size is not None and sealed is None:
                raise CommandFailedError(f"没有 {size} 条时的检查点")
            manifest = seal_and_write(
                file, asked, ledger, seals, settings, progress=progress, sealed=sealed,
                now=datetime.now(UTC),  # noqa: TID251 - the edge
            )
        except SealBrokenError as error:
            raise CommandFailedError(f"台账与签署过的检查点不符：{error}") from error
        finally:
            seals.close()
    if as_json:
        print_json({"file": str(file), "events": manifest.events, "size": manifest.size})
    else:
        click.echo(f"已写入 {file}：{manifest.events} 条记录，按 {manifest.size} 条时的检查点。")
        click.echo(f"核对：taizhang verify {file} --key {manifest.key}")
        if manifest.cycle is not None:
            click.echo(f"复算：taizhang evaluate {file} --key {manifest.key}")


def _only(settings: Settings) -> str:
    """The station, where there is one."""
    runtime = Runtime(settings)
    try:
        runtime.read_models.advance(runtime.ledger)
        with runtime.read_models.engine.connect() as connection:
            return only_station(station_codes(connection))
    finally:
        runtime.close()


def _asked(
    settings: Settings, station: str, first: datetime | None, last: datetime | None,
    cycle: str | None,
) -> Asked:
    if cycle is None:
        return Asked(station, first and first.date(), last and last.date())
    if first is not None or last is not None:
        raise click.UsageError("--cycle 要用到全部记录，不能与 --from、--to 同用")
    return Asked.for_evaluation(station, cycle, thresholds_of(settings.thresholds_file))
