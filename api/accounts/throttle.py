"""How is guessing slowed down? By counting attempts before a password is looked at.

Counted by the name that was typed, whether there is such an account or not, and by
address; in the accounts' own database, which every web process shares and without which
nobody could sign in anyway. Two counters of a moment: who comes in takes his back.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine, case, delete, literal, null, select, update
from sqlalchemy.dialects import postgresql, sqlite

from api.accounts.tables import attempts, digest
from domain.kernel import STATION_TIME, Refused
from projections.columns import UtcDateTime
from projections.store import writing

WINDOW: Final = timedelta(minutes=15)
LOCK: Final = timedelta(minutes=15)
KEPT: Final = timedelta(days=1)
MOST_BY_NAME: Final = 8
MOST_BY_ADDRESS: Final = 60
"""A station's computers share one address."""


class AccountLocked(
    Refused, code="account_locked", status=429, title="账号已暂时锁定",
    detail="输错次数过多，此账号锁定到 {until}；到时可再试，也可请管理员解锁或发重设链接。",
):
    """Too many wrong passwords for one name."""


class TooManyAttempts(
    Refused, code="too_many_attempts", status=429, title="尝试过于频繁",
    detail="从这个网络登录失败的次数过多，请在 {until} 之后再试。",
):
    """Too many wrong passwords from one address."""


def by_name(login: str) -> str:
    """The subject of attempts under a name: what was typed may be a password by mistake."""
    return f"name:{digest(login)}"


def by_address(address: str) -> str:
    """The subject of attempts from an address."""
    return f"address:{address[:60]}"


def attempt(engine: Engine, login: str, address: str, at: datetime) -> bool:
    """Count an attempt before it is made; answers whether it is the one that locks.

    :raises AccountLocked: where the name is locked.
    :raises TooManyAttempts: where the address is.
    """
    refused: Refused | None = None
    with writing(engine) as connection:
        connection.execute(delete(attempts).where(attempts.c.since < at - KEPT))
        until = _locked_until(connection, by_address(address), at)
        if until:
            refused = TooManyAttempts(until=_clock(until))
        elif until := _locked_until(connection, by_name(login), at):
            refused = AccountLocked(until=_clock(until))
        else:
            _count(connection, by_address(address), MOST_BY_ADDRESS, at)
            is_last = _count(connection, by_name(login), MOST_BY_NAME, at)
    if refused is not None:
        raise refused
    return is_last


def _locked_until(connection: Connection, subject: str, at: datetime) -> datetime | None:
    query = select(attempts.c.locked_until).where(attempts.c.subject == subject)
    until = connection.execute(query).scalar()
    return until if until and until > at else None


def _count(connection: Connection, subject: str, most: int, at: datetime) -> bool:
    """Count one more in one statement; answers whether it is the last of its window."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    row, is_over = attempts.c, attempts.c.since < at - WINDOW
    count = case((is_over, 1), else_=row.count + 1)
    query = dialect.insert(attempts).values(subject=subject, count=1, since=at)
    query = query.on_conflict_do_update(index_elements=["subject"], set_={
        "count": count, "since": case((is_over, literal(at, UtcDateTime)), else_=row.since),
        "locked_until": case((count >= most, literal(at + LOCK, UtcDateTime)), else_=null()),
    })
    return bool(connection.execute(query.returning(row.count)).scalar_one() >= most)


def came_in(connection: Connection, login: str, address: str) -> None:
    """Take back what was counted of somebody who knew the password."""
    connection.execute(delete(attempts).where(attempts.c.subject == by_name(login)))
    own = update(attempts).where(attempts.c.subject == by_address(address), attempts.c.count > 0)
    connection.execute(own.values(count=attempts.c.count - 1, locked_until=null()))


def unlock(connection: Connection, login: str) -> bool:
    """Forget the attempts under a name; answers whether there were any."""
    query = delete(attempts).where(attempts.c.subject == by_name(login))
    return connection.execute(query).rowcount > 0


def locks(connection: Connection, logins: list[str], at: datetime) -> dict[str, datetime]:
    """Until when which of some names are locked."""
    names = {by_name(login): login for login in logins}
    query = select(attempts.c.subject, attempts.c.locked_until).where(
        attempts.c.subject.in_(names), attempts.c.locked_until > at
    )
    return {names[subject]: until for subject, until in connection.execute(query)}


def _clock(until: datetime) -> str:
    return f"{until.astimezone(STATION_TIME):%H:%M}"
