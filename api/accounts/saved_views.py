"""Which tables of the ledger did somebody keep under a name, for himself or for the station?

What is kept is the address's choices (kind, filter, order, columns), which are codes and days;
nothing that was typed in search of somebody is among them. Beside the accounts, and in no event:
how one likes to look is no part of any case's history.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from api.accounts.tables import saved_views, start_views
from domain.identity_number import refuse_identifying
from domain.kernel import Refused
from projections.store import one_at_a_time, writing

MOST_NAME: Final = 30
MOST_OWN: Final = 20
MOST_SHARED: Final = 20
"""Of a station."""
View = Mapping[str, str]


class BadViewName(
    Refused, code="bad_view_name", title="视图名称不合规",
    detail="视图名称应为 1 到 {most} 个字符。",
):
    """A name that is none."""


class ViewNameTaken(
    Refused, code="view_name_taken", status=409, title="视图名称已被使用",
    detail="已有名为“{name}”的视图，请换一个名称。",
):
    """One's own views and the station's shared ones have different names.

    Of what others keep for themselves nothing is told, so that a shared view may come to have
    the name of somebody's own one: the page then says which of the two all share.
    """


class TooManyViews(
    Refused, code="too_many_views", status=409, title="视图太多",
    detail="自己的视图最多 {own} 个，全站共用的最多 {shared} 个；请先删除不用的。",
):
    """They are to be found at a glance."""


class UnknownView(
    Refused, code="unknown_view", status=404, title="没有这个视图",
    detail="没有这个视图，或已被删除。",
):
    """A view that is not there, or is somebody else's."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at which station's ledger, and whether he keeps the views that all share.

    Somebody may have put a person's name into a shared view's: only who ``sees_names`` reads it.
    """

    account: str
    station: str
    keeps_shared: bool
    sees_names: bool = False


@dataclass(frozen=True, slots=True)
class SavedView:
    """A view. ``is_start`` where the viewer begins with it; ``is_kept`` where he may change it.

    The name is empty where the viewer may not read it.
    """

    id: str
    name: str
    query: View
    is_shared: bool
    is_start: bool
    is_kept: bool


# ---- finding ----


def views_for(engine: Engine, viewer: Viewer) -> list[SavedView]:
    """The views that somebody sees at a station: his own, and those that all share."""
    with engine.connect() as connection:
        return _seen(connection, viewer)


def view_for(engine: Engine, viewer: Viewer, view: str) -> SavedView:
    """One of them.

    :raises UnknownView: where it is none.
    """
    return _one(views_for(engine, viewer), view)


def start_for(engine: Engine, viewer: Viewer) -> SavedView | None:
    """The view with which somebody begins at a station."""
    return next((one for one in views_for(engine, viewer) if one.is_start), None)


def _one(seen: list[SavedView], view: str) -> SavedView:
    found = next((one for one in seen if one.id == view), None)
    if found is None:
        raise UnknownView
    return found


def _seen(connection: Connection, viewer: Viewer) -> list[SavedView]:
    row, mine = saved_views.c, start_views.c
    start = connection.execute(
        select(mine.view).where(mine.account == viewer.account, mine.station == viewer.station)
    ).scalar()
    query = select(saved_views).where(
        row.station == viewer.station, (row.account == viewer.account) | row.is_shared
    )
    return [
        SavedView(
            one.id, one.name if viewer.sees_names or not one.is_shared else "",
            msgspec.json.decode(one.query, type=dict[str, str]), one.is_shared,
            one.id == start, _is_kept(one, viewer),
        )
        for one in connection.execute(query.order_by(row.is_shared, row.made_at, row.id))
    ]


def _is_kept(row: Any, viewer: Viewer) -> bool:
    """Whether somebody may change a view: his own, or one that all share."""
    return viewer.keeps_shared if row.is_shared else row.account == viewer.account


# ---- keeping ----


def keep(
    engine: Engine, viewer: Viewer, *, view: str, name: str, query: View, at: datetime,
    is_shared: bool = False,
) -> None:
    """Keep a table under a name; who does not keep the shared ones, keeps it for himself.

    :raises BadViewName: for a name that is none.
    :raises IdentifyingId: for one with an ID number or a mobile number in it.
    :raises ViewNameTaken: for one that another view has.
    :raises TooManyViews: where there are as many as may be.
    """
    is_shared = is_shared and viewer.keeps_shared
    with _alone(engine) as connection:
        said = _free_name(_seen(connection, viewer), name)
        _refuse_too_many(connection, viewer, is_shared=is_shared)
        connection.execute(insert(saved_views).values(
            id=view, station=viewer.station, account=viewer.account, name=said,
            query=msgspec.json.encode(dict(query)).decode(), is_shared=is_shared, made_at=at,
        ))


def rename(engine: Engine, viewer: Viewer, view: str, name: str) -> None:
    """Call a view something else.

    :raises UnknownView: where it is not his to change.
    """
    with _alone(engine) as connection:
        seen = _seen(connection, viewer)
        found = _kept(seen, view)
        said = _free_name([one for one in seen if one.id != found.id], name)
        connection.execute(
            update(saved_views).where(saved_views.c.id == found.id).values(name=said)
        )


def drop(engine: Engine, viewer: Viewer, view: str) -> None:
    """Delete a view; whoever began with it begins with the whole table again.

    :raises UnknownView: where it is not his to delete.
    """
    with _alone(engine) as connection:
        found = _kept(_seen(connection, viewer), view)
        connection.execute(delete(start_views).where(start_views.c.view == found.id))
        connection.execute(delete(saved_views).where(saved_views.c.id == found.id))


def begin_with(engine: Engine, viewer: Viewer, view: str | None) -> None:
    """Begin with a view at a station from now on, or with none.

    :raises UnknownView: where he does not see it.
    """
    mine = start_views.c
    with _alone(engine) as connection:
        found = _one(_seen(connection, viewer), view) if view else None
        connection.execute(delete(start_views).where(
            mine.account == viewer.account, mine.station == viewer.station
        ))
        if found is not None:
            connection.execute(insert(start_views).values(
                account=viewer.account, station=viewer.station, view=found.id
            ))


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A transaction in which nobody else keeps a view: two would take one name."""
    with writing(engine) as connection:
        one_at_a_time(connection)
        yield connection


def _kept(seen: list[SavedView], view: str) -> SavedView:
    found = _one(seen, view)
    if not found.is_kept:
        raise UnknownView
    return found


def _free_name(others: list[SavedView], name: str) -> str:
    said = " ".join(name.split())
    if not 1 <= len(said) <= MOST_NAME or not said.isprintable():
        raise BadViewName(most=MOST_NAME)
    refuse_identifying(said)
    if any(one.name == said for one in others):
        raise ViewNameTaken(name=said)
    return said


def _refuse_too_many(connection: Connection, viewer: Viewer, *, is_shared: bool) -> None:
    row = saved_views.c
    whose = row.is_shared if is_shared else ~row.is_shared & (row.account == viewer.account)
    count = select(func.count()).where(row.station == viewer.station, whose)
    if connection.execute(count).scalar_one() >= (MOST_SHARED if is_shared else MOST_OWN):
        raise TooManyViews(own=MOST_OWN, shared=MOST_SHARED)
