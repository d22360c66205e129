"""What may somebody do with his own account? Password, sessions, tokens, the station."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from api.accounts import sessions, signing_in, tokens
from api.accounts.passwords import LONGEST, SHORTEST
from api.accounts.staff import account_by_id
from api.forms import forget_secret
from api.identity import OWN, action, by, caller, now
from api.pages.sign_in import arrival, inside, refuse_unlike, welcome
from api.pages.views import pages
from api.problems import NotAllowed, OtherStation
from api.services import services
from domain.kernel import Refused
from projections.stations import named_stations


def own_account() -> str:
    """The account of whoever is signed in.

    :raises NotAllowed: for a program whose token belongs to no account.
    """
    account = caller().account
    if account is None:
        raise NotAllowed(role=caller().role.label, verb="account")
    return account


@pages.route("/account")
@action(OWN)
def account_page() -> str:
    """One's own account."""
    return _account_page()


def _account_page(problem: Refused | None = None, token: str | None = None, done: str = "") -> str:
    engine, own = services().tokens, own_account()
    return render_template(
        "pages/account_own.html", account=account_by_id(engine, own), problem=problem,
        token=token, done=done, sessions=sessions.sessions_of(engine, own, now()),
        this=caller().session, tokens=tokens.tokens_of(engine, own), shortest=SHORTEST,
        longest=LONGEST,
    )


@pages.route("/account/password", methods=["POST"])
@action(OWN)
def password_form() -> BaseResponse | tuple[str, int]:
    """Change the password; this session goes on under another secret, the others end."""
    new = request.form.get("password", "")
    try:
        refuse_unlike(new)
        secret = signing_in.change_password(
            services().tokens, own_account(), request.form.get("old", ""), new, arrival()
        )
    except Refused as refusal:
        return _account_page(refusal), refusal.status
    return welcome(secret, url_for("pages.account_page"))


@pages.route("/account/sign-out-everywhere", methods=["POST"])
@action(OWN)
def sign_out_everywhere() -> BaseResponse:
    """End every session, on whatever device."""
    signing_in.sign_out_everywhere(services().tokens, own_account(), by())
    answer = redirect(url_for("pages.sign_in"), 303)
    forget_secret(answer)
    return answer


@pages.route("/account/tokens", methods=["POST"])
@action(OWN)
def issue_token_form() -> tuple[str, int]:
    """Issue a token for a program; it is shown this once."""
    label, days = request.form.get("label", "").strip(), request.form.get("days", type=int)
    try:
        made = tokens.issue_own(services().tokens, own_account(), label, days or 0, by())
    except Refused as refusal:
        return _account_page(refusal), refusal.status
    return _account_page(token=made), 201


@pages.route("/account/tokens/<token>/revoke", methods=["POST"])
@action(OWN)
def revoke_own_token(token: str) -> BaseResponse:
    """Revoke one of one's own tokens."""
    engine = services().tokens
    tokens.revoke(engine, token, tokens.tokens_of(engine, own_account()), by())
    return redirect(url_for("pages.account_page"), 303)


# ---- which station ----


@pages.route("/account/station", methods=["GET", "POST"])
@action(OWN)
def station_page() -> BaseResponse | str:
    """Choose which of several stations to look at."""
    target = inside(request.values.get("next", ""))
    if request.method == "GET":
        return render_template("pages/account_station.html", stations=_choices(), next=target)
    chosen, session = request.form.get("station", ""), caller().session
    if session is None or chosen not in {one["code"] for one in _choices()}:
        raise OtherStation(own=str(caller().scope)[:200], got=chosen[:64])
    sessions.choose_station(services().tokens, session, chosen)
    return redirect(target, 303)


def _choices() -> list[dict[str, Any]]:
    found = services()
    with found.read_models.engine.connect() as connection:
        return named_stations(connection, found.ledger, caller().scope.stations)
