"""Do docker-compose.yml and the Dockerfile say what the README promises?

No engine runs here: they are checked by reading.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_all_services_are_there() -> None:
    assert set(SERVICES) == {"postgres", "keys", "redis", "api", "worker", "scheduler", "https"}


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_has_a_health_check(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]


@pytest.mark.parametrize("name", ["api", "worker", "scheduler"])
def test_our_processes_run_without_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] == "10001:10001"
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert service["depends_on"]["postgres"]["condition"] == "service_healthy"


def test_nothing_listens_beyond_this_machine_unless_tls_was_asked_for() -> None:
    usual = [service for service in SERVICES.values() if "profiles" not in service]
    assert [port for service in usual for port in service.get("ports", [])] == ["127.0.0.1:8000:8000"]
    assert {name for name, service in SERVICES.items() if "profiles" in service} == {"https"}
    assert SERVICES["https"]["ports"] == ["80:80", "443:443"]


def test_the_proxy_is_believed_only_where_it_stands() -> None:
    """One switch, ``COMPOSE_PROFILES=https``, starts Caddy and lets the service believe it."""
    https = SERVICES["https"]
    assert https["profiles"] == ["https"]
    assert SERVICES["api"]["environment"]["TAIZHANG_PROXIES"] == "${COMPOSE_PROFILES:+1}"
    assert (https["cap_drop"], https["cap_add"], https["read_only"]) == (["ALL"], ["NET_BIND_SERVICE"], True)
    rules = (ROOT / "Caddyfile").read_text(encoding="utf-8")
    for said in ("{$TAIZHANG_DOMAIN:localhost}", "tls {$TAIZHANG_TLS:internal}", "reverse_proxy api:8000"):
        assert said in rules
    port = SERVICES["https"]["healthcheck"]["test"][-1].split(":")[2].split("/")[0]
    assert f"http://127.0.0.1:{port} {{" in rules


def test_images_are_pinned_and_volumes_named() -> None:
    images = [service["image"] for service in SERVICES.values()]
    assert all(image.rpartition(":")[2] not in {"", "latest"} for image in images)
    assert set(COMPOSE["volumes"]) == {"postgres", "keys", "data", "certificates"}


def test_no_secret_stands_in_the_file() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert "POSTGRES_PASSWORD:" not in text
    files = {name: secret["file"] for name, secret in COMPOSE["secrets"].items()}
    names = ("postgres_password", "keys_password", "master_key")
    assert files == {name: f"./secrets/{name}" for name in names}


@pytest.mark.parametrize("name", ["api", "worker", "scheduler"])
def test_the_keys_of_personal_data_are_apart_from_the_log(name: str) -> None:
    said = SERVICES[name]["environment"]
    assert said["KEYS_DATABASE_URL"].split("@")[1] != said["DATABASE_URL"].split("@")[1]
    assert said["TAIZHANG_MASTER_KEY_FILE"] == "/run/secrets/master_key"
    assert "keys" not in SERVICES["postgres"]["secrets"]
    assert set(SERVICES[name]["secrets"]) == {"postgres_password", "keys_password", "master_key"}


def test_the_image_runs_as_a_user_of_its_own() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert "USER taizhang" in lines
    assert lines.index("USER taizhang") < next(n for n, line in enumerate(lines) if line.startswith("CMD"))
