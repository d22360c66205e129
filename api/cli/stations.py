"""Which stations keep their ledger here? ``taizhang station add`` and ``list``."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import Any

import click

from api.cli.common import json_option, needs_ledger, print_json, read_settings, talk
from api.identity import new_id
from domain.kernel import Context, Occurrence, Statement
from domain.ledger import Instruction
from domain.record_keeping import Record
from domain.station import STATION, CommunityServed, StationRegistered
from projections.indicators import indicator_set, indicator_set_codes
from projections.stations import station_codes
from workers.runtime import Runtime


@click.group
def station() -> None:
    """登记和列出社工站。"""


@station.command
@click.argument("code")
@click.option("--name", required=True, help="全称。")
@click.option("--short-name", help="简称（默认与全称相同）。")
@click.option("--city", required=True, help="市。")
@click.option("--district", required=True, help="区。")
@click.option("--street", required=True, help="街道。")
@click.option("--operator", required=True, help="承接机构。")
@click.option("--funder", required=True, help="购买方。")
@click.option("--host-office", required=True, help="街道办事处。")
@click.option("--introduction", default="", help="站点简介，印在月报开头。")
@click.option(
    "--indicator-set", default="lixia-2024", show_default=True,
    type=click.Choice(indicator_set_codes()), help="月报所用的指标集。",
)
@click.option(
    "--community", "communities", multiple=True, required=True,
    help="社区，可多次；别名用逗号隔开：千佛山东路社区,千东。",
)
@json_option
def add(
    code: str, communities: tuple[str, ...], short_name: str | None, *, as_json: bool, **fields: Any
) -> None:
    """登记一个社工站；CODE 是它的编号（字母、数字、连字符）。"""
    indicator_set(fields["indicator_set"])
    event = StationRegistered(
        short_name=short_name or fields["name"],
        communities=tuple(_community(text) for text in communities),
        **fields,
    )
    settings = read_settings()
    settings.prepare_home()
    runtime = Runtime(settings)
    try:
        now = datetime.now(UTC)  # noqa: TID251 - the command line is an edge
        context = Context(
            now=now, actor=getpass.getuser(), role="administrator", station=code,
            request_id=f"cli-{new_id()}",
        )
        command = Record(statement=Statement(event, Occurrence.at_instant(now)))
        receipt = runtime.ledger.execute(Instruction(STATION, code, command), context)
        runtime.read_models.advance(runtime.ledger)
    finally:
        runtime.close()
    if as_json:
        print_json({"station": code, "position": receipt.position})
    else:
        talk.print(f"已登记社工站 {code}（{event.name}）")


def _community(text: str) -> CommunityServed:
    name, *aliases = (part.strip() for part in text.replace("，", ",").split(","))
    return CommunityServed(name=name, aliases=tuple(filter(None, aliases)))


@station.command("list")
@json_option
def list_stations(*, as_json: bool) -> None:
    """列出社工站的编号。"""
    settings = read_settings()
    needs_ledger(settings)
    runtime = Runtime(settings)
    try:
        runtime.read_models.advance(runtime.ledger)
        with runtime.read_models.engine.connect() as connection:
            codes = station_codes(connection)
    finally:
        runtime.close()
    if as_json:
        print_json(codes)
    else:
        click.echo("\n".join(codes))
