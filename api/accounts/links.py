"""How does somebody come in who has no password yet? By a link that works once, for a while.

The first administrator, whoever was invited, whoever forgot, and who tries the demo. A
link is made by somebody who is in already, or by whoever holds the machine.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, insert, select, update

from api.accounts import throttle
from api.accounts.passwords import hashed, refuse_weak
from api.accounts.security_log import Act, By, write_down
from api.accounts.sessions import begin, end_all
from api.accounts.staff import (
    BY_LINK,
    Account,
    Newcomer,
    Post,
    account_of,
    create,
    is_without_administrator,
    managed,
    refuse_beyond,
    set_identity,
    set_password,
)
from api.accounts.tables import accounts, digest, links
from api.callers import ANY_STATION, Scope
from domain.kernel import Refused
from domain.vocabulary import Labelled, Role
from projections.store import one_at_a_time, writing


class Purpose(Labelled):
    """What a link is for."""

    FIRST = "first", "建立第一个管理员"
    INVITATION = "invitation", "接受邀请"
    RESET = "reset", "重设密码"
    SIGN_IN = BY_LINK, "登录"
    PROVIDER = "provider", "统一登录"


LASTS: Final = {
    Purpose.FIRST: timedelta(hours=24), Purpose.INVITATION: timedelta(days=7),
    Purpose.RESET: timedelta(hours=24), Purpose.SIGN_IN: timedelta(hours=24),
    Purpose.PROVIDER: timedelta(minutes=10),
}


class LinkUsed(
    Refused, code="link_invalid", status=410, title="链接已失效",
    detail="这个链接已用过、已过期或已被新的链接取代；请向管理员要一个新的。",
):
    """A link that lets nobody in (any more)."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link that can still be used."""

    digest: str
    purpose: Purpose
    account: Account | None
    detail: dict[str, Any]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Entered:
    """Who came in by a link, and the secret of the session that began."""

    account: Account
    session: str


def make(
    connection: Connection, purpose: Purpose, account: str | None, at: datetime,
    detail: dict[str, Any] | None = None,
) -> str:
    """Make a link's secret; an earlier one for the same does no longer work."""
    if purpose is not Purpose.PROVIDER:
        mine = (links.c.purpose == purpose.value) & links.c.used_at.is_(None)
        of = links.c.account == account if account else links.c.account.is_(None)
        connection.execute(update(links).where(mine, of).values(used_at=at))
    secret = secrets.token_urlsafe(32)
    connection.execute(insert(links).values(
        digest=digest(secret), purpose=purpose.value, account=account, made_at=at,
        expires_at=at + LASTS[purpose], detail=json.dumps(detail or {}),
    ))
    return secret


def found(engine: Engine, secret: str, at: datetime) -> Link:
    """The link of a secret, still unused.

    :raises LinkUsed: where there is none (any more).
    """
    with engine.connect() as connection:
        return _found(connection, secret, at)


def _found(connection: Connection, secret: str, at: datetime) -> Link:
    query = select(links).where(links.c.digest == digest(secret), links.c.used_at.is_(None))
    row = connection.execute(query).one_or_none()
    if row is None or row.expires_at <= at:
        raise LinkUsed
    account = account_of(connection, accounts.c.id == row.account) if row.account else None
    if account is not None and account.disabled_at is not None:
        raise LinkUsed
    return Link(
        row.digest, Purpose.of(row.purpose), account, json.loads(row.detail), row.expires_at
    )


def used(connection: Connection, secret: str, at: datetime) -> Link:
    """The link of a secret, used up by this: one of two who come at once gets it.

    :raises LinkUsed: where there is none (any more).
    """
    link = _found(connection, secret, at)
    taken = update(links).where(links.c.digest == link.digest, links.c.used_at.is_(None))
    if connection.execute(taken.values(used_at=at)).rowcount != 1:
        raise LinkUsed
    return link


# ---- making ----


def first_link(engine: Engine, at: datetime) -> str | None:
    """The link of the first administrator; ``None`` where there is one already."""
    if not is_without_administrator(engine):
        return None
    with writing(engine) as connection:
        return make(connection, Purpose.FIRST, None, at)


