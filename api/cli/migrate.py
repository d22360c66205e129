"""How is PostgreSQL prepared? ``taizhang migrate``, once, by the database's owner."""

from __future__ import annotations

import re

import click

from api.access_log import AccessLog, grant_access_log
from api.cli.common import CommandFailedError, read_settings
from api.identity import grant_tokens, tokens_engine
from domain.ledger import LedgerPostgresRecorder
from projections import store
from workers.keyring_tables import grant_keyring
from workers.master_key import open_keyring
from workers.runtime import opened_ledger
from workers.seals import Seals
from workers.settings import Settings


@click.command
@click.option("--application-role", help="服务运行时使用的数据库角色：只能读和追加，不能改和删。")
def migrate(application_role: str | None) -> None:
    """准备 PostgreSQL（由数据库所有者运行；可重复运行，也可同时运行）。"""
    settings = read_settings()
    if application_role and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", application_role):
        raise click.UsageError("角色名只能用字母、数字和下划线")
    settings.prepare_home()
    with opened_ledger(settings) as ledger:
        recorder = ledger.store
        if not isinstance(recorder, LedgerPostgresRecorder):
            raise CommandFailedError("SQLite 不需要准备：首次启动时自动建好")
        engine = tokens_engine(settings.database_url)
        seals = Seals(settings.database_url)
        access_log = AccessLog(settings.access_database_url)
        try:
            if application_role is not None:
                recorder.grant(application_role)
                grant_tokens(engine, application_role)
                store.grant(engine, application_role)
                seals.grant(application_role)
                if access_log.engine.dialect.name == "postgresql":
                    grant_access_log(access_log.engine, application_role)
        finally:
            access_log.close()
            seals.close()
            engine.dispose()
    if application_role is not None:
        _grant_keyring(settings, application_role)
    click.echo("已准备好。")


def _grant_keyring(settings: Settings, role: str) -> None:
    """The keyring's database is one of its own; in a SQLite file there is nobody to grant to."""
    keyring = open_keyring(settings)
    try:
        if keyring.engine.dialect.name == "postgresql":
            grant_keyring(keyring.engine, role)
    finally:
        keyring.close()
