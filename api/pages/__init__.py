"""What do people see in a browser? Pages over the same query functions as the API."""

from api.pages import (
    account,
    account_staff,
    audit,
    bundle,
    evaluation,
    explaining,
    households,
    keeping,
    offline,
    permissions,
    preferences,
    provider,
    publishing,
    record,
    register,
    sign_in,
    today,
)
from api.pages.views import pages

__all__ = [
    "account", "account_staff", "audit", "bundle", "evaluation", "explaining", "households",
    "keeping", "offline", "pages", "permissions", "preferences", "provider", "publishing",
    "record", "register", "sign_in", "today",
]
