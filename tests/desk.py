"""How do tests record things at a station, as its staff would?"""

from __future__ import annotations

import atexit
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from domain import catalog
from domain.household import HouseholdRegistered, Member
from domain.kernel import KIND_OF_TOPIC, Context, Event, Occurrence, Statement
from domain.ledger import Instruction, Ledger, Receipt
from domain.record_keeping import Command, Correct, Record, Reinstate, Void
from domain.station import CommunityServed, StationRegistered
from domain.vault import Vault
from workers.keyring import Keyring

assert catalog.EVENTS

STATION = "qianfoshan"
NOW = datetime(2024, 12, 5, 9, 0, tzinfo=UTC)


@cache
def a_vault() -> Vault:
    """A vault with a keyring of its own, for all tests that erase nobody."""
    folder = Path(tempfile.mkdtemp(prefix="taizhang-keys-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Vault(Keyring(f"sqlite:///{folder}/keys.sqlite3", bytes(32)))


def on(day: str, until: str | None = None) -> Occurrence:
    """The occurrence on a day like ``2024-11-05``."""
    return Occurrence(on=date.fromisoformat(day), until=until and date.fromisoformat(until))


def a_station(**changes: Any) -> StationRegistered:
    """A station with two communities."""
    return StationRegistered(
        **{
            "name": "示例街道社会工作服务站", "short_name": "示例社工站", "city": "济南市",
            "district": "历下区", "street": "示例街道", "operator": "示例社工中心",
            "funder": "示例区民政局", "host_office": "示例街道办事处",
            "communities": (
                CommunityServed(name="东路社区", aliases=("东",)),
                CommunityServed(name="西路社区"),
            ),
        }
        | changes
    )


@dataclass
class Desk:
    """Records things at a station, as its staff would."""

    ledger: Ledger
    station: str = STATION
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def context(self, now: datetime = NOW, **changes: Any) -> Context:
        """A social worker's context."""
        return Context(
            **{
                "now": now, "actor": "worker-1", "role": "social_worker",
                "station": self.station, "request_id": f"r{next(self.numbers)}",
            }
            | changes
        )

    def execute(
        self, kind: Any, subject: str, command: Command, *, expected_version: int | None = None,
        **context: Any,
    ) -> Receipt:
        """Execute a command."""
        instruction = Instruction(kind, subject, command, expected_version)
        return self.ledger.execute(instruction, self.context(**context))

    def record(self, subject: str, event: Event, day: str | Occurrence, **context: Any) -> Receipt:
        """Record that something happened on a day."""
        occurred = day if isinstance(day, Occurrence) else on(day)
        command = Record(statement=Statement(event, occurred))
        return self.execute(KIND_OF_TOPIC[event.topic], subject, command, **context)

    def correct(
        self, subject: str, entry: int, event: Event, day: str | Occurrence, **context: Any
    ) -> Receipt:
        """Correct an entry."""
        occurred = day if isinstance(day, Occurrence) else on(day)
        command = Correct(entry=entry, statement=Statement(event, occurred), reason="填错了")
        return self.execute(KIND_OF_TOPIC[event.topic], subject, command, **context)

    def void(self, kind: Any, subject: str, entry: int, **context: Any) -> Receipt:
        """Void an entry."""
        return self.execute(kind, subject, Void(entry=entry, reason="重复登记"), **context)

    def reinstate(self, kind: Any, subject: str, entry: int, **context: Any) -> Receipt:
        """Reinstate an entry."""
        return self.execute(kind, subject, Reinstate(entry=entry, reason="误作废"), **context)

    def household(
        self, subject: str, *persons: str, day: str = "2024-07-01", community: str = "东路社区",
        **context: Any,
    ) -> Receipt:
        """Register a household of some persons."""
        members = tuple(
            Member(person=person, name=f"测试{person}", relation="other" if n else "head")
            for n, person in enumerate(persons or (f"{subject}-1",))
        )
        event = HouseholdRegistered(community=community, members=members)
        return self.record(subject, event, day, **context)
