"""How does somebody come in, and leave? The sign-in page, one-time links, the provider."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from flask import g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from api.accounts import links, sessions, signing_in
from api.accounts.links import Arrival, LinkUsed, Purpose
from api.accounts.passwords import LONGEST, SHORTEST
from api.accounts.tables import digest
from api.forms import check_form, forget_secret, keep_secret, session_secret
from api.identity import PUBLIC, action, by, come_in, new_id, now
from api.kept_forms import TARGET, carried, resumed
from api.pages.views import pages
from api.services import services
from domain.kernel import Refused
from domain.vocabulary import Role

LONGEST_TEXT: Final = 200
BROWSERS: Final = (
    ("MicroMessenger", "微信"), ("Edg", "Edge"), ("Firefox", "Firefox"), ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS: Final = (
    ("Android", "安卓手机"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows 电脑"),
    ("Mac OS", "Mac"), ("Linux", "Linux 电脑"),
)
"""The first that a browser's own name has, as it names others as well."""


@pages.route("/sign-in", methods=["GET", "POST"])
@action(PUBLIC)
def sign_in() -> BaseResponse | tuple[str, int]:
    """Come in by account and password."""
    target, login = inside(request.values.get("next", "")), request.form.get("login", "")
    if request.method == "GET":
        return _sign_in_page(target), 200
    try:
        entered = signing_in.sign_in(
            services().tokens, login[:LONGEST_TEXT], request.form.get("password", ""), arrival()
        )
    except Refused as refusal:
        return _sign_in_page(target, refusal, login), refusal.status
    answer = welcome(entered.session, landing(entered, target))
    if not (kept_for := request.form.get(TARGET, "")):
        return answer
    fields = carried()
    come_in(entered.session)
    again = resumed(fields, inside(kept_for))  # the same cookie, another page
    again.headers.extend(("Set-Cookie", one) for one in answer.headers.getlist("Set-Cookie"))
    return again


def landing(entered: links.Entered, target: str) -> str:
    """Where somebody comes in who asked for no page: on one that he may see."""
    is_administrator = entered.account.role is Role.ADMINISTRATOR
    return url_for("pages.accounts_page") if target == "/" and is_administrator else target


def _sign_in_page(target: str, problem: Refused | None = None, login: str = "") -> str:
    return render_template(
        "pages/account_sign_in.html", problem=problem, next=target, login=login[:LONGEST_TEXT],
        provider=services().provider, kept=carried(), kept_for=request.form.get(TARGET, ""),
    )


def inside(target: str) -> str:
    """A path of this site; anything else becomes the home page."""
    parts = urlsplit(target)
    is_path = target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if is_path and not parts.netloc and target.isprintable() else "/"


def arrival(**said: str) -> Arrival:
    """From where somebody comes in, and what the form says."""
    return Arrival(by(), device_of(request.user_agent.string), **said)


def device_of(user_agent: str) -> str:
    """What people call the device that a browser says it runs on; nothing finer is kept."""
    browser = next((label for part, label in BROWSERS if part in user_agent), "")
    system = next((label for part, label in SYSTEMS if part in user_agent), "")
    return " · ".join(filter(None, (system, browser))) or "其他程序"


def welcome(secret: str, target: str) -> BaseResponse:
    """Let the browser keep a new session's secret; an older session of it ends."""
    before = session_secret()
    if before:
        with services().accounts_written() as connection:
            sessions.end(connection, digest(before), now())
    answer = redirect(target, 303)
    keep_secret(answer, secret, int(sessions.LONGEST.total_seconds()))
    return answer


@pages.route("/sign-out", methods=["POST"])
@action(PUBLIC)
def sign_out() -> BaseResponse:
    """End this session, and forget the cookie."""
    who = g.caller
    if who is not None and who.session is not None:
        check_form()
        signing_in.sign_out(services().tokens, who.account, who.session, by())
    answer = redirect(url_for("pages.sign_in"), 303)
    forget_secret(answer)
    return answer


# ---- one-time links ----


@pages.route("/enter", methods=["GET", "POST"])
@action(PUBLIC)
def enter() -> BaseResponse | tuple[str, int]:
    """Come in by a one-time link; looking at it uses nothing up, the button does."""
    secret, target = request.values.get("link", ""), inside(request.values.get("next", ""))
    try:
        link = links.found(services().tokens, secret, now())
    except LinkUsed as refusal:
        return _enter_page(None, target, refusal), refusal.status
    if request.method == "GET":
        return _enter_page(link, target), 200
    said = {name: request.form.get(name, "")[:LONGEST_TEXT] for name in ("login", "actor")}
    password = request.form.get("password", "")
    try:
        _refuse_unlike(link, password)
        entered = links.enter(
            services().tokens, secret, arrival(password=password, **said), new_id()
        )
    except Refused as refusal:
        return _enter_page(link, target, refusal, said), refusal.status
    return welcome(entered.session, landing(entered, target))


class PasswordsDiffer(
    Refused, code="passwords_differ", title="两次输入不一致",
    detail="两次输入的密码不一样，请重新输入。",
):
    """A password that is typed unseen is typed twice."""


def _refuse_unlike(link: links.Link, password: str) -> None:
    if link.purpose is not Purpose.SIGN_IN:
        refuse_unlike(password)


def refuse_unlike(password: str) -> None:
    """Refuse a new password that was not typed twice the same.

    :raises PasswordsDiffer: where it was not.
    """
    if request.form.get("again", "") != password:
        raise PasswordsDiffer


def _enter_page(
    link: links.Link | None, target: str, problem: Refused | None = None,
    said: dict[str, Any] | None = None,
) -> str:
    return render_template(
        "pages/account_enter.html", link=link, next=target, problem=problem, said=said or {},
        secret=request.values.get("link", ""), shortest=SHORTEST, longest=LONGEST,
        provider=services().provider,
        takes_provider=link is not None
        and link.purpose in {Purpose.INVITATION, Purpose.RESET},
    )
