"""What do the API's tests start from? The real application over a real ledger in a file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from callers import Api
from compiling import compile_rules_once
from desk import STATION, Desk, a_station
from flask import Flask

from api.app import create_app
from api.services import EXTENSION, Services
from workers.settings import settings_for

compile_rules_once()


@pytest.fixture(scope="session")
def first_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home as its first start leaves it: keys, and databases with nothing in their tables."""
    home = tmp_path_factory.mktemp("first")
    create_app(settings_for(home)).extensions[EXTENSION].close()
    return home


@pytest.fixture
def app(tmp_path: Path, first_home: Path) -> Iterator[Flask]:
    """The application with a home of its own and no Redis."""
    shutil.copytree(first_home, tmp_path, dirs_exist_ok=True)
    settings = settings_for(tmp_path)
    app = create_app(settings)
    yield app
    app.extensions[EXTENSION].close()


@pytest.fixture
def api(app: Flask) -> Api:
    """The application of a station that keeps its ledger."""
    return _with_station(app)


@pytest.fixture
def either(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Api]:
    """The same over either database."""
    if database == "sqlite":
        yield request.getfixturevalue("api")
        return
    url = request.getfixturevalue("postgres_url")
    app = create_app(settings_for(tmp_path / "other", database_url=url))
    yield _with_station(app)
    app.extensions[EXTENSION].close()


def _with_station(app: Flask) -> Api:
    services: Services = app.extensions[EXTENSION]
    Desk(services.ledger).record(STATION, a_station(), "2024-01-01", role="administrator")
    return Api(app, services)
