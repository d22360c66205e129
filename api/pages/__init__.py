"""What do people see in a browser? Pages over the same query functions as the API."""

from api.pages import (
    account,
    account_staff,
    attaching,
    audit,
    bundle,
    dashboards,
    evaluation,
    explaining,
    households,
    keeping,
    operating,
    permissions,
    preferences,
    provider,
    publishing,
    record,
    register,
    sign_in,
    today,
    volunteers,
)
from api.pages.views import pages

__all__ = [
    "account", "account_staff", "attaching", "audit", "bundle", "dashboards", "evaluation",
    "explaining", "households", "keeping", "operating", "pages", "permissions", "preferences",
    "provider", "publishing", "record", "register", "sign_in", "today", "volunteers",
]
