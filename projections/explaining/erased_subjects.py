"""Is of somebody nothing told one by one any more, because he or she was erased or locked?

Who is merged counts as one, so that to tell of one is to tell of all: one erased is enough.
It is asked of those that count as one today, at the moment asked about, and when the erasure
was decided, also where that merge has ended since.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import select

from domain.erasure import ErasureStatus
from domain.kernel import Refused
from projections.aliases import aliases, aliases_at
from projections.erasures import erasures
from projections.explaining.question import Question

MOST_NAMES: Final = 500
"""How many names one statement asks for."""
ERASED: Final = (ErasureStatus.APPROVED.value, ErasureStatus.LOCKED.value)
ERASABLE: Final = {"person": "个人", "volunteer": "志愿者"}
"""Who can be erased: of a household its persons are."""


class ToldOfNobody(
    Refused, code="told_of_nobody", status=409, title="此人的信息已删除或封存",
    detail="{kind} {id} 的个人信息已依申请删除或封存，不再逐人说明；已有的数字不变。",
):
    """Of whom was erased or locked nothing is told one by one any more."""


def refuse_erased(question: Question, kind: str, subject: str) -> None:
    """Refuse to tell of somebody erased, or of who counts as the same.

    :raises ToldOfNobody: where he or she was erased or locked.
    """
    if kind not in ERASABLE:
        return
    related = _ever_merged(question, kind, subject)
    for erased, decided_at in _erased_of(question, kind, related):
        moments = (question.known_at, None, decided_at)
        families = (
            aliases_at(question.connection, question.station, moment).family(kind, subject)
            for moment in moments
        )
        if erased == subject or any(erased in family for family in families):
            raise ToldOfNobody(kind=ERASABLE[kind], id=subject)


def _ever_merged(question: Question, kind: str, subject: str) -> list[str]:
    """Somebody and all who ever counted as the same, by whatever merges."""
    query = select(aliases.c.alias, aliases.c.survivor).distinct().where(
        aliases.c.station == question.station, aliases.c.kind == kind
    )
    beside: dict[str, set[str]] = {}
    for alias, survivor in question.connection.execute(query):
        beside.setdefault(alias, set()).add(survivor)
        beside.setdefault(survivor, set()).add(alias)
    found, left = {subject}, [subject]
    while left:
        new = beside.get(left.pop(), set()) - found
        found |= new
        left += new
    return sorted(found)


def _erased_of(
    question: Question, kind: str, names: list[str]
) -> list[tuple[str, datetime]]:
    """Who of some was erased or locked, and when that was decided."""
    found: list[tuple[str, datetime]] = []
    for start in range(0, len(names), MOST_NAMES):
        query = select(erasures.c[kind], erasures.c.last_at).where(
            erasures.c.station == question.station,
            erasures.c[kind].in_(names[start : start + MOST_NAMES]),
            erasures.c.status.in_(ERASED),
        )
        found += [(erased, at) for erased, at in question.connection.execute(query)]
    return found
