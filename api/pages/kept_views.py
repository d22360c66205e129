"""Which view of the ledger is asked for, and which does whoever asks see?"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import count
from typing import Any, Final
from urllib.parse import urlencode

from flask import request, url_for

from api.accounts import saved_views
from api.accounts.saved_views import MOST_NAME, SavedView, Viewer
from api.identity import READ_NAMES, SHARE_VIEWS, caller, may
from api.language import translated
from api.queries import one_station
from api.services import services
from domain.kernel import Refused

KEPT: Final = ("kind", "columns", "sort", "community", "category", "from", "to", "status")
"""What a view says of the table; never who is looked for, nor a moment of the past."""
MOST_TABS: Final = 8
"""So many views stand above the table; the others are on their own page."""


class NoAccount(
    Refused, code="no_account", status=403, title="没有账号",
    detail="视图属于账号；访问令牌不能保存视图，请用账号登录。",
):
    """A token that is no account's keeps nothing."""


def viewer() -> Viewer:
    """Who looks at the ledger.

    :raises NoAccount: where it is nobody with an account.
    """
    found = viewer_with_account()
    if found is None:
        raise NoAccount
    return found


def viewer_with_account() -> Viewer | None:
    """The same, or nobody."""
    account = caller().account
    if not account:
        return None
    sees_names = may(READ_NAMES, "households")
    return Viewer(account, one_station(), may(SHARE_VIEWS), sees_names=sees_names)


def views_seen() -> list[SavedView]:
    """The views that whoever looks at the ledger sees, as the page calls them."""
    found = viewer_with_account()
    views = saved_views.views_for(services().tokens, found) if found else []
    own, numbers = {one.name for one in views if not one.is_shared}, count(1)
    return [
        replace(one, name=_called(one, next(numbers), own)) if one.is_shared else one
        for one in views
    ]


def _called(shared: SavedView, number: int, own: AbstractSet[str]) -> str:
    """A shared view's name; its number where that is not shown, marked where an own one has it."""
    name = shared.name or translated("视图 %(number)s") % {"number": number}
    return translated("%(name)s（全站共用）") % {"name": name} if name in own else name


def views_around(kind: str) -> dict[str, Any]:
    """What a table of a kind shows of views: those above it, and the form that keeps it."""
    views = views_seen()
    return {
        "views": views[:MOST_TABS], "has_more_views": len(views) > MOST_TABS,
        "shown": {"kind": kind, **query_shown()}, "is_kept": bool(caller().account),
        "most_name": MOST_NAME,
    }


def address_of(view: SavedView) -> str:
    """The address of a view's table."""
    here = {"station": request.args["station"]} if request.args.get("station") else {}
    return f"{url_for('pages.ledger_page')}?{urlencode({**view.query, **here})}"


def asked_view() -> str | None:
    """The address of the view that is asked for, or that one begins with.

    :raises UnknownView: where there is none of that id.
    """
    asked, only_station = request.args.get("view"), set(request.args) <= {"station"}
    if not asked and not only_station:
        return None
    found, engine = viewer_with_account(), services().tokens
    if found is None:
        return None
    view = (
        saved_views.view_for(engine, found, asked) if asked
        else saved_views.start_for(engine, found)
    )
    return address_of(view) if view else None


def query_shown() -> dict[str, str]:
    """What the address says of the table, as far as a view keeps it."""
    said = {name: ",".join(filter(None, request.args.getlist(name))) for name in KEPT}
    return {name: value for name, value in said.items() if value}
