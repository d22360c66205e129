"""Who recorded what, and who read whose file? ``taizhang audit`` and ``taizhang access-log``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from api import access_rows, audit_rows
from api.access_log import AccessAction
from api.access_queries import accesses_of
from api.audit_rows import ACTION_LABELS
from api.cli.common import Function, json_option, print_json, talk
from api.cli.looking import about_options, looking, stated
from api.tables import MOST_EXPORTED, csv_text, refuse_too_many
from projections.audit_trail import audit_events_of

MOST_SHOWN: Final = 80
"""How much of a cell is printed for people."""


def file_options(function: Function) -> Function:
    """How many rows, and whether into a file."""
    csv = click.option(
        "--csv", type=click.Path(dir_okay=False, path_type=Path),
        help="写成 CSV 文件（Excel 可打开）。",
    )
    limit = click.option(
        "--limit", type=click.IntRange(1, MOST_EXPORTED), help="最多几条（默认全部）。"
    )
    return limit(csv(json_option(function)))


@click.command
@about_options
@click.option("--kind", help="记录的种类，如 visit；须与 --id 一起。")
@click.option("--id", help="记录的编号。")
@click.option("--action", type=click.Choice(list(ACTION_LABELS)), help="动作。")
@file_options
def audit(
    *, station: str | None, csv: Path | None, as_json: bool, limit: int | None, **asked: Any
) -> None:
    """审计：谁、何时、经哪个请求，记了什么、改了什么；录入晚的在前。"""
    asked = stated(asked)
    with looking("audit", station) as look:
        with look.runtime.read_models.engine.connect() as connection:
            asked = audit_rows.meant(connection, look.runtime.ledger, [look.station], asked)
            question = audit_rows.question(look.station, asked)
            keys = audit_events_of(connection, question, limit=limit or MOST_EXPORTED + 1)
        refuse_too_many(len(keys))
        look.reading.action = AccessAction.EXPORT if csv or as_json else AccessAction.READ
        look.reading.about(audit_rows.subjects(asked))
        rows = audit_rows.audit_rows(look.runtime.ledger, keys, look.reading)
        look.log()
    if not _given(rows, csv, as_json, audit_rows.HEADER, audit_rows.table(rows)):
        for row in rows:
            _say_event(row)


@click.command("access-log")
@about_options
@click.option("--action", type=click.Choice([a.value for a in AccessAction]), help="方式。")
@file_options
def access_log(
    *, station: str | None, csv: Path | None, as_json: bool, limit: int | None, **asked: Any
) -> None:
    """访问记录：谁在何时查看或导出了谁的信息；新的在前。"""
    asked = stated(asked)
    with looking("access-log", station) as look:
        with look.runtime.read_models.engine.connect() as connection:
            asked = audit_rows.meant(connection, look.runtime.ledger, [look.station], asked)
        question = access_rows.question(look.station, asked)
        with look.access_log.questions() as connection:
            found = accesses_of(connection, question, limit=limit or MOST_EXPORTED + 1)
        refuse_too_many(len(found))
        look.reading.action = AccessAction.EXPORT if csv or as_json else AccessAction.READ
        look.reading.about(audit_rows.subjects(asked))
        look.log()
    rows = [access_rows.access_row(row) for row in found]
    table = access_rows.table(rows)
    if not _given(rows, csv, as_json, access_rows.HEADER, table):
        for line in table:
            click.echo("  ".join(_short(str(cell)) for cell in line))
        if not table:
            talk.print("没有符合条件的访问记录。")


def _short(cell: str) -> str:
    """A cell for people: a page of a list names a hundred ids, which only files hold whole."""
    return cell if len(cell) <= MOST_SHOWN else f"{cell[:MOST_SHOWN]}…"


def _given(
    rows: Sequence[dict[str, Any]], csv: Path | None, as_json: bool,  # noqa: FBT001 - internal
    header: Sequence[str], table: Sequence[Sequence[Any]],
) -> bool:
    """Write the rows as a file or as JSON; false where people are to read them."""
    if csv is not None:
        csv.write_text(csv_text(header, table), encoding="utf-8", newline="")
        talk.print(f"已写入 {csv}（{len(rows)} 条）")
    if as_json:
        print_json({"items": rows})
    return csv is not None or as_json


def _say_event(row: dict[str, Any]) -> None:
    """An event for people: a line, and one for each field."""
    click.echo(
        f"{row['position']}  {row['recorded_at'][:16].replace('T', ' ')}  {row['actor']}"
        f"（{row['role_label']}）  {row['kind_label']} {row['id']} 第 {row['entry']} 条  "
        f"{row['label']}  请求 {row['request_id']}"
    )
    if row["reason"]:
        click.echo(f"    原因：{row['reason']}")
    for change in row["changes"]:
        before, after = (change[when] or "（无）" for when in ("before", "after"))
        said = change["after"] if row["action"] == "recorded" else f"{before} → {after}"
        click.echo(f"    {change['label']}：{said}")
