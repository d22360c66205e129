"""How does a command read what is personal? With a row in the access log, like any caller."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from api.access_log import AccessAction, AccessLog
from api.cli.common import Function, needs_ledger, only_station, read_settings
from api.identity import new_id, now
from api.reading import Reading
from domain.vocabulary import Role
from projections.stations import station_codes
from workers.runtime import Runtime

DAY: Final = click.DateTime(["%Y-%m-%d"])


@dataclass(frozen=True, slots=True)
class Look:
    """What a command looks into, and what it has read of persons."""

    runtime: Runtime
    access_log: AccessLog
    station: str
    reading: Reading
    command: str

    @property
    def templates(self) -> Path:
        """Where the templates of Word files are."""
        return self.runtime.settings.home / "templates"

    def log(self, action: AccessAction | None = None) -> None:
        """Write down what was read, before it is printed."""
        self.reading.action = action or self.reading.action
        access = self.reading.access(
            at=now(), actor=getpass.getuser(), role=Role.ADMINISTRATOR.value,
            station=self.station, request_id=f"cli-{new_id()}", route=f"taizhang {self.command}",
        )
        if access is not None:
            self.access_log.append(access)


@contextmanager
def looking(command: str, station: str | None) -> Iterator[Look]:
    """The read models, up to date, of the station that is asked about."""
    settings = read_settings()
    needs_ledger(settings)
    runtime = Runtime(settings)
    log = AccessLog(settings.access_database_url)
    try:
        runtime.read_models.advance(runtime.ledger)
        with runtime.read_models.engine.connect() as connection:
            chosen = station or only_station(station_codes(connection))
        yield Look(runtime, log, chosen, Reading(runtime.ledger.vault), command)
    finally:
        log.close()
        runtime.close()


def about_options(function: Function) -> Function:
    """The options that say about whom, by whom and on which days."""
    for option in (
        click.option("--to", "last", type=DAY, metavar="日期", help="到这一天（含）。"),
        click.option("--from", "first", type=DAY, metavar="日期", help="这一天起（含）。"),
        click.option("--actor", help="录入人或查看人。"),
        click.option("--person", help="个人的编号。"),
        click.option("--household", help="户的编号。"),
        click.option("--station", help="社工站编号（只有一个站时可省略）。"),
    ):
        function = option(function)
    return function


def stated(asked: dict[str, Any]) -> dict[str, Any]:
    """The filters that were given, with days as days."""
    return {
        name: value.date() if isinstance(value, datetime) else value
        for name, value in asked.items()
        if value is not None
    }
