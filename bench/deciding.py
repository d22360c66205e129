"""What does it cost to record on a household with a long history?"""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime
from typing import Final

from bench.places import Servers
from bench.ratios import Ratio, in_turns, seconds
from domain.household import HOUSEHOLD, HouseholdInfoVerified, HouseholdRegistered, Member
from domain.kernel import KIND_OF_TOPIC, Context, Event, Occurrence, Statement
from domain.ledger import Instruction, Ledger
from domain.record_keeping import Record
from domain.station import CommunityServed, StationRegistered

NOW: Final = datetime(2024, 12, 5, 9, tzinfo=UTC)
STATION: Final = "bench"
EARLIER: Final = 500
_numbers = itertools.count(1)


def record(ledger: Ledger, subject: str, event: Event) -> None:
    """Decide and append."""
    context = Context(
        now=NOW, actor="worker-1", role="social_worker", station=STATION,
        request_id=f"request-{next(_numbers)}",
    )
    statement = Statement(event, Occurrence(on=date(2024, 11, 5)))
    kind = KIND_OF_TOPIC[event.topic]
    ledger.execute(Instruction(kind, subject, Record(statement=statement)), context)


def open_station(ledger: Ledger) -> None:
    """A station to record at."""
    record(ledger, STATION, StationRegistered(
        name="示例街道社会工作服务站", short_name="示例社工站", city="济南市", district="历下区",
        street="示例街道", operator="示例社工中心", funder="示例区民政局",
        host_office="示例街道办事处", communities=(CommunityServed(name="东路社区"),),
    ))


def register(ledger: Ledger, subject: str) -> None:
    """A household to record on."""
    members = (Member(person=f"{subject}-1", name="测试甲", relation="head"),)
    record(ledger, subject, HouseholdRegistered(community="东路社区", members=members))


def measure(servers: Servers, database: str, *, is_quick: bool) -> list[Ratio]:
    """The time to record on an old household, beside that on a new one."""
    assert HOUSEHOLD.name
    count = 50 if is_quick else 200
    with servers.place(database).ledger() as ledger:
        open_station(ledger)
        register(ledger, "old")
        for _ in range(EARLIER):
            record(ledger, "old", HouseholdInfoVerified())

        def on_new() -> float:
            subjects = [f"new-{next(_numbers)}" for _ in range(count)]
            for subject in subjects:
                register(ledger, subject)
            return seconds(lambda: [
                record(ledger, subject, HouseholdInfoVerified()) for subject in subjects
            ])

        def on_old() -> float:
            return seconds(lambda: [
                record(ledger, "old", HouseholdInfoVerified()) for _ in range(count)
            ])

        found = in_turns({"new": on_new, "old": on_old})
    per = 1000 / count
    return [Ratio(
        f"record on a household with {EARLIER} events ÷ on a new one", database,
        found["old"] / found["new"], 1.5,
        f"{found['old'] * per:.2f} ÷ {found['new'] * per:.2f} ms", is_bound=True,
    )]
