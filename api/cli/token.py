"""Who may call the API? ``taizhang token`` issues, lists and revokes tokens."""

from __future__ import annotations

import click
from sqlalchemy import select

from api.cli.common import json_option, needs_ledger, print_json, read_settings, talk
from api.identity import ANY_STATION, issue_token, revoke_tokens, tokens, tokens_engine
from domain.vocabulary import Role
from projections.monthly_report import station_profile
from workers.runtime import opened_ledger
from workers.settings import Settings


@click.group(invoke_without_command=True)
@click.option("--actor", help="使用人。")
@click.option("--role", type=click.Choice([r.value for r in Role]), help="角色。")
@click.option("--station", help="社工站编号；* 表示所有站（区总站、系统管理员）。")
@click.option(
    "--days", type=click.IntRange(1, 366), default=90, show_default=True, help="有效天数。"
)
@json_option
@click.pass_context
def token(
    ctx: click.Context, actor: str | None, role: str | None, station: str | None, days: int,
    *, as_json: bool,
) -> None:
    """签发访问令牌；令牌只显示这一次。"""
    if ctx.invoked_subcommand is not None:
        return
    if not (actor and role and station):
        raise click.UsageError("签发令牌须写明 --actor、--role 和 --station")
    settings = read_settings()
    settings.prepare_home()
    if station != ANY_STATION:
        _check_station(settings, station)
    engine = tokens_engine(settings.database_url)
    made = issue_token(engine, actor, role, station, days)
    engine.dispose()
    if as_json:
        print_json({"token": made, "actor": actor, "role": role, "station": station, "days": days})
    else:
        talk.print(f"{actor}（{Role.of(role).label}，{station}）的令牌，{days} 天内有效：")
        click.echo(made)


def _check_station(settings: Settings, station: str) -> None:
    """A token for a station that does not exist would be of no use to anybody.

    :raises UnknownStation: where there is no such station.
    """
    with opened_ledger(settings) as ledger:
        station_profile(ledger, station)


@token.command("list")
@json_option
def list_tokens(*, as_json: bool) -> None:
    """列出令牌（不含令牌本身）。"""
    settings = read_settings()
    needs_ledger(settings)
    engine = tokens_engine(settings.database_url)
    with engine.connect() as connection:
        query = select(tokens).order_by(tokens.c.created_at)
        rows = [row._asdict() for row in connection.execute(query)]
    engine.dispose()
    shown = [
        {name: str(value) if value is not None else None for name, value in row.items()}
        for row in rows
    ]
    for row in shown:
        row["digest"] = (row["digest"] or "")[:8]
    if as_json:
        print_json(shown)
        return
    for row in shown:
        state = "已撤销" if row["revoked_at"] else f"有效至 {(row['expires_at'] or '')[:10]}"
        click.echo(f"{row['digest']}  {row['actor']}  {row['role']}  {row['station']}  {state}")


@token.command("revoke")
@click.option("--actor", required=True, help="使用人。")
@click.option("--station", required=True, help="社工站编号。")
@json_option
def revoke(actor: str, station: str, *, as_json: bool) -> None:
    """撤销一个人在一个站的全部令牌。"""
    settings = read_settings()
    needs_ledger(settings)
    engine = tokens_engine(settings.database_url)
    count = revoke_tokens(engine, actor, station)
    engine.dispose()
    if as_json:
        print_json({"revoked": count})
    else:
        talk.print(f"已撤销 {count} 个令牌。")
