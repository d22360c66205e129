"""What do people see in a browser? Pages over the same query functions as the API."""

from api.pages import (
    audit,
    bundle,
    evaluation,
    explaining,
    households,
    preferences,
    publishing,
    record,
    register,
    today,
)
from api.pages.views import pages

__all__ = [
    "audit", "bundle", "evaluation", "explaining", "households", "pages", "preferences",
    "publishing", "record", "register", "today",
]
