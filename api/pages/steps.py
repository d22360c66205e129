"""Which steps come next of a referral, a case or a group, and where does one see them?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from flask import url_for

from api.language import translated
from api.pages.views import Labels
from api.pages.whose import apart, called, people_in
from api.pages.writing import may_state
from domain.describing import quantity
from domain.kernel import Entry, Event

PAGES: Final = {
    "referral": ("pages.referral_board", None), "case": ("pages.case_page", "case"),
    "group": ("pages.group_page", "group"), "volunteer": ("pages.volunteer_page", "volunteer"),
    "merge": ("pages.approvals_page", None), "erasure": ("pages.approvals_page", None),
    "month": ("pages.month", "month"), "task_book": ("pages.task_book_page", "subject"),
}
"""Kinds of record with a page of their own: its endpoint, and what it calls the record."""


def page_of(kind: str, subject: str, **more: Any) -> str:
    """Where a record is seen: on its own page, or in its audit trail."""
    endpoint, name = PAGES.get(kind, ("pages.record_page", None))
    if kind not in PAGES:
        more |= {"kind": kind, "subject": subject}
    elif name is not None:
        more[name] = subject
    return url_for(endpoint, **more)


STEPPED: Final = frozenset({"resource", "competition", "supervision", "needs_assessment"})
"""Kinds whose records are followed by others, and that have no page of their own."""


def allowed_steps(steps: Sequence[type[Event]]) -> list[type[Event]]:
    """Those that the caller may record."""
    return [step for step in steps if may_state(step.topic)]


def heads_of(households: Iterable[str]) -> dict[str, str]:
    """The names of the heads of some households, opened for whoever reads them.

    Where two are called the same, the file's number tells them apart.
    """
    people = people_in((), {f"household:{household}" for household in households})
    return apart({
        subject.partition(":")[2]: (called(one), one.number or one.community or "")
        for subject, one in people.known.items()
    })


@dataclass(frozen=True, slots=True)
class StepLine:
    """A step that was taken, as the page of its case or group lists it."""

    label: str
    on: date
    actor: str
    came: str | None
    minutes: int | None
    said: str


def step_line(entry: Entry) -> StepLine:
    """What a step says, in a line."""
    event: Any = entry.statement.event
    reason, mode = getattr(event, "reason", None), getattr(event, "mode", None)
    skipped = getattr(event, "skipping_because", None)
    attendance = getattr(event, "attendance", None)
    met = getattr(event, "persons_met", None)
    said = [
        reason and Labels("closing_reasons")[reason], mode and Labels("visit_modes")[mode],
        *(getattr(event, name, None) for name in ("theme", "summary", "because")),
        skipped and f"{translated('跳过原因')}：{skipped}",
    ]
    return StepLine(
        event.label, entry.statement.occurred.on, entry.actor,
        str(met) if met is not None else attendance and quantity(attendance),
        getattr(event, "minutes", None), " · ".join(text for text in said if text),
    )
