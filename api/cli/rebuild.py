"""How is a read model made anew from the log? ``taizhang rebuild``, which needs no Redis."""

from __future__ import annotations

from typing import Final

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.cli.common import (
    REFUSED,
    USAGE,
    CommandFailedError,
    json_option,
    needs_ledger,
    print_json,
    read_settings,
    talk,
)
from projections.engine import ReadModels, RebuildSupersededError, Rebuilt
from workers.runtime import Runtime

FEW: Final = 3
"""How many names a progress bar shows."""


@click.command
@click.argument("name", required=False)
@click.option("--resume", is_flag=True, help="继续上次没有完成的重建。")
@click.option("--cancel", is_flag=True, help="放弃没有完成的重建。")
@json_option
def rebuild(name: str | None, *, resume: bool, cancel: bool, as_json: bool) -> None:
    """从全部记录重新计算统计（NAME 省略时为全部）；中断后可用 --resume 继续。"""
    settings = read_settings()
    needs_ledger(settings)
    if resume and cancel:
        raise click.UsageError("--resume 和 --cancel 不能同时使用")
    known = ReadModels.names()
    if name is not None and name not in known:
        raise CommandFailedError(f"没有“{name}”这项统计；可选：{'、'.join(known)}", USAGE)
    settings.prepare_home()
    runtime = Runtime(settings)
    names = (name,) if name else known
    try:
        if cancel:
            _cancel(runtime, names)
            return
        results = _resumed(runtime, names) if resume else rebuild_all(runtime, names)
    except RebuildSupersededError as error:
        raise CommandFailedError(f"重建已被取消或由另一次重建接替：{error}", REFUSED) from error
    finally:
        runtime.close()
    if as_json:
        print_json(results)
    else:
        describe(results)


def _cancel(runtime: Runtime, names: tuple[str, ...]) -> None:
    cancelled = [name for name in names if runtime.read_models.cancel_rebuild(name)]
    click.echo(f"已放弃：{'、'.join(cancelled)}" if cancelled else "没有未完成的重建。")


def _resumed(runtime: Runtime, names: tuple[str, ...]) -> list[Rebuilt]:
    """Go on with what was left unfinished, whoever began it."""
    claims: dict[str, list[str]] = {}
    for found in runtime.read_models.rebuilds_under_way():
        if found.name in names:
            claims.setdefault(found.claim, []).append(found.name)
    if not claims:
        raise CommandFailedError("没有未完成的重建。", REFUSED)
    return [
        result
        for claim, mine in claims.items()
        for result in rebuild_all(runtime, tuple(mine), claim)
    ]


def rebuild_all(
    runtime: Runtime, names: tuple[str, ...], claim: str | None = None
) -> list[Rebuilt]:
    """Rebuild projections in one pass, with a progress bar on standard error."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )
    with Progress(*columns, console=talk, transient=True) as bars:
        bar = bars.add_task("、".join(names) if len(names) <= FEW else "全部统计", total=None)
        return runtime.read_models.rebuild_together(
            names, runtime.ledger, claim,
            lambda done, head: bars.update(bar, completed=done, total=head),
        )


def describe(results: list[Rebuilt]) -> None:
    """Say what came of each rebuild."""
    for result in results:
        differing = result.differing_rows
        compared = "此前无可比对" if differing is None else f"与此前相差 {differing} 行"
        reached = f"{result.name}：已算到第 {result.position} 条"
        click.echo(f"{reached}，{compared}，搁置 {result.parked}")
