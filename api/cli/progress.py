"""How far along is the task book? ``taizhang progress``."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

import click
from sqlalchemy import Connection

from api.cli.common import (
    CommandFailedError,
    json_option,
    needs_ledger,
    only_station,
    print_json,
    read_settings,
    results,
    table_of,
    wanted,
)
from api.report_data import KNOWN_AT_HELP
from api.task_books import progress_data
from domain.kernel import STATION_TIME
from domain.scoring import decimal_said
from projections.moments import KnownAt, Moment, known_at_text, parse_known_at, refuse_ahead
from projections.standing import summed
from projections.stations import station_codes
from projections.task_progress import TaskBookProgress, task_book_progress
from projections.timeline import records_of_kind
from workers.runtime import Runtime

JUDGED: Final = "人工"
"""What stands in the place of what no indicator counts."""


@click.command
@click.argument("book", required=False)
@click.option("--station", help="社工站编号（只有一个站时可省略）。")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="截至（默认今天）。")
@click.option(
    "--known-at", type=parse_known_at, metavar="时刻", help=f"{KNOWN_AT_HELP}。"
)
@json_option
def progress(
    book: str | None, *, station: str | None, as_of: datetime | None, known_at: KnownAt | None,
    as_json: bool,
) -> None:
    """对照任务书看进度；BOOK 是任务书编号（只有一份时可省略）。"""
    settings = read_settings()
    needs_ledger(settings)
    runtime = Runtime(settings)
    try:
        refuse_ahead(known_at, runtime.ledger.head())
        runtime.read_models.advance(runtime.ledger)
        day = as_of.date() if as_of else None
        with summed(runtime.read_models, Moment(day, known_at)) as then:
            chosen = station or only_station(station_codes(then.connection))
            found = task_book_progress(
                then.connection, runtime.ledger, chosen, book or _only(then.connection, chosen),
                as_of=day or _today(), known_at=then.known_at,
            )
    finally:
        runtime.close()
    if as_json:
        print_json(progress_data(found) | {"known_at": known_at_text(known_at)})
    else:
        _print(found)


def _today() -> date:
    return datetime.now(UTC).astimezone(STATION_TIME).date()  # noqa: TID251 - an edge


def _only(connection: Connection, station: str) -> str:
    """The task book, where the station has one."""
    drafted = records_of_kind(connection, station, "task_book", topic="task_book.drafted")
    if not drafted:
        raise CommandFailedError(f"社工站 {station} 还没有任务书")
    if len(drafted) > 1:
        names = "、".join(row.id for row in drafted)
        raise click.UsageError(f"这里有 {len(drafted)} 份任务书，请指明一份：{names}")
    return drafted[0].id


def _print(found: TaskBookProgress) -> None:
    names = ("指标", "目标", "应完成", "完成", "预计", "完成率", "得分", "进度")
    title = f"{found.drafted.title}（{found.book.status.label}）截至 {found.as_of}"
    table = table_of(title, names, {"指标", "进度"})
    for row in found.rows:
        target = row.target
        table.add_row(
            target.label, wanted(target), _said(row.expected),
            row.actual.display if row.actual else JUDGED, _said(row.forecast),
            "" if row.completed_percent is None else f"{_said(row.completed_percent)}%",
            f"{_said(row.points)}/{target.weight}", row.light.label,
        )
    console = results()
    console.print(table)
    for row in found.rows:
        if row.counted_by:
            version, since = row.counted_by.version, row.counted_by.valid_from
            console.print(f"  {row.target.label}：按第 {version} 版口径（{since} 起有效）计")
    console.print(f"口径 {found.indicator_set.code} 第 {found.indicator_set.version} 版")
    for head in found.heads:
        counted = head.weight - head.judged_weight
        given = [f"{_said(head.points)} / {counted} 分"] if counted else []
        if head.judged_weight or not counted:
            given.append(f"{'另 ' if given else ''}{head.judged_weight} 分人工评定")
        console.print(f"{head.head.label}：{'，'.join(given)}")


def _said(value: Decimal | None) -> str:
    return "" if value is None else decimal_said(value)
