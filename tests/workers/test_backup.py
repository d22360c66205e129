"""Does a backup hold everything, and does a restore bring back every byte of it?"""

from __future__ import annotations

import base64
import itertools
import json
import os
import resource
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from desk import NOW, STATION, Desk, a_station

from api.access_log import Access, AccessAction, AccessLog
from api.access_queries import AccessQuery, accesses_of
from api.cli import main
from domain.ledger import Ledger
from domain.visit import VisitRecorded
from projections.engine import ReadModels
from projections.figures import Period, figures
from projections.indicators import indicator_set
from workers.backup import BadBackupError, TargetNotEmptyError, backup, plain_files, restore
from workers.master_key import open_keyring
from workers.runtime import Runtime, opened_ledger
from workers.settings import Settings, settings_for

MASTER_KEY = base64.b64encode(bytes(range(32))).decode()
MADE_AT = datetime(2024, 12, 6, 1, 0, tzinfo=UTC)
_numbers = itertools.count(1)


class Places:
    """Installations of one kind of database, each empty at first."""

    def __init__(self, database: str, folder: Path, server: str | None) -> None:
        self.database, self._folder, self._server = database, folder, server
        self._made: list[str] = []

    def empty(self) -> Settings:
        number = next(_numbers)
        home = self._folder / f"home-{number}"
        if self._server is None:
            settings = settings_for(home, master_key_text=MASTER_KEY)
        else:
            urls = [self._create(f"backup_{kind}_{number}") for kind in ("ledger", "keys")]
            settings = settings_for(
                home, database_url=urls[0], keys_database_url=urls[1], master_key_text=MASTER_KEY
            )
        settings.prepare_home()
        return settings

    def _create(self, name: str) -> str:
        assert self._server
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        self._made.append(name)
        base, query = self._server.split("?")
        return f"{base.rsplit('/', 1)[0]}/{name}?{query}"

    def drop(self) -> None:
        for name in self._made:
            assert self._server
            with psycopg.connect(self._server, autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def places(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Places]:
    server = None if database == "sqlite" else request.getfixturevalue("postgres_server")
    places = Places(database, tmp_path, server)
    yield places
    places.drop()


@pytest.fixture
def installation(places: Places) -> Settings:
    """A station with a household and a few visits."""
    settings = places.empty()
    with opened_ledger(settings) as ledger:
        desk = Desk(ledger)
        desk.record(STATION, a_station(), "2024-01-01", role="administrator")
        desk.household("h1", "a", "b")
        for day in range(1, 6):
            desk.record(f"v{day}", a_visit(), f"2024-11-0{day}")
    return settings


def a_visit() -> VisitRecorded:
    return VisitRecorded(
        mode="home", purpose="routine", persons_met=1, household="h1", note="血压偏高"
    )


def prepare(settings: Settings) -> None:
    Runtime(settings).close()


def everything(settings: Settings) -> list[Any]:
    with opened_ledger(settings) as ledger:
        return list(ledger.notifications(0, 100_000))


def notes(settings: Settings) -> list[str]:
    """What the visits' notes say, opened."""
    with opened_ledger(settings) as ledger:
        return [
            ledger.vault.opened(r.event, r.stream).note
            for r in ledger.recorded()
            if isinstance(r.event, VisitRecorded)
        ]


def november(settings: Settings) -> list[Any]:
    with opened_ledger(settings) as ledger:
        read_models = ReadModels(settings.read_database_url)
        read_models.advance(ledger)
        with read_models.engine.connect() as connection:
            chosen = indicator_set("lixia-2024")
            found = figures(connection, STATION, chosen, Period.of_month("2024-11"))
        read_models.close()
    return [(figure.indicator.code, figure.value) for figure in found]


def test_a_restored_installation_is_the_same_to_the_last_byte(
    places: Places, installation: Settings, tmp_path: Path
) -> None:
    expected, then = everything(installation), november(installation)
    file, target = tmp_path / "backup.zip", places.empty()

    made = backup(installation, file, MADE_AT)
    restored = restore(target, file, lambda: prepare(target))

    assert made.head == restored.head == expected[-1].id
    assert everything(target) == expected
    assert notes(target) == ["血压偏高"] * 5
    assert november(target) == then
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_restored_ledger_goes_on_after_its_last_position(
    places: Places, installation: Settings, tmp_path: Path
) -> None:
    file, target = tmp_path / "backup.zip", places.empty()
    head = backup(installation, file, MADE_AT).head
    restore(target, file, lambda: prepare(target))

    with opened_ledger(target) as ledger:
        receipt = Desk(ledger).record("v9", a_visit(), "2024-11-09")

    assert receipt.position == head + 1


def test_a_restored_ledger_still_knows_the_requests_it_answered(
    places: Places, installation: Settings, tmp_path: Path
) -> None:
    with opened_ledger(installation) as ledger:
        first = Desk(ledger).record("v7", a_visit(), "2024-11-07", idempotency_key="k1")
    file, target = tmp_path / "backup.zip", places.empty()
    backup(installation, file, MADE_AT)
    restore(target, file, lambda: prepare(target))

    with opened_ledger(target) as ledger:
        again = Desk(ledger).record("v7", a_visit(), "2024-11-07", idempotency_key="k1")

    assert (again.position, again.is_repeated) == (first.position, True)


@contextmanager
def somebody_recording(settings: Settings) -> Iterator[list[int]]:
    """A colleague who records one visit after another; answers the acknowledged positions."""
    acknowledged: list[int] = []
    is_over = threading.Event()

    def work(ledger: Ledger) -> None:
        desk = Desk(ledger)
        for number in itertools.count(100):
            if is_over.is_set():
                return
            acknowledged.append(desk.record(f"v{number}", a_visit(), "2024-11-09").position)

    with opened_ledger(settings) as ledger:
        thread = threading.Thread(target=work, args=(ledger,))
        thread.start()
        while len(acknowledged) < 20:
            assert thread.is_alive()
        try:
            yield acknowledged
        finally:
            is_over.set()
            thread.join(30)


def test_a_backup_is_consistent_while_somebody_records(
    places: Places, installation: Settings, tmp_path: Path
) -> None:
    file, target = tmp_path / "backup.zip", places.empty()
    with somebody_recording(installation) as acknowledged:
        before = len(acknowledged)
        made = backup(installation, file, MADE_AT)
        after = len(acknowledged)
    restore(target, file, lambda: prepare(target))

    found = everything(target)

    assert found == everything(installation)[: len(found)]
    assert made.head == found[-1].id
    assert acknowledged[before - 1] <= made.head <= acknowledged[min(after, len(acknowledged) - 1)]
    assert len(notes(target)) == len(found) - 2


def test_a_ledger_is_never_overwritten(
    installation: Settings, tmp_path: Path
) -> None:
    file, before = tmp_path / "backup.zip", everything(installation)
    backup(installation, file, MADE_AT)

    with pytest.raises(TargetNotEmptyError):
        restore(installation, file, lambda: prepare(installation))

    assert everything(installation) == before


# ---- what survived the ledger ----


def erase(settings: Settings, owner: str) -> None:
    keyring = open_keyring(settings)
    assert keyring.destroy([owner]) == 1
    keyring.close()


def counts(settings: Settings) -> dict[str, int]:
    keyring = open_keyring(settings)
    found = keyring.counts()
    keyring.close()
    return found


def note_access(settings: Settings, request_id: str) -> None:
    log = AccessLog(settings.access_database_url)
    log.append(Access(NOW, "张三", "lead", STATION, request_id, AccessAction.READ, "/x", ("household:h1",)))
    log.close()


def lose_the_ledger(settings: Settings) -> None:
    if settings.database_url.startswith("sqlite"):
        for file in settings.home.glob("ledger.sqlite3*"):
            file.unlink()
        return
    with psycopg.connect(settings.database_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


@pytest.fixture
def survived(installation: Settings, tmp_path: Path) -> Settings:
    """An installation that lost its ledger after a member of the household was erased."""
    backup(installation, tmp_path / "backup.zip", MADE_AT)
    erase(installation, f"{STATION}/person/a")
    note_access(installation, "r1")
    lose_the_ledger(installation)
    return installation


def test_a_keyring_that_survived_the_ledger_is_not_overwritten(
    survived: Settings, tmp_path: Path
) -> None:
    then = counts(survived)

    with pytest.raises(TargetNotEmptyError, match=r"密钥库.*--keep-keys"):
        restore(survived, tmp_path / "backup.zip", lambda: prepare(survived))

    assert counts(survived) == then
    assert then["erased"] == 1


def test_with_the_keys_kept_only_the_ledger_is_restored(
    survived: Settings, tmp_path: Path
) -> None:
    then = counts(survived)

    answer = taizhang(survived, "restore", str(tmp_path / "backup.zip"), "--keep-keys")

    assert answer.exit_code == 0, answer.output
    assert counts(survived) == then
    assert notes(survived) == ["血压偏高"] * 5
    log = AccessLog(survived.access_database_url)
    with log.questions() as connection:
        rows = accesses_of(connection, AccessQuery(STATION, subjects=("household:h1",)))
    log.close()
    beside = survived.access_database_url == survived.database_url  # and so it was lost as well
    assert [row.request_id for row in rows] == ([] if beside else ["r1"])


def test_a_keyring_that_was_only_opened_counts_as_empty(
    places: Places, installation: Settings, tmp_path: Path
) -> None:
    file, target = tmp_path / "backup.zip", places.empty()
    backup(installation, file, MADE_AT)
    prepare(target)

    restore(target, file, lambda: prepare(target))

    assert notes(target) == ["血压偏高"] * 5


def test_a_restore_cut_short_before_the_ledger_can_be_run_again(
    places: Places, installation: Settings, tmp_path: Path
) -> None:
    file, target = tmp_path / "backup.zip", places.empty()
    note_access(installation, "r1")
    backup(installation, file, MADE_AT)

    def cut_short(name: str) -> None:
        if name == "ledger":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(target, file, lambda: _everything_prepared(target), cut_short)
    assert everything_is_lost(target)

    restore(target, file, lambda: _everything_prepared(target))

    assert notes(target) == ["血压偏高"] * 5


def test_a_restore_whose_ledger_was_damaged_can_be_run_again_with_a_good_file(
    places: Places, installation: Settings, tmp_path: Path
) -> None:
    # given one that got so far that the restored keyring was opened
    good, bad, target = tmp_path / "good.zip", tmp_path / "bad.zip", places.empty()
    backup(installation, good, MADE_AT)
    backup(installation, bad, MADE_AT)
    damaged(bad, "one bit changed")
    assert taizhang(target, "restore", str(bad)).exit_code == 1
    assert counts(target)["active"] > 0

    answer = taizhang(target, "restore", str(good))

    assert answer.exit_code == 0, answer.output
    assert notes(target) == ["血压偏高"] * 5


def _everything_prepared(settings: Settings) -> None:
    prepare(settings)
    AccessLog(settings.access_database_url).close()


def everything_is_lost(settings: Settings) -> bool:
    """Whether there is no event; asked without opening (and so changing) the keyring."""
    if settings.database_url.startswith("sqlite"):
        return not (settings.home / "ledger.sqlite3").exists()
    with psycopg.connect(settings.database_url.replace("+psycopg", "")) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM taizhang_events").fetchall()
    return bool(count == 0)


def damaged(file: Path, how: str) -> None:
    """Damage a backup in one of several ways."""
    whole = file.read_bytes()
    if how == "cut short":
        file.write_bytes(whole[: len(whole) // 2])
    elif how == "no zip":
        file.write_bytes("这不是备份".encode())
    elif how == "another file":
        with zipfile.ZipFile(file, "w") as bundle:
            bundle.writestr("hello.txt", "你好")
    else:
        with zipfile.ZipFile(file) as bundle:
            members = {name: bundle.read(name) for name in bundle.namelist()}
        name = next(n for n in members if "events" in n or n == "ledger.sqlite3")
        middle = len(members[name]) // 2
        changed = bytes([members[name][middle] ^ 1])
        members[name] = members[name][:middle] + changed + members[name][middle + 1 :]
        with zipfile.ZipFile(file, "w") as bundle:
            for member, content in members.items():
                bundle.writestr(member, content)


@pytest.mark.parametrize("how", ["cut short", "no zip", "another file", "one bit changed"])
def test_a_damaged_backup_is_refused_and_nothing_is_restored(
    places: Places, installation: Settings, tmp_path: Path, how: str
) -> None:
    file, target = tmp_path / "backup.zip", places.empty()
    backup(installation, file, MADE_AT)
    damaged(file, how)

    with pytest.raises(BadBackupError):
        restore(target, file, lambda: prepare(target))

    assert everything(target) == []


def test_a_restore_that_was_refused_can_be_run_again(
    places: Places, installation: Settings, tmp_path: Path
) -> None:
    good, bad, target = tmp_path / "good.zip", tmp_path / "bad.zip", places.empty()
    backup(installation, good, MADE_AT)
    backup(installation, bad, MADE_AT)
    damaged(bad, "one bit changed")
    with pytest.raises(BadBackupError):
        restore(target, bad, lambda: prepare(target))

    restore(target, good, lambda: prepare(target))

    assert everything(target) == everything(installation)


# ---- the templates ----


def with_templates(settings: Settings) -> dict[str, bytes]:
    found = {"templates/monthly.docx": b"own", "templates/published/ab12.docx": b"printed"}
    for name, content in found.items():
        (settings.home / name).parent.mkdir(parents=True, exist_ok=True)
        (settings.home / name).write_bytes(content)
    return found


def test_the_templates_come_along(places: Places, installation: Settings, tmp_path: Path) -> None:
    expected, file, target = with_templates(installation), tmp_path / "backup.zip", places.empty()
    backup(installation, file, MADE_AT)

    restore(target, file, lambda: prepare(target))

    assert {name: (target.home / name).read_bytes() for name in expected} == expected


def test_a_template_that_is_there_already_stays(
    places: Places, installation: Settings, tmp_path: Path
) -> None:
    with_templates(installation)
    file, target = tmp_path / "backup.zip", places.empty()
    backup(installation, file, MADE_AT)
    (target.home / "templates").mkdir()
    (target.home / "templates/monthly.docx").write_bytes(b"newer")

    restore(target, file, lambda: prepare(target))

    assert (target.home / "templates/monthly.docx").read_bytes() == b"newer"
    assert (target.home / "templates/published/ab12.docx").read_bytes() == b"printed"


@pytest.mark.parametrize("name", [
    "templates/../../outside.docx", "/tmp/outside.docx", "templates/..\\outside.docx",
    "outside.docx", "templates/master.key", "templates//x.docx", "templates/.x.docx", "templates",
])
def test_a_file_out_of_its_folder_is_refused(
    places: Places, installation: Settings, tmp_path: Path, name: str
) -> None:
    with_templates(installation)
    file, target = tmp_path / "backup.zip", places.empty()
    backup(installation, file, MADE_AT)
    _rename_member(file, "templates/monthly.docx", name)

    with pytest.raises(BadBackupError, match="不在应在的文件夹之内"):
        restore(target, file, lambda: prepare(target))

    assert everything(target) == []
    assert not (target.home / "templates").exists()


def test_a_template_is_bounded_and_checked(
    places: Places, installation: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_templates(installation)
    file, target = tmp_path / "backup.zip", places.empty()
    backup(installation, file, MADE_AT)
    with monkeypatch.context() as smaller:
        smaller.setattr(plain_files, "MOST_BYTES", 6)
        with pytest.raises(BadBackupError, match="最多 6"):
            restore(target, file, lambda: prepare(target))
        with pytest.raises(OSError, match="不像模板"):
            backup(installation, tmp_path / "other.zip", MADE_AT)
    _rename_member(file, b"printed".hex(), b"altered".hex())
    with pytest.raises(BadBackupError, match=r"ab12\.docx 已损坏"):
        restore(target, file, lambda: prepare(target))
    assert everything(target) == []


def _rename_member(file: Path, before: str, after: str) -> None:
    """Name a member differently, also in the manifest; or, as hex, change its content."""
    with zipfile.ZipFile(file) as bundle:
        members = {name: bundle.read(name) for name in bundle.namelist()}
    with zipfile.ZipFile(file, "w") as bundle:
        for name, content in members.items():
            found = bytes.fromhex(after) if content.hex() == before else content
            if name == "manifest.json":
                found = found.replace(json.dumps(before).encode(), json.dumps(after).encode())
            bundle.writestr(after if name == before else name, found)


# ---- the commands ----


def taizhang(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), env=settings.environment())


def test_the_commands_back_up_and_restore(
    places: Places, installation: Settings, tmp_path: Path
) -> None:
    file, target = tmp_path / "backup.zip", places.empty()

    made = taizhang(installation, "backup", str(file))
    restored = taizhang(target, "restore", str(file))

    assert made.exit_code == 0, made.output
    assert restored.exit_code == 0, restored.output
    assert everything(target) == everything(installation)


def test_a_backup_overwrites_no_file(installation: Settings, tmp_path: Path) -> None:
    file = tmp_path / "backup.zip"
    file.write_text("别的文件")

    result = taizhang(installation, "backup", str(file))

    assert result.exit_code == 1
    assert "已存在" in result.output
    assert file.read_text() == "别的文件"


def test_without_the_master_key_a_restore_says_what_is_missing(
    places: Places, installation: Settings, tmp_path: Path
) -> None:
    file, target = tmp_path / "backup.zip", replace(places.empty(), master_key_text="")
    backup(installation, file, MADE_AT)

    result = taizhang(target, "restore", str(file))

    assert result.exit_code == 1
    assert "缺少主密钥" in result.output


def test_another_master_key_is_refused(
    places: Places, installation: Settings, tmp_path: Path
) -> None:
    other = base64.b64encode(bytes(32)).decode()
    file, target = tmp_path / "backup.zip", replace(places.empty(), master_key_text=other)
    backup(installation, file, MADE_AT)

    result = taizhang(target, "restore", str(file))

    assert result.exit_code == 2
    assert "主密钥与密钥库不符" in result.output
    again = taizhang(replace(target, master_key_text=MASTER_KEY), "restore", str(file))
    assert again.exit_code == 0, again.output
    assert everything(replace(target, master_key_text=MASTER_KEY)) == everything(installation)


def test_a_full_disk_leaves_no_half_backup(installation: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()

    found = subprocess.run(
        [sys.executable, "-m", "api.cli", "backup", str(folder / "backup.zip")],
        env=os.environ | installation.environment(), capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000)),
    )

    assert found.returncode == 1, found.stderr
    assert "备份没有写成" in found.stderr
    assert list(folder.iterdir()) == []


def test_nothing_personal_stands_in_a_backup_in_the_clear(
    installation: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "backup.zip"
    backup(installation, file, MADE_AT)

    with zipfile.ZipFile(file) as bundle:
        content = b"".join(bundle.read(name) for name in bundle.namelist())

    assert "血压偏高".encode() not in content
    assert NOW.isoformat()[:10].encode() in content


def test_who_read_what_comes_along(installation: Settings, places: Places, tmp_path: Path) -> None:
    log = AccessLog(installation.access_database_url)
    log.append(Access(NOW, "张三", "lead", STATION, "r1", AccessAction.READ, "/x", ("household:h1",)))
    log.close()
    backup(installation, tmp_path / "b.zip", MADE_AT)
    target = places.empty()

    def prepared() -> None:
        prepare(target)
        AccessLog(target.access_database_url).close()

    restore(target, tmp_path / "b.zip", prepared)
    log = AccessLog(target.access_database_url)
    log.append(Access(NOW, "李四", "lead", STATION, "r2", AccessAction.READ, "/x", ("household:h1",)))
    with log.questions() as connection:
        rows = accesses_of(connection, AccessQuery(STATION, subjects=("household:h1",)))
    log.close()
    assert [row.request_id for row in rows] == ["r2", "r1"]
