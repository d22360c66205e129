"""Which forms on the pages may write? Only those that a page gave to this very session.

A browser sends the cookie with whatever asks for a page, so that the cookie alone lets
nobody write. Whatever writes carries a token besides, which follows from the session's
own secret (HMAC-SHA256): no other site can read it or make it up. The cookie is
SameSite=Lax, out of scripts' reach, and behind TLS bound to this very host; where the
browser says from which site a request comes, only our own is taken, also for signing in.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final
from urllib.parse import urlsplit

from flask import g, request
from werkzeug.wrappers import Response

from domain.kernel import Refused

FIELD: Final = "form_token"
HEADER: Final = "X-Form-Token"
COOKIE: Final = "taizhang_session"
HOST_COOKIE: Final = "__Host-taizhang_session"
"""Behind TLS: a browser takes it from this host alone, for every path, and never in clear."""
_PURPOSE: Final = b"taizhang form"
OWN_SITE: Final = frozenset({"same-origin", "none"})


class ForeignForm(
    Refused, code="foreign_form", status=403, title="表单已失效",
    detail="这个表单不是本次登录打开的页面所给，没有保存；请回到页面刷新后重试。",
):
    """A form without the session's token, or one that another site sent."""


# ---- the cookie ----


def session_secret() -> str:
    """The secret that the browser keeps, or is given now; empty where nobody is signed in."""
    return str(g.get("session_begun") or request.cookies.get(_cookie(), ""))


def begin_session(secret: str) -> None:
    """Count a session that has just begun for the rest of the request."""
    g.session_begun = secret


def keep_secret(answer: Response, secret: str, seconds: int) -> None:
    """Let the browser keep a session's secret."""
    answer.set_cookie(
        _cookie(), secret, max_age=seconds, path="/", httponly=True, samesite="Lax",
        secure=request.is_secure,
    )


def forget_secret(answer: Response) -> None:
    """Let the browser forget it."""
    answer.delete_cookie(_cookie(), path="/", httponly=True, samesite="Lax",
                         secure=request.is_secure)


def _cookie() -> str:
    return HOST_COOKIE if request.is_secure else COOKIE


# ---- the forms ----


def form_token() -> str:
    """What the forms of this session carry; empty where nobody is signed in."""
    secret = session_secret()
    return hmac.new(secret.encode(), _PURPOSE, hashlib.sha256).hexdigest() if secret else ""


def check_form() -> None:
    """Let a request write only where a page of this session sent it.

    :raises ForeignForm: where it has another token or comes from another site.
    """
    check_site()
    given = request.headers.get(HEADER) or request.form.get(FIELD, "")
    if not hmac.compare_digest(given.encode(), form_token().encode() or b"-"):
        raise ForeignForm


def check_site() -> None:
    """Let only our own pages send a form, where the browser says who does.

    :raises ForeignForm: for another site's.
    """
    if not comes_from_this_site():
        raise ForeignForm


def comes_from_this_site() -> bool:
    """Whether nothing that the browser says speaks against one of our own pages."""
    comes_from = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    is_ours = origin in {None, "null"} or urlsplit(str(origin)).netloc == request.host
    return comes_from in OWN_SITE and is_ours
