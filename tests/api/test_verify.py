"""Does ``taizhang verify`` say what was altered, with the exit code of a failed check?"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from desk import NOW, STATION, a_vault
from stage import ROOT
from tampering import Log

from api.cli import main
from domain.ledger import Ledger
from workers.runtime import sealer_of
from workers.seals import Seals
from workers.settings import settings_for

Run = Callable[..., Result]


@dataclass
class House:
    """A home with a sealed ledger of 600 events."""

    home: Path
    log: Log
    run: Run

    def seal(self) -> None:
        settings = settings_for(self.home, database_url=self.log.url)
        seals = Seals(self.log.url)
        while sealer_of(self.log.ledger, seals, settings).seal(NOW):
            pass
        seals.close()


@pytest.fixture
def house(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[House]:
    home = tmp_path / "home"
    url = f"sqlite:///{home}/ledger.sqlite3"
    if database == "postgresql":
        url = str(request.getfixturevalue("postgres_url"))
        monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("TAIZHANG_HOME", str(home))
    settings_for(home).prepare_home()
    with Ledger(url, a_vault()) as ledger:
        house = House(
            home, Log(ledger, url),
            lambda *arguments: CliRunner().invoke(main, [str(a) for a in arguments]),
        )
        house.log.append(300)
        house.seal()
        house.log.append(300)
        house.seal()
        yield house


def verdict(result: Result, code: int) -> dict:
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def positions(result: Result) -> list[tuple[str, int]]:
    return [(f["code"], f["position"]) for f in verdict(result, 1)["faults"]]


def test_a_log_that_nobody_touched_passes(house: House) -> None:
    found = verdict(house.run("verify", "--json"), 0)
    assert (found["ok"], found["events"], found["checkpoints"], found["noted"]) == (True, 600, 2, 1)
    said = house.run("verify")
    assert said.exit_code == 0
    assert "通过" in said.stdout
    assert "600" in said.stdout


def test_each_kind_of_tampering_is_named(house: House) -> None:
    house.log.change("= 123")
    assert positions(house.run("verify", "--json")) == [("changed", 123)]
    said = house.run("verify")
    assert said.exit_code == 1
    assert "第 123 条" in said.stdout
    assert "未通过" in said.stdout
    house.log.remove("= 77")
    house.log.move((200, 9_000), (500, 200), (9_000, 500))
    house.log.remove("> 590")
    assert positions(house.run("verify", "--json")) == [
        ("missing", 77), ("changed", 123), ("changed", 200), ("changed", 500), ("cut_off", 591),
    ]


def test_an_older_copy_is_told_by_the_note_in_the_home(house: House) -> None:
    house.log.remove("> 300")
    house.log.unseal(300)
    assert positions(house.run("verify", "--json")) == [("older_copy", 301)]
    # given that the home was put back as well, nothing contradicts anything …
    note = (house.home / "checkpoint").rename(house.home / "elsewhere")
    found = house.run("verify")
    assert found.exit_code == 0
    assert "数据库外" in found.stderr
    # … until somebody brings what he noted
    said = house.run("verify", "--json", "--checkpoint", note)
    assert positions(said) == [("older_copy", 301)]


def test_a_log_of_which_nothing_is_sealed_does_not_pass(house: House) -> None:
    house.log.tamper("DELETE FROM log_tiles", "DELETE FROM log_checkpoints")
    (house.home / "checkpoint").unlink()
    said = house.run("verify")
    assert said.exit_code == 1
    assert "没有一个检查点" in said.stdout
    assert "taizhang serve" in said.stdout
    # and once it is sealed, it is as any other
    house.seal()
    assert house.run("verify").exit_code == 0


def test_a_checkpoint_of_another_key_proves_nothing(house: House, tmp_path: Path) -> None:
    key = house.run("key").stdout.strip()
    (house.home / "sealing.key").write_text(base64.b64encode(bytes(32)).decode())
    assert house.run("verify", "--json").exit_code == 1
    (tmp_path / "key").write_text(key)
    assert verdict(house.run("verify", "--json", "--key", tmp_path / "key"), 0)["ok"]
    assert house.run("verify", "--key", "nonsense").exit_code == 1


def test_without_a_key_it_is_asked_for_and_none_is_made(house: House) -> None:
    (house.home / "sealing.key").unlink()
    said = house.run("verify")
    assert said.exit_code == 1
    assert "--key" in said.output
    assert not (house.home / "sealing.key").exists()
    # and the sealer does not make another one either
    said = house.run("key")
    assert said.exit_code == 2
    assert "签名密钥" in said.output


def test_the_key_is_for_its_owner_alone(house: House) -> None:
    file = house.home / "sealing.key"
    assert file.stat().st_mode & 0o777 == 0o600
    shown = house.run("key", "--json")
    assert file.read_text().strip() not in shown.output
    assert set(json.loads(shown.stdout)) == {"key", "fingerprint"}


def test_status_shows_the_newest_checkpoint_and_an_alarm(house: House) -> None:
    house.log.append(5)
    said = json.loads(house.run("status", "--json").stdout)["seal"]
    assert (said["size"], said["unsealed"], said["alarm"]) == (600, 5, None)
    assert "存证      第 600 条" in house.run("status").stdout
    house.log.change("= 590")
    assert "已停止" in house.run("status").stdout


def test_a_bundle_is_verified_without_database_redis_or_settings(
    house: House, tmp_path: Path
) -> None:
    bundle = tmp_path / "out" / "bundle.zip"
    assert house.run("bundle", bundle, "--station", STATION).exit_code == 1  # no such folder
    bundle.parent.mkdir()
    house.log.append(7)
    made = json.loads(house.run("bundle", bundle, "--station", STATION, "--json").stdout)
    assert (made["events"], made["size"]) == (607, 607)  # what was not sealed is sealed first
    again = tmp_path / "out" / "again.zip"
    assert house.run("bundle", again, "--station", STATION, "--at", 607).exit_code == 0
    assert again.read_bytes() == bundle.read_bytes()
    key = house.run("key").stdout.strip()
    # when another machine has it and nothing else
    result = subprocess.run(
        [sys.executable, "-m", "api.cli", "verify", str(bundle), "--key", key, "--json"],
        env={"PYTHONPATH": str(ROOT), "PATH": "", "DATABASE_URL": "nonsense", "HOME": "/nowhere"},
        cwd=tmp_path / "out", capture_output=True, text=True, check=False,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["events"] == 607
    assert sorted(f.name for f in bundle.parent.iterdir()) == ["again.zip", "bundle.zip"]


def test_a_bundle_that_is_none_is_refused(house: House, tmp_path: Path) -> None:
    file = tmp_path / "b.zip"
    file.write_bytes(b"PK")
    key = house.run("key").stdout.strip()
    said = house.run("verify", file, "--key", key)
    assert said.exit_code == 1
    assert "b.zip" in said.output
    assert house.run("verify", file).exit_code == 2
    assert house.run("bundle", file, "--station", "nowhere").exit_code == 1
    assert house.run("bundle", file, "--station", STATION, "--at", 5).exit_code == 1
    house.log.change("= 590")
    assert "590" in house.run("bundle", file, "--station", STATION).output


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # backups of PostgreSQL are tested elsewhere
def test_a_restored_log_is_verified_against_its_checkpoints(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def restored(name: str, *brought: str) -> Result:
        monkeypatch.setenv("TAIZHANG_HOME", str(tmp_path / name))
        (tmp_path / name).mkdir()
        for file in brought:
            (tmp_path / name / file).write_bytes((house.home / file).read_bytes())
        answer = house.run("restore", backup)
        monkeypatch.setenv("TAIZHANG_HOME", str(house.home))
        return answer

    house.run("verify")  # makes the master key
    backup = tmp_path / "good.zip"
    assert house.run("backup", backup).exit_code == 0
    assert restored("a", "master.key", "sealing.key", "checkpoint").exit_code == 0
    # without the signing key it says what is left to be done
    assert "--key" in restored("b", "master.key").output
    # an older backup beside a newer note is told as such
    house.log.append(3)
    house.seal()
    said = restored("c", "master.key", "sealing.key", "checkpoint")
    assert (said.exit_code, "旧的副本" in said.output) == (1, True)
    # and so is a log that was altered before it was backed up
    house.log.change("= 5")
    backup = tmp_path / "bad.zip"
    house.run("backup", backup)
    said = restored("d", "master.key", "sealing.key")
    assert (said.exit_code, "第 5 条" in said.output) == (1, True)
