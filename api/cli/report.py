"""What did the station do in a month? ``taizhang report`` and ``taizhang figures``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from api.cli.common import (
    CommandFailedError,
    Function,
    json_option,
    needs_ledger,
    only_station,
    print_json,
    read_settings,
    talk,
)
from api.report_data import AS_OF_HELP, KNOWN_AT_HELP, as_data, figure_data, question_of
from projections.moments import KnownAt, Moment, parse_known_at, refuse_ahead
from projections.monthly_report import MonthlyReport, report_then
from projections.standing import summed
from projections.stations import station_codes
from workers.reports import fillings, write_docx
from workers.runtime import Runtime
from workers.settings import Settings


def question(function: Function) -> Function:
    """The options that say which figures are asked for."""
    for option in (
        click.option(
            "--known-at", type=parse_known_at, metavar="时刻",
            help=f"{KNOWN_AT_HELP}。",
        ),
        click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help=f"{AS_OF_HELP}。"),
        click.option("--set", "set_code", help="指标集（默认用本站的）。"),
        click.option("--station", help="社工站编号（只有一个站时可省略）。"),
        click.option("--month", required=True, help="月份，如 2024-11。"),
    ):
        function = option(function)
    return function


@click.command
@question
@json_option
@click.option(
    "--docx", type=click.Path(dir_okay=False, path_type=Path), help="写成 Word 文件。"
)
def report(*, as_json: bool, docx: Path | None, **asked: Any) -> None:
    """生成月报。"""
    settings = read_settings()
    with _reported(settings, **asked) as found:
        if docx is not None:
            if not docx.absolute().parent.is_dir():
                raise CommandFailedError(f"目录 {docx.absolute().parent} 不存在")
            write_docx(found, docx, settings.home / "templates")
            talk.print(f"已写入 {docx}")
        if as_json:
            print_json(as_data(found))
        elif docx is None:
            _print_text(found)


@click.command
@question
@json_option
def figures(*, as_json: bool, **asked: Any) -> None:
    """列出一个月的数字。"""
    with _reported(read_settings(), **asked) as found:
        if as_json:
            rows = [figure_data(figure, found.late) for figure in found.figures]
            print_json(question_of(found) | {"indicators": rows})
        else:
            _print_figures(found)


@contextmanager
def _reported(
    settings: Settings, *, month: str, station: str | None, set_code: str | None,
    as_of: datetime | None, known_at: KnownAt | None,
) -> Iterator[MonthlyReport]:
    """The report asked for, from read models that are up to date."""
    needs_ledger(settings)
    runtime = Runtime(settings)
    try:
        refuse_ahead(known_at, runtime.ledger.head())
        runtime.read_models.advance(runtime.ledger)
        moment = Moment(as_of.date() if as_of else None, known_at)
        with summed(runtime.read_models, moment) as then:
            chosen = station or only_station(station_codes(then.connection))
            yield report_then(then, runtime.ledger, chosen, month, moment, set_code=set_code)
    finally:
        runtime.close()


def _print_figures(found: MonthlyReport) -> None:
    table = Table(title=found.title)
    table.add_column("指标")
    table.add_column("数量", justify="right")
    table.add_column("单位")
    table.add_column("补录", justify="right")
    for figure in found.figures:
        indicator = figure.indicator
        indent = "  " if indicator.part_of else ""
        behind = found.late.get(indicator.code)
        late = str(behind.late) if behind and behind.late else ""
        table.add_row(indent + indicator.label, figure.display, indicator.unit.label, late)
    Console(highlight=False).print(table)


def _print_text(found: MonthlyReport) -> None:
    filled = fillings(found)
    lines = [found.title, "", "站点简介", *filled["introduction"]]
    for section in found.sections:
        lines += ["", f"{section.number}、{section.title}"]
        lines += [filled["summary"]] if section is found.sections[0] else []
        lines += [filled["unstated"]] if section.is_empty else []
        for part in section.parts:
            if not part.is_empty:
                lines += [f"【{part.title}】"] if part.title else []
                lines += [*part.facts, *part.narrative]
    click.echo("\n".join([*lines, "", filled["imprint"]]))

