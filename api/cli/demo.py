"""How does a newcomer see it all? ``taizhang demo``: an invented station's year, running."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click
from sqlalchemy import Engine

from api.accounts.links import Purpose, make
from api.accounts.security_log import By
from api.accounts.staff import Newcomer, Post, create, staff
from api.accounts.tables import tokens_engine
from api.accounts.tokens import issue_token
from api.callers import ANY_STATION, EVERYWHERE
from api.cli.account import entry_address
from api.cli.common import CommandFailedError, json_option, print_json, read_settings, talk
from api.cli.imports import progress_bar
from api.cli.publish import lead_context, press_of
from api.cli.serve import describe
from api.edge import new_id, now
from api.reading import Reading
from domain.vocabulary import Role
from projections.monthly_report import Opener, monthly_report
from projections.published_reports import publications_for
from projections.store import writing
from workers.demo import DEMO_MONTH, DEMO_PUBLISHED, DEMO_SOURCE, DEMO_STATION, demo_history
from workers.demo.afterwards import BECAUSE, RESTATED, later_history
from workers.history import import_history
from workers.publishing import preview, publish, restate
from workers.queues import Wakeups
from workers.reports import write_docx
from workers.runtime import Runtime
from workers.service import ServiceInfo, run_service
from workers.settings import Settings, settings_for

CATCH_UP_SECONDS: Final = 120.0
TOKEN_DAYS: Final = 30
DEMO_ACTORS: Final = (
    ("demo-worker", Role.SOCIAL_WORKER), ("demo-lead", Role.LEAD),
    ("demo-coordinator", Role.VOLUNTEER_COORDINATOR), ("demo-supervisor", Role.SUPERVISOR),
    ("demo-reviewer", Role.REVIEWER), ("demo-hub", Role.HUB),
    ("demo-administrator", Role.ADMINISTRATOR),
)
WITH_TOKENS: Final = frozenset({Role.SOCIAL_WORKER, Role.LEAD, Role.REVIEWER})


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was loaded, and where the report is."""

    events: int
    head: int
    report: str


class LoadedOnlyError(Exception):
    """Ends the service once the demo is loaded; not a failure."""


@click.command
@click.option("--port", type=click.IntRange(0, 65535), help="端口（默认 8000；被占用时用下一个）。")
@click.option("--load-only", is_flag=True, help="经由真实的任务进程导入全年数据，写出月报后退出。")
@json_option
def demo(port: int | None, *, load_only: bool, as_json: bool) -> None:
    """启动一个虚构社工站的全年台账。"""
    settings = _demo_settings(port)
    talk.print(f"正在启动演示，数据目录 {settings.home} …")
    loaded: list[Loaded] = []

    def announce(info: ServiceInfo) -> None:
        if not load_only:
            describe(info)
        loaded.append(load(replace(settings, redis_url=info.redis_url)))
        if load_only:
            raise LoadedOnlyError
        _introduce(settings, info, loaded[0], print_json if as_json else None)

    try:
        run_service(settings, announce)
    except LoadedOnlyError:
        _say_loaded(loaded[0], as_json=as_json)


def _demo_settings(port: int | None) -> Settings:
    """The demo has a folder of its own, so that it never mixes with a real ledger."""
    settings = read_settings(port=port)
    if "TAIZHANG_HOME" in os.environ:
        return settings
    own = settings_for(
        Path("var/demo"), redis_url=settings.redis_url, host=settings.host, port=settings.port,
        workers=settings.workers, log_level=settings.log_level,
    )
    is_own_database = "DATABASE_URL" not in os.environ
    return own if is_own_database else replace(own, database_url=settings.database_url,
                                               read_database_url=settings.read_database_url,
                                               access_database_url=settings.access_database_url)


def load(settings: Settings) -> Loaded:
    """Import the year like any user would, let the workers project it, write the report."""
    runtime = Runtime(settings)
    wakeups = Wakeups(settings.redis_url)
    try:
        with progress_bar("导入演示数据") as progress:
            result = import_history(
                runtime.ledger, demo_history(), DEMO_STATION, DEMO_SOURCE, now(),
                progress=progress,
            )
        if result.faults:
            raise CommandFailedError(f"演示数据有 {len(result.faults)} 处错误：{result.faults[0]}")
        talk.print("正在由任务进程计入各项数字 …")
        _caught_up(runtime, wakeups)
        _publish_earlier_months(runtime, wakeups)
        _go_on(runtime, wakeups)
        head = runtime.ledger.head()
        target = settings.home / "reports" / f"{DEMO_STATION}-{DEMO_MONTH}.docx"
        with runtime.read_models.engine.connect() as connection:
            found = monthly_report(
                connection, runtime.ledger, DEMO_STATION, DEMO_MONTH, opened=_invented(runtime)
            )
        write_docx(found, target, settings.home / "templates")
        return Loaded(result.written, head, str(target))
    finally:
        wakeups.close()
        runtime.close()


