"""What is behind a figure, and why is somebody not in it? ``taizhang explain``."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import click
from rich.table import Table

from api.access_log import AccessAction
from api.cli.common import WIDE, json_option, print_json, results, table_of
from api.cli.looking import DAY, Look, looking
from api.explaining_data import answer_data, explanation_data, question_data
from api.explaining_questions import Named, Posed, about_of, posed
from api.report_data import AS_OF_HELP, KNOWN_AT_HELP
from projections.explaining import explained, why_not
from projections.figures import EVIDENCE_LIMIT
from projections.moments import KnownAt, Moment, parse_known_at, refuse_ahead

PERIOD_HELP: Final = "期间：2024-11、2024-Q4、2024-2025，或 2024-07-01..2025-06-30。"


@click.command
@click.argument("code")
@click.option("--month", required=True, metavar="期间", help=PERIOD_HELP)
@click.option("--household", help="这一户（编号或档案号）为什么不在其中，或由什么计入。")
@click.option("--person", help="这个人为什么不在其中。")
@click.option("--volunteer", help="这名志愿者为什么不在其中。")
@click.option("--record", help="这条记录为什么不在其中：编号、种类/编号或 种类/编号/第几条。")
@click.option("--station", help="社工站编号（只有一个站时可省略）。")
@click.option("--set", "set_code", help="指标集（默认用本站的）。")
@click.option("--as-of", type=DAY, metavar="日期", help=f"{AS_OF_HELP}。")
@click.option("--known-at", type=parse_known_at, metavar="时刻", help=f"{KNOWN_AT_HELP}。")
@click.option("--published", type=click.IntRange(0, 10_000), metavar="第几次",
              help="说明已发布的数字：第几次发布，0 为最近一次。")
@click.option("--limit", type=click.IntRange(1, EVIDENCE_LIMIT), default=EVIDENCE_LIMIT,
              show_default=True, help="最多列出几条分录。")
@json_option
def explain(
    code: str, *, month: str, station: str | None, set_code: str | None, as_of: datetime | None,
    known_at: KnownAt | None, published: int | None, limit: int, as_json: bool, **about: Any,
) -> None:
    """数字溯源：一个指标（CODE）由哪些记录得出；某户、某人或某条记录为什么不在其中。"""
    moment = Moment(as_of.date() if as_of else None, known_at)
    named = Named(month, code, set_code, moment, None, published)
    is_asked = any(about.values())
    with looking("explain", station) as look:
        refuse_ahead(known_at, look.runtime.ledger.head())
        with posed(look.runtime.read_models, look.runtime.ledger, look.station, named) as found:
            told = (
                _answered(found, about, look) if is_asked
                else explanation_data(found, explained(found.question, limit=limit))
            )
        look.log(AccessAction.EXPORT if as_json else AccessAction.READ)
    if as_json:
        print_json(told)
    elif is_asked:
        _print_answer(told)
    else:
        _print_explanation(told)


def _answered(found: Posed, about: dict[str, Any], look: Look) -> dict[str, Any]:
    """Whether somebody is in the figure; a command on the machine sees every station."""
    asked = about_of(found.question, about, sees_all=True)
    look.reading.about([f"{asked.kind}:{asked.id}"])
    return question_data(found) | answer_data(why_not(found.question, asked), look.reading.shown)


def _print_explanation(told: dict[str, Any]) -> None:
    figure, published = told["figure"], told["published"]
    console = results()
    console.print(f"{figure['label']}：{figure['display']} {figure['unit']}"
                  f"（{told['from']} 至 {told['to']}，口径 {told['indicator_set']} "
                  f"第 {told['indicator_set_version']} 版，台账至第 {told['position']} 条）")
    if published:
        console.print(f"发布（{published['short_code']}）的是 {published['display']}")
    for term in told["terms"]:
        console.print(f"  计：{term['label']}")
    for part in told["parts"]:
        console.print(f"  {'减去' if part['sign'] < 0 else '由'} {part['label']} {part['display']}")
    for month in told["months"]:
        console.print(f"  {month['to']} 为 {month['display']}")
    if told["items"] and console.width >= WIDE:
        console.print(_lines(told))
    elif told["items"]:
        _print_lines(told)


def _lines(told: dict[str, Any]) -> Table:
    names = ("计数", "日期", "记录", "社区", "计作", "录入", "台账位置")
    table = table_of(_counted(told), names, set(names) - {"计数", "台账位置"})
    for line in told["items"]:
        table.add_row(
            f"{line['amount']:+d}", line["effective_on"],
            f"{line['label']} {line['id']}#{line['entry']}", line["values"]["community"],
            line["counts_as"] or "", _entered(line), str(line["position"]),
        )
    return table


def _print_lines(told: dict[str, Any]) -> None:
    """The same where a table is too wide: two lines each, with the whole id."""
    click.echo(_counted(told))
    for line in told["items"]:
        counts_as = f"，计作 {line['counts_as']}" if line["counts_as"] else ""
        click.echo(f"  {line['amount']:+d} {line['effective_on']} {line['label']} "
                   f"{line['id']} 第 {line['entry']} 条")
        click.echo(f"     {line['values']['community']}{counts_as}，{_entered(line)} 录入，"
                   f"台账位置 {line['position']}")


def _counted(told: dict[str, Any]) -> str:
    return f"{told['postings']} 条分录，{told['records']} 条记录"


def _entered(line: dict[str, Any]) -> str:
    late = "（补录）" if line["is_late"] else ""
    return f"{line['recorded_at'][:10]} {line['actor']}{late}"


def _print_answer(told: dict[str, Any], indent: str = "") -> None:
    """Whether somebody is in a figure, and by what or why not."""
    click.echo(f"{indent}{told['label']}：{told['id']} {told['verdict_label']}"
               f"{'，计 ' + str(told['amount']) if told['amount'] else ''}")
    for reason in told["reasons"]:
        cause = f"（原因：{reason['cause']}）" if reason["cause"] else ""
        where = ""
        if reason["position"]:
            which = f"{reason['kind_label']} {reason['id']}"
            where = f"  [{which}，台账位置 {reason['position']}]"
        click.echo(f"{indent}  {reason['because_label']}：{reason['said']}{cause}{where}")
    for line in told["lines"]:
        counts_as = f"，计作 {line['counts_as']}" if line["counts_as"] else ""
        click.echo(f"{indent}  {line['amount']:+d} {line['effective_on']} {line['label']} "
                   f"{line['id']} 第 {line['entry']} 条{counts_as}  台账位置 {line['position']}")
    for part in told["parts"]:
        _print_answer(part, indent + "  ")
    if told["is_cut"]:
        click.echo(f"{indent}  还有更多记录没有列出。")
