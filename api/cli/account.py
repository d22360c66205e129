"""Who may sign in? ``taizhang account`` invites, lists, disables, unlocks; prints links."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Engine

from api.accounts import links, staff, throttle
from api.accounts.security_log import Act, By, acts
from api.accounts.tables import tokens_engine
from api.callers import ANY_STATION, EVERYWHERE
from api.cli.common import CommandFailedError, json_option, print_json, read_settings, talk
from api.edge import new_id, now
from api.security import security_row
from domain.kernel import STATION_TIME
from domain.vocabulary import Role
from projections.monthly_report import station_profile
from workers.runtime import opened_ledger
from workers.settings import Settings


@click.group
def account() -> None:
    """工作人员账号：邀请、列出、停用、解锁，查看登录与权限记录。"""


@contextmanager
def _opened() -> Iterator[tuple[Settings, Engine, By]]:
    """The accounts; whoever holds the machine acts as its user."""
    settings = read_settings()
    settings.prepare_home()
    engine = tokens_engine(settings.database_url)
    try:
        yield settings, engine, By(f"命令行（{_user()}）", now())
    finally:
        engine.dispose()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "?"


def entry_address(base: str, secret: str) -> str:
    """The address of a one-time link."""
    return f"{base}/enter?link={secret}"


def _print_link(settings: Settings, secret: str, *, as_json: bool) -> None:
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104
    link = entry_address(f"http://{host}:{settings.port}", secret)
    if as_json:
        print_json({"link": link})
    else:
        talk.print("一次性链接（只显示这一次；服务另有地址时请替换开头）：")
        click.echo(link)


def _find(engine: Engine, login: str) -> staff.Account:
    name = staff.checked_login(login)
    found = next((one for one in staff.staff(engine, EVERYWHERE) if one.login == name), None)
    if found is None:
        raise staff.UnknownAccount
    return found


@account.command
@click.option("--login", required=True, help="登录用的账号。")
@click.option("--actor", required=True, help="姓名，记入台账。")
@click.option("--role", required=True, type=click.Choice([r.value for r in Role]), help="角色。")
@click.option("--station", "stations", multiple=True, help="社工站编号，可多次；* 为全部。")
@click.option("--district", help="全区（区总站）。")
@json_option
def invite(
    login: str, actor: str, role: str, stations: tuple[str, ...], district: str | None, *,
    as_json: bool,
) -> None:
    """邀请一名工作人员，输出一次性链接。"""
    post = staff.checked_post(role, list(stations), district)
    with _opened() as (settings, engine, by):
        _check_stations(settings, post)
        newcomer = staff.Newcomer(new_id(), login, actor, post)
        _print_link(settings, links.invite(engine, EVERYWHERE, newcomer, by), as_json=as_json)


def _check_stations(settings: Settings, post: staff.Post) -> None:
    """An account of a station that does not exist would be of no use to anybody.

    :raises UnknownStation: where there is no such station.
    """
    with opened_ledger(settings) as ledger:
        for station in sorted(post.stations - {ANY_STATION}):
            station_profile(ledger, station)


@account.command
@json_option
def first(*, as_json: bool) -> None:
    """还没有管理员时，输出建立第一个管理员的一次性链接。"""
    with _opened() as (settings, engine, by):
        made = links.first_link(engine, by.at)
        if made is None:
            raise CommandFailedError("已有管理员；重设密码请用 taizhang account reset")
        _print_link(settings, made, as_json=as_json)


@account.command
@click.argument("login")
@json_option
def reset(login: str, *, as_json: bool) -> None:
    """输出重设密码的一次性链接，并解锁。"""
    with _opened() as (settings, engine, by):
        made = links.reset(engine, EVERYWHERE, _find(engine, login).id, by)
        _print_link(settings, made, as_json=as_json)


@account.command("list")
@json_option
def list_accounts(*, as_json: bool) -> None:
    """列出账号。"""
    with _opened() as (_settings, engine, _by):
        found = staff.staff(engine, EVERYWHERE)
        with engine.connect() as connection:
            locked = throttle.locks(connection, [one.login for one in found], now())
    shown = [
        {
            "login": one.login, "actor": one.actor, "role": one.role.value,
            "stations": one.where, "state": _state(one, is_locked=one.login in locked),
        }
        for one in found
    ]
    if as_json:
        print_json(shown)
        return
    for row in shown:
        click.echo("  ".join(row.values()))


def _state(one: staff.Account, *, is_locked: bool) -> str:
    if one.disabled_at is not None:
        return "已停用"
    if is_locked:
        return "已锁定"
    return "可用" if one.is_usable else "凭链接登录" if one.comes_by_link else "待接受邀请"


@account.command
@click.argument("login")
def disable(login: str) -> None:
    """停用账号：登录和令牌立即失效。"""
    with _opened() as (_settings, engine, by):
        staff.disable(engine, EVERYWHERE, _find(engine, login).id, by)
    talk.print(f"已停用 {login}。")


@account.command
@click.argument("login")
def enable(login: str) -> None:
    """重新启用账号。"""
    with _opened() as (_settings, engine, by):
        staff.enable(engine, EVERYWHERE, _find(engine, login).id, by)
    talk.print(f"已启用 {login}。")


@account.command
@click.argument("login")
def unlock(login: str) -> None:
    """解除因输错密码而来的锁定。"""
    with _opened() as (_settings, engine, by):
        was_locked = links.unlock(engine, EVERYWHERE, _find(engine, login).id, by)
    talk.print(f"已解锁 {login}。" if was_locked else f"{login} 没有锁定。")


@account.command
@click.option("--who", help="账号或姓名。")
@click.option("--action", type=click.Choice([act.value for act in Act]), help="事项。")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
def log(who: str | None, action: str | None, limit: int, *, as_json: bool) -> None:
    """登录与权限记录，新的在前。"""
    with _opened() as (_settings, engine, _by):
        rows = acts(engine, EVERYWHERE, about=who, action=action, limit=limit)
    if as_json:
        print_json([security_row(row) for row in rows])
        return
    for row in rows:
        at = row.at.astimezone(STATION_TIME)
        click.echo(
            f"{at:%Y-%m-%d %H:%M}  {row.label}  {row.actor or '—'}  {row.about}  {row.detail}"
        )
