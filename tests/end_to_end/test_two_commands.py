"""Do the README's two commands work for a newcomer, with no other step?

Each runs in a fresh clone, under an empty home and an empty environment.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PUBLISHED = {
    "households_updated": 125, "case_files_opened": 23, "dibao_households": 86,
    "dibao_persons": 102, "edge_households": 23, "edge_persons": 25,
    "elderly_alone_surveys": 1, "person_visits": 25, "brand_launches_assisted": 1,
    "volunteer_trainings_delivered": 1, "supervisions_received": 3, "supervisions_online": 2,
    "supervisions_peer": 1, "trainings_received": 1, "communities_surveyed": 3,
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh copy of what git would give, without history: tracked and new files."""
    target = tmp_path_factory.mktemp("newcomer") / "tai zhang"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a newcomer: a home with nothing in it, and a path."""
    return {
        "HOME": str(tmp_path_factory.mktemp("home")), "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8", "PYTHON": os.environ.get("TEST_PYTHON", "python3"),
    }


def taizhang(clone: Path, env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script to its end."""
    return subprocess.run(
        ["./taizhang", *arguments], cwd=clone, env=env, capture_output=True, text=True,
        timeout=600, check=False,
    )


@pytest.fixture(scope="module")
def loaded(clone: Path, bare: dict[str, str]) -> Path:
    """The clone after ``./taizhang demo --load-only``."""
    done = taizhang(clone, bare, "demo", "--load-only", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["events"] > 2000
    assert (clone / ".venv/share/taizhang/parts/htmx.js").exists()
    assert not (clone / "node_modules").exists()
    return clone


def test_the_demo_gives_the_published_november(loaded: Path, bare: dict[str, str]) -> None:
    home = bare | {"TAIZHANG_HOME": str(loaded / "var/demo")}
    done = taizhang(loaded, home, "report", "--month", "2024-11", "--json")
    assert done.returncode == 0, done.stderr
    found = {row["code"]: row for row in json.loads(done.stdout)["indicators"]}
    assert {code: found[code]["value"] for code in PUBLISHED} == PUBLISHED
    assert found["competition_prize"]["value"] is None
    assert found["competition_prize"]["display"] == "未填报"
    assert found["brand_launch_attendance"]["display"] == "近70"


def test_loading_again_changes_nothing(loaded: Path, bare: dict[str, str]) -> None:
    done = taizhang(loaded, bare, "demo", "--load-only", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["events"] == 0


def test_deleted_read_models_are_rebuilt(loaded: Path, bare: dict[str, str]) -> None:
    home = bare | {"TAIZHANG_HOME": str(loaded / "var/demo")}
    for path in (loaded / "var/demo").glob("read.sqlite3*"):
        path.unlink()
    assert taizhang(loaded, home, "rebuild", "--json").returncode == 0
    done = taizhang(loaded, home, "figures", "--month", "2024-11", "--json")
    found = {row["code"]: row["value"] for row in json.loads(done.stdout)["indicators"]}
    assert {code: found[code] for code in PUBLISHED} == PUBLISHED


@pytest.fixture
def demo(loaded: Path, bare: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The running demo, and what it printed as its result."""
    process = subprocess.Popen(
        ["./taizhang", "demo", "--port", "8765", "--json"], cwd=loaded, env=bare,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        printed = ""
        while not printed.endswith("\n}\n") and (line := process.stdout.readline()):
            printed += line
        yield process, json.loads(printed)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_a_stranger_sees_november_in_the_browser(
    demo: tuple[subprocess.Popen[str], dict[str, str]],
) -> None:
    process, shown = demo
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    parts = urllib.parse.urlsplit(shown["report"])
    button = urllib.parse.urlencode(dict(urllib.parse.parse_qsl(parts.query))).encode()
    with opener.open(f"{shown['address']}{parts.path}", button, timeout=30) as answer:
        page = answer.read().decode()
    assert answer.url.endswith("/months/2024-11")
    for text in ("125", "近70", "未填报", "102"):
        assert text in page
    # and Ctrl-C stops every process
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(timeout=30) == 0
    deadline = time.monotonic() + 10
    while _processes_of(shown["address"]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _processes_of(shown["address"])


def _processes_of(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/healthz", timeout=1):  # noqa: S310 - our own
            return True
    except OSError:
        return False


def test_the_tests_run_too(loaded: Path, bare: dict[str, str]) -> None:
    done = taizhang(loaded, bare, "test", "-q", "tests/docs", "-k", "decision")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ passed", done.stdout)
    assert "没有跳过任何测试" in done.stderr
