"""How do tests call the API? As its callers do, each with a token of his role."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from desk import STATION
from flask import Flask
from flask.testing import FlaskClient
from lxml import html
from werkzeug.test import TestResponse

from api.accounts.links import Purpose, make
from api.accounts.security_log import By
from api.accounts.staff import Newcomer, checked_post, create, staff
from api.accounts.tokens import issue_token
from api.callers import EVERYWHERE
from api.edge import new_id, now
from api.services import Services
from projections.store import writing

VISIT = {
    "occurred_on": "2024-11-05", "mode": "home", "purpose": "routine", "persons_met": 1,
    "workers": ["张社工"],
}
HOUSEHOLD = {
    "occurred_on": "2024-07-01", "community": "东",
    "members": [{"person": "p1", "name": "测试一", "relation": "head"}],
}


@dataclass
class Api:
    """The application as its callers see it."""

    app: Flask
    services: Services
    station: str = STATION
    _tokens: dict[tuple[str, str], str] = field(default_factory=dict)

    def token(self, role: str = "social_worker", station: str | None = None) -> str:
        """A token of a role; the same one each time."""
        key = (role, station or self.station)
        if key not in self._tokens:
            self._tokens[key] = issue_token(self.services.tokens, f"{role}-1", role, key[1], 1)
        return self._tokens[key]

    def login(self, role: str, station: str | None = None, actor: str = "") -> str:
        """The login of an account of a role."""
        who = actor.encode().hex()[:20] or "1"
        return f"{role}-{who}@{station or self.station}".replace("*", "all")

    def entry(
        self, role: str = "lead", station: str | None = None, actor: str = "",
        purpose: Purpose = Purpose.SIGN_IN,
    ) -> str:
        """The secret of a link by which an account of a role comes in."""
        login = self.login(role, station, actor)
        engine, by = self.services.tokens, By("test", now())
        known = {one.login: one.id for one in staff(engine, EVERYWHERE)}
        with writing(engine) as connection:
            post = checked_post(role, [station or self.station], None)
            newcomer = Newcomer(new_id(), login, actor or f"{role}-1", post)
            account = known.get(login) or create(connection, newcomer, by).id
            return make(connection, purpose, account, by.at)

    def browser(
        self, role: str = "lead", station: str | None = None, actor: str = ""
    ) -> FlaskClient:
        """A browser in which somebody is signed in."""
        client = self.app.test_client()
        answer = client.post("/enter", data={"link": self.entry(role, station, actor)})
        assert answer.status_code == 303, answer.text
        return client

    def call(
        self, method: str, path: str, body: Any = None, *, role: str | None = "social_worker",
        station: str | None = None, headers: dict[str, str] | None = None, **more: Any,
    ) -> TestResponse:
        """Make a request as somebody; ``role=None`` is nobody."""
        said = dict(headers or {})
        if role is not None:
            said["Authorization"] = f"Bearer {self.token(role, station)}"
        path = path if path.startswith("/") else f"/api/v1/{path}"
        if body is not None:
            more["json"] = body
        with self.app.test_client() as client:
            return client.open(path, method=method, headers=said, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        """Read."""
        return self.call("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        """Record."""
        return self.call("POST", path, body, **more)

    def recorded(self, path: str, body: Any, **more: Any) -> dict[str, Any]:
        """Record something that must be accepted."""
        answer = self.post(path, body, **more)
        assert answer.status_code == 201, answer.text
        return answer.get_json()

    def household(self, **changes: Any) -> str:
        """A household on record; answers its id."""
        return self.recorded("households", HOUSEHOLD | changes)["id"]

    def head(self) -> int:
        """The position of the newest event."""
        return self.services.ledger.head()

    def project(self) -> None:
        """Let the read models catch up, as a worker would."""
        self.services.read_models.advance(self.services.ledger)


def refusal_of(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """The problem document of a refusal, which must be of a kind."""
    problem = answer.get_json()
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert answer.content_type == "application/problem+json"
    assert problem["status"] == status
    assert problem["type"] == f"/problems/{code}"
    assert problem["title"]
    assert problem["detail"]
    return problem


def form_of(page: TestResponse, **answers: Any) -> dict[str, Any]:
    """The last form of a page as it stands, as a browser would send it, with some answers changed."""
    (form,) = html.document_fromstring(page.text).xpath("(//main//form[@method='post'])[last()]")
    found: dict[str, Any] = {}
    for name, value in form.form_values():
        found.setdefault(name, []).append(value)
    return found | answers
