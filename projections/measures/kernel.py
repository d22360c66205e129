"""What are a measure, a posting, and what joins them?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, TypeVar

import msgspec

from domain.fields import Quantity
from domain.kernel import Event, Recorded
from domain.vocabulary import Approximation, Labelled, Unit

UNSTATED: Final = "unstated"
TIMED: Final = "timed"
"""Marks, beside the days of a duration, the posting that counts it: an average needs both."""
CodeSource = str | type[Labelled]
"""What a dimension's values are taken from: a code list by name, or a closed set; "" is free."""
COMMUNITY: Final[dict[str, CodeSource]] = {"community": ""}
CATEGORY: Final[dict[str, CodeSource]] = {"category": "assistance_categories"}


class Kind(Labelled):
    """How the postings of a measure make a figure."""

    FLOW = "flow", "期间合计"
    STOCK = "stock", "期末存量"
    DISTINCT = "distinct", "不重复计数"
    DURATION = "duration", "平均用时"


class Posting(msgspec.Struct, frozen=True):
    """One signed entry to a measure, on the day of the event unless ``on`` says otherwise.

    ``entity`` is what a distinct measure counts; ``approximation`` is how the amount was
    stated, or ``unstated``. The others are what an indicator may filter or group by.
    """

    amount: int = 1
    on: date | None = None
    entity: str = ""
    community: str = ""
    category: str = ""
    kind: str = ""
    role: str = ""
    mode: str = ""
    audience: str = ""
    approximation: str = ""


Post = Callable[[Any, Recorded], Posting | Iterable[Posting] | None]
"""What an event posts; the declaration beside it says which events are meant."""
P = TypeVar("P", bound=Post)


@dataclass(frozen=True, eq=False)
class Measure:
    """A named figure: what is counted, in which unit, and how postings add up.

    ``by`` says which dimensions its postings have, and where their values come from;
    ``entities`` of what kind those are that they name: ``household``, whose merges a
    distinct count follows.
    """

    code: str
    label: str
    label_en: str
    unit: Unit
    kind: Kind
    entities: str = ""
    by: Mapping[str, CodeSource] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Register the measure under its code."""
        assert self.code not in MEASURES, f"two measures have the code {self.code}"
        assert self.entities or self.kind is not Kind.DISTINCT, self.code
        MEASURES[self.code] = self

    def posted_by(self, *events: type[Event]) -> Callable[[P], P]:
        """Declare what events post to this measure."""

        def register(post: P) -> P:
            for event in events:
                POSTS.setdefault(event.topic, []).append((self, post))
            return post

        return register


MEASURES: Final[dict[str, Measure]] = {}
POSTS: Final[dict[str, list[tuple[Measure, Post]]]] = {}


def stated(quantity: Quantity) -> tuple[int, str]:
    """The amount and approximation of a stated quantity.

    One that nobody stated posts the count 1 of unstated ones, which is kept apart from
    the sum and can be reversed like any other posting.
    """
    if quantity.value is None:
        return 1, UNSTATED
    exact = quantity.approximation is Approximation.EXACT
    return quantity.value, "" if exact else quantity.approximation.value


def stated_fen(fen: int | None) -> tuple[int, str]:
    """The amount of money in fen; one that nobody stated posts the count 1, marked so."""
    return (1, UNSTATED) if fen is None else (fen, "")


def took(
    since: date | None, until: date, *, community: str = "", category: str = "", kind: str = ""
) -> tuple[Posting, ...]:
    """How long something took: its days, and beside them that it is one.

    An average needs both, and a correction reverses both. Nothing is posted where the
    event does not say since when; days that run backwards count as none.
    """
    if since is None:
        return ()
    days = max((until - since).days, 0)
    return (
        Posting(days, community=community, category=category, kind=kind),
        Posting(1, community=community, category=category, kind=kind, approximation=TIMED),
    )
