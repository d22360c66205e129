"""How does somebody want the pages: light or dark, large, in which language?

Kept in cookies by a form, so that it works without script and for whoever is not signed
in; a cookie that says anything else than a choice says nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from flask import redirect, request
from werkzeug.wrappers import Response as BaseResponse

from api.identity import PUBLIC, action
from api.language import COOKIE, LANGUAGES
from api.pages.sign_in import inside
from api.pages.views import pages

CHOICES: Final[dict[str, dict[str, str]]] = {
    "theme": {"auto": "跟随系统", "light": "浅色", "dark": "深色"},
    "size": {"normal": "标准", "large": "大字"},
    COOKIE: LANGUAGES,
}
DARK_ON: Final = {
    "auto": "screen and (prefers-color-scheme: dark)", "light": "not all", "dark": "screen",
}
"""Where the dark tokens hold, by theme."""
A_YEAR: Final = timedelta(days=365)


def preference(name: str) -> str:
    """What was chosen; the first choice where nothing was."""
    chosen, choices = request.cookies.get(name, ""), CHOICES[name]
    return chosen if chosen in choices else next(iter(choices))


@pages.app_context_processor
def _chosen() -> dict[str, object]:
    prefers = {name: preference(name) for name in CHOICES}
    return {"choices": CHOICES, "dark_on": DARK_ON, "prefers": prefers}


@pages.route("/preferences", methods=["POST"])
@action(PUBLIC)
def preferences() -> BaseResponse:
    """Remember a choice, and go back to the page."""
    answer = redirect(inside(request.form.get("next", "")), 303)
    for name, choices in CHOICES.items():
        if (value := request.form.get(name, "")) in choices:
            answer.set_cookie(
                name, value, max_age=A_YEAR, httponly=True, samesite="Lax",
                secure=request.is_secure,
            )
    return answer
