"""How is PostgreSQL prepared? ``taizhang migrate``, once, by the database's owner."""

from __future__ import annotations

import re

import click

from api.access_log import AccessLog, grant_access_log
from api.cli.common import CommandFailedError, read_settings
from api.identity import grant_tokens, tokens_engine
from domain.ledger import LedgerPostgresRecorder
from projections import store
from workers.runtime import opened_ledger


@click.command
@click.option("--application-role", help="服务运行时使用的数据库角色：只能读和追加，不能改和删。")
def migrate(application_role: str | None) -> None:
    """准备 PostgreSQL（由数据库所有者运行；可重复运行，也可同时运行）。"""
    settings = read_settings()
    with opened_ledger(settings) as ledger:
        recorder = ledger.store
        if not isinstance(recorder, LedgerPostgresRecorder):
            raise CommandFailedError("SQLite 不需要准备：首次启动时自动建好")
        engine = tokens_engine(settings.database_url)
        access_log = AccessLog(settings.access_database_url)
        try:
            if application_role is not None:
                if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", application_role):
                    raise click.UsageError("角色名只能用字母、数字和下划线")
                recorder.grant(application_role)
                grant_tokens(engine, application_role)
                store.grant(engine, application_role)
                if access_log.engine.dialect.name == "postgresql":
                    grant_access_log(access_log.engine, application_role)
        finally:
            access_log.close()
            engine.dispose()
    click.echo("已准备好。")
