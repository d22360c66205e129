"""How do tests use the pages? As people do: signed in, by the menu, on a phone or in the office."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from callers import Api
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from api.forms import COOKIE
from api.identity import issue_token
from api.services import Services
from workers.demo import DEMO_STATION

_numbers = itertools.count(1)
FORM_REFUSED = 422
"""The answer to a form with a mistake in it, which any test may make."""
OpenPage = Callable[..., AbstractContextManager[Page]]
"""Opens a page of a size; ``refused`` are the other statuses that a test means to see."""


@dataclass(frozen=True)
class Site:
    """The demo station on a real server."""

    address: str
    app: Flask
    services: Services

    def token(self, role: str = "lead", actor: str = "站长甲") -> str:
        """A token of a role."""
        return issue_token(self.services.tokens, actor, role, DEMO_STATION, 1)

    def browser(self, role: str = "lead", actor: str = "站长甲") -> FlaskClient:
        """A browser without a window in which somebody is signed in."""
        return Api(self.app, self.services, DEMO_STATION).browser(role, actor=actor)

    def household(self, name: str, **more: str) -> str:
        """A household on record and in the lists; answers its id."""
        members = [{"person": f"person-{next(_numbers)}", "name": name, "relation": "head"} | more]
        body = {"occurred_on": "2024-11-01", "community": "济柴社区", "members": members}
        said = {"Authorization": f"Bearer {self.token()}"}
        with self.app.test_client() as client:
            done = client.post("/api/v1/households", json=body, headers=said)
        assert done.status_code == 201, done.text
        self.services.read_models.wait_for(done.get_json()["position"], 10)
        return str(done.get_json()["id"])


def sign_in(context: BrowserContext, site: Site, role: str = "lead", actor: str = "站长甲") -> None:
    """Sign somebody in without the form, which has a test of its own."""
    cookie = site.browser(role, actor).get_cookie(COOKIE)
    assert cookie is not None
    context.add_cookies([{"name": COOKIE, "value": cookie.value, "url": site.address}])


def watched(page: Page, address: str, refused: Sequence[int] = ()) -> list[str]:
    """What goes wrong on a page from now on; ``refused`` are statuses that are meant."""
    problems: list[str] = []
    page.on("console", lambda m: problems.append(m.text) if is_fault(m, refused) else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request",
        lambda r: None if r.url.startswith((address, "data:")) else problems.append(r.url),
    )
    return problems


def is_fault(message: ConsoleMessage, refused: Sequence[int]) -> bool:
    """Whether the console reports an error; that a form was refused is an answer."""
    is_answer = any(f"status of {status}" in message.text for status in (FORM_REFUSED, *refused))
    return message.type == "error" and not is_answer


def fits(page: Page) -> bool:
    """Whether nothing makes the page scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def follow(page: Page, name: str) -> None:
    """Follow a link of the menu, which a phone opens first."""
    if page.get_by_role("link", name="菜单").is_visible():
        page.get_by_role("link", name="菜单").click()
    page.get_by_label("主导航").get_by_role("link", name=name, exact=True).click()
