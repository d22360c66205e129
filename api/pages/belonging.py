"""To which page does an address belong that takes a form only?

Whoever asks for such an address (reloaded, typed, gone back to, left for another language)
is led to the page that holds its form, and never told that the address is none.
"""

from __future__ import annotations

from flask import current_app, redirect, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule
from werkzeug.wrappers import Response as BaseResponse

from api.pages.views import pages

READS = frozenset({"GET", "HEAD"})


@pages.before_app_request
def _lead() -> BaseResponse | None:
    """Lead a reader of a form's address to its page."""
    is_page = request.blueprint == "pages" or request.blueprint is None
    if request.method not in READS or not is_page or not _takes_a_form_only(request.path):
        return None
    asked = request.query_string.decode()
    return redirect(page_of(request.path) + (f"?{asked}" if asked else ""), 303)


def page_of(path: str) -> str:
    """The nearest page above an address that can be read."""
    while path := path.rpartition("/")[0]:
        if not _takes_a_form_only(path) and _rule(path, "GET"):
            return path
    return "/"


def _takes_a_form_only(path: str) -> bool:
    """Whether a form is sent there, and what a reader would meet there is another address."""
    sent, read = _rule(path, "POST"), _rule(path, "GET")
    if sent is None or not sent.endpoint.startswith("pages."):
        return False
    return read is None or read.rule != sent.rule


def _rule(path: str, method: str) -> Rule | None:
    """The rule that an address meets."""
    adapter = current_app.create_url_adapter(request)
    if adapter is None:
        return None
    try:
        rule, _arguments = adapter.match(path, method=method, return_rule=True)
    except HTTPException:
        return None
    return rule
