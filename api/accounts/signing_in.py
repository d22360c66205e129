"""Who may come in, by which password, and how does one leave?"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, Engine, update

from api.accounts import throttle
from api.accounts.links import Arrival, Entered
from api.accounts.passwords import hashed, is_outdated, is_right, refuse_weak
from api.accounts.security_log import Act, By, write_down, written_down
from api.accounts.sessions import begin, end, end_all
from api.accounts.staff import Account, BadAccount, account_by_id, account_of, checked_login
from api.accounts.staff import set_password as keep_password
from api.accounts.tables import accounts, links, sessions
from api.callers import ANY_STATION
from domain.kernel import Refused
from projections.store import writing

UNKNOWN = "（没有这个账号）"
"""What the log says of a name that is nobody's: it may be a password, typed too early."""


class WrongPassword(
    Refused, code="wrong_password", status=403, title="账号或密码不对",
    detail="账号或密码不对，请核对后重试；多次输错会暂时锁定。",
):
    """A name and a password that do not go together; which of them is not said."""


def sign_in(engine: Engine, login: str, password: str, arrival: Arrival) -> Entered:
    """Come in by a password.

    The attempt is counted first; an unknown, a disabled and a known account take the same
    time and have the same answer.

    :raises WrongPassword: where it is not that account's.
    :raises AccountLocked: after too many of them, whatever the password.
    :raises TooManyAttempts: after too many from one address.
    """
    by, name = arrival.by, _name(login)
    is_last = throttle.attempt(engine, name, by.address, by.at)
    with engine.connect() as connection:
        account = account_of(connection, accounts.c.login == name)
    may_enter = account is not None and account.disabled_at is None
    kept = account.password if account and may_enter else None
    if not is_right(kept, password) or account is None:
        _failed(engine, account, by, is_locked=is_last)
        raise WrongPassword
    again = hashed(password) if kept and is_outdated(kept) else None
    with writing(engine) as connection:
        throttle.came_in(connection, name, by.address)
        if again:
            keep_password(connection, account.id, again)
        return _welcomed(connection, account, arrival, "密码")


def come_in_as(engine: Engine, identity: str, arrival: Arrival) -> Entered | None:
    """Come in as who a provider says one is; ``None`` where nobody was invited as that."""
    with writing(engine) as connection:
        account = account_of(connection, accounts.c.identity == identity)
        if account is None or account.disabled_at is not None:
            failed = Act.SIGN_IN_FAILED
            write_down(connection, failed, arrival.by, UNKNOWN, ANY_STATION, detail="统一登录")
            return None
        return _welcomed(connection, account, arrival, "统一登录")


def _welcomed(
    connection: Connection, account: Account, arrival: Arrival, how: str
) -> Entered:
    by = replace(arrival.by, actor=account.actor)
    write_down(connection, Act.SIGNED_IN, by, account.login, account.station, detail=how)
    return Entered(account, begin(connection, account.id, arrival.device, by.at))


def _name(login: str) -> str:
    """What is counted under a name; what is no name at all is counted as what it is."""
    try:
        return checked_login(login)
    except BadAccount:
        return login.strip()[:200]


def _failed(engine: Engine, account: Account | None, by: By, *, is_locked: bool) -> None:
    about = account.login if account else UNKNOWN
    station = account.station if account else ANY_STATION
    written_down(engine, Act.SIGN_IN_FAILED, by, about, station)
    if is_locked:
        minutes = f"{throttle.LOCK.seconds // 60} 分钟"
        written_down(engine, Act.LOCKED, by, about, station, detail=minutes)


# ---- leaving ----


def sign_out(engine: Engine, account: str, session: str, by: By) -> None:
    """End this session."""
    _left(engine, account, by, session)


def sign_out_everywhere(engine: Engine, account: str, by: By) -> None:
    """End every session of an account."""
    _left(engine, account, by, None)


def _left(engine: Engine, account: str, by: By, session: str | None) -> None:
    with writing(engine) as connection:
        of = account_of(connection, accounts.c.id == account)
        assert of is not None
        if session is None:
            end_all(connection, account, by.at)
        else:
            end(connection, session, by.at)
        act = Act.SIGNED_OUT if session else Act.SIGNED_OUT_EVERYWHERE
        write_down(connection, act, by, of.login, of.station)


def end_everything(engine: Engine, at: datetime) -> None:
    """End every session and link: a backup brings back those that had ended since."""
    with writing(engine) as connection:
        connection.execute(
            update(sessions).where(sessions.c.ended_at.is_(None)).values(ended_at=at)
        )
        connection.execute(update(links).where(links.c.used_at.is_(None)).values(used_at=at))


# ---- the password ----


def change_password(
    engine: Engine, account: str, old: str, new: str, arrival: Arrival
) -> str:
    """Change one's own password; every session ends, and this one goes on under a new secret.

    Who came in by a link and has none yet need not say the old one.

    :raises WrongPassword: where the old one is wrong; it counts as an attempt to sign in.
    :raises WeakPassword: where the new one is not taken.
    """
    of = account_by_id(engine, account)
    assert of is not None
    if of.password is not None:
        is_last = throttle.attempt(engine, of.login, arrival.by.address, arrival.by.at)
        if not is_right(of.password, old):
            _failed(engine, of, arrival.by, is_locked=is_last)
            raise WrongPassword
    refuse_weak(new, (of.login, of.actor))
    kept = hashed(new)
    with writing(engine) as connection:
        throttle.came_in(connection, of.login, arrival.by.address)
        keep_password(connection, account, kept)
        end_all(connection, account, arrival.by.at)
        write_down(connection, Act.PASSWORD_CHANGED, arrival.by, of.login, of.station)
        return begin(connection, account, arrival.device, arrival.by.at)