def _caught_up(runtime: Runtime, wakeups: Wakeups) -> None:
    """Wait, bounded, until the workers have taken in everything."""
    wakeups.wake()
    if not runtime.read_models.wait_for(runtime.ledger.head(), CATCH_UP_SECONDS):
        raise CommandFailedError("任务进程没有在两分钟内跟上，详见 log 目录")


def _invented(runtime: Runtime) -> Opener:
    """Opens the demo's texts: nobody is spoken of in them, and nobody reads them yet."""
    return Reading(runtime.ledger.vault).opened


def _publish_earlier_months(runtime: Runtime, wakeups: Wakeups) -> None:
    """Publish the months before the one that is shown, as the lead would have; once."""
    press, context = press_of(runtime), lead_context("demo-lead", DEMO_STATION)
    for month in DEMO_PUBLISHED:
        if not publications_for(runtime.ledger, DEMO_STATION, month):
            found = preview(
                press, DEMO_STATION, month, context.today, opened=_invented(runtime)
            )
            publish(press, month, context, found.warnings)
            _caught_up(runtime, wakeups)


def _go_on(runtime: Runtime, wakeups: Wakeups) -> None:
    """Record what came after the publications, and restate one of them; once."""
    import_history(runtime.ledger, later_history(), DEMO_STATION, DEMO_SOURCE, now())
    _caught_up(runtime, wakeups)
    if len(publications_for(runtime.ledger, DEMO_STATION, RESTATED)) == 1:
        restate(press_of(runtime), RESTATED, lead_context("demo-lead", DEMO_STATION), BECAUSE)
        _caught_up(runtime, wakeups)


def _introduce(
    settings: Settings, info: ServiceInfo, loaded: Loaded,
    print_result: Callable[[Any], None] | None,
) -> None:
    """Print the ways in: a one-time link a role, tokens, and the link of the November report."""
    engine = tokens_engine(settings.database_url)
    tokens = {
        role: issue_token(engine, actor, role.value, DEMO_STATION, TOKEN_DAYS)
        for actor, role in DEMO_ACTORS if role in WITH_TOKENS
    }
    entries = {
        role: entry_address(info.address, secret) for role, secret in demo_links(engine).items()
    }
    engine.dispose()
    link = f"{entries[Role.LEAD]}&next=/months/{DEMO_MONTH}"
    talk.print(f"\n已有 {loaded.head} 条记录；Word 月报：{loaded.report}")
    talk.print("\n各角色的登录链接（虚构人员；24 小时内有效，各用一次，每次启动都有新的）：")
    for role, entry in entries.items():
        talk.print(f"  {role.label:<8} {entry}")
    talk.print("\n程序用的令牌：")
    for role, token in tokens.items():
        talk.print(f"  {role.label:<8} {token}")
    talk.print("\n站长的同一个链接，登录后打开 2024 年 11 月月报：")
    if print_result:
        print_result({
            "address": info.address, "report": link,
            "tokens": {role.value: token for role, token in tokens.items()},
            "links": {role.value: entry for role, entry in entries.items()},
        })
    else:
        click.echo(link)
    talk.print("\n按 Ctrl-C 停止全部进程。")


def demo_links(engine: Engine) -> dict[Role, str]:
    """A link by which to sign in once as each of the demo's people."""
    by, found = By("demo", now()), {}
    known = {one.login: one.id for one in staff(engine, EVERYWHERE)}
    for actor, role in DEMO_ACTORS:
        wide = role in {Role.HUB, Role.ADMINISTRATOR}
        post = Post(role, frozenset({ANY_STATION if wide else DEMO_STATION}))
        with writing(engine) as connection:
            account = known.get(actor) or create(
                connection, Newcomer(new_id(), actor, actor, post), by
            ).id
            found[role] = make(connection, Purpose.SIGN_IN, account, by.at)
    return found


def _say_loaded(loaded: Loaded, *, as_json: bool) -> None:
    if as_json:
        print_json(loaded)
    else:
        talk.print(f"已导入 {loaded.events} 条，台账共 {loaded.head} 条，各项数字已是最新。")
        click.echo(loaded.report)
