"""Who is calling, and may they? Asked before any route runs.

A route declares what it does (``action``); one that declares nothing cannot be called at
all. Whoever calls is known by a session (``api/accounts/sessions.py``) or by a token, may do
what ``api/policy.py`` says, and sees what is his stations' (``api/confinement.py``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from flask import Flask, current_app, g, request

from api.accounts.name_permissions import is_permitted
from api.accounts.security_log import By
from api.accounts.sessions import session_of
from api.accounts.staff import account_by_id, caller_for
from api.accounts.tables import grant_tokens, tokens, tokens_engine
from api.accounts.tokens import caller_of, issue_token, revoke_tokens
from api.callers import ANY_STATION, Caller, Scope, is_station_code
from api.confinement import unconfined
from api.edge import new_id, now, today
from api.forms import HEADER, begin_session, check_form, check_site, session_secret
from api.policy import (
    AUDIT,
    ERASURE_DECISIONS,
    MANAGE_ACCOUNTS,
    OPERATE,
    OWN,
    PERMIT_NAMES,
    POLICY,
    PUBLIC,
    READ_ACCESSES,
    READ_CASES,
    READ_EVALUATIONS,
    READ_FIGURES,
    READ_NAMES,
    READ_RECORDS,
    RECORD,
    SHARE_VIEWS,
    action,
    allowed,
)
from api.problems import (
    BadIdempotencyKey,
    NotAllowed,
    NotAuthenticated,
    OtherStation,
    StationMissing,
)
from api.services import services
from domain.kernel import Context
from domain.vocabulary import Role
from projections.stations import stations_of_district

__all__ = [  # what routes ask of whoever calls, in one place
    "ANY_STATION", "AUDIT", "ERASURE_DECISIONS", "MANAGE_ACCOUNTS", "OPERATE", "OWN",
    "PERMIT_NAMES", "POLICY", "PUBLIC", "READ_ACCESSES", "READ_CASES",
    "READ_EVALUATIONS",
    "READ_FIGURES",
    "READ_NAMES", "READ_RECORDS", "RECORD", "SHARE_VIEWS", "Caller", "action", "allowed",
    "by", "caller",
    "caller_of",
    "context", "grant_tokens", "install", "is_station_code", "issue_token", "may", "new_id",
    "new_record_id", "now", "opens", "revoke_tokens", "sees_names", "station_of_request", "today",
    "tokens", "tokens_engine",
]


def install(app: Flask) -> None:
    """Check every request before its route runs."""
    app.before_request(_check)


def _check() -> None:
    given = request.headers.get("X-Request-Id", "")
    is_usable = re.fullmatch(r"[0-9A-Za-z_.:-]{1,100}", given)
    request.environ["taizhang.request_id"] = given if is_usable else new_id()
    if request.endpoint is None:
        _know_who_is_lost()
        return
    if request.endpoint.endswith(".static"):
        return
    declared = getattr(services_view(request.endpoint), "action", None)
    if declared is None:
        raise NotAllowed(role="", verb=request.endpoint)
    verb, noun = declared
    g.caller = _authenticated()
    if g.caller is not None:
        g.scope = g.caller.scope
    if _is_form():
        check_site()
    if verb == PUBLIC:
        return
    if g.caller is None:
        raise NotAuthenticated
    if g.caller.session is not None and request.method not in {"GET", "HEAD"}:
        check_form()
    if not may(verb, noun):
        raise NotAllowed(role=g.caller.role.label, verb=f"{verb} {noun}".strip())


def _know_who_is_lost() -> None:
    """Whoever asks for an address that is none is told so on a page with his own menu."""
    if session_secret():
        g.caller = _signed_in()
        g.scope = g.caller.scope if g.caller else None


def come_in(secret: str) -> None:
    """Let whoever has just signed in be who calls, for the rest of the request."""
    begin_session(secret)
    found = _signed_in()
    assert found is not None
    g.caller = _with_district(found) if found.district else found
    g.scope = g.caller.scope


def services_view(endpoint: str) -> Callable[..., Any]:
    """The view function of an endpoint."""
    return current_app.view_functions[endpoint]


def _authenticated() -> Caller | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    found = caller_of(services().tokens, token.strip()) if scheme.lower() == "bearer" else None
    if found is None and not scheme and (_is_form() or _may_come_with_cookie()):
        found = _signed_in()
    return _with_district(found) if found is not None and found.district else found


def _may_come_with_cookie() -> bool:
    """Whether the cookie counts: for reading, and for what one of our pages sends.

    Whoever else writes through the API needs the header.
    """
    return request.method in {"GET", "HEAD"} or HEADER in request.headers


def _is_form() -> bool:
    """Whether a page's form was sent."""
    return request.blueprint == "pages" and request.method not in {"GET", "HEAD"}


