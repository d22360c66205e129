"""Which version of a record does a caller hold? ``ETag``, ``If-Match``, ``If-None-Match``.

A record that is read has a tag of its version and of what is shown: ``"3-5d41402abc4b"``.
An erasure changes what is shown and no version, so that the version alone would let a
caller go on showing a name. An edit names the version; the rest of the tag is left aside.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from flask import Response, request

from api.problems import BadIfMatch, IfMatchRequired

_SHOWN_DIGITS: Final = 12
_SEEN: Final = re.compile(rf'(?:W/)?"?([0-9]{{1,9}})(?:-[0-9a-f]{{{_SHOWN_DIGITS}}})?"?')


def tagged(answer: Response, version: int) -> Response:
    """An answer with its tag; without its body where the caller holds the very same."""
    shown = hashlib.sha256(answer.get_data()).hexdigest()[:_SHOWN_DIGITS]
    tag = f"{version}-{shown}"
    if request.if_none_match.contains_weak(tag):
        answer = Response(status=304)
    answer.set_etag(tag)
    return answer


def expected_version(*, required: bool) -> int | None:
    """The version that the caller saw, from ``If-Match``.

    :raises IfMatchRequired: where it is required and missing.
    :raises BadIfMatch: where it is no version.
    """
    given = request.headers.get("If-Match")
    if given is None:
        if required:
            raise IfMatchRequired
        return None
    seen = _SEEN.fullmatch(given.strip())
    if seen is None:
        raise BadIfMatch(got=given[:40])
    return int(seen.group(1))
