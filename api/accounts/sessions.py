"""How long does somebody stay signed in? Sessions that the server keeps and can end."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine, insert, select, update

from api.accounts.tables import digest, sessions
from projections.store import writing

LONGEST: Final = timedelta(hours=12)
"""A working day; then one signs in again, whatever one does."""
IDLE: Final = timedelta(hours=4)
SEEN_EVERY: Final = timedelta(minutes=5)
"""How exactly it is known when a session was last used: a page is not to write each time."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session that goes on."""

    digest: str
    account: str
    began_at: datetime
    seen_at: datetime
    device: str
    station: str | None


def begin(
    connection: Connection, account: str, device: str, at: datetime, station: str | None = None
) -> str:
    """Begin a session; answers its secret, which is kept by the browser alone."""
    secret = secrets.token_urlsafe(32)
    connection.execute(insert(sessions).values(
        digest=digest(secret), account=account, began_at=at, seen_at=at, device=device[:100],
        station=station,
    ))
    return secret


def session_of(engine: Engine, secret: str, at: datetime) -> Session | None:
    """The session of a secret, unless it was ended, is too old, or was not used for long."""
    with engine.connect() as connection:
        found = _going_on(connection, sessions.c.digest == digest(secret), at)
    if not found:
        return None
    if at - found[0].seen_at > SEEN_EVERY:
        with writing(engine) as connection:
            seen = update(sessions).where(sessions.c.digest == found[0].digest)
            connection.execute(seen.values(seen_at=at))
    return found[0]


def sessions_of(engine: Engine, account: str, at: datetime) -> list[Session]:
    """Where somebody is signed in."""
    with engine.connect() as connection:
        return _going_on(connection, sessions.c.account == account, at)


def _going_on(connection: Connection, which: object, at: datetime) -> list[Session]:
    row = sessions.c
    query = select(
        row.digest, row.account, row.began_at, row.seen_at, row.device, row.station
    ).where(
        which, row.ended_at.is_(None), row.began_at > at - LONGEST, row.seen_at > at - IDLE,  # type: ignore[arg-type]
    ).order_by(row.seen_at.desc()).limit(100)
    return [Session(*found) for found in connection.execute(query)]


def choose_station(engine: Engine, session: str, station: str) -> None:
    """Look at one of several stations from now on."""
    with writing(engine) as connection:
        chosen = update(sessions).where(sessions.c.digest == session)
        connection.execute(chosen.values(station=station))


def end(connection: Connection, session: str, at: datetime) -> None:
    """End a session."""
    ended = update(sessions).where(sessions.c.digest == session, sessions.c.ended_at.is_(None))
    connection.execute(ended.values(ended_at=at))


def end_all(connection: Connection, account: str, at: datetime) -> int:
    """End every session of an account; answers how many there were."""
    mine = update(sessions).where(sessions.c.account == account, sessions.c.ended_at.is_(None))
    return connection.execute(mine.values(ended_at=at)).rowcount
