"""How does an administrator let others in? Accounts, invitations, tokens, the security log."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from api.accounts import links, staff, throttle, tokens
from api.accounts.security_log import Act
from api.identity import MANAGE_ACCOUNTS, action, by, caller, new_id, now
from api.pages.audit import asked
from api.pages.views import pages
from api.paging import next_url
from api.security import SecurityQuerySchema, security_page
from api.services import services
from api.staff_accounts import entry_url, post_of_known_stations
from domain.kernel import Refused
from domain.vocabulary import Role


@pages.route("/accounts")
@action(MANAGE_ACCOUNTS)
def accounts_page() -> str:
    """The accounts that one manages."""
    return _accounts_page()


def _accounts_page(problem: Refused | None = None, link: str | None = None, to: str = "") -> str:
    engine, scope = services().tokens, caller().scope
    found = staff.staff(engine, scope)
    with engine.connect() as connection:
        locked = throttle.locks(connection, [one.login for one in found], now())
    return render_template(
        "pages/account_staff.html", staff=found, locked=locked, roles=list(Role),
        problem=problem, link=link, to=to, form=request.form, own=scope.only or "",
        tokens=tokens.tokens_within(engine, scope),
        role_labels={role.value: role.label for role in Role},
    )


def _post() -> staff.Post:
    named = request.form.get("stations", "").replace("，", ",").replace("、", ",")
    stations = [code.strip() for code in named.split(",") if code.strip()]
    return post_of_known_stations(
        request.form.get("role", ""), stations, request.form.get("district")
    )


def _shown(link: str, account: str) -> tuple[str, int]:
    of = staff.account_by_id(services().tokens, account)
    return _accounts_page(link=entry_url(link), to=of.login if of else ""), 201


@pages.route("/accounts", methods=["POST"])
@action(MANAGE_ACCOUNTS)
def invite_form() -> tuple[str, int]:
    """Invite somebody; the link is shown this once."""
    account, form = new_id(), request.form
    try:
        made = links.invite(
            services().tokens, caller().scope,
            staff.Newcomer(account, form.get("login", ""), form.get("actor", ""), _post()), by(),
        )
    except Refused as refusal:
        return _accounts_page(refusal), refusal.status
    return _shown(made, account)


@pages.route("/accounts/<account>/post", methods=["POST"])
@action(MANAGE_ACCOUNTS)
def post_form(account: str) -> BaseResponse | tuple[str, int]:
    """Give another role, or other stations."""
    try:
        staff.change_post(services().tokens, caller().scope, account, _post(), by())
    except Refused as refusal:
        return _accounts_page(refusal), refusal.status
    return _back()


@pages.route("/accounts/<account>/reset", methods=["POST"])
@action(MANAGE_ACCOUNTS)
def reset_form(account: str) -> tuple[str, int]:
    """Make the link by which a password is set anew."""
    return _shown(links.reset(services().tokens, caller().scope, account, by()), account)


@pages.route("/accounts/<account>/unlock", methods=["POST"])
@action(MANAGE_ACCOUNTS)
def unlock_form(account: str) -> BaseResponse:
    """Take a lock off."""
    links.unlock(services().tokens, caller().scope, account, by())
    return _back()


@pages.route("/accounts/<account>/sign-out", methods=["POST"])
@action(MANAGE_ACCOUNTS)
def sign_out_form(account: str) -> BaseResponse:
    """End every session of somebody, as of who has lost his phone."""
    staff.sign_out(services().tokens, caller().scope, account, by())
    return _back()


@pages.route("/accounts/<account>/disable", methods=["POST"])
@action(MANAGE_ACCOUNTS)
def disable_form(account: str) -> BaseResponse | tuple[str, int]:
    """Let nobody in with an account."""
    try:
        staff.disable(services().tokens, caller().scope, account, by())
    except staff.LastAdministrator as refusal:
        return _accounts_page(refusal), refusal.status
    return _back()


@pages.route("/accounts/<account>/enable", methods=["POST"])
@action(MANAGE_ACCOUNTS)
def enable_form(account: str) -> BaseResponse:
    """Let somebody in again."""
    staff.enable(services().tokens, caller().scope, account, by())
    return _back()


@pages.route("/accounts/tokens/<token>/revoke", methods=["POST"])
@action(MANAGE_ACCOUNTS)
def revoke_token_form(token: str) -> BaseResponse:
    """Revoke a token of one's stations."""
    engine = services().tokens
    tokens.revoke(engine, token, tokens.tokens_within(engine, caller().scope), by())
    return _back()


def _back() -> BaseResponse:
    return redirect(url_for("pages.accounts_page"), 303)


@pages.route("/accounts/log")
@action(MANAGE_ACCOUNTS)
def security_log_page() -> str:
    """登录与权限记录: who signed in, was invited, was given what."""
    query: dict[str, Any] = asked(SecurityQuerySchema)
    rows, cursor = security_page(query)
    return render_template(
        "pages/account_log.html", rows=rows, form=request.args, acts=list(Act),
        next_url=cursor and next_url(cursor),
    )
