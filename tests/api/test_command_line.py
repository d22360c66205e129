"""Does the command line say what it did, on the right stream, with the right exit code?"""

from __future__ import annotations

import ast
import gzip
import hashlib
import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from api.cli import COMMANDS, chinese, main
from workers.demo import DEMO_STATION, demo_history

Run = Callable[..., Result]
STATION = (
    "station", "add", "st", "--name", "示例站", "--city", "济南市", "--district", "历下区",
    "--street", "示例街道", "--operator", "示例中心", "--funder", "民政局", "--host-office", "街道办",
    "--community", "东路社区,东",
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line in a home of its own."""
    monkeypatch.setenv("TAIZHANG_HOME", str(tmp_path / "home"))
    return lambda *arguments: CliRunner().invoke(main, list(arguments))


def test_there_is_nothing_to_see_before_there_is_a_ledger(run: Run) -> None:
    for command in (("status",), ("report", "--month", "2024-11"), ("figures", "--month", "2024-11")):
        assert run(*command).exit_code == 3


def test_a_station_is_added_once_and_listed(run: Run) -> None:
    assert run(*STATION).exit_code == 0
    assert run(*STATION).exit_code == 1
    assert json.loads(run("station", "list", "--json").stdout) == ["st"]


def test_a_token_is_for_a_station_that_exists(run: Run) -> None:
    run(*STATION)
    issue = ("token", "--actor", "甲", "--role", "lead", "--json")
    assert run(*issue, "--station", "nowhere").exit_code == 1
    made = json.loads(run(*issue, "--station", "st").stdout)
    assert made["station"] == "st"
    listed = run("token", "list")
    assert made["token"] not in listed.stdout
    assert json.loads(run("token", "revoke", "--actor", "甲", "--station", "st", "--json").stdout) == {"revoked": 1}


def test_accounts_are_invited_listed_and_disabled(run: Run) -> None:
    first = run("account", "first", "--json")
    assert "/enter?link=" in json.loads(first.stdout)["link"]
    invite = ("account", "invite", "--login", "Wang", "--actor", "王某", "--role", "lead")
    assert run(*invite).exit_code == 1  # of no station
    assert run(*invite, "--station", "st").exit_code == 1  # nor of one that is not there
    run(*STATION)
    link = json.loads(run(*invite, "--station", "st", "--json").stdout)["link"]
    assert run(*invite, "--station", "st").exit_code == 1
    (row,) = json.loads(run("account", "list", "--json").stdout)
    assert row == {
        "login": "wang", "actor": "王某", "role": "lead", "stations": "st", "state": "待接受邀请",
    }
    assert run("account", "reset", "wang").stdout.strip() != link
    for act in ("unlock", "disable", "enable"):
        assert run("account", act, "wang").exit_code == 0
        assert run("account", act, "nobody").exit_code == 1
    told = run("account", "log")
    assert [line.split("  ")[1] for line in told.stdout.splitlines()] == [
        "启用账号", "停用账号", "解锁", "发出重设链接", "邀请",
    ]
    assert "link=" not in told.stdout


def test_usage_errors_have_a_code_of_their_own(run: Run) -> None:
    run(*STATION)
    assert run("figures").exit_code == 2
    assert run("figures", "--month", "2024-11", "--known-at", "gestern").exit_code == 2
    assert run("figures", "--month", "2024-13").exit_code == 1
    ahead = run("figures", "--month", "2024-11", "--known-at", "999")
    assert (ahead.exit_code, "999" in ahead.stderr) == (1, True)
    assert run("token", "--actor", "甲").exit_code == 2


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """The demo's history as a plain file."""
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"\n".join(demo_history()))
    return path