def invite(engine: Engine, scope: Scope, newcomer: Newcomer, by: By) -> str:
    """Make an account and the link that its owner accepts it by."""
    refuse_beyond(scope, newcomer.post)
    with writing(engine) as connection:
        return _invited(connection, newcomer, by)


def invite_once(engine: Engine, scope: Scope, newcomer: Newcomer, by: By) -> str | None:
    """The same for a request that may be sent again, also at once: one of them gets the link.

    ``None`` for the others, whose account is there.
    """
    refuse_beyond(scope, newcomer.post)
    with writing(engine) as connection:
        one_at_a_time(connection)
        if account_of(connection, accounts.c.id == newcomer.account) is not None:
            return None
        return _invited(connection, newcomer, by)


def _invited(connection: Connection, newcomer: Newcomer, by: By) -> str:
    made = create(connection, newcomer, by)
    write_down(connection, Act.INVITED, by, made.login, made.station, detail=str(newcomer.post))
    return make(connection, Purpose.INVITATION, made.id, by.at)


def reset(engine: Engine, scope: Scope, account: str, by: By) -> str:
    """Make the link by which somebody sets a password anew; his lock is taken off."""
    with writing(engine) as connection:
        of = managed(connection, scope, account)
        throttle.unlock(connection, of.login)
        write_down(connection, Act.RESET, by, of.login, of.station)
        purpose = Purpose.RESET if of.is_usable else Purpose.INVITATION
        return make(connection, purpose, account, by.at)


def unlock(engine: Engine, scope: Scope, account: str, by: By) -> bool:
    """Take off the lock of an account; answers whether there was any."""
    with writing(engine) as connection:
        of = managed(connection, scope, account)
        was_locked = throttle.unlock(connection, of.login)
        write_down(connection, Act.UNLOCKED, by, of.login, of.station)
        return was_locked


# ---- coming in ----


@dataclass(frozen=True, slots=True)
class Arrival:
    """From where somebody comes in, and what he says of himself."""

    by: By
    device: str
    password: str = ""
    login: str = ""
    actor: str = ""
    identity: str = ""


def enter(engine: Engine, secret: str, arrival: Arrival, new_account: str) -> Entered:
    """Come in by a link: with the password that is to be kept, or as who a provider says.

    :raises LinkUsed: for a link that cannot be used (any more).
    :raises WeakPassword: for a password that is not taken; the link can be used again.
    """
    link = found(engine, secret, arrival.by.at)
    if link.purpose is Purpose.PROVIDER or (arrival.identity and link.account is None):
        raise LinkUsed
    kept = None
    if link.purpose is not Purpose.SIGN_IN and not arrival.identity:
        refuse_weak(arrival.password, _names(link, arrival))
        kept = hashed(arrival.password)
    with writing(engine) as connection:
        link = used(connection, secret, arrival.by.at)
        account = link.account or _first(connection, arrival, new_account)
        return _entered(connection, link, account, kept, arrival)


def _names(link: Link, arrival: Arrival) -> Sequence[str]:
    of = link.account
    return (of.login, of.actor) if of else (arrival.login, arrival.actor)


def _first(connection: Connection, arrival: Arrival, account: str) -> Account:
    post = Post(Role.ADMINISTRATOR, frozenset({ANY_STATION}))
    newcomer = Newcomer(account, arrival.login, arrival.actor, post)
    return create(connection, newcomer, arrival.by)


def _entered(
    connection: Connection, link: Link, account: Account, kept: str | None, arrival: Arrival
) -> Entered:
    by = By(account.actor, arrival.by.at, arrival.by.address, arrival.by.request_id)
    act = Act.SIGNED_IN if link.purpose is Purpose.SIGN_IN else Act.ACCEPTED
    if kept is not None:
        set_password(connection, account.id, kept)
    if arrival.identity:
        set_identity(connection, account.id, arrival.identity)
    if link.purpose is not Purpose.SIGN_IN:
        end_all(connection, account.id, by.at)
        throttle.unlock(connection, account.login)
    write_down(connection, act, by, account.login, account.station, detail=link.purpose.label)
    return Entered(account, begin(connection, account.id, arrival.device, by.at))
