"""How do tests use the pages? As people do: signed in, by the menu, on a phone or in the office."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import BrowserContext, Page

from api.forms import COOKIE
from api.identity import issue_token
from api.services import Services
from workers.demo import DEMO_STATION


@dataclass(frozen=True)
class Site:
    """The demo station on a real server."""

    address: str
    services: Services

    def token(self, role: str = "lead", actor: str = "站长甲") -> str:
        """A token of a role."""
        return issue_token(self.services.tokens, actor, role, DEMO_STATION, 1)

    def project(self) -> None:
        """Let the read models catch up, as a worker would."""
        self.services.read_models.advance(self.services.ledger)


def sign_in(context: BrowserContext, site: Site, role: str = "lead", actor: str = "站长甲") -> None:
    """Sign somebody in without the form, which has a test of its own."""
    token = site.token(role, actor)
    context.add_cookies([{"name": COOKIE, "value": token, "url": site.address}])


def watched(page: Page, address: str) -> list[str]:
    """What goes wrong on a page from now on."""
    problems: list[str] = []
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request",
        lambda r: None if r.url.startswith((address, "data:")) else problems.append(r.url),
    )
    return problems


def fits(page: Page) -> bool:
    """Whether nothing makes the page scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def follow(page: Page, name: str) -> None:
    """Follow a link of the menu, which a phone opens first."""
    if page.get_by_role("link", name="菜单").is_visible():
        page.get_by_role("link", name="菜单").click()
    page.get_by_label("主导航").get_by_role("link", name=name, exact=True).click()
