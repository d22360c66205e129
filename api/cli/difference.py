"""How does the command line print what changed between two moments of knowing?"""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table


def print_difference(title: str, changes: dict[str, Any]) -> None:
    """The figures before and after, and the records and merges that lie between."""
    console = Console(highlight=False)
    if not (changes["indicators"] or changes["records"] or changes["merges"]):
        console.print(f"{title}：没有变化")
        return
    console.print(_figures(title, changes["indicators"]))
    console.print(_records(changes["records"], changes["merges"]))
    if changes["is_cut"]:
        console.print("变动过多，只列出一部分。")


def _figures(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table("指标", title=title)
    for heading in ("原为", "现为"):
        table.add_column(heading, justify="right")
    table.add_column("单位")
    for row in rows:
        table.add_row(
            row["label"], row["before"]["display"], row["after"]["display"], row["unit"]
        )
    return table


def _records(records: list[dict[str, Any]], merges: list[dict[str, Any]]) -> Table:
    headings = ("记录", "编号", "发生日期", "变动", "录入时间", "经手", "原因")
    table = Table(*headings, title="由以下记录引起")
    for row in records:
        for event in row["events"]:
            where = row["kind_label"], f"{row['id']}#{row['entry']}", row["effective_on"]
            table.add_row(*where, *_told(event))
    for row in merges:
        event = row["events"][-1]
        reason = event["reason"] or row["events"][0]["reason"]
        which = f"{row['merged']} → {row['survivor']}"
        table.add_row("合并", which, "", *_told(event | {"reason": reason}))
    return table


def _told(event: dict[str, Any]) -> tuple[str, ...]:
    recorded = event["recorded_at"][:16].replace("T", " ")
    return event["label"], recorded, event["actor"], event["reason"] or ""
