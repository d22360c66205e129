"""What do all commands share? Settings, output, and errors as messages with exit codes."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec
import psycopg
from redis.exceptions import RedisError
from rich import box
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import OperationalError

from domain.kernel import Refused
from domain.ledger import BadDatabaseUrlError, LedgerNotPreparedError
from domain.scoring import Direction
from domain.task_book import TaskIndicator
from workers import logs
from workers.embedded import NoRedisServerError
from workers.keyring import BadMasterKeyError
from workers.queues import QueueUnavailableError
from workers.service import AlreadyRunningError, NotReadyError
from workers.settings import BadSettingError, Settings

REFUSED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3

talk: Final = Console(stderr=True, highlight=False, soft_wrap=True)
"""Where a command speaks to its user; the result alone goes to standard output."""

WIDE: Final = 130
"""In how many columns a table of many can be read; below it is printed otherwise."""
REDIRECTED: Final = 200
"""How wide a table is in a file, where no window cuts it."""

Function = TypeVar("Function", bound=Callable[..., Any])

CODES: Final[tuple[tuple[tuple[type[Exception], ...], int], ...]] = (
    ((BadSettingError, BadDatabaseUrlError, BadMasterKeyError), USAGE),
    ((AlreadyRunningError,), REFUSED),
    ((LedgerNotPreparedError,), UNREACHABLE),
    (
        (
            NoRedisServerError, NotReadyError, QueueUnavailableError, RedisError,
            OperationalError, psycopg.OperationalError, sqlite3.OperationalError,
        ),
        UNREACHABLE,
    ),
)


class CommandFailedError(click.ClickException):
    """A message for standard error, and an exit code."""

    def __init__(self, message: str, exit_code: int = REFUSED) -> None:
        """Say what is wrong, and with which code the program ends."""
        super().__init__(message)
        vars(self)["exit_code"] = exit_code

    def show(self, _file: Any = None) -> None:
        """Print the message."""
        click.echo(f"taizhang: {self.message}", err=True)


@contextmanager
def guarded() -> Iterator[None]:
    """Turn a refusal, a bad setting or an absent server into a message with its exit code."""
    try:
        yield
    except Refused as refusal:
        raise CommandFailedError(f"{refusal.title}：{refusal}") from refusal
    except Exception as error:
        code = next((code for kinds, code in CODES if isinstance(error, kinds)), None)
        if code is None:
            raise
        first_line = str(error).partition("\n")[0]
        raise CommandFailedError(first_line or type(error).__name__, code) from error


def read_settings(**given: Any) -> Settings:
    """The settings of the environment, with what the command line gave, and logging set up.

    Commands that people run log warnings only.
    """
    settings = Settings.from_environment()
    given = {name: value for name, value in given.items() if value is not None}
    settings = replace(settings, **given)
    logs.configure(max(settings.logging_level, 30))
    return settings


def needs_ledger(settings: Settings) -> None:
    """Refuse to look into a ledger that is not there, instead of creating an empty one."""
    if settings.database_url.startswith("sqlite:///"):
        path = Path(settings.database_url.removeprefix("sqlite:///"))
        if not path.exists():
            raise CommandFailedError(
                f"{path} 不存在：这里还没有台账。请先运行 taizhang serve 或 taizhang demo，"
                "或用 TAIZHANG_HOME 指定目录",
                UNREACHABLE,
            )


def only_station(codes: list[str]) -> str:
    """The station, where there is one.

    :raises CommandFailedError: where there is none.
    """
    if len(codes) == 1:
        return codes[0]
    if not codes:
        raise CommandFailedError("还没有登记社工站，请先运行 taizhang station add")
    raise click.UsageError(f"这里有 {len(codes)} 个社工站，请用 --station 指明：{'、'.join(codes)}")


def json_option(function: Function) -> Function:
    """The option ``--json`` of every command that prints."""
    option = click.option("--json", "as_json", is_flag=True, help="以 JSON 输出结果。")
    return option(function)


def results() -> Console:
    """Where a command prints its result: as wide as the window, in a file as wide as it likes."""
    found = Console(highlight=False)
    if found.is_terminal or "COLUMNS" in os.environ:
        return found
    return Console(highlight=False, width=REDIRECTED)


def table_of(title: str, names: Iterable[str], texts: Container[str]) -> Table:
    """A table that fits into 80 columns: thin lines, ``texts`` to the left, nothing cut off."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(name, justify="left" if name in texts else "right", overflow="fold")
    return table


def wanted(target: TaskIndicator) -> str:
    """What a target asks for, briefly: ≥130户."""
    sign = "≥" if target.direction is Direction.AT_LEAST else "≤"
    return f"{sign}{target.target}{target.unit.label}"


def print_json(result: Any) -> None:
    """Print a result as one JSON document."""
    click.echo(json.dumps(msgspec.to_builtins(result), ensure_ascii=False, indent=2))
