"""Is a page told what is recorded at its own stations, and nothing of whom or elsewhere?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from callers import VISIT, Api, refusal_of
from desk import Desk, a_station
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.live import MOST_LISTENERS, MOST_OF_ONE, Newsroom

OTHER = "other-station"


@dataclass
class Window:
    """A page that listens."""

    answer: TestResponse
    lines: Iterator[bytes]

    def heard(self) -> dict[str, Any]:
        """The next news, with the id under which it came."""
        event = dict(line.split(": ", 1) for line in next(self.lines).decode().strip().split("\n"))
        assert event["event"] == "recorded"
        return json.loads(event["data"]) | {"id": int(event["id"])}


@dataclass
class Windows:
    """Opens windows, and closes them all."""

    api: Api
    opened: list[TestResponse]

    def open(self, query: str = "", role: str = "lead", **headers: str) -> Window:
        said = {"Authorization": f"Bearer {self.api.token(role)}"} | headers
        answer = self.api.app.test_client().get(f"/events?{query}", headers=said)
        self.opened.append(answer)
        if answer.status_code == 200:
            assert answer.mimetype == "text/event-stream"
        lines = answer.iter_encoded()
        if answer.status_code == 200:
            assert next(lines).startswith(b"retry: ")
        return Window(answer, lines)


@pytest.fixture
def windows(api: Api) -> Iterator[Windows]:
    """Two stations, and windows at the first."""
    Desk(api.services.ledger, OTHER).record(OTHER, a_station(), "2024-01-01", role="administrator")
    api.project()
    found = Windows(api, [])
    yield found
    for answer in found.opened:
        answer.close()
    assert api.services.newsroom.listeners == 0


def test_what_others_record_is_told_once_it_can_be_read(api: Api, windows: Windows) -> None:
    window, before = windows.open(), api.head()
    Desk(api.services.ledger, OTHER).household("h1")
    api.household()
    api.project()
    heard = window.heard()
    assert heard == {"position": api.head(), "kinds": ["household"], "id": api.head()}
    assert heard["position"] == before + 2
    # whoever comes back goes on where he was, and is told nothing twice
    api.recorded("activities", {
        "occurred_on": "2024-11-05", "kind": "festival", "role": "host", "title": "重阳节",
    })
    api.project()
    back = windows.open(**{"Last-Event-ID": str(heard["id"])})
    assert back.heard()["kinds"] == ["activity"]


def test_a_page_is_told_of_what_it_is_about(api: Api, windows: Windows) -> None:
    mine, other = api.household(), api.household(members=[
        {"person": "p2", "name": "测试二", "relation": "head"}
    ])
    api.project()
    household = windows.open(f"subject=household:{mine}")
    visits = windows.open("kind=visit&kind=nonsense")
    api.recorded("visits", VISIT | {"household": other})
    api.recorded("referrals", {
        "occurred_on": "2024-11-05", "household": mine, "to_agency": "示例医院",
        "need": "medical", "basis": "consent",
    })
    api.project()
    assert household.heard()["kinds"] == ["referral"]
    assert visits.heard()["kinds"] == ["visit"]


def test_what_is_not_known_any_more_is_told_as_anything(api: Api, windows: Windows) -> None:
    api.household()
    api.project()
    assert windows.open("after=1").heard()["kinds"] == ["*"]


def test_places_are_bounded_and_given_back(api: Api, windows: Windows) -> None:
    own = [windows.open() for _ in range(MOST_OF_ONE)]
    refused = windows.open().answer
    refusal_of(refused, 503, "too_many_listening")
    assert refused.headers["Retry-After"] == "30"
    own[0].answer.close()
    assert windows.open().answer.status_code == 200
    room: Newsroom = api.services.newsroom
    names = [f"somebody-{n}" for n in range(MOST_LISTENERS - MOST_OF_ONE)]
    for name in names:
        room.enter(name)
    refusal_of(windows.open(role="social_worker").answer, 503, "too_many_listening")
    for name in names:
        room.leave(name)
    assert windows.open(role="social_worker").answer.status_code == 200


def test_whoever_listens_is_sent_home_when_the_service_stops(api: Api, windows: Windows) -> None:
    window = windows.open()
    api.services.newsroom.is_closed = True
    assert list(window.lines) == []
    api.services.newsroom.is_closed = False


@pytest.mark.parametrize("role", ["administrator", None])
def test_who_reads_no_figures_is_told_nothing(api: Api, role: str | None) -> None:
    assert api.get("/events", role=role).status_code in {401, 403}


def test_pages_say_where_they_listen_but_for_earlier_moments(api: Api) -> None:
    household = api.household()
    api.project()
    client: FlaskClient = api.browser("lead")
    listens = re.compile(rf'data-listen="/events\?[^"]*after={api.head()}\b')
    assert listens.search(client.get("/").text)
    for address in (f"/households/{household}", "/ledger?kind=visit", "/months/2024-11"):
        assert listens.search(client.get(address).text), address
        earlier = client.get(f"{address}{'&' if '?' in address else '?'}as_of=2024-11-01").text
        assert "data-listen" not in earlier, address


def test_who_reads_no_cases_is_told_of_no_household(api: Api, windows: Windows) -> None:
    household = api.household()
    for role, status in (("volunteer_coordinator", 403), ("hub", 403), ("social_worker", 200)):
        window = windows.open(f"subject=household:{household}", role)
        assert window.answer.status_code == status, role


def test_a_database_that_does_not_answer_takes_no_place(api: Api) -> None:
    newsroom, asked = api.services.newsroom, api.services.newsroom.reached

    def away() -> int:
        raise OSError("the database is away")

    newsroom.reached = away
    newsroom._looked_at = float("-inf")
    for _time in range(MOST_OF_ONE + 1):
        with pytest.raises(OSError, match="away"):
            newsroom.enter("a")
    newsroom.reached = asked
    assert newsroom.listeners == 0
