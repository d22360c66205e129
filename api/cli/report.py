"""What did the station do in a month? ``taizhang report`` and ``taizhang figures``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from api.access_log import AccessAction
from api.cli.common import (
    REFUSED,
    CommandFailedError,
    Function,
    json_option,
    print_json,
    talk,
)
from api.cli.difference import print_difference
from api.cli.looking import Look, looking
from api.difference_data import difference_data
from api.identity import ANY_STATION
from api.publication_data import checked_data, publication_data
from api.report_data import AS_OF_HELP, KNOWN_AT_HELP, as_data, figure_data, question_of
from domain.catalog import to_builtins
from domain.publication import ReportNotPublished
from projections.difference import difference
from projections.moments import (
    KnownAt,
    Moment,
    known_at_text,
    parse_known_at,
    refuse_ahead,
)
from projections.monthly_report import MonthlyReport, report_then, unopened
from projections.publications import publications_coded
from projections.standing import Summed, summed
from workers.published_documents import published_by, published_fillings, write_published
from workers.report_check import MOST_FILE_BYTES, Checked, Verdict, check
from workers.reports import fillings, write_docx
from workers.restatement_document import Sources

PERIOD_HELP: Final = "月份，如 2024-11；也可 2024-Q4、2024-H2、2024、2024-2025。"


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
        click.option("--month", help=PERIOD_HELP),
    ):
        function = option(function)
    return function


@click.group(invoke_without_command=True)
@question
@json_option
@click.option(
    "--docx", type=click.Path(dir_okay=False, path_type=Path), help="写成 Word 文件。"
)
@click.option("--published", is_flag=True, help="已发布的那份，一如发布之时。")
@click.pass_context
def report(
    command: click.Context, /, *, as_json: bool, docx: Path | None, published: bool, **asked: Any
) -> None:
    """生成月报，或取已发布的月报；report check 核对一个 Word 文件。"""
    if command.invoked_subcommand is not None:
        return
    if published:
        _published(asked, docx, as_json=as_json)
        return
    with _asked("report", None, **asked) as (look, _then, found):
        look.log(_how(is_export=as_json or docx is not None))
        if docx is not None:
            _check_folder(docx)
            write_docx(found, docx, look.templates)
            talk.print(f"已写入 {docx}")
        if as_json:
            print_json(as_data(found))
        elif docx is None:
            _print_text(found)


def _check_folder(target: Path) -> None:
    if not target.absolute().parent.is_dir():
        raise CommandFailedError(f"目录 {target.absolute().parent} 不存在")


@click.command
@question
@json_option
@click.option(
    "--since", type=parse_known_at, metavar="时刻",
    help=f"与那时所知相比变了什么、由哪些记录引起。{KNOWN_AT_HELP}。",
)
def figures(*, as_json: bool, since: KnownAt | None, **asked: Any) -> None:
    """列出一个月的数字，或与先前所知的差别。"""
    if since is not None:
        _difference(since, as_json=as_json, **asked)
        return
    with _asked("figures", None, **asked) as (_look, _then, found):
        if as_json:
            rows = [figure_data(figure, found.late) for figure in found.figures]
            print_json(question_of(found) | {"indicators": rows})
        else:
            _print_figures(found)


def _difference(since: KnownAt, *, as_json: bool, **asked: Any) -> None:
    """Print what changed in a month's figures since a moment of knowing."""
    with _asked("figures", since, **asked) as (look, then, found):
        changes = difference(
            then.connection, found.station, found.indicator_set, found.period, since=since,
            until=then.known_at, as_of=then.as_of,
        )
        told = difference_data(changes, look.runtime.ledger, look.reading.shown)
        look.log(_how(is_export=as_json))
    if as_json:
        print_json(question_of(found) | {"since": known_at_text(since)} | told)
    else:
        print_difference(found.title, told)


