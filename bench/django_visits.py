"""What would a user build with Django? A model of visits with django-simple-history.

As its documentation has it: ``HistoricalRecords`` on the model, the actor as
``_history_user``, questions about an earlier instant by ``history.as_of``.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import django
from django.conf import settings
from django.db import connections
from psycopg.conninfo import conninfo_to_dict

from bench.places import Place

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=[
        "django.contrib.contenttypes", "django.contrib.auth", "simple_history", "bench",
    ],
    USE_TZ=True, TIME_ZONE="Asia/Shanghai", DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402 - Django wants its settings first
from django.core.management import call_command  # noqa: E402
from django.db import models, transaction  # noqa: E402
from simple_history.models import HistoricalRecords  # noqa: E402


class Visit(models.Model):
    """A visit, and its history."""

    household = models.CharField(max_length=64, db_index=True)
    community = models.CharField(max_length=50)
    mode = models.CharField(max_length=20)
    occurred_on = models.DateField(db_index=True)
    persons_met = models.IntegerField()
    note = models.TextField()
    history = HistoricalRecords(use_base_model_db=True)

    class Meta:
        """No app of its own: the tables are made below."""

        app_label = "bench"

    def __str__(self) -> str:
        """As Django's own pages would show it."""
        return f"{self.household} {self.occurred_on}"


class DjangoVisits:
    """The visits of one place."""

    name = "django-simple-history"

    def __init__(self, place: Place) -> None:
        """Make the tables."""
        self._alias = place.folder.name
        connections.settings[self._alias] = connections.configure_settings(
            {"default": {}, self._alias: _database(place)}
        )[self._alias]
        call_command("migrate", database=self._alias, verbosity=0)
        with connections[self._alias].schema_editor() as editor:
            editor.create_model(Visit)
            editor.create_model(Visit.history.model)
        self._user = User.objects.db_manager(self._alias).create(username="worker-1")
        self._visits: list[Any] = []

    def record(self, on: date, note: str, at: datetime) -> None:
        """Save a visit; its history row is saved with it."""
        visit = Visit(
            household="h1", community="东路社区", mode="home", occurred_on=on, persons_met=1,
            note=note,
        )
        self._save(visit, at)
        self._visits.append(visit)

    def correct(self, number: int, at: datetime) -> None:
        """State anew how many were met."""
        visit = self._visits[number]
        visit.persons_met = 2
        self._save(visit, at)

    def _save(self, visit: Any, at: datetime) -> None:
        visit._history_user, visit._history_date = self._user, at  # noqa: SLF001 - as documented
        with transaction.atomic(using=self._alias):
            visit.save(using=self._alias)

    def persons_met(self, first: date, last: date, known_at: datetime) -> int:
        """How many were met, as it was known at an instant."""
        history = Visit.history.as_of(known_at).using(self._alias)
        found = history.filter(occurred_on__range=(first, last))
        return int(found.aggregate(met=models.Sum("persons_met"))["met"] or 0)

    def close(self) -> None:
        """Give the connection back."""
        connections[self._alias].close()


def _database(place: Place) -> dict[str, Any]:
    if place.database == "sqlite":
        pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"
        return {
            "ENGINE": "django.db.backends.sqlite3", "NAME": str(place.folder / "django.sqlite3"),
            "OPTIONS": {"init_command": pragmas, "transaction_mode": "IMMEDIATE"},
        }
    to = conninfo_to_dict(place.ledger_url)
    return {
        "ENGINE": "django.db.backends.postgresql", "NAME": to["dbname"], "USER": to["user"],
        "HOST": to["host"], "PORT": to.get("port", ""), "CONN_MAX_AGE": None,
    }
