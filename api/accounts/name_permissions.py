"""Which reviewer sees names, at which station, until when? 授权查看姓名, given by the lead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine, insert, select, update

from api.accounts.security_log import Act, By, write_down
from api.accounts.staff import staff
from api.accounts.tables import name_permissions
from api.accounts.tokens import tokens_within
from api.callers import EVERYWHERE, Scope
from domain.kernel import Refused
from domain.vocabulary import Role
from projections.store import writing

MOST_DAYS: Final = 60


class BadPermission(
    Refused, code="bad_name_permission", title="授权内容不正确", detail="没有授权：{problem}。",
):
    """A permission that says not whom, how long or why."""


class UnknownPermission(
    Refused, code="unknown_name_permission", status=404, title="没有这项授权",
    detail="本站没有这项授权，或已撤回。",
):
    """A permission that is not this station's."""


@dataclass(frozen=True, slots=True)
class Permission:
    """A permission as it was given."""

    id: str
    station: str
    actor: str
    permitted_by: str
    reason: str
    permitted_at: datetime
    expires_at: datetime
    ended_at: datetime | None


def reviewers(engine: Engine, station: str) -> list[str]:
    """Who reviews a station now, with an account or a token, by the names they act under."""
    here = Scope(frozenset({station}))
    people = {
        one.actor for one in staff(engine, EVERYWHERE)
        if one.role is Role.REVIEWER and one.disabled_at is None and one.scope.covers(here)
    }
    programs = {t.actor for t in tokens_within(engine, here) if t.role == Role.REVIEWER.value}
    return sorted(people | programs)


def refuse_nobody(engine: Engine, station: str, actor: str) -> None:
    """Refuse to permit whom nobody is called.

    :raises BadPermission: where no reviewer of the station is.
    """
    if actor not in reviewers(engine, station):
        raise BadPermission(problem=f"没有名为“{actor[:40]}”的本站评审")


def permit(
    engine: Engine, permission: str, by: By, *, station: str, actor: str, days: int, reason: str,
) -> None:
    """Let a reviewer see names at a station for some days.

    :raises BadPermission: where it says not whom, how long or why.
    """
    if not 1 <= days <= MOST_DAYS:
        raise BadPermission(problem=f"期限为 1 到 {MOST_DAYS} 天")
    if not 1 <= len(actor) <= 100 or not 2 <= len(reason) <= 500:
        raise BadPermission(problem="须写明评审的姓名和事由（2 到 500 字）")
    with writing(engine) as connection:
        connection.execute(insert(name_permissions).values(
            id=permission, station=station, actor=actor, permitted_by=by.actor, reason=reason,
            permitted_at=by.at, expires_at=by.at + timedelta(days=days),
        ))
        why = f"{days} 天：{reason}"
        write_down(connection, Act.NAMES_PERMITTED, by, actor, station, detail=why)


def withdraw(engine: Engine, permission: str, station: str, by: By) -> None:
    """End a permission of a station.

    :raises UnknownPermission: where the station has none of that id.
    """
    row = name_permissions.c
    mine = (row.id == permission) & (row.station == station) & row.ended_at.is_(None)
    with writing(engine) as connection:
        actor = connection.execute(select(row.actor).where(mine)).scalar()
        if actor is None:
            raise UnknownPermission
        connection.execute(update(name_permissions).where(mine).values(ended_at=by.at))
        write_down(connection, Act.NAMES_WITHDRAWN, by, actor, station)


def is_permitted(engine: Engine, station: str, actor: str, at: datetime) -> bool:
    """Whether a reviewer may see names at a station now."""
    row = name_permissions.c
    query = select(row.id).where(
        row.station == station, row.actor == actor, row.ended_at.is_(None), row.expires_at > at
    )
    with engine.connect() as connection:
        return connection.execute(query.limit(1)).scalar() is not None


def permissions(engine: Engine, station: str) -> list[Permission]:
    """The permissions of a station, the newest first."""
    query = select(name_permissions).where(name_permissions.c.station == station)
    newest = query.order_by(name_permissions.c.permitted_at.desc()).limit(200)
    with engine.connect() as connection:
        return [Permission(*row) for row in connection.execute(newest)]
