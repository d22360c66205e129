"""Which pages are in the menu, for whom, under which key?

A page is listed where the caller's role may open it; a new one is a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flask import request, url_for

from api.identity import (
    AUDIT,
    MANAGE_ACCOUNTS,
    OPERATE,
    OWN,
    PERMIT_NAMES,
    POLICY,
    READ_ACCESSES,
    READ_CASES,
    READ_EVALUATIONS,
    READ_FIGURES,
    READ_RECORDS,
    Caller,
    allowed,
)
from api.policy import CASEWORK
from domain.vocabulary import Role


@dataclass(frozen=True, slots=True)
class Place:
    """A page of the menu. ``key`` opens it with the browser's access key (Alt, Alt+Shift)."""

    endpoint: str
    label: str
    icon: str
    verb: str
    key: str = ""
    noun: str = ""
    quick: bool = False
    """Whether it stands in the bar at the foot of a phone."""
    records: bool = False
    """Whether it is for those only who record the station's work."""
    also: tuple[str, ...] = ()
    """Further pages that stand behind it, as tabs of its own."""
    group: int = 0
    """In which of ``GROUPS`` it stands."""
    judges: bool = False
    """Whether it is for those only who see to the work of others."""

    def is_for(self, role: Role) -> bool:
        """Whether a role has something to do there."""
        is_idle = self.records and not CASEWORK & POLICY[role].records
        is_own = self.judges and bool(CASEWORK & POLICY[role].records)
        return allowed(role, self.verb, self.noun) and not is_idle and not is_own


SERVICE, FIGURES, CONTROL = range(3)
GROUPS: Final = ("服务", "数字与报告", "监督与管理")
PLACES: Final = (
    Place("pages.home", "今日", "sun", READ_CASES, "1", quick=True, records=True),
    Place("pages.review_page", "评审工作", "sun", AUDIT, "1", quick=True, judges=True),
    Place("pages.household_list_page", "户", "home", READ_CASES, "2", quick=True),
    Place(
        "pages.record_choice", "记录", "pencil-square", READ_RECORDS, "3", quick=True, records=True
    ),
    Place(
        "pages.referral_board", "跟进", "briefcase", READ_CASES,
        also=("pages.case_list_page", "pages.group_list_page", "pages.approvals_page"),
    ),
    Place("pages.month_calendar", "日程", "calendar-days", READ_CASES, noun="activities"),
    Place("pages.volunteers_page", "志愿者", "hand-raised", READ_CASES, "4", noun="volunteers"),
    Place(
        "pages.month_list", "月报", "document-text", READ_FIGURES, "5", quick=True, group=FIGURES
    ),
    Place("pages.dashboards_page", "看板", "chart-bar", READ_FIGURES, group=FIGURES),
    Place(
        "pages.task_book_list", "任务书", "clipboard-document-check", READ_FIGURES, "6",
        group=FIGURES,
    ),
    Place("pages.evaluations_page", "评估", "scale", READ_EVALUATIONS, group=FIGURES),
    Place("pages.ledger_page", "台账", "table-cells", READ_CASES, "7", group=FIGURES),
    Place("pages.audit", "审计", "shield-check", AUDIT, "8", group=CONTROL),
    Place("pages.reads", "访问记录", "eye", READ_ACCESSES, group=CONTROL),
    Place("pages.name_permissions_page", "姓名授权", "check-circle", PERMIT_NAMES, group=CONTROL),
    Place("pages.accounts_page", "账号", "users", MANAGE_ACCOUNTS, group=CONTROL),
    Place("pages.operations", "运行", "cog-6-tooth", OPERATE, "9", group=CONTROL),
    Place("documentation.docs", "接口", "code-bracket", OWN, group=CONTROL),
)
ICONS: Final = frozenset({
    *(place.icon for place in PLACES),
    "arrow-left", "arrow-right", "arrows-right-left", "bars-3", "briefcase", "calendar-days",
    "chat-bubble-left-right", "check-circle", "chevron-down", "clock", "exclamation-triangle",
    "hand-raised", "information-circle", "language", "magnifying-glass", "map-pin", "moon",
    "phone", "plus", "printer", "question-mark-circle", "user-circle", "users", "x-mark",
})
"""Every icon that a page shows; ``api/cli/parts.py`` draws the others nowhere."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A place as a page shows it."""

    place: Place
    href: str
    is_current: bool
    """Whether the page is this one, or one below it."""


def menu(who: Caller) -> list[Entry]:
    """The menu of a caller."""
    shown = {url_for(p.endpoint): p for p in PLACES if p.is_for(who.role)}
    here = max((href for href in shown if _is_within(href, shown[href])), key=len, default="")
    return [Entry(place, href, href == here) for href, place in shown.items()]


def _is_within(href: str, place: Place) -> bool:
    """Whether the page that is shown is a place or lies below it, or below a tab of it."""
    hrefs = [href, *(url_for(endpoint) for endpoint in place.also)]
    return any(
        request.path == one or (one != "/" and request.path.startswith(f"{one}/"))
        for one in hrefs
    )
