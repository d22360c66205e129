"""What do people see in a browser? Pages over the same query functions as the API."""

from api.pages import audit, households, preferences, publishing, record, register, today
from api.pages.views import pages

__all__ = [
    "audit", "households", "pages", "preferences", "publishing", "record", "register", "today",
]
