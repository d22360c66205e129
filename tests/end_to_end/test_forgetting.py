"""Is an erased person nowhere any more, in no file of a running station, and no figure moved?"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from stage import ROOT, Service, a_service, environment, until

from api.identity import issue_token, tokens_engine
from workers import embedded
from workers.demo import DEMO_STATION, demo_history
from workers.history import import_history
from workers.runtime import Runtime
from workers.settings import Settings, settings_for

pytestmark = pytest.mark.slow
ABOUT = ("测试忘川", "110105184001011230", "13800138000", "忘川路 99 号", "忘川不肯服药", "忘川来电")
DAY = {"occurred_on": "2024-11-20"}
APPROVED_AND_KILLED = """
import os, signal, sys
from datetime import UTC, date, datetime
from domain.erasure import ERASURE, ErasureApproved
from domain.kernel import Context, Occurrence, Statement
from domain.ledger import Instruction
from domain.record_keeping import Record
from workers.runtime import Runtime
from workers.settings import Settings
here = Runtime(Settings.from_environment())
command = Record(statement=Statement(ErasureApproved(), Occurrence(on=date(2024, 11, 20))))
context = Context(
    now=datetime.now(UTC), actor="lead-2", role="lead", station=sys.argv[1], request_id="r",
)
here.ledger.execute(Instruction(ERASURE, sys.argv[2], command), context)
os.kill(os.getpid(), signal.SIGKILL)
"""


@dataclass
class Station:
    """A running demo station, as two of its staff use it."""

    service: Service
    settings: Settings
    tokens: dict[str, str]

    def send(self, method: str, path: str, body: Any = None, actor: str = "worker") -> tuple[int, Any]:
        connection = http.client.HTTPConnection(
            urlsplit(self.service.info["address"]).netloc, timeout=30
        )
        headers = {
            "Authorization": f"Bearer {self.tokens[actor]}", "Content-Type": "application/json",
        }
        said = json.dumps(body).encode() if body is not None else None
        connection.request(method, f"/api/v1/{path}", said, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, json.loads(text)

    def recorded(self, path: str, body: Any, actor: str = "worker") -> dict[str, Any]:
        status, answer = self.send("POST", path, body, actor)
        assert status == 201, answer
        return dict(answer)

    def figures(self, at_least: int) -> Any:
        path = f"indicators/lixia-2024?month=2024-11&at_least={at_least}"
        status, answer = self.send("GET", path)
        assert status == 200
        return answer["indicators"]

    def files_that_say(self, *texts: str) -> list[str]:
        """Every file of the home that holds one of the texts, whatever kind of file it is."""
        server = embedded.connect(self.service.info["redis_url"])
        server.save()  # what Redis holds becomes a file of the run folder
        server.close()
        forms = [
            form for text in texts
            for form in (text.encode(), json.dumps(text)[1:-1].encode(), text.encode("utf-16-le"))
        ]
        files = [path for path in self.settings.home.rglob("*") if path.is_file()]
        assert any(path.name == "dump.rdb" for path in files)
        assert any(path.suffix == ".log" for path in files)
        return [str(p) for p in files for form in forms if form in p.read_bytes()]

    def command(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "api.cli", *arguments], cwd=ROOT, text=True, check=True,
            env=environment(self.settings), capture_output=True,
        )
        return done.stdout


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    settings = settings_for(tmp_path_factory.mktemp("forget") / "home", port=8860, log_level="debug")
    settings.prepare_home()
    here = Runtime(settings)
    result = import_history(
        here.ledger, demo_history(), DEMO_STATION, "demo", datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert not result.faults
    here.close()
    engine = tokens_engine(settings.database_url)
    tokens = {
        "worker": issue_token(engine, "worker-1", "social_worker", DEMO_STATION, 1),
        "lead": issue_token(engine, "lead-1", "lead", DEMO_STATION, 1),
    }
    engine.dispose()
    with a_service(settings) as service:
        yield Station(service, settings, tokens)


def register(station: Station) -> str:
    """A household of two, one of whom will be forgotten, with what may be said of them."""
    _status, profile = station.send("GET", f"stations/{DEMO_STATION}")
    community = profile["entries"][0]["data"]["communities"][0]["name"]
    name, id_number, phone, address, note, reason = ABOUT
    household = str(station.recorded("households", DAY | {
        "community": community, "address": address, "note": note,
        "members": [
            {"person": "lethe", "name": name, "relation": "head", "id_number": id_number,
             "phone": phone, "health": note},
            {"person": "stays", "name": "测试留下", "relation": "spouse"},
        ],
    })["id"])
    visit = DAY | {"mode": "home", "purpose": "routine", "persons_met": 1, "household": household,
                   "persons": ["lethe"], "note": note}
    first, second = (str(station.recorded("visits", visit)["id"]) for _ in range(2))
    assert first != second
    case = str(station.recorded("cases", DAY | {
        "household": household, "person": "lethe", "worker": "张社工", "problem": note,
    })["id"])
    station.recorded(f"cases/{case}/assessment", DAY | {"summary": note})
    status, _answer = station.send("POST", "visits", visit | {"persons_met": -1})
    assert status == 422
    status, _answer = station.send("POST", "persons/search", {"name": name, "nmae": phone})
    assert status == 422
    assert reason
    return household


def test_a_person_is_forgotten_in_every_file(station: Station) -> None:
    household = register(station)
    position = station.recorded(f"households/{household}/info-verifications", DAY)["position"]
    before = station.figures(position)
    assert station.files_that_say(*ABOUT) == []  # sealed from the first moment
    assert station.files_that_say(DEMO_STATION)  # whereas what is open is found
    _status, found = station.send("POST", "persons/search", {"id_number": ABOUT[1]})
    assert [item["id"] for item in found["items"]] == [household]

    erasure = station.recorded("erasures", DAY | {
        "ground": "request", "household": household, "person": "lethe", "note": ABOUT[5],
    })["id"]
    died = subprocess.run(
        [sys.executable, "-c", APPROVED_AND_KILLED, DEMO_STATION, erasure], cwd=ROOT,
        env=environment(station.settings), check=False,
    )
    assert died.returncode < 0

    def is_done() -> bool:
        _status, answer = station.send("GET", "erasure-tracking")
        return any(item["is_carried_out"] for item in answer["items"])

    until(is_done, "the sweep has carried it out")
    _status, found = station.send("POST", "persons/search", {"id_number": ABOUT[1]})
    assert found["items"] == []
    for path in (
        f"households/{household}", f"households/{household}/audit", f"households/{household}/status",
        "households?limit=500", f"timelines/household/{household}", "timelines/person/lethe",
        "visits?limit=500", "cases?limit=500", "reports/2024-11", f"erasures/{erasure}/audit",
    ):
        status, answer = station.send("GET", path)
        assert status == 200, path
        text = json.dumps(answer, ensure_ascii=False)
        assert not [said for said in (*ABOUT[:3], *ABOUT[4:]) if said in text], path
    status, answer = station.send("GET", f"households/{household}")
    assert "测试留下" in json.dumps(answer, ensure_ascii=False)
    assert ABOUT[3] in json.dumps(answer, ensure_ascii=False)  # one of the two still lives there
    assert station.figures(position) == before
    assert station.files_that_say(*ABOUT) == []


def test_and_the_ledger_goes_on_and_is_made_anew_from_zero(station: Station) -> None:
    _status, found = station.send("POST", "persons/search", {"address": ABOUT[3]})
    [household] = [item["id"] for item in found["items"]]
    again = DAY | {
        "household": household, "person": "lethe", "worker": "张社工", "problem": "又来了",
    }
    status, answer = station.send("POST", "cases", again)
    assert (status, answer["code"]) == (409, "person_erased")
    other = DAY | {"mode": "home", "purpose": "routine", "persons_met": 1, "household": household,
                   "note": "只谈留下的人"}
    visit = station.recorded("visits", other)
    before = station.figures(visit["position"])
    rebuilt = json.loads(station.command("rebuild", "--json"))
    assert rebuilt
    assert station.figures(visit["position"]) == before
    assert json.loads(station.command("keys", "status", "--json"))["left"] == 0


def test_the_master_key_is_replaced_under_the_running_service(station: Station) -> None:
    _status, before = station.send("GET", "households?limit=500")
    assert json.loads(station.command("keys", "rotate", "--json"))["keys"] > 100
    _status, after = station.send("GET", "households?limit=500")
    assert after == before
    assert station.recorded("visits", DAY | {
        "mode": "street", "purpose": "routine", "persons_met": 1, "note": "路遇",
    })
    assert Path(station.settings.home / "master.key").exists()
