"""What can be done from the command line? One module a command, loaded when it is used.

Conventions: the result goes to standard output (with ``--json`` as one JSON document),
everything else to standard error. Exit codes: 0 done, 1 refused or a check failed,
2 wrong usage, 3 something that is needed cannot be reached.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

import click

from api.cli import chinese
from api.cli.common import guarded

chinese.install()

COMMANDS: Final = {
    "demo": "api.cli.demo:demo",
    "serve": "api.cli.serve:serve",
    "status": "api.cli.status:status",
    "station": "api.cli.stations:station",
    "account": "api.cli.account:account",
    "token": "api.cli.token:token",
    "import": "api.cli.imports:imports",
    "report": "api.cli.report:report",
    "publish": "api.cli.publish:publish_command",
    "figures": "api.cli.report:figures",
    "explain": "api.cli.explain:explain",
    "audit": "api.cli.audit:audit",
    "access-log": "api.cli.audit:access_log",
    "signals": "api.cli.signals:signals",
    "progress": "api.cli.progress:progress",
    "evaluate": "api.cli.evaluate:evaluate_command",
    "rebuild": "api.cli.rebuild:rebuild",
    "backup": "api.cli.backup:backup",
    "restore": "api.cli.backup:restore",
    "verify": "api.cli.verify:verify",
    "bundle": "api.cli.bundle:bundle",
    "key": "api.cli.verify:key",
    "keys": "api.cli.keys:keys",
    "migrate": "api.cli.migrate:migrate",
    "parts": "api.cli.parts:parts",
    "test": "api.cli.suite:suite",
    "check": "api.cli.checks:check",
    "run": "api.cli.run:run",
}
"""Where each command is: a module and a name in it. A new command is a line here."""


class Commands(click.Group):
    """A group that imports a command only when it is asked for: most start in an instant."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what it refuses or cannot reach becomes a message and a code."""
        with guarded():
            return super().invoke(ctx)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="taizhang", prog_name="taizhang")
def main() -> None:
    """台账：街道社工站的服务台账。

    \b
    退出码：0 完成；1 被拒绝或检查未通过；2 用法错误；3 所需的服务无法访问。
    命令补全（bash）：eval "$(_TAIZHANG_COMPLETE=bash_source taizhang)"
    """  # noqa: D301 - click's mark for a paragraph kept as it is
