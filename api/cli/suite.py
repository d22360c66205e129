"""Does everything still work? ``taizhang test`` runs the suite and says what it left out."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import click
from environs import Env

from api.cli.common import REFUSED, UNREACHABLE, CommandFailedError, talk

NOT_COLLECTED: Final = 5
"""Pytest's exit code where no test matched."""
SIDE_BY_SIDE: Final = ("--numprocesses=logical", "--maxprocesses=8")
"""The whole suite: a worker a core, and the slow tests on one of them (decision 0021)."""


@click.command(
    "test", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def suite(arguments: tuple[str, ...]) -> None:
    """运行全部测试，每个处理器核心一个进程；有参数时原样交给 pytest。CI=true 时有跳过即失败。"""
    root = Path(__file__).resolve().parents[2]
    if not (root / "tests").is_dir():
        raise CommandFailedError(f"{root} 中没有 tests 目录：请在源代码目录中运行", UNREACHABLE)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        code = _pytest(root, report, arguments or SIDE_BY_SIDE)
        skipped = _skipped(report)
    _say(skipped)
    is_ci = Env().bool("CI", default=False)
    if code == 0 and skipped and is_ci:
        talk.print("CI=true：有测试被跳过，视为失败。")
        code = REFUSED
    sys.exit(code if code in {0, NOT_COLLECTED} else REFUSED)


def _pytest(root: Path, report: Path, arguments: tuple[str, ...]) -> int:
    command = [sys.executable, "-m", "pytest", f"--junitxml={report}", *arguments]
    return subprocess.run(command, cwd=root, env=os.environ, check=False).returncode  # noqa: S603 - our own command line


def _skipped(report: Path) -> Counter[str]:
    """Why tests were skipped, and how many for each reason."""
    if not report.exists():
        return Counter()
    tree = ET.parse(report)  # noqa: S314 - written by pytest a moment ago
    return Counter(mark.get("message") or "?" for mark in tree.iter("skipped"))


def _say(skipped: Counter[str]) -> None:
    if not skipped:
        talk.print("没有跳过任何测试。")
        return
    talk.print(f"跳过了 {skipped.total()} 项测试；原因和补全的办法：")
    for reason, count in skipped.most_common():
        talk.print(f"  {count} 项：{reason}")
