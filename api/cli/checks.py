"""Is the code in order? ``taizhang check`` runs every checker and names the one that objects."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import click

from api.cli.common import CommandFailedError, talk

PACKAGES: Final = ("domain", "projections", "workers", "api")
CHECKERS: Final = {
    "ruff": ("ruff", "check", *PACKAGES, "bench", "tests"),
    "mypy": ("mypy",),
    "import-linter": ("lint-imports",),
    "deptry": ("deptry", *PACKAGES),
}


@click.command
def check() -> None:
    """检查代码：ruff、mypy strict、分层、依赖。"""
    root = Path(__file__).resolve().parents[2]
    folder = Path(sys.executable).parent
    failed = []
    for name, (program, *arguments) in CHECKERS.items():
        talk.print(f"[bold]{name}[/bold]")
        command = [str(folder / program), *arguments]
        if subprocess.run(command, cwd=root, check=False).returncode:  # noqa: S603 - our own command line
            failed.append(name)
    if failed:
        raise CommandFailedError(f"未通过：{'、'.join(failed)}")
    talk.print("全部通过。")
