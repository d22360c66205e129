"""How is a read model made anew from the log? ``taizhang rebuild``, which needs no Redis."""

from __future__ import annotations

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.cli.common import (
    USAGE,
    CommandFailedError,
    json_option,
    needs_ledger,
    print_json,
    read_settings,
    talk,
)
from projections.engine import ReadModels, Rebuilt
from workers.runtime import Runtime


@click.command
@click.argument("name", required=False)
@json_option
def rebuild(name: str | None, *, as_json: bool) -> None:
    """从全部记录重新计算统计（NAME 省略时为全部）。"""
    settings = read_settings()
    needs_ledger(settings)
    known = ReadModels.names()
    if name is not None and name not in known:
        raise CommandFailedError(f"没有“{name}”这项统计；可选：{'、'.join(known)}", USAGE)
    settings.prepare_home()
    runtime = Runtime(settings)
    try:
        results = rebuild_all(runtime, (name,) if name else known)
    finally:
        runtime.close()
    if as_json:
        print_json(results)
    else:
        describe(results)


def rebuild_all(runtime: Runtime, names: tuple[str, ...]) -> list[Rebuilt]:
    """Rebuild projections one after another, with a progress bar on standard error."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )
    results = []
    with Progress(*columns, console=talk, transient=True) as bars:
        for name in names:
            bar = bars.add_task(name, total=None)
            results.append(
                runtime.read_models.rebuild(
                    name, runtime.ledger,
                    lambda done, head, bar=bar: bars.update(bar, completed=done, total=head),  # type: ignore[misc]
                )
            )
    return results


def describe(results: list[Rebuilt]) -> None:
    """Say what came of each rebuild."""
    for result in results:
        differing = result.differing_rows
        compared = "此前无可比对" if differing is None else f"与此前相差 {differing} 行"
        reached = f"{result.name}：已算到第 {result.position} 条"
        click.echo(f"{reached}，{compared}，搁置 {result.parked}")