def _signed_in() -> Caller | None:
    secret = session_secret()
    session = session_of(services().tokens, secret, now()) if secret else None
    account = account_by_id(services().tokens, session.account) if session else None
    if session is None or account is None or account.disabled_at is not None:
        return None
    return caller_for(account, session.digest, session.station)


def _with_district(who: Caller) -> Caller:
    """A caller with the stations that his district has at the moment."""
    found = services()
    with unconfined(), found.read_models.engine.connect() as connection:
        there = stations_of_district(connection, found.ledger, str(who.district))
    return replace(who, scope=Scope((who.scope.stations or frozenset()) | there))


# ---- what routes ask ----


def caller() -> Caller:
    """Who is calling this route."""
    found = g.caller
    assert isinstance(found, Caller)
    return found


def may(verb: str, noun: str = "") -> bool:
    """Whether who is calling may do something; a reviewer sees names where a lead lets him."""
    who: Caller | None = g.get("caller")
    if who is None:
        return False
    if verb == READ_NAMES and who.role is Role.REVIEWER:
        return _is_permitted_to_see_names(who)
    return allowed(who.role, verb, noun)


def opens(endpoint: str) -> bool:
    """Whether who is calling may open a route: by what the route itself declares.

    Pages ask it before they offer a link or a form, so that nobody is led to a refusal.
    """
    verb, noun = getattr(services_view(endpoint), "action", ("", ""))
    return verb == PUBLIC or may(verb, noun)


def sees_names() -> bool:
    """Whether who is calling may see who a record is about."""
    if "sees_names" not in g:
        g.sees_names = may(READ_NAMES)
    return bool(g.sees_names)


def _is_permitted_to_see_names(who: Caller) -> bool:
    station = _station_asked(who)
    return station is not None and is_permitted(services().tokens, station, who.actor, now())


def _station_asked(who: Caller) -> str | None:
    """The station that is asked about: the only one, the one named, or the one looked at."""
    return request.args.get("station") or who.scope.only or who.chosen


def station_of_request() -> str:
    """The station whose data is asked for; ``*`` where a caller of every station names none.

    :raises OtherStation: where another station's data is asked for.
    :raises StationMissing: where a caller of several names none.
    """
    who = caller()
    asked = _station_asked(who)
    if asked is None:
        if who.scope.stations is None:
            return ANY_STATION
        raise StationMissing
    if not who.scope.admits(asked):
        raise OtherStation(own=str(who.scope)[:200], got=asked[:64])
    return asked


def context(station: str | None = None) -> Context:
    """The context of a decision: who acts, where, when, in which request."""
    who = caller()
    key = request.headers.get("Idempotency-Key")
    if key is not None and not re.fullmatch(r"[\x21-\x7e]{1,200}", key):
        raise BadIdempotencyKey
    return Context(
        now=now(), actor=who.actor, role=who.role.value,
        station=station_of_request() if station is None else station,
        request_id=request.environ["taizhang.request_id"], idempotency_key=key,
    )


def by() -> By:
    """By whom, when and from where something is done with accounts."""
    who: Caller | None = g.get("caller")
    return By(
        who.actor if who else "", now(), request.remote_addr or "",
        request.environ["taizhang.request_id"],
    )


def new_record_id(asked: str = "") -> str:
    """A new record's id, the same for the same request sent again (``Idempotency-Key``).

    ``asked`` is what is asked, where no ledger tells another question under the same key.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return new_id()
    who = caller()
    return uuid5(NAMESPACE_URL, f"{who.scope.only or ANY_STATION}/{who.actor}/{key}{asked}").hex