@contextmanager
def _asked(
    command: str, since: KnownAt | None, *, month: str | None, station: str | None,
    set_code: str | None, as_of: datetime | None, known_at: KnownAt | None,
) -> Iterator[tuple[Look, Summed, MonthlyReport]]:
    """The report asked for, and what it is read from; ``figures`` leaves its texts sealed."""
    period = _named(month)
    with looking(command, station) as look:
        ledger = look.runtime.ledger
        for moment_asked in (known_at, since):
            refuse_ahead(moment_asked, ledger.head())
        moment = Moment(as_of.date() if as_of else None, known_at)
        with summed(look.runtime.read_models, moment) as then:
            found = report_then(
                then, ledger, look.station, period, moment, set_code=set_code,
                opened=unopened if command == "figures" else look.reading.opened,
            )
            yield look, then, found


def _how(*, is_export: bool) -> AccessAction:
    return AccessAction.EXPORT if is_export else AccessAction.READ


def _named(month: str | None) -> str:
    if month is None:
        raise click.UsageError("请用 --month 指明月份，如 2024-11")
    return month


def _published(asked: dict[str, Any], docx: Path | None, *, as_json: bool) -> None:
    """Print the newest publication of a period, or write its Word file."""
    period = _named(asked["month"])
    if any(asked[name] is not None for name in ("as_of", "known_at", "set_code")):
        raise click.UsageError("已发布的报告不能再指定 --as-of、--known-at 或 --set")
    with looking("report --published", asked["station"]) as look:
        found = sources_of(look).chain(look.station, period)
        if not found:
            raise ReportNotPublished(period=period)
        chosen = found[-1]
        snapshot = look.reading.shown(to_builtins(chosen.snapshot), chosen.stream)
        look.log(_how(is_export=as_json or docx is not None))
        if docx is not None:
            _check_folder(docx)
            write_published(chosen, docx, look.templates)
            talk.print(f"已写入 {docx}")
        if as_json:
            print_json(publication_data(chosen, snapshot))
        elif docx is None:
            _print_filled(published_fillings(chosen))
            click.echo(published_by(chosen))


def sources_of(look: Look) -> Sources:
    """Where publications are read, with the reading noted."""
    return Sources(look.runtime.ledger, look.templates, look.reading.shown)


@report.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def check_file(file: Path, *, as_json: bool) -> None:
    """核对一个 Word 文件是否就是发布的那份报告。"""
    with file.open("rb") as given:
        content = given.read(MOST_FILE_BYTES + 1)
    with looking("report check", ANY_STATION) as look:

        def find(codes: Sequence[str]) -> list[tuple[str, str, int]]:
            with look.runtime.read_models.engine.connect() as connection:
                rows = publications_coded(connection, list(codes), None)
            return [(row.station, row.period, row.number) for row in rows]

        found = check(content, find, sources_of(look), tells_reasons=True)
        if found.publication is not None:
            replace(look, station=found.publication.snapshot.station).log(AccessAction.SEARCH)
    if as_json:
        print_json(checked_data(found))
    else:
        _print_checked(found)
    if found.verdict is not Verdict.IDENTICAL:
        raise click.exceptions.Exit(REFUSED)


def _print_checked(found: Checked) -> None:
    click.echo(f"{found.verdict.label}　{'、'.join(found.codes)}".rstrip())
    if found.publication is not None:
        click.echo(f"{found.publication.snapshot.title}，{published_by(found.publication)}")
    if found.newest is not None:
        click.echo(f"注意：此后已发布更正说明 {found.newest.short_code}，现以它为准。")
    for place in found.differing:
        click.echo(f"第 {place.paragraph} 段")
        click.echo(f"  发布：{place.published if place.published is not None else '（没有）'}")
        click.echo(f"  文件：{place.given if place.given is not None else '（没有）'}")


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
    _print_filled(fillings(found))


def _print_filled(filled: dict[str, Any]) -> None:
    """Print what the Word template prints."""
    sections = filled["report"].sections
    lines = [filled["report"].title, "", "站点简介", *filled["introduction"]]
    for section in sections:
        lines += ["", f"{section.number}、{section.title}"]
        lines += [filled["summary"]] if section is sections[0] else []
        lines += [filled["unstated"]] if section.is_empty else []
        for part in section.parts:
            if not part.is_empty:
                lines += [f"【{part.title}】"] if part.title else []
                lines += [*part.facts, *part.narrative]
    click.echo("\n".join([*lines, "", filled["imprint"]]))
