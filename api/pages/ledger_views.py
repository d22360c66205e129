"""Which views of the ledger does one keep, and how are they named, shared and begun with?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl

from flask import redirect, render_template, request, url_for
from marshmallow import ValidationError
from werkzeug.wrappers import Response as BaseResponse

from api.accounts import saved_views
from api.accounts.saved_views import MOST_NAME
from api.identity import READ_CASES, action, new_id, now
from api.pages.kept_views import KEPT, address_of, viewer, views_seen
from api.pages.register import LedgerQuerySchema, chosen_wrongly
from api.pages.views import pages
from api.services import services
from domain.kernel import Refused

MOST_QUERY: Final = 2_000


class BadView(
    Refused, code="bad_view", title="视图内容不正确",
    detail="这个视图没有保存：{problem}。请在台账页上重新选择后再保存。",
):
    """What is no choice of the ledger's page."""


def chosen(text: str) -> dict[str, str]:
    """What a query says of a table, as far as a view keeps it.

    :raises BadView: for what is no choice of the page.
    """
    said = [(n, v) for n, v in parse_qsl(text[:MOST_QUERY]) if n in KEPT]
    query = {name: ",".join(v for n, v in said if n == name) for name, _value in said}
    given: dict[str, Any] = dict(query)
    if "columns" in query:
        given["columns"] = query["columns"].split(",")
    try:
        loaded = LedgerQuerySchema().load(given)
    except ValidationError as error:
        raise BadView(problem="、".join(map(str, error.messages_dict))) from error
    if wrong := chosen_wrongly(loaded):
        raise BadView(problem=wrong)
    return {"kind": loaded["kind"], **query}


# ---- pages ----


@pages.route("/ledger/views")
@action(READ_CASES)
def ledger_views_page() -> str:
    """The views that one sees, to be renamed, deleted and begun with."""
    return _page()


def _page(problem: Refused | None = None, query: str = "") -> str:
    return render_template(
        "pages/ledger_views.html", views=views_seen(), address_of=address_of, problem=problem,
        keeping=query, name=request.form.get("name", ""), most_name=MOST_NAME,
    )


Answer = BaseResponse | tuple[str, int]


def _done(do: Callable[[], None], query: str = "", view: str | None = None) -> Answer:
    """The views, or the one that was made; or the form again with what is wrong."""
    try:
        do()
    except Refused as refusal:
        return _page(refusal, query), refusal.status
    endpoint = "pages.ledger_page" if view else "pages.ledger_views_page"
    return redirect(url_for(endpoint, view=view, station=request.args.get("station")), 303)


@pages.route("/ledger/views", methods=["POST"])
@action(READ_CASES)
def keep_ledger_view() -> Answer:
    """Keep the table that the ledger's page shows, under a name."""
    found, form = viewer(), request.form
    query, made = form.get("query", ""), new_id()

    def keep() -> None:
        saved_views.keep(
            services().tokens, found, view=made, name=form.get("name", ""),
            query=chosen(query), at=now(), is_shared=bool(form.get("is_shared")),
        )

    return _done(keep, query, made)


@pages.route("/ledger/views/<view>", methods=["POST"])
@action(READ_CASES)
def rename_ledger_view(view: str) -> Answer:
    """Call a view something else."""
    found, name = viewer(), request.form.get("name", "")
    return _done(lambda: saved_views.rename(services().tokens, found, view, name))


@pages.route("/ledger/views/<view>/delete", methods=["POST"])
@action(READ_CASES)
def delete_ledger_view(view: str) -> Answer:
    """Delete a view."""
    found = viewer()
    return _done(lambda: saved_views.drop(services().tokens, found, view))


@pages.route("/ledger/views/<view>/start", methods=["POST"])
@action(READ_CASES)
def begin_with_ledger_view(view: str) -> Answer:
    """Begin with a view from now on, or with the whole table again."""
    found, is_begun = viewer(), bool(request.form.get("is_start"))
    if not is_begun:
        saved_views.view_for(services().tokens, found, view)
    return _done(
        lambda: saved_views.begin_with(services().tokens, found, view if is_begun else None)
    )
