"""Do the settings say what they say, and refuse what cannot work?"""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.settings import BadSettingError, Settings, settings_for

NAMES = (
    "TAIZHANG_HOME", "DATABASE_URL", "READ_DATABASE_URL", "REDIS_URL", "TAIZHANG_HOST",
    "TAIZHANG_PORT", "TAIZHANG_WORKERS", "TAIZHANG_LOG_LEVEL",
)


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_by_default_everything_is_under_var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment()
    assert settings.home == tmp_path / "var"
    assert settings.database_url == f"sqlite:///{tmp_path}/var/ledger.sqlite3"
    assert settings.read_database_url == f"sqlite:///{tmp_path}/var/read.sqlite3"
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)
    assert settings.redis_url is None


def test_with_postgresql_the_read_models_share_its_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/taizhang")
    assert Settings.from_environment().read_database_url == "postgresql://db/taizhang"


def test_a_child_reads_the_same_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_for(
        tmp_path / "a b", redis_url="redis://r", port=81, workers=3, log_level="debug"
    )
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings.from_environment() == settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TAIZHANG_PORT", "http"), ("TAIZHANG_PORT", "70000"), ("TAIZHANG_WORKERS", "0"),
        ("TAIZHANG_LOG_LEVEL", "loud"), ("TAIZHANG_HOME", "/tmp/50%"),
    ],
)
def test_what_cannot_work_is_refused_by_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettingError, match=name):
        Settings.from_environment()


def test_the_home_is_for_its_owner_alone(tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "home")
    settings.prepare_home()
    for folder in (settings.home, settings.run_folder, settings.log_folder):
        assert folder.stat().st_mode & 0o077 == 0


def test_a_database_password_may_come_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password").write_text("p@ss/word\n", encoding="utf-8")
    monkeypatch.setenv("DATABASE_URL", "postgresql://taizhang@postgres:5432/taizhang")
    monkeypatch.setenv("DATABASE_PASSWORD_FILE", str(tmp_path / "password"))
    settings = Settings.from_environment()
    assert settings.database_url == "postgresql://taizhang:p%40ss%2Fword@postgres:5432/taizhang"
    monkeypatch.setenv("DATABASE_PASSWORD_FILE", str(tmp_path / "none"))
    with pytest.raises(BadSettingError, match="DATABASE_PASSWORD_FILE"):
        Settings.from_environment()
