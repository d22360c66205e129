"""What do people see in a browser? Pages over the same query functions as the API."""

from api.pages import audit  # noqa: F401 - loading it adds its pages
from api.pages.views import pages

__all__ = ["pages"]
