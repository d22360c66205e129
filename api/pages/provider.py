"""How does somebody come in by a bureau's own sign-in? There and back again, once."""

from __future__ import annotations

import json
from typing import Final

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from api.accounts import links, signing_in
from api.accounts.links import Entered, Purpose
from api.accounts.provider import NotInvited, Provider, ProviderFailed
from api.identity import PUBLIC, action, new_id, now
from api.pages.sign_in import arrival, inside, landing, welcome
from api.pages.views import pages
from api.problems import NotAllowed
from api.services import services
from domain.kernel import Refused

ASKED: Final = "taizhang_provider"
"""The browser that asked keeps the state, and with it the invitation that it came by."""
SECONDS: Final = int(links.LASTS[Purpose.PROVIDER].total_seconds())


def _provider() -> Provider:
    found = services().provider
    if found is None:
        raise NotAllowed(role="", verb="provider")
    return found


def _back_url() -> str:
    return url_for("pages.provider_answer", _external=True)


@pages.route("/sign-in/provider")
@action(PUBLIC)
def provider_question() -> BaseResponse | tuple[str, int]:
    """Send the browser to the provider."""
    with services().accounts_written() as connection:
        state = links.make(connection, Purpose.PROVIDER, None, now())
    try:
        asked = _provider().question(_back_url(), state)
    except ProviderFailed as refusal:
        return _refused(refusal)
    answer = redirect(asked.url, 303)
    kept = json.dumps({
        "state": state, "nonce": asked.nonce, "verifier": asked.verifier,
        "next": inside(request.args.get("next", "")), "link": request.args.get("link", "")[:100],
    })
    answer.set_cookie(
        ASKED, kept, max_age=SECONDS, path="/sign-in", httponly=True, samesite="Lax",
        secure=request.is_secure,
    )
    return answer


@pages.route("/sign-in/answer")
@action(PUBLIC)
def provider_answer() -> BaseResponse | tuple[str, int]:
    """Take what the provider answers to this browser, once."""
    try:
        kept = _kept()
        identity = _provider().identity(
            _back_url(), request.args.get("code", ""), kept["nonce"], kept["verifier"]
        )
        entered = _entered(identity, kept["link"])
    except Refused as refusal:
        return _refused(refusal)
    answer = welcome(entered.session, landing(entered, inside(kept["next"])))
    answer.delete_cookie(ASKED, path="/sign-in")
    return answer


def _kept() -> dict[str, str]:
    """What this browser asked, used up by this.

    :raises ProviderFailed: where it did not ask, or something else.
    :raises LinkUsed: where it was answered already.
    """
    try:
        kept: dict[str, str] = json.loads(request.cookies.get(ASKED, ""))
        state, _parts = kept["state"], (kept["nonce"], kept["verifier"], kept["next"], kept["link"])
    except (ValueError, KeyError, TypeError):
        raise ProviderFailed(because="state") from None
    if request.args.get("state") != state:
        raise ProviderFailed(because="state")
    with services().accounts_written() as connection:
        links.used(connection, state, now())
    return kept


def _entered(identity: str, link: str) -> Entered:
    """Come in as an identity that is known here, or accept an invitation with it.

    :raises NotInvited: for one that is neither.
    """
    engine = services().tokens
    if link:
        return links.enter(engine, link, arrival(identity=identity), new_id())
    entered = signing_in.come_in_as(engine, identity, arrival())
    if entered is None:
        raise NotInvited
    return entered


def _refused(refusal: Refused) -> tuple[str, int]:
    page = render_template(
        "pages/account_sign_in.html", problem=refusal, next="/", login="",
        provider=services().provider,
    )
    return page, refusal.status
