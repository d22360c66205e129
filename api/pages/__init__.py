"""What do people see in a browser? Pages over the same query functions as the API."""

from api.pages import account, account_staff, audit, permissions, provider, publishing, sign_in
from api.pages.views import pages

__all__ = [
    "account", "account_staff", "audit", "pages", "permissions", "provider",
    "publishing", "sign_in",
]
