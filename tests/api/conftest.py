"""What do the API's tests start from? The real application over a real ledger in a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from callers import Api
from desk import STATION, Desk, a_station
from flask import Flask

from api.app import create_app
from api.services import EXTENSION, Services
from workers.settings import settings_for


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """The application with a home of its own and no Redis."""
    settings = settings_for(tmp_path)
    settings.prepare_home()
    app = create_app(settings)
    yield app
    app.extensions[EXTENSION].close()


@pytest.fixture
def api(app: Flask) -> Api:
    """The application of a station that keeps its ledger."""
    services: Services = app.extensions[EXTENSION]
    Desk(services.ledger).record(STATION, a_station(), "2024-01-01", role="administrator")
    return Api(app, services)
