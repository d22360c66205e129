"""Who wins what: Taizhang, django-simple-history, or a hand-made audit table?

Each keeps the same visits: recorded one by one with who did it, every tenth corrected
later, and asked how many persons were met in a month as was known at an earlier
instant. The audit table is what a careful program does in plain SQL: the row and a copy
of it, in one transaction. SQLite synchronises every commit for all of them.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
import statistics
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Protocol

import psycopg

from bench.deciding import open_station, register
from bench.places import Place, Servers, bytes_in
from bench.ratios import Peer, seconds
from domain.kernel import Context, Occurrence, Statement
from domain.ledger import Instruction
from domain.record_keeping import Command, Correct, Record
from domain.visit import VISIT, VisitRecorded
from projections.engine import ReadModels
from projections.figures import Period, figures
from projections.indicators import indicator_set

STATION: Final = "bench"
BEGAN: Final = datetime(2024, 1, 2, 1, tzinfo=UTC)
KNOWN: Final = datetime(2025, 1, 5, tzinfo=UTC)
CORRECTED: Final = datetime(2025, 1, 20, tzinfo=UTC)
MONTH: Final = Period.of_month("2024-11")
DAYS: Final = 360
ASKED: Final = 15
MORE_IS_BETTER: Final = ("records/s", "corrections/s", "changes/s, ready to be queried")
"""Of the figures below; of the others, less is."""
_numbers = itertools.count(1)


class Visits(Protocol):
    """What keeps visits with their history."""

    name: str

    def __init__(self, place: Place) -> None:
        """Open it in an empty place."""

    def record(self, on: date, note: str, at: datetime) -> None:
        """Record a visit at which one person was met."""

    def correct(self, number: int, at: datetime) -> None:
        """State of a visit, by its number from 0, that two were met."""

    def persons_met(self, first: date, last: date, known_at: datetime) -> int:
        """How many were met on these days, as it was known then."""

    def close(self) -> None:
        """Close it."""


class TaizhangVisits:
    """The ledger and its read models: decided, appended, and then projected."""

    name = "Taizhang"

    def __init__(self, place: Place) -> None:
        """Register a station and a household."""
        self.ledger = place.ledger()
        self._read_models = ReadModels(place.read_url)
        self._ids: list[str] = []
        self._stated: list[Statement] = []
        open_station(self.ledger)
        register(self.ledger, "h1")
        whole = indicator_set("lixia-2024")
        rows = tuple(row for row in whole.indicators if row.code == "person_visits")
        self._set = type(whole)(
            code="peers", label="走访", label_en="Visits", version=1, valid_from=whole.valid_from,
            indicators=rows,
        )

    def record(self, on: date, note: str, at: datetime) -> None:
        """Decide on a visit and append it."""
        event = VisitRecorded(
            mode="home", purpose="routine", persons_met=1, household="h1", note=note
        )
        self._stated.append(Statement(event, Occurrence(on=on)))
        self._ids.append(f"v{next(_numbers)}")
        self._execute(self._ids[-1], Record(statement=self._stated[-1]), at)

    def correct(self, number: int, at: datetime) -> None:
        """Append a correction with what was stated before and after."""
        said = self._stated[number]
        event = VisitRecorded(
            mode="home", purpose="routine", persons_met=2, household="h1", note=said.event.note
        )
        stated = Statement(event, said.occurred)
        command = Correct(entry=1, statement=stated, reason="漏记一人")
        self._execute(self._ids[number], command, at)

    def _execute(self, subject: str, command: Command, at: datetime) -> None:
        context = Context(
            now=at, actor="worker-1", role="social_worker", station=STATION,
            request_id=f"request-{next(_numbers)}",
        )
        self.ledger.execute(Instruction(VISIT, subject, command), context)

    def project(self) -> None:
        """Take everything into all read models."""
        self._read_models.advance(self.ledger)

    def persons_met(self, first: date, last: date, known_at: datetime) -> int:
        """Ask for the indicator, as the report does."""
        with self._read_models.engine.connect() as connection:
            [found] = figures(
                connection, STATION, self._set, Period(first, last), known_at=known_at
            )
        return int(found.value or 0)

    def close(self) -> None:
        """Close both."""
        self._read_models.close()
        self.ledger.close()


_TABLES: Final = """
CREATE TABLE visits (
  id {key}, household text, community text, mode text, occurred_on text, persons_met int, note text
);
CREATE INDEX visits_day ON visits (occurred_on);
CREATE TABLE visits_audit (
  number {key}, id bigint, at text, actor text, occurred_on text, persons_met int, state text
);
CREATE INDEX visits_audit_day ON visits_audit (occurred_on);
CREATE INDEX visits_audit_id ON visits_audit (id, at)
"""
_COLUMNS: Final = "household, community, mode, occurred_on, persons_met, note"


class AuditTable:
    """A table of visits, and one of what each visit was after each change."""

    name = "audit table in SQL"

    def __init__(self, place: Place) -> None:
        """Make the two tables."""
        self._is_sqlite = place.database == "sqlite"
        if self._is_sqlite:
            path = place.folder / "audit.sqlite3"
            self._connection: Any = sqlite3.connect(path, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            key = "INTEGER PRIMARY KEY"
        else:
            self._connection = psycopg.connect(place.ledger_url, autocommit=True)
            key = "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
        for statement in _TABLES.format(key=key).split(";"):
            self._connection.execute(statement)
        self._ids: list[int] = []

    def _run(self, statement: str, values: tuple[Any, ...]) -> Any:
        if self._is_sqlite:
            return self._connection.execute(statement, values)
        return self._connection.execute(statement.replace("?", "%s"), values, prepare=True)

    def _changed(self, statement: str, values: tuple[Any, ...], at: datetime) -> int:
        """Change a visit and keep a copy of it as it now is, in one transaction."""
        self._connection.execute("BEGIN IMMEDIATE" if self._is_sqlite else "BEGIN")
        row = self._run(f"{statement} RETURNING id, {_COLUMNS}", values).fetchone()
        audit = (
            "INSERT INTO visits_audit (id, at, actor, occurred_on, persons_met, state)"
            " VALUES (?, ?, ?, ?, ?, ?)"
        )
        state = json.dumps(row[1:], ensure_ascii=False)
        self._run(audit, (row[0], at.isoformat(), "worker-1", row[4], row[5], state))
        self._connection.execute("COMMIT")
        return int(row[0])

    def record(self, on: date, note: str, at: datetime) -> None:
        """Insert a visit and its copy."""
        insert = f"INSERT INTO visits ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608 - ours
        values = ("h1", "东路社区", "home", on.isoformat(), 1, note)
        self._ids.append(self._changed(insert, values, at))

    def correct(self, number: int, at: datetime) -> None:
        """Update it and insert another copy."""
        self._changed("UPDATE visits SET persons_met = ? WHERE id = ?", (2, self._ids[number]), at)

    def persons_met(self, first: date, last: date, known_at: datetime) -> int:
        """The sum of the last copies that were there by then."""
        latest = (
            "SELECT sum(persons_met) FROM visits_audit a"
            " WHERE occurred_on BETWEEN ? AND ? AND number ="
            " (SELECT max(number) FROM visits_audit b WHERE b.id = a.id AND b.at <= ?)"
        )
        days = (first.isoformat(), last.isoformat(), known_at.isoformat())
        return int(self._run(latest, days).fetchone()[0] or 0)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def keepers() -> tuple[type[Visits], ...]:
    """All that are compared."""
    from bench.django_visits import DjangoVisits  # noqa: PLC0415 - Django only where it is measured

    return TaizhangVisits, DjangoVisits, AuditTable


def compare(servers: Servers, database: str, *, is_quick: bool) -> list[Peer]:
    """Let each keep the same visits, one after the other, in places of their own."""
    count = 2_000 if is_quick else 20_000
    return [_figures_of(keeper, servers.place(database), count) for keeper in keepers()]


def _figures_of(keeper: type[Visits], place: Place, count: int) -> Peer:
    empty, visits = bytes_in(place), keeper(place)
    recorded = seconds(lambda: [
        visits.record(
            BEGAN.date() + timedelta(days=n % DAYS), f"第{n}次，身体尚可，米面够用，下月再来看看。",
            BEGAN + timedelta(days=n % DAYS, minutes=n),
        )
        for n in range(count)
    ])
    corrected = seconds(lambda: [visits.correct(n, CORRECTED) for n in range(0, count, 10)])
    projected = seconds(visits.project) if isinstance(visits, TaizhangVisits) else 0.0
    days, expected = (MONTH.first, MONTH.last), _met(count, is_corrected=False)
    assert visits.persons_met(*days, KNOWN) == expected, keeper
    assert visits.persons_met(*days, CORRECTED) == _met(count, is_corrected=True), keeper
    asked = [seconds(lambda: visits.persons_met(*days, KNOWN)) for _ in range(ASKED)]
    visits.close()
    changes = count + count // 10
    return Peer(visits.name, place.database, {
        "records/s": count / recorded,
        "corrections/s": count // 10 / corrected,
        "changes/s, ready to be queried": changes / (recorded + corrected + projected),
        "a month as known then, ms": statistics.median(asked) * 1000,
        "bytes a change": (bytes_in(place) - empty) / changes,
    })


def _met(count: int, *, is_corrected: bool) -> int:
    """What the answer must be: one person a visit, two where it was corrected by then."""
    in_month = [
        n for n in range(count)
        if MONTH.first <= BEGAN.date() + timedelta(days=n % DAYS) <= MONTH.last
    ]
    return len(in_month) + (sum(n % 10 == 0 for n in in_month) if is_corrected else 0)
