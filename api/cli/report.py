"""What did the station do in a month? ``taizhang report`` and ``taizhang figures``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from api.cli.common import (
    REFUSED,
    CommandFailedError,
    Function,
    json_option,
    needs_ledger,
    only_station,
    print_json,
    read_settings,
    talk,
)
from api.cli.difference import print_difference
from api.difference_data import difference_data
from api.publication_data import checked_data, publication_data
from api.report_data import AS_OF_HELP, KNOWN_AT_HELP, as_data, figure_data, question_of
from domain.catalog import to_builtins
from domain.ledger import Ledger
from domain.publication import ReportNotPublished
from projections.difference import difference
from projections.moments import (
    KnownAt,
    Moment,
    known_at_text,
    parse_known_at,
    refuse_ahead,
)
from projections.monthly_report import MonthlyReport, report_then
from projections.publications import publications_coded
from projections.standing import Summed, summed
from projections.stations import station_codes
from workers.published_documents import published_by, published_fillings, write_published
from workers.report_check import MOST_FILE_BYTES, Checked, Verdict, check
from workers.reports import fillings, write_docx
from workers.restatement_document import Sources
from workers.runtime import Runtime
from workers.settings import Settings

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
    settings = read_settings()
    if published:
        _published(settings, asked, docx, as_json=as_json)
        return
    with _reported(settings, **asked) as found:
        if docx is not None:
            _check_folder(docx)
            write_docx(found, docx, settings.home / "templates")
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
    with _reported(read_settings(), **asked) as found:
        if as_json:
            rows = [figure_data(figure, found.late) for figure in found.figures]
            print_json(question_of(found) | {"indicators": rows})
        else:
            _print_figures(found)


def _difference(since: KnownAt, *, as_json: bool, **asked: Any) -> None:
    """Print what changed in a month's figures since a moment of knowing."""
    with _asked(read_settings(), since, **asked) as (ledger, then, found):
        changes = difference(
            then.connection, found.station, found.indicator_set, found.period, since=since,
            until=then.known_at, as_of=then.as_of,
        )
        told = difference_data(changes, ledger, ledger.vault.shown)
    if as_json:
        print_json(question_of(found) | {"since": known_at_text(since)} | told)
    else:
        print_difference(found.title, told)


@contextmanager
def _reported(settings: Settings, **asked: Any) -> Iterator[MonthlyReport]:
    """The report asked for."""
    with _asked(settings, None, **asked) as (_ledger, _then, found):
        yield found


@contextmanager
def _asked(
    settings: Settings, since: KnownAt | None, *, month: str | None, station: str | None,
    set_code: str | None, as_of: datetime | None, known_at: KnownAt | None,
) -> Iterator[tuple[Ledger, Summed, MonthlyReport]]:
    """The report asked for, from read models that are up to date, and what it is read from."""
    period = _named(month)
    with opened(settings) as runtime:
        for moment_asked in (known_at, since):
            refuse_ahead(moment_asked, runtime.ledger.head())
        moment = Moment(as_of.date() if as_of else None, known_at)
        with summed(runtime.read_models, moment) as then:
            chosen = station or only_station(station_codes(then.connection))
            found = report_then(then, runtime.ledger, chosen, period, moment, set_code=set_code)
            yield runtime.ledger, then, found


def _named(month: str | None) -> str:
    if month is None:
        raise click.UsageError("请用 --month 指明月份，如 2024-11")
    return month


@contextmanager
def opened(settings: Settings) -> Iterator[Runtime]:
    """The ledger, and read models that are up to date."""
    needs_ledger(settings)
    runtime = Runtime(settings)
    try:
        runtime.read_models.advance(runtime.ledger)
        yield runtime
    finally:
        runtime.close()


def _published(
    settings: Settings, asked: dict[str, Any], docx: Path | None, *, as_json: bool
) -> None:
    """Print the newest publication of a period, or write its Word file."""
    period = _named(asked["month"])
    if any(asked[name] is not None for name in ("as_of", "known_at", "set_code")):
        raise click.UsageError("已发布的报告不能再指定 --as-of、--known-at 或 --set")
    with opened(settings) as runtime:
        with runtime.read_models.engine.connect() as connection:
            station = asked["station"] or only_station(station_codes(connection))
        found = sources_of(runtime).chain(station, period)
        if not found:
            raise ReportNotPublished(period=period)
        chosen = found[-1]
        if docx is not None:
            _check_folder(docx)
            write_published(chosen, docx, settings.home / "templates")
            talk.print(f"已写入 {docx}")
        if as_json:
            snapshot = runtime.ledger.vault.shown(to_builtins(chosen.snapshot), chosen.stream)
            print_json(publication_data(chosen, snapshot))
        elif docx is None:
            _print_filled(published_fillings(chosen))
            click.echo(published_by(chosen))


def sources_of(runtime: Runtime) -> Sources:
    """Where publications are read."""
    return Sources(
        runtime.ledger, runtime.settings.home / "templates", runtime.ledger.vault.shown
    )


@report.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def check_file(file: Path, *, as_json: bool) -> None:
    """核对一个 Word 文件是否就是发布的那份报告。"""
    with file.open("rb") as given:
        content = given.read(MOST_FILE_BYTES + 1)
    with opened(read_settings()) as runtime:

        def find(codes: Sequence[str]) -> list[tuple[str, str, int]]:
            with runtime.read_models.engine.connect() as connection:
                rows = publications_coded(connection, list(codes), None)
            return [(row.station, row.period, row.number) for row in rows]

        found = check(content, find, sources_of(runtime))
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
