"""Why is household X not among the demo's 125? For a merged, a voided, a late, an unchanged one."""

from __future__ import annotations

from datetime import UTC, date, datetime

from desk import Desk, on
from sqlalchemy import select

from domain.household import HOUSEHOLD, HouseholdInfoUpdated, HouseholdInfoVerified
from domain.kernel import stream_subject
from domain.ledger import Ledger
from domain.merging import HOUSEHOLDS, HouseholdMergeProposed, MergeApproved
from projections.engine import ReadModels
from projections.explaining import (
    Answer,
    Because,
    Question,
    Verdict,
    about_subject,
    explained,
    row_of,
    why_not,
)
from projections.figures import Period
from projections.indicators import indicator_set
from projections.moments import KnownAt
from projections.postings import postings
from projections.timeline import records
from workers.demo import DEMO_SOURCE, DEMO_STATION, demo_history
from workers.history import import_history

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2025, 9, 1, 2, 0, tzinfo=UTC)
NOVEMBER = Period.of_month("2024-11")
SET = indicator_set("lixia-2024")


class November:
    """The demo's November, about which it is asked."""

    def __init__(self, ledger: Ledger, read_models: ReadModels) -> None:
        self.desk, self.read_models = Desk(ledger, DEMO_STATION), read_models
        assert import_history(ledger, demo_history(), DEMO_STATION, DEMO_SOURCE, NOW).faults == []
        read_models.advance(ledger)
        self.published = ledger.head()
        with read_models.engine.connect() as connection:
            of_november = postings.c.effective_on.between(NOVEMBER.first, NOVEMBER.last)
            updated = connection.execute(
                select(postings.c.entity, postings.c.stream, postings.c.entry).where(
                    postings.c.measure == "household.updated", of_november, postings.c.amount > 0
                ).order_by(postings.c.position)
            ).all()
            registered = connection.execute(select(records.c.stream).where(
                records.c.topic == "household.registered", records.c.occurred_on < NOVEMBER.first
            ).order_by(records.c.stream)).scalars().all()
        self.updates: dict[str, list[int]] = {}
        for household, _stream, entry in updated:
            self.updates.setdefault(household, []).append(entry)
        self.others = [
            h for h in map(stream_subject, registered) if h not in self.updates
        ]

    def asks(self, household: str, known_at: KnownAt | None = None) -> Answer:
        self.read_models.advance(self.desk.ledger)
        with self.read_models.engine.connect() as connection:
            ask = self.question(connection, known_at)
            return why_not(ask, about_subject(ask, "household", household))

    def question(self, connection: object, known_at: KnownAt | None = None) -> Question:
        return Question(
            connection, self.desk.ledger, DEMO_STATION, SET,  # type: ignore[arg-type]
            row_of(SET, "households_updated"), NOVEMBER, known_at=known_at,
        )

    def counted(self, known_at: KnownAt | None = None) -> str:
        self.read_models.advance(self.desk.ledger)
        with self.read_models.engine.connect() as connection:
            return explained(self.question(connection, known_at)).figure.display


def test_why_a_household_is_not_among_the_125(ledger: Ledger, read_models: ReadModels) -> None:
    november = November(ledger, read_models)
    desk, published = november.desk, november.published
    assert november.counted() == "125"
    once = [h for h, entries in november.updates.items() if len(entries) == 1]
    voided, double, kept, untouched = once[:4]
    unchanged, late, moved = november.others[:3]

    # one that was updated is among them, by that very record
    found = november.asks(untouched)
    assert (found.verdict, found.amount, found.reasons) == (Verdict.COUNTED, 1, ())
    assert [line.row.entry for line in found.lines] == november.updates[untouched]

    # voided much later: by whom, when, why, and at which position
    receipt = desk.void(HOUSEHOLD, voided, november.updates[voided][0], now=LATER)
    found = november.asks(voided)
    assert found.verdict is Verdict.NOT_COUNTED
    first = found.reasons[0]
    assert (first.because, first.position, first.actor, first.recorded_at) == (
        Because.VOIDED, receipt.position, "worker-1", LATER,
    )
    assert ledger.vault.shown(first.cause, first.record[0]) == "重复登记"  # type: ignore[index]
    assert november.asks(voided, published).verdict is Verdict.COUNTED

    # looked at and found unchanged: such a record counts elsewhere, which is said
    desk.record(unchanged, HouseholdInfoVerified(), "2024-11-12", now=LATER)
    found = november.asks(unchanged)
    told = {reason.label: reason for reason in found.reasons}
    assert found.verdict is Verdict.NOT_COUNTED
    assert told["信息核对"].because is Because.OTHER_MEASURE
    assert "核对信息的家庭" in told["信息核对"].said

    # recorded in September for November: not known when the report was published
    entry = desk.record(late, HouseholdInfoUpdated(fields=("care",)), "2024-11-20", now=LATER)
    assert november.asks(late).verdict is Verdict.COUNTED
    found = november.asks(late, published)
    assert found.verdict is Verdict.NOT_COUNTED
    first = found.reasons[0]
    assert (first.because, first.position, first.recorded_at) == (
        Because.NOT_KNOWN_YET, entry.position, LATER,
    )

    # corrected to October: not in the period any more
    update = HouseholdInfoUpdated(fields=("care",))
    said = desk.record(moved, update, "2024-11-21", now=LATER)
    correction = desk.correct(moved, said.version, update, "2024-10-31", now=LATER)
    found = november.asks(moved)
    assert [r.because for r in found.reasons][:2] == [Because.CORRECTED, Because.OUTSIDE_PERIOD]
    assert found.reasons[0].position == correction.position
    assert found.reasons[1].on == date(2024, 10, 31)

    # merged: counted once, as the one that was kept
    proposal = HouseholdMergeProposed(merged=double, survivor=kept, reason="重复建档")
    desk.record(HOUSEHOLDS, proposal, on("2025-12-01"), now=NOW)
    merge = desk.record(
        HOUSEHOLDS, MergeApproved(entry=1), on("2025-12-01"), now=NOW, actor="站长", role="lead"
    )
    found = november.asks(double)
    assert (found.verdict, found.amount) == (Verdict.COUNTED_AS, 1)
    assert {line.counts_as for line in found.lines} == {kept}
    assert (found.reasons[0].because, found.reasons[0].position, found.reasons[0].actor) == (
        Because.MERGED, merge.position, "站长",
    )
    assert november.asks(double, merge.position - 1).verdict is Verdict.COUNTED

    # and the figure itself: one voided, one late, two that are one
    assert (november.counted(), november.counted(published)) == ("124", "125")
