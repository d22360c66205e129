"""What looks odd in what was entered? ``taizhang signals``."""

from __future__ import annotations

from datetime import datetime

import click

from api.cli.common import json_option, print_json, talk
from api.cli.looking import DAY, looking
from api.signals import signal_row, signals_between
from projections.integrity import SignalKind


@click.command
@click.option("--station", help="社工站编号（只有一个站时可省略）。")
@click.option("--from", "first", type=DAY, required=True, metavar="日期", help="录入日期从（含）。")
@click.option("--to", "last", type=DAY, required=True, metavar="日期", help="到（含）。")
@click.option(
    "--kind", type=click.Choice([kind.value for kind in SignalKind]),
    help="只看一种；same_text 要打开备注比对，须指明才核查，并记入访问记录。",
)
@json_option
def signals(
    *, station: str | None, first: datetime, last: datetime, kind: str | None, as_json: bool
) -> None:
    """可疑之处：补录过晚、评审前夜补录、一天服务量过大等；只作提示，不作结论。"""
    with looking("signals", station) as look:
        with look.runtime.read_models.engine.connect() as connection:
            found = signals_between(
                connection, look.runtime.ledger, look.runtime.settings, look.reading,
                station=look.station, first=first.date(), last=last.date(), kind=kind,
            )
        look.log()
    if as_json:
        print_json({"items": [signal_row(signal) for signal in found]})
        return
    if not found:
        talk.print("没有可疑之处。")
    for signal in found:
        click.echo(f"{signal.on}  {signal.kind.label}：{signal.text}")
        for record in signal.records:
            click.echo(
                f"    {record.label} {record.occurred_on}，{record.entered:%Y-%m-%d %H:%M} 录入，"
                f"{record.name} 第 {record.entry} 条（位置 {record.position}）"
            )
