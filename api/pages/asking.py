"""What does an address ask of a page, and what in it cannot be understood?

Nothing is ignored silently. A day that is none is said beside its field, with what was typed
kept in it; a choice or a number that has no field is refused in words.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any, TypeVar

from flask import g, request
from werkzeug.wrappers import Response

from api.language import translated
from api.pages.views import pages
from domain.kernel import Refused

C = TypeVar("C", str, int)
N = TypeVar("N", int, None)
NO_DAY = "应为日期，如 2024-11-05"


class BadAddress(
    Refused, code="bad_address", status=400, title="地址中有不认识的内容",
    detail="地址中的 {name} 为“{got}”，应为 {wanted}。",
):
    """A parameter of a page's address that means nothing."""


def asked_day(name: str, usual: date) -> date:
    """A day that the address asks for; of one that is none it is said beside the field."""
    typed = request.args.get(name, "").strip()
    if not typed:
        return usual
    try:
        return date.fromisoformat(typed)
    except ValueError:
        misunderstood()[name] = translated(NO_DAY)
        return usual


def misunderstood() -> dict[str, str]:
    """What is wrong with the fields of the address, by name."""
    if "misunderstood" not in g:
        g.misunderstood = {}
    found: dict[str, str] = g.misunderstood
    return found


def asked_choice(name: str, choices: Collection[C], usual: C) -> C:
    """One of some choices.

    :raises BadAddress: for anything else.
    """
    typed = request.args.get(name, "").strip()
    found = next((choice for choice in choices if str(choice) == typed), None)
    if typed and found is None:
        raise BadAddress(name=name, got=typed[:40], wanted="、".join(map(str, choices)))
    return usual if found is None else found


def asked_number(name: str, usual: N, *, least: int = 1, most: int = 10_000) -> int | N:
    """A whole number between two.

    :raises BadAddress: for anything else.
    """
    typed = request.args.get(name, "").strip()
    if not typed:
        return usual
    is_number = typed.isascii() and typed.isdigit() and len(typed) < 10
    if not is_number or not least <= int(typed) <= most:
        raise BadAddress(name=name, got=typed[:40], wanted=f"{least} 到 {most} 的整数")
    return int(typed)


@pages.app_context_processor
def _for_templates() -> dict[str, Any]:
    return {"misunderstood": misunderstood}


@pages.after_request
def _refused(answer: Response) -> Response:
    """A page that did not understand a field says so by its status as well."""
    if g.get("misunderstood") and answer.status_code == 200:
        answer.status_code = 422
    return answer
