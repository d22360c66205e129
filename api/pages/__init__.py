"""What do people see in a browser? Pages over the same query functions as the API."""

from api.pages import (
    account,
    account_staff,
    approvals,
    attaching,
    audit,
    bundle,
    cases,
    dashboards,
    evaluation,
    explaining,
    groups,
    households,
    keeping,
    merging,
    month_calendar,
    offline,
    operating,
    permissions,
    preferences,
    provider,
    published_months,
    publishing,
    record,
    referrals,
    register,
    sign_in,
    steps,
    task_books,
    today,
    volunteers,
)
from api.pages.views import pages

__all__ = [
    "account", "account_staff", "approvals", "attaching", "audit", "bundle", "cases", "dashboards",
    "evaluation", "explaining", "groups", "households", "keeping", "merging", "month_calendar",
    "offline", "operating", "pages", "permissions", "preferences", "provider", "published_months",
    "publishing", "record", "referrals", "register", "sign_in", "steps", "task_books", "today",
    "volunteers",
]
