"""Which programs may call, as whom? Tokens: shown once, kept as a hash, listed, revoked.

A token that an account issued does what the account may do at the moment of the call; one
from the command line has an actor, a role and a station of its own.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    insert,
    select,
    true,
    update,
)

from api.accounts.security_log import Act, By, write_down
from api.accounts.staff import account_by_id, account_of, caller_for
from api.accounts.tables import accounts, digest, naive, token_owners, tokens
from api.callers import ANY_STATION, Caller, Scope, is_station_code
from api.edge import now
from domain.kernel import Refused
from domain.vocabulary import Role
from projections.direct import rows
from projections.store import writing

MOST_DAYS: Final = 366
MOST_LISTED: Final = 500
SHOWN: Final = 16
"""How much of a token's hash names it in lists: nobody can guess the token from it."""
BY_COMMAND: Final = "命令行"


class BadToken(
    Refused, code="bad_token_request", title="令牌参数不正确",
    detail="令牌没有签发：{problem}。",
):
    """A token that could not be issued."""


class UnknownToken(
    Refused, code="unknown_token", status=404, title="没有这个令牌",
    detail="没有这个令牌，或已撤销。",
):
    """A token that is not there, or is none of the asker's."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token as lists have it."""

    id: str
    actor: str
    role: str
    station: str
    label: str
    account: str | None
    created_at: datetime
    expires_at: datetime


def issue_token(engine: Engine, actor: str, role: str, station: str, days: int) -> str:
    """Make a token of its own right; it is shown once and never again.

    :raises BadToken: for an unknown role or impossible duration.
    """
    if role not in {r.value for r in Role}:
        raise BadToken(problem=f"没有角色“{role}”")
    if station != ANY_STATION and not is_station_code(station):
        raise BadToken(problem=f"社工站编号“{station}”不合规")
    with writing(engine) as connection:
        made = _insert(connection, actor, role, station, days, at=now())
        by = By(BY_COMMAND, now())
        detail = f"{Role.of(role).label}，{days} 天"
        write_down(connection, Act.TOKEN_ISSUED, by, actor, station, detail=detail)
        return made


def issue_own(engine: Engine, account: str, label: str, days: int, by: By) -> str:
    """Make a token that belongs to an account.

    :raises BadToken: where it is called nothing, or is to last too long.
    """
    if not 1 <= len(label) <= 100:
        raise BadToken(problem="请写明用途，1 到 100 个字符")
    with writing(engine) as connection:
        of = account_of(connection, accounts.c.id == account)
        assert of is not None
        made = _insert(connection, of.actor, of.role.value, of.station, days, at=by.at)
        connection.execute(
            insert(token_owners).values(digest=digest(made), account=account, label=label)
        )
        detail = f"{label}，{days} 天"
        write_down(connection, Act.TOKEN_ISSUED, by, of.login, of.station, detail=detail)
        return made


def _insert(
    connection: Connection, actor: str, role: str, station: str, days: int, *, at: datetime
) -> str:
    if not 1 <= days <= MOST_DAYS or not 1 <= len(actor) <= 100:
        raise BadToken(problem=f"有效期为 1 到 {MOST_DAYS} 天，使用人 1 到 100 个字符")
    token = secrets.token_urlsafe(32)
    connection.execute(insert(tokens).values(
        digest=digest(token), actor=actor, role=role, station=station,
        created_at=naive(at), expires_at=naive(at + timedelta(days=days)),
    ))
    return token


_BY_DIGEST: Final = """
SELECT t.actor, t.role, t.station, o.account
FROM access_tokens t LEFT JOIN access_token_owners o ON o.digest = t.digest
WHERE t.digest = ? AND t.revoked_at IS NULL AND t.expires_at > ?
"""


def caller_of(engine: Engine, token: str) -> Caller | None:
    """Whose token it is, unless it is unknown, expired or revoked, or its owner disabled.

    Asked of the driver: it is asked at every call.
    """
    at = naive(now()).isoformat(" ", "microseconds")  # as SQLite has it
    found = rows(engine, _BY_DIGEST, (digest(token), at))
    if not found:
        return None
    [(actor, role, station, account)] = found
    if account is None:
        return Caller(actor, Role.of(role), Scope.of(station))
    owner = account_by_id(engine, account)
    return caller_for(owner) if owner and owner.disabled_at is None else None


# ---- listing and revoking ----


def tokens_of(engine: Engine, account: str) -> list[Token]:
    """The tokens that an account issued and can still use, the newest first."""
    return _listed(engine, token_owners.c.account == account)


def tokens_within(engine: Engine, scope: Scope) -> list[Token]:
    """The tokens of a scope's stations that can still be used."""
    if scope.stations is None:
        return _listed(engine, true())
    return _listed(engine, tokens.c.station.in_(scope.stations))


def _listed(engine: Engine, which: ColumnElement[bool]) -> list[Token]:
    query = select(tokens, token_owners.c.account, token_owners.c.label).outerjoin(
        token_owners, token_owners.c.digest == tokens.c.digest
    ).where(which, tokens.c.revoked_at.is_(None), tokens.c.expires_at > naive(now()))
    newest = query.order_by(tokens.c.created_at.desc()).limit(MOST_LISTED)
    with engine.connect() as connection:
        return [
            Token(
                row.digest[:SHOWN], row.actor, row.role, row.station, row.label or BY_COMMAND,
                row.account, row.created_at, row.expires_at,
            )
            for row in connection.execute(newest)
        ]


def revoke(engine: Engine, token: str, among: list[Token], by: By) -> None:
    """Revoke one of the tokens that somebody may see.

    :raises UnknownToken: where it is none of them.
    """
    found = next((one for one in among if one.id == token), None)
    if found is None:
        raise UnknownToken
    with writing(engine) as connection:
        which = tokens.c.digest.startswith(found.id, autoescape=True)
        revoked = update(tokens).where(which, tokens.c.revoked_at.is_(None))
        connection.execute(revoked.values(revoked_at=naive(by.at)))
        revoked_one = Act.TOKEN_REVOKED
        write_down(connection, revoked_one, by, found.actor, found.station, detail=found.label)


def revoke_tokens(engine: Engine, actor: str, station: str) -> int:
    """Revoke every token of an actor at a station; answers how many there were."""
    mine = (tokens.c.actor == actor) & (tokens.c.station == station)
    unrevoked = update(tokens).where(mine, tokens.c.revoked_at.is_(None))
    with writing(engine) as connection:
        count = connection.execute(unrevoked.values(revoked_at=naive(now()))).rowcount
        if count:
            by = By(BY_COMMAND, now())
            write_down(connection, Act.TOKEN_REVOKED, by, actor, station, detail=f"{count} 个")
        return count