def test_a_history_is_checked_imported_and_reported(
    run: Run, history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = ("import", "history", str(history), "--station", DEMO_STATION, "--json")
    checked = json.loads(run(*imported, "--dry-run").stdout)
    assert (checked["written"], checked["fault_count"]) == (0, 0)
    written = json.loads(run(*imported).stdout)
    assert written["written"] == checked["acceptable"] > 2000
    assert json.loads(run(*imported).stdout)["repeated"] == written["lines"]
    # and the month's figures and Word file come out
    found = json.loads(run("figures", "--month", "2024-11", "--json").stdout)
    assert next(r for r in found["indicators"] if r["code"] == "households_updated")["value"] == 125
    docx = tmp_path / "月报.docx"
    assert run("report", "--month", "2024-11", "--docx", str(docx)).exit_code == 0
    assert docx.stat().st_size > 20_000
    assert run("report", "--month", "2024-11", "--docx", "/no/such/folder/x.docx").exit_code == 1
    assert "七、下个月计划" in run("report", "--month", "2024-11").stdout
    early = run("figures", "--month", "2024-11", "--known-at", "2024-11-10", "--json").stdout
    assert json.loads(early)["indicators"][0]["value"] < 125
    # and what was recorded since some day
    since = ("figures", "--month", "2024-11", "--since", "2024-11-10")
    changed = json.loads(run(*since, "--json").stdout)
    updated = next(r for r in changed["indicators"] if r["code"] == "households_updated")
    assert updated["before"]["value"] == json.loads(early)["indicators"][0]["value"]
    assert updated["after"]["value"] == 125
    recorded = {event["recorded_at"][:10] for r in changed["records"] for event in r["events"]}
    assert min(recorded) > "2024-11-10"
    printed = run(*since).stdout
    assert "由以下记录引起" in printed
    assert "更新困难群体服务信息" in printed
    assert "没有变化" in run("figures", "--month", "2024-11", "--since", "2025-12-31").stdout
    assert run("figures", "--month", "2024-11", "--since", "gestern").exit_code == 2
    _tables_fit(run, monkeypatch)
    # a score sheet names published reports, and is not taken for one; its bundle needs no --station
    sheet = tmp_path / "评估得分表.docx"
    assert run("evaluate", "--docx", str(sheet)).exit_code == 0
    refused = run("report", "check", str(sheet))
    assert (refused.exit_code, "taizhang evaluate --cycle 2024-2025" in refused.stderr) == (1, True)
    bundled = run("bundle", str(tmp_path / "b.zip"))
    key = run("key").stdout.strip()
    assert "全部日期的记录" in run("verify", str(tmp_path / "b.zip"), "--key", key).stdout
    assert bundled.exit_code == 0


def _tables_fit(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file and in a window of 80 columns nothing of a table is cut off or left out."""
    commands = (("evaluate",), ("progress",), ("explain", "person_visits", "--month", "2024-11"))
    wide = [run(*command).stdout for command in commands]
    monkeypatch.setenv("COLUMNS", "80")
    narrow = [run(*command).stdout for command in commands]
    for printed in (*wide, *narrow):
        assert "…" not in printed
    assert all(month in wide[0] and month in narrow[0] for month in ("24-07", "24-12", "25-06"))
    assert max(cell_len(line) for printed in narrow for line in printed.splitlines()) <= 80
    ids = re.findall(r"[0-9a-f]{32}", wide[2])
    assert set(ids) == set(re.findall(r"[0-9a-f]{32}", narrow[2]))
    assert len(ids) > 20
    monkeypatch.delenv("COLUMNS")


def test_a_faulty_history_names_its_lines_and_writes_nothing(run: Run, history: Path) -> None:
    history.write_bytes(history.read_bytes() + b"\n{broken")
    done = run("import", "history", str(history), "--station", DEMO_STATION)
    assert done.exit_code == 1
    assert "[bad_line]" in done.stdout
    assert run("figures", "--month", "2024-11").exit_code == 1


def test_a_damaged_history_is_refused_in_a_sentence(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(demo_history()))[:-100])
    done = run("import", "history", str(path), "--station", DEMO_STATION)
    assert done.exit_code == 1
    assert "文件已损坏" in done.stderr
    assert run("figures", "--month", "2024-11").exit_code == 1


def test_read_models_are_rebuilt_by_name(run: Run) -> None:
    run(*STATION)
    rebuilt = json.loads(run("rebuild", "timeline", "--json").stdout)
    assert rebuilt[0]["name"] == "timeline"
    assert run("rebuild", "nothing").exit_code == 2
    assert json.loads(run("status", "--json").stdout)["head"] == 1


def test_a_report_is_published_checked_and_restated(run: Run, tmp_path: Path) -> None:
    run(*STATION)
    month = ("--month", "2024-11", "--station", "st")
    publish = ("publish", *month, "--actor", "站长甲")
    assert run("report", *month, "--published").exit_code == 1
    # the list comes first, and nothing is published before it is confirmed
    listed = run(*publish)
    assert (listed.exit_code, listed.stdout) == (1, "")
    assert "有一节没有内容" in listed.stderr
    code = run(*publish, "--yes").stdout.strip()
    assert run(*publish, "--yes").exit_code == 1
    published = json.loads(run("report", *month, "--published", "--json").stdout)
    assert (published["short_code"], published["actor"]) == (code, "站长甲")
    assert "--yes" in run(*publish, "--restate", "无").stderr
    assert run(*publish, "--restate", "无", "--yes").exit_code == 1  # nothing has changed
    # and its Word file is known again, while today's is not a published one
    for name, option, expected in (("a.docx", ("--published",), 0), ("b.docx", (), 1)):
        file = str(tmp_path / name)
        assert run("report", *month, *option, "--docx", file).exit_code == 0
        checked = run("report", "check", file, "--json")
        assert checked.exit_code == expected
        assert json.loads(checked.stdout)["codes"] == ([code] if expected == 0 else [])
    assert run("report", "check", str(tmp_path)).exit_code == 2
    assert run("report", *month, "--published", "--as-of", "2024-11-05").exit_code == 2


def test_a_cycle_is_evaluated_and_counted_otherwise_in_one_command(run: Run, tmp_path: Path) -> None:
    run(*STATION)
    assert run("evaluate").exit_code == 2  # no task book says which cycle
    empty = run("evaluate", "--cycle", "2099-2100")
    assert (empty.exit_code, "有内容的周期：无" in empty.stderr) == (1, True)
    meeting = tmp_path / "meeting.jsonl"
    held = next(line for line in demo_history() if b'"meeting.held"' in line)
    meeting.write_bytes(held)
    assert run("import", "history", str(meeting), "--station", "st").exit_code == 0
    assert "有内容的周期：2024-2025" in run("evaluate", "--cycle", "2099-2100").stderr
    cycle = ("evaluate", "--cycle", "2024-2025", "--json")
    sheet = json.loads(run(*cycle).stdout)
    assert (sheet["station"], sheet["projected"], len(sheet["months"])) == ("st", [], 12)
    (row,) = json.loads(run(*cycle[:-1], "--all", "--actor", "评审", "--json").stdout)["stations"]
    assert row["code"] == sheet["code"]
    printed = json.loads(run(*cycle, "--actor", "评审").stdout)
    files = tmp_path.rglob("evaluations/*.json")
    kept = [msgspec.json.decode(file.read_bytes(), type=dict[str, msgspec.Raw]) for file in files]
    assert printed["code"] in {hashlib.sha256(one["sheet"]).hexdigest() for one in kept}
    assert len(kept) == 2
    file = tmp_path / "rules.json"
    file.write_text('[{"code": "visits", "label": "走访"}]', encoding="utf-8")
    assert run(*cycle, "--what-if", str(file)).exit_code == 1
    file.write_text(
        '[{"code": "meetings", "label": "会议", "label_en": "Meetings", "unit": "times",'
        ' "measure": "meeting.held"}]', encoding="utf-8",
    )
    found = json.loads(run(*cycle, "--what-if", str(file)).stdout)
    assert {figure["code"] for figure in found["figures"]} == {"meetings"}
    assert found["what_if"]["what_if"] == ["meetings"]
    # position 0 is a moment of knowing too: the station was not there yet
    unknown = run(*cycle, "--what-if-known-at", "0")
    assert (unknown.exit_code, "社工站" in unknown.stderr) == (1, True)
    _stations_have_cycles_of_their_own(run, tmp_path)


def _stations_have_cycles_of_their_own(run: Run, folder: Path) -> None:
    """All stations are not evaluated for a cycle that only the first of them has."""
    run("station", "add", "zz", *STATION[3:])
    drafted = next(line for line in demo_history() if b'"task_book.drafted"' in line)
    for station, year in (("st", b"2024-2025"), ("zz", b"2025-2026")):
        file = folder / f"{station}.jsonl"
        file.write_bytes(drafted.replace(b'"cycle":"2024-2025"', b'"cycle":"' + year + b'"'))
        assert run("import", "history", str(file), "--station", station).exit_code == 0
    every = run("evaluate", "--all")
    assert (every.exit_code, "2024-2025、2025-2026" in every.stderr) == (2, True)
    own = json.loads(run("evaluate", "--station", "zz", "--json").stdout)
    assert (own["cycle"], own["task_book"]) == ("2025-2026", None)


def test_help_is_in_chinese_for_every_command(run: Run) -> None:
    for command in ((), *((name,) for name in COMMANDS)):
        shown = run(*command, "--help").stdout
        assert shown.startswith("用法: "), command
        assert "显示本帮助。" in shown or command == ("test",)
        for english in ("Usage", "Options:", "Commands:", "Show ", "[required]", "[default"):
            assert english not in shown, command


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nonsense",), "错误：没有命令 'nonsense'。"),
        (("nonsense", "--help"), "用法见 main --help"),
        (("station", "add", "st"), "错误：缺少选项 '--name'"),
        (("figures", "--moth", "1"), "错误：没有选项 '--moth'。"),
        (("figures", "--month"), "错误：选项 '--month' 后面要有值。"),
        (("serve", "--port", "x"), "错误：'--port' 的值不正确：'x' 不是数字"),
        (("status", "more"), "错误：多余的参数（more）"),
        (("token", "--role", "king"), "'--role' 的值不正确：'king' 不在其中："),
    ],
)
def test_wrong_usage_is_told_in_chinese(run: Run, arguments: tuple[str, ...], said: str) -> None:
    told = run(*arguments)
    assert told.exit_code == 2
    assert said in told.stderr


def test_each_translated_text_is_one_that_click_says() -> None:
    source = "".join(inspect.getsource(module) for module in chinese.MODULES)
    spoken = {
        node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)
    }
    assert set(chinese.CATALOGUE) <= spoken
