"""Which view of the ledger is asked for, and which does whoever asks see?"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from flask import request, url_for

from api.accounts import saved_views
from api.accounts.saved_views import MOST_NAME, SavedView, Viewer
from api.identity import SHARE_VIEWS, caller, may
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
    return Viewer(account, one_station(), may(SHARE_VIEWS)) if account else None


def views_seen() -> list[SavedView]:
    """The views that whoever looks at the ledger sees."""
    found = viewer_with_account()
    return saved_views.views_for(services().tokens, found) if found else []


def views_around(kind: str) -> dict[str, Any]:
    """What a table of a kind shows of views: those above it, and the form that keeps it."""
    found = viewer_with_account()
    views = saved_views.views_for(services().tokens, found) if found else []
    return {
        "views": views[:MOST_TABS], "has_more_views": len(views) > MOST_TABS,
        "shown": {"kind": kind, **query_shown()}, "is_kept": found is not None,
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
