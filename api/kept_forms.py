"""How does what was typed survive a session that ended meanwhile, or began anew?

The answer to such a form is the sign-in, or a question, that carries its fields along to
the same browser; signed in, one looks at them and sends them. Nothing is kept here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from flask import Response, current_app, g, make_response, render_template, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException

from api.forms import FIELD, comes_from_this_site
from domain.field_labels import FIELDS
from domain.kernel import Refused

KEPT: Final = "kept."
"""How the names of the fields that are carried along begin."""
SECRET: Final = frozenset({FIELD, "password", "old", "again", "link"})
"""What is never carried along: typed anew, or made anew."""
TARGET: Final = "kept_for"
"""Where the fields are to be sent."""
UNSAID: Final = frozenset({"request", "seen", "indicator", "next"})
"""What a form carries that nobody typed."""

LABELS: Final = {
    "occurred_on": "发生日期", "login": "账号", "stations": "社工站", "sought": "查找",
    "actor": "姓名", "role": "角色", "label": "用途", "code": "快照码",
}
"""How a page calls what is no field of an event, or is called otherwise there."""

Fields = list[tuple[str, str]]
Typed = MultiDict[str, str]
Drawing = Callable[..., str]
_DRAWINGS: Final[dict[str, Drawing]] = {}
"""By endpoint: how its form is drawn with what was typed in it."""


def drawn(endpoint: str) -> Callable[[Drawing], Drawing]:
    """Let a form be drawn itself, where it is to be looked at and sent again."""

    def kept(drawing: Drawing) -> Drawing:
        _DRAWINGS[endpoint] = drawing
        return drawing

    return kept


def again(status: int) -> Response:
    """The answer to a form of a session that is none any more: sign in, or look and send again."""
    fields = [item for item in request.form.items(multi=True) if item[0] not in SECRET]
    if status == 401:
        page = render_template(
            "pages/account_sign_in.html", problem=None, next="/", login="", provider=None,
            kept=fields, kept_for=request.full_path.rstrip("?"),
        )
        return make_response(page, status)
    return make_response(_page(fields, request.full_path.rstrip("?")), status)


def carried() -> Fields:
    """The fields that the sign-in carried along; none of what another page sent to it."""
    if not comes_from_own_page():
        return []
    return [
        (name.removeprefix(KEPT), value)
        for name, value in request.form.items(multi=True) if name.startswith(KEPT)
    ]


def resumed(fields: Fields, target: str) -> Response:
    """What was typed before, to be looked at and sent by who has just signed in."""
    return make_response(_page(fields, target))


def _page(fields: Fields, target: str) -> str:
    """The form itself with what was typed; where that cannot be, what was typed by its labels."""
    return _drawn(fields, target) or render_template(
        "pages/form_again.html", kept=fields, target=target,
        typed=[
            (label_of(name), value)
            for name, value in fields if value.strip() and name not in UNSAID
        ],
    )


def _drawn(fields: Fields, target: str) -> str | None:
    """The form, as its own page draws it for who is signed in now; ``None`` where none does."""
    path = urlsplit(target).path
    try:
        endpoint, where = current_app.url_map.bind("").match(path, method="POST")
        drawing = _DRAWINGS[endpoint]
        g.is_form_again = True
        return drawing(Typed(fields), **where)
    except (HTTPException, KeyError, Refused):
        g.is_form_again = False
        return None


def label_of(name: str) -> str:
    """What people read for a field, whichever form has it: of ``members.0.name`` the last part."""
    last = name.rpartition(".")[2]
    return LABELS.get(last) or FIELDS.get(last, "其他内容")


def is_readable() -> bool:
    """Whether the form can be read at all: one that is too large is not carried along."""
    try:
        return request.method == "POST" and bool(request.form)
    except HTTPException:
        return False


def comes_from_own_page() -> bool:
    """Whether the browser itself says that one of our pages sent the form.

    Nothing said is not enough, nor an origin that is kept back (``null``): another page
    can have both, and would put its words into a form that is sent by a press.
    """
    comes_from, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin", "")
    is_ours = comes_from == "same-origin" if comes_from else urlsplit(origin).netloc == request.host
    return is_ours and comes_from_this_site() and is_readable()
