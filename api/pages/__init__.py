"""What do people see in a browser? Pages over the same query functions as the API."""

from api.pages import audit, preferences, publishing, today
from api.pages.views import pages

__all__ = ["audit", "pages", "preferences", "publishing", "today"]
