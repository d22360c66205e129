"""Which forms on the pages may write? Only those that a page gave to this very session.

A browser sends the cookie with whatever asks for a page, so that the cookie alone lets
nobody write. A form that writes carries a token besides, which follows from the session's
own secret (HMAC-SHA256): no other site can read it or make it up. The cookie is
SameSite=Strict, and where the browser says from which site a request comes, only our own
is taken.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from flask import request

from domain.kernel import Refused

FIELD: Final = "form_token"
COOKIE: Final = "taizhang_token"
_PURPOSE: Final = b"taizhang form"
OWN_SITE: Final = frozenset({"same-origin", "none"})


class ForeignForm(
    Refused, code="foreign_form", status=403, title="表单已失效",
    detail="这个表单不是本次登录打开的页面所给，没有保存；请回到页面刷新后重试。",
):
    """A form without the session's token, or one that another site sent."""


def form_token() -> str:
    """What the forms of this session carry; empty where nobody is signed in."""
    secret = request.cookies.get(COOKIE, "")
    return hmac.new(secret.encode(), _PURPOSE, hashlib.sha256).hexdigest() if secret else ""


def check_form() -> None:
    """Let a form write only where a page gave it to this session.

    :raises ForeignForm: where it has another token or comes from another site.
    """
    given = request.form.get(FIELD, "")
    comes_from = request.headers.get("Sec-Fetch-Site", "same-origin")
    if comes_from not in OWN_SITE or not hmac.compare_digest(
        given.encode(), form_token().encode() or b"-"
    ):
        raise ForeignForm
