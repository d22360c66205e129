"""Is a report published once, frozen for ever, and restated with its records and reasons?"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from desk import STATION, Desk, a_station
from docx import Document
from domain_spec import refused

from domain.activity import ActivityHeld
from domain.catalog import to_builtins
from domain.fields import Quantity
from domain.household import AssistanceAssigned, HouseholdInfoUpdated
from domain.indicators import Without
from domain.kernel import Refused, Stream
from domain.ledger import Ledger, Receipt
from domain.merging import HouseholdMergeProposed, MergeApproved, MergeEnded
from domain.publication import REPORT, Change, TreeHead
from domain.record_keeping import Correct, Reinstate, Void
from domain.resource import ResourceDelivered, ResourceLinked
from domain.station import StationRevised
from domain.station_month import NarrativeWritten, PlanItemAdded, PlanItemCompleted
from domain.supervision import SupervisionCancelled, SupervisionScheduled
from domain.visit import VISIT, VisitRecorded
from domain.vocabulary import ReportSection, Unit
from domain.volunteer import (
    VolunteerRegistered,
    VolunteerServiceConfirmed,
    VolunteerServiceRecorded,
)
from projections import figures, report_differences
from projections import monthly_report as monthly_reports
from projections.area_reports import Scope, area_report
from projections.engine import ReadModels
from projections.figures import Figure
from projections.indicators import Indicator, IndicatorSet, indicator_set
from projections.monthly_report import monthly_report
from projections.publications import publications_coded
from projections.published_reports import Publication
from projections.publishing_checks import Severity, Surroundings, checklist
from projections.report_differences import Differences
from projections.volunteer_hours import VolunteerHours
from workers.history import import_history
from workers.published_documents import write_published
from workers.publishing import Press, differences_since, preview, publish, restate
from workers.report_check import Checked, Verdict, check, read_text
from workers.restatement_document import Sources, write_restatement

MONTH = "2024-11"
HEAD = TreeHead(size=3, root="q83v" * 10 + "q80=")


def visit(persons: int = 1, **changes: Any) -> VisitRecorded:
    said = {"mode": "home", "purpose": "routine", "outcome": "met", "persons_met": persons}
    return VisitRecorded(**said | changes)


@dataclass
class Newsroom:
    """A station that publishes: its desk, its press, and the folder of its files."""

    desk: Desk
    press: Press
    folder: Path

    @property
    def ledger(self) -> Ledger:
        return self.press.ledger

    def opened(self, stream: Stream[Any]) -> Stream[Any]:
        return self.ledger.vault.opened_stream(stream, to_show=True)

    def advance(self) -> None:
        self.press.read_models.advance(self.ledger)

    def codes(self, period: str = MONTH) -> list[str]:
        """The codes of the check list."""
        self.advance()
        found = preview(
            self.press, STATION, period, self.desk.context().today, opened=self.opened
        )
        return [item.code for item in found.items]

    def publish(self, period: str = MONTH, **context: Any) -> Receipt:
        """Publish with every warning acknowledged, as the lead."""
        codes = self.codes(period)
        context = {"actor": "lead-1", "role": "lead"} | context
        receipt = publish(self.press, period, self.desk.context(**context), codes)
        self.advance()
        return receipt

    def restate(self, reason: str = "补录", **context: Any) -> Receipt:
        self.advance()
        context = {"actor": "lead-1", "role": "lead"} | context
        receipt = restate(self.press, MONTH, self.desk.context(**context), reason)
        self.advance()
        return receipt

    def sources(self) -> Sources:
        return Sources(self.ledger, self.press.templates, self.ledger.vault.shown)

    def chain(self, period: str = MONTH) -> list[Publication]:
        return self.sources().chain(STATION, period)

    def text(self, number: int = 1) -> tuple[str, ...]:
        """The text of a publication's Word file."""
        target = self.folder / "published.docx"
        write_published(self.chain()[number - 1], target, self.press.templates)
        found = read_text(target.read_bytes())
        return (*found.paragraphs, *found.footers)

    def differences(self) -> Differences:
        self.advance()
        with self.press.read_models.engine.connect() as connection:
            return differences_since(
                connection, self.press, self.chain()[-1], opened=self.opened
            )

    def checked(self, content: bytes) -> Checked:
        def find(codes: Any) -> list[tuple[str, str, int]]:
            with self.press.read_models.engine.connect() as connection:
                rows = publications_coded(connection, list(codes), None)
            return [(row.station, row.period, row.number) for row in rows]

        return check(content, find, self.sources(), tells_reasons=True)


@pytest.fixture
def newsroom(desk: Desk, ledger: Ledger, read_models: ReadModels, tmp_path: Path) -> Newsroom:
    """A station whose November has two visits, an update, a resource and some text."""
    desk.household("h1")
    desk.household("h2")
    desk.record("v1", visit(2, household="h1"), "2024-11-05")
    desk.record("v2", visit(1), "2024-11-12")
    desk.record("h1", AssistanceAssigned(unit="u1", category="dibao", covered=("h1-1",)), "2024-11-01")
    desk.record("h1", HouseholdInfoUpdated(fields=("phone",)), "2024-11-06")
    desk.record(
        MONTH, NarrativeWritten(section=ReportSection.FEATURED, text="探访测试甲。"), "2024-11-30"
    )
    return Newsroom(
        desk, Press(ledger, read_models, tmp_path / "templates", lambda: HEAD), tmp_path
    )


def frozen(newsroom: Newsroom, number: int = 1) -> tuple[bytes, tuple[str, ...]]:
    """All that a publication says, as bytes, and the text of its Word file."""
    published = newsroom.chain()[number - 1]
    said = (to_builtins(published.snapshot), [to_builtins(s.title) for s in published.sections])
    texts = [part.facts + part.narrative for s in published.sections for part in s.parts]
    return msgspec.json.encode((said, texts, published.code)), newsroom.text(number)


# ---- publishing ----


def test_a_publication_says_the_figures_the_text_the_position_and_who(newsroom: Newsroom) -> None:
    newsroom.advance()
    head = newsroom.ledger.head()
    receipt = newsroom.publish()
    (published,) = newsroom.chain()
    assert receipt.position == head + 1 == published.recorded_on
    assert (published.snapshot.position, published.actor, published.role) == (head, "lead-1", "lead")
    values = {figure.code: figure.display for figure in published.figures}
    assert (values["person_visits"], values["households_updated"], values["dibao_persons"]) == ("3", "1", "1")
    assert published.snapshot.indicator_set["version"] == indicator_set("lixia-2024").version
    assert published.checkpoint == HEAD
    text = "\n".join(newsroom.text())
    assert "探访测试甲。" in text
    assert published.short_code in text
    assert "由lead-1（站长）于 2024-12-05 17:00 发布，台账位置" in text


def test_the_code_is_the_hash_of_what_was_published(newsroom: Newsroom) -> None:
    """Recomputed as docs/decisions/0018 says it, without the program's own functions."""
    newsroom.publish()
    (published,) = newsroom.chain()
    snapshot = newsroom.ledger.vault.shown(to_builtins(published.snapshot), published.stream)

    def sha(value: Any) -> str:
        return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()

    texts = sha(snapshot["sections"])
    assert published.texts == texts
    assert published.code == sha(snapshot | {"sections": texts})
    # and whoever holds no key computes the same from what is stored
    (stored,) = newsroom.ledger.notifications_of([published.stream])
    data = msgspec.json.decode(stored.state)["data"]
    assert data["code"] == sha(data["snapshot"] | {"sections": data["texts"]})


def test_the_texts_are_sealed_in_the_log_and_in_the_read_models(newsroom: Newsroom) -> None:
    newsroom.publish()
    (stored,) = newsroom.ledger.notifications_of([f"{STATION}/report/{MONTH}"])
    assert "测试甲" not in stored.state.decode()
    assert "⟦1:note:" in stored.state.decode()
    with newsroom.press.read_models.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT data FROM records WHERE kind = 'report'").scalars()
        assert all("测试甲" not in row for row in rows)


def test_a_period_is_published_once(newsroom: Newsroom) -> None:
    newsroom.publish()
    head = newsroom.ledger.head()
    with refused("report_already_published"):
        newsroom.publish()
    assert newsroom.ledger.head() == head


def test_a_month_that_has_not_ended_is_not_published(newsroom: Newsroom) -> None:
    assert newsroom.codes("2024-12")[0] == "period_not_ended"
    with refused("publication_blocked"):
        newsroom.publish("2024-12")
    # and on its last day it has not ended, in the station's calendar
    last = datetime(2024, 11, 30, 15, 59, tzinfo=UTC)
    with refused("publication_blocked"):
        newsroom.publish(now=last)
    newsroom.publish(now=datetime(2024, 11, 30, 16, 0, tzinfo=UTC))


def test_of_racing_publishers_one_wins(newsroom: Newsroom) -> None:
    codes = newsroom.codes()
    start = threading.Barrier(4)
    results: list[str] = []

    def race(number: int) -> None:
        context = newsroom.desk.context(actor=f"lead-{number}", role="lead")
        start.wait()
        try:
            publish(newsroom.press, MONTH, context, codes)
            results.append("published")
        except Refused as refusal:
            results.append(refusal.code)

    threads = [threading.Thread(target=race, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # the others are refused: it is published, or somebody was recording just then
    assert results.count("published") == 1
    assert set(results) <= {"published", "report_already_published", "publication_blocked"}
    assert len(newsroom.chain()) == 1


def test_the_same_request_publishes_once_and_has_the_same_answer(newsroom: Newsroom) -> None:
    codes = newsroom.codes()
    context = newsroom.desk.context(actor="lead-1", role="lead", idempotency_key="k1")
    first = publish(newsroom.press, MONTH, context, codes)
    newsroom.desk.record("v3", visit(5), "2024-11-20")
    newsroom.advance()
    again = publish(newsroom.press, MONTH, context, codes)
    assert (again.position, again.is_repeated) == (first.position, True)
    with refused("idempotency_key_reused"):
        publish(newsroom.press, MONTH, context, [*codes, "another"])


def test_a_published_report_is_neither_corrected_nor_voided(newsroom: Newsroom) -> None:
    newsroom.publish()
    (published,) = newsroom.chain()
    entry = newsroom.ledger.stream(STATION, "report", MONTH)
    assert entry is not None
    for command in (
        Void(entry=1, reason="误发"), Reinstate(entry=1, reason="误发"),
        Correct(entry=1, statement=entry.entries[1].statement, reason="误发"),
    ):
        with refused("not_correctable"):
            newsroom.desk.execute(REPORT, MONTH, command, role="lead")
    assert newsroom.chain() == [published]


# ---- the check list ----


def test_publishing_while_the_figures_are_behind_is_refused(newsroom: Newsroom) -> None:
    codes = newsroom.codes()
    newsroom.desk.record("v3", visit(5), "2024-11-20")
    context = newsroom.desk.context(actor="lead-1", role="lead")
    with refused("publication_blocked") as caught:
        publish(newsroom.press, MONTH, context, codes)
    assert "1 条记录没有计入" in str(caught.value)
    newsroom.publish()
    newsroom.desk.record("v4", visit(5), "2024-11-21")
    with refused("figures_behind"):
        restate(newsroom.press, MONTH, context, "补录")


def test_publishing_while_an_event_of_the_station_is_parked_is_refused(
    newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any) -> Any:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(VolunteerHours, "rows", fail)
        newsroom.desk.record("vo1", VolunteerRegistered(name="测试丁"), "2024-11-02", role="volunteer_coordinator")
        newsroom.advance()
    assert newsroom.codes()[0] == "events_parked"
    with refused("publication_blocked"):
        newsroom.publish()
    assert newsroom.press.read_models.retry_parked("volunteer_hours", newsroom.ledger) == 0
    newsroom.publish()


def test_a_warning_must_be_acknowledged_by_its_code(newsroom: Newsroom) -> None:
    codes = newsroom.codes()
    assert codes
    context = newsroom.desk.context(actor="lead-1", role="lead")
    with refused("warnings_not_acknowledged") as caught:
        publish(newsroom.press, MONTH, context, codes[1:])
    assert codes[0] in str(caught.value)
    publish(newsroom.press, MONTH, context, [*codes, "something.else"])
    assert newsroom.chain()[0].acknowledged == tuple(codes)


def test_what_usually_comes_late_is_asked_for_until_it_is_there(newsroom: Newsroom) -> None:
    desk = newsroom.desk
    late = {
        "supervision_not_held.s1", "attendance_missing.activity.a1", "plan_item_open.2024-10.i1",
        "volunteer_hours_unconfirmed", "unstated.brand_launch_attendance",
    }
    assert late & set(newsroom.codes()) == set()
    desk.record("s1", SupervisionScheduled(
        planned_on=date(2024, 11, 20), supervisor="测试督导", kind="group", mode="online",
    ), "2024-11-02")
    activity = ActivityHeld(title="发布会", kind="brand_launch", role="host")
    desk.record("a1", activity, "2024-11-09")
    desk.record("2024-10", PlanItemAdded(item="i1", text="探访"), "2024-10-30", role="lead")
    desk.record("vo1", VolunteerRegistered(name="测试丁"), "2024-10-01")
    desk.record("vo1", VolunteerServiceRecorded(title="送餐", minutes=90), "2024-11-03")
    assert late <= set(newsroom.codes())
    desk.record("s1", SupervisionCancelled(because="督导有事"), "2024-11-19")
    desk.correct("a1", 1, msgspec.structs.replace(activity, attendance=Quantity(value=30)), "2024-11-09")
    desk.record("2024-10", PlanItemCompleted(item="i1"), "2024-11-30", role="lead")
    desk.record("vo1", VolunteerServiceConfirmed(entry=2), "2024-11-05")
    assert late & set(newsroom.codes()) == set()


def test_two_visits_that_look_the_same_are_shown_and_can_be_published(newsroom: Newsroom) -> None:
    for subject in ("d1", "d2"):
        newsroom.desk.record(
            subject, visit(1, household="h2", workers=("张社工",)), "2024-11-08"
        )
    newsroom.desk.record("d3", visit(1, household="h2", workers=("李社工",)), "2024-11-08")
    found = [code for code in newsroom.codes() if code.startswith("possible_duplicate")]
    assert found == ["possible_duplicate.d1.d2"]
    newsroom.desk.void(VISIT, "d2", 1)
    assert not [code for code in newsroom.codes() if code.startswith("possible_duplicate")]


def test_parts_that_are_more_than_their_total_are_shown(newsroom: Newsroom) -> None:
    newsroom.advance()
    found = preview(newsroom.press, STATION, MONTH, date(2024, 12, 5), opened=newsroom.opened)
    assert not any(item.code.startswith("negative_remainder") for item in found.items)
    # as where a household is updated first as 低保 and later in the month as 低保边缘
    swollen = tuple(
        Figure(f.indicator, 9) if f.indicator.code == "households_updated_dibao"
        else Figure(f.indicator, -8) if f.indicator.code == "other_households" else f
        for f in found.report.figures
    )
    with newsroom.press.read_models.engine.connect() as connection:
        items = checklist(
            connection, newsroom.ledger, replace(found.report, figures=swollen),
            Surroundings(date(2024, 12, 5), 0, 0), opened=newsroom.opened,
        )
    codes = {item.code: item.severity for item in items}
    assert codes["negative_remainder.other_households"] is Severity.WARNS
    assert codes["part_exceeds_total.households_updated_dibao"] is Severity.WARNS


# ---- frozen for ever ----


def test_nothing_that_is_recorded_later_changes_what_was_published(
    newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    newsroom.publish()
    before = frozen(newsroom)
    desk = newsroom.desk
    # a late entry, a correction, a void, a new text, the station's new particulars
    desk.record("v3", visit(5), "2024-11-20")
    desk.correct("v1", 1, visit(9, household="h1"), "2024-11-05")
    desk.void(VISIT, "v2", 1)
    desk.record("h2", HouseholdInfoUpdated(fields=("phone",)), "2024-11-07")
    desk.record(MONTH, NarrativeWritten(section=ReportSection.FEATURED, text="改写。"), "2024-11-30")
    changed = {name: getattr(a_station(), name) for name in a_station().__struct_fields__}
    desk.record(
        STATION, StationRevised(**changed | {"name": "新名", "introduction": "新的简介"}), "2024-12-01",
        role="administrator",
    )
    # another definition of the same figure
    redefined = _redefined(indicator_set("lixia-2024"), "person_visits", measure="training.received")
    monkeypatch.setattr(monthly_reports, "station_set", lambda *_asked, **_at: redefined)
    # the station's own Word template
    template = newsroom.press.templates / "monthly-report.docx"
    document = Document(str(template))
    document.add_paragraph("站长签字：")
    document.save(str(template))
    newsroom.advance()
    assert frozen(newsroom) == before
    newsroom.restate()
    assert frozen(newsroom) == before
    assert "站长签字：" not in newsroom.text(1)
    assert "站长签字：" in newsroom.text(2)


def _redefined(chosen: IndicatorSet, code: str, **changes: Any) -> IndicatorSet:
    rows = tuple(
        msgspec.structs.replace(row, **changes) if row.code == code else row
        for row in chosen.indicators
    )
    return msgspec.structs.replace(chosen, indicators=rows, version=chosen.version + 1)


def test_what_is_frozen_can_be_counted_again_by_its_own_definitions() -> None:
    chosen = indicator_set("lixia-2024")
    again = msgspec.convert(msgspec.json.decode(msgspec.json.encode(to_builtins(chosen))), IndicatorSet)
    assert again == chosen
    assert all(isinstance(row, Indicator) for row in again.indicators)


# ---- restating ----


def test_a_difference_names_its_records_and_reasons(newsroom: Newsroom) -> None:
    desk = newsroom.desk
    newsroom.publish()
    late = desk.record("v3", visit(5), "2024-11-20").position
    corrected = desk.correct("v1", 1, visit(1, household="h1"), "2024-11-05").position
    voided = desk.void(VISIT, "v2", 1).position
    reinstated = desk.reinstate(VISIT, "v2", 1).position
    # which concern no figure of the month
    desk.record("v9", visit(7), "2024-12-01")
    desk.record("h1", HouseholdInfoUpdated(fields=("address",)), "2024-11-09")
    found = newsroom.differences()
    (figure,) = found.figures
    assert (figure.code, figure.before, figure.after) == ("person_visits", "3", "7")
    assert [(r.position, r.change, r.amount) for r in figure.records] == [
        (late, Change.LATE, 5), (corrected, Change.CORRECTED, -1), (voided, Change.VOIDED, -1),
        (reinstated, Change.REINSTATED, 1),
    ]
    assert newsroom.sources().reasons(found.figures) == {
        late: None, corrected: "填错了", voided: "重复登记", reinstated: "误作废",
    }


def test_what_a_figure_has_become_is_named_however_much_was_there_before_or_is_said_to_be_cut(
    newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given pages of one posting, a bound below what a month holds, and two late records
    for module in (figures, report_differences):
        monkeypatch.setattr(module, "EVIDENCE_LIMIT", 1)
    monkeypatch.setattr(report_differences, "MOST_POSTINGS", 3)
    monkeypatch.setattr(report_differences, "MOST_RECORDS", 2)
    newsroom.desk.record("v0", visit(1), "2024-11-13")
    newsroom.publish()
    late = [newsroom.desk.record(f"v{n}", visit(n), "2024-11-20").position for n in (3, 4)]
    (figure,) = newsroom.differences().figures
    assert ([r.position for r in figure.records], figure.is_cut) == (late, False)
    newsroom.desk.record("v5", visit(1), "2024-11-21")
    (figure,) = newsroom.differences().figures
    assert ([r.position for r in figure.records], figure.is_cut) == (late, True)


def test_a_remainder_and_a_distinct_count_name_what_turned_them(newsroom: Newsroom) -> None:
    newsroom.publish()
    position = newsroom.desk.record("h2", HouseholdInfoUpdated(fields=("phone",)), "2024-11-07").position
    newsroom.desk.record("h2", HouseholdInfoUpdated(fields=("health",)), "2024-11-08")
    newsroom.desk.record("h1", HouseholdInfoUpdated(fields=("phone",)), "2024-11-10")
    found = {figure.code: figure for figure in newsroom.differences().figures}
    assert {"households_updated", "other_households"} <= set(found)
    assert found["households_updated"].after == "2"
    streams = {record.stream for record in found["households_updated"].records}
    assert streams == {f"{STATION}/household/h2"}
    assert found["other_households"].records[0].position == position


def test_an_absence_names_the_contacts_and_the_merge_that_turned_it(
    newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    absence = Indicator(
        code="no_contact", label="未联系", label_en="No contact", unit=Unit.HOUSEHOLD,
        measure="household.kept", without=Without(measure="contact.households", days=30),
    )
    chosen = indicator_set("lixia-2024").defining((absence,))
    monkeypatch.setattr(monthly_reports, "station_set", lambda *_asked, **_at: chosen)
    desk, lead = newsroom.desk, {"actor": "lead-1", "role": "lead"}
    for home in ("h8", "h9"):
        desk.household(home)
    newsroom.publish()
    met = desk.record("v8", visit(1, household="h8"), "2024-11-20").position
    proposal = HouseholdMergeProposed(merged="h9", survivor="h8", reason="重复建档")
    entry = desk.record("households", proposal, "2024-12-02").version
    merged = desk.record("households", MergeApproved(entry=entry), "2024-12-02", **lead).position
    found = {figure.code: figure for figure in newsroom.differences().figures}
    assert int(found["no_contact"].before) - int(found["no_contact"].after) == 2
    assert [(r.position, r.change, r.amount) for r in found["no_contact"].records] == [
        (met, Change.LATE, -1), (merged, Change.MERGED, -1),
    ]


def test_a_merge_that_a_figure_follows_is_named_and_so_is_its_end(newsroom: Newsroom) -> None:
    desk, lead = newsroom.desk, {"actor": "lead-1", "role": "lead"}
    desk.record("h2", HouseholdInfoUpdated(fields=("phone",)), "2024-11-07")
    newsroom.publish()
    desk.household("h9")
    for merged in ("h2", "h9"):  # of which the other one was not updated in the month
        proposal = HouseholdMergeProposed(merged=merged, survivor="h1", reason="重复建档")
        entry = desk.record("households", proposal, "2024-12-02").version
        approved = desk.record("households", MergeApproved(entry=entry), "2024-12-02", **lead)
        if merged == "h2":
            position, of_merge = approved.position, entry
    found = {figure.code: figure for figure in newsroom.differences().figures}
    (record,) = found["households_updated"].records
    assert (record.change, record.position, record.amount) == (Change.MERGED, position, -1)
    newsroom.restate("合并重复的档案")
    target = newsroom.folder / "restatement.docx"
    write_restatement(newsroom.chain(), 2, newsroom.sources(), target)
    text = "\n".join(read_text(target.read_bytes()).paragraphs)
    assert "“更新困难群体服务信息”由2改为1：" in text
    assert "1.合并（2024年12月" in text
    ended = MergeEnded(entry=of_merge, reason="确是两户")
    apart = desk.record("households", ended, "2024-12-03", **lead).position
    found = {figure.code: figure for figure in newsroom.differences().figures}
    (record,) = found["households_updated"].records
    assert (record.change, record.position, record.amount) == (Change.UNMERGED, apart, 1)
    assert newsroom.sources().reasons(list(found.values())) == {apart: "确是两户"}


def test_money_is_told_in_the_unit_of_its_figure(newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monthly_reports, "station_set", lambda *_asked, **_at: indicator_set("casework-2024"))
    newsroom.publish()
    newsroom.desk.record("r1", ResourceLinked(kind="goods", provider="慈善总会", title="米面"), "2024-11-02")
    newsroom.desk.record("r1", ResourceDelivered(value_fen=12_345), "2024-11-03")
    found = {figure.code: figure for figure in newsroom.differences().figures}
    (record,) = found["resources_value"].records
    assert (found["resources_value"].after, str(record.amount)) == ("123.45", "123.45")


def test_a_restatement_has_a_code_of_its_own_and_leaves_the_first_as_it_was(newsroom: Newsroom) -> None:
    newsroom.publish()
    before = frozen(newsroom)
    newsroom.desk.void(VISIT, "v2", 1)
    newsroom.restate("作废一条重复登记的走访")
    first, second = newsroom.chain()
    assert second.restates == first.code != second.code
    assert (second.reason, second.number) == ("作废一条重复登记的走访", 2)
    assert {f.code: f.display for f in second.figures}["person_visits"] == "2"
    assert frozen(newsroom) == before
    # and a second one says what changed since the first restatement
    newsroom.desk.record("v5", visit(4), "2024-11-21")
    newsroom.restate()
    third = newsroom.chain()[2]
    assert third.restates == second.code
    assert [(f.before, f.after) for f in third.differences] == [("2", "6")]


def test_a_restatement_reads_with_its_records_and_reasons(newsroom: Newsroom) -> None:
    newsroom.publish()
    newsroom.desk.void(VISIT, "v2", 1)
    newsroom.desk.record(MONTH, NarrativeWritten(section=ReportSection.FEATURED, text="改写。"), "2024-11-30")
    newsroom.restate("更正走访")
    target = newsroom.folder / "restatement.docx"
    write_restatement(newsroom.chain(), 2, newsroom.sources(), target)
    text = "\n".join(read_text(target.read_bytes()).paragraphs)
    first = newsroom.chain()[0]
    for said in (
        f"快照码 {first.short_code}", "更正缘由：更正走访", "“走访”由3改为2：", "作废走访（2024年11月12日",
        "减 1，原因：重复登记。", "探访测试甲。", "改写。",
    ):
        assert said in text


def test_nothing_changed_is_not_restated(newsroom: Newsroom) -> None:
    with refused("report_not_published"):
        newsroom.restate()
    newsroom.publish()
    newsroom.desk.record("v9", visit(7), "2024-12-01")
    with refused("nothing_to_restate"):
        newsroom.restate()
    newsroom.desk.record("v3", visit(1), "2024-11-20")
    newsroom.restate()
    with refused("nothing_to_restate"):
        newsroom.restate()


def test_another_definition_is_listed_apart_and_restates_nothing(
    newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    newsroom.publish()
    redefined = _redefined(indicator_set("lixia-2024"), "person_visits", measure="training.received")
    monkeypatch.setattr(monthly_reports, "station_set", lambda *_asked, **_at: redefined)
    found = newsroom.differences()
    assert found.is_empty
    assert [(r.code, r.published, r.today) for r in found.redefined] == [("person_visits", "3", "0")]
    with refused("nothing_to_restate"):
        newsroom.restate()


# ---- the Word file ----


def docx(newsroom: Newsroom, number: int = 1) -> bytes:
    target = newsroom.folder / "given.docx"
    write_published(newsroom.chain()[number - 1], target, newsroom.press.templates)
    return target.read_bytes()


def test_a_file_is_recognised_by_its_text(newsroom: Newsroom) -> None:
    newsroom.publish()
    first, again = docx(newsroom), docx(newsroom)
    for content in (first, again):
        found = newsroom.checked(content)
        assert found.verdict is Verdict.IDENTICAL
        assert found.publication is not None
        assert found.publication.number == 1


def test_both_files_of_a_restatement_are_recognised(newsroom: Newsroom) -> None:
    newsroom.publish()
    before = docx(newsroom)
    newsroom.desk.void(VISIT, "v2", 1)
    newsroom.restate()
    target = newsroom.folder / "restatement.docx"
    write_restatement(newsroom.chain(), 2, newsroom.sources(), target)
    for content, number in ((before, 1), (docx(newsroom, 2), 2), (target.read_bytes(), 2)):
        found = newsroom.checked(content)
        assert (found.verdict, found.publication and found.publication.number) == (Verdict.IDENTICAL, number)


def test_an_altered_file_is_told_where(newsroom: Newsroom) -> None:
    newsroom.publish()
    path = newsroom.folder / "altered.docx"
    path.write_bytes(docx(newsroom))
    document = Document(str(path))
    for row in document.tables[0].rows:
        if row.cells[0].text == "走访":
            row.cells[1].text = "300"
    document.save(str(path))
    found = newsroom.checked(path.read_bytes())
    assert found.verdict is Verdict.DIFFERS
    assert [(d.published, d.given) for d in found.differing] == [("3", "300")]


def test_a_code_of_nobody_and_no_code_are_told_apart(newsroom: Newsroom) -> None:
    path = newsroom.folder / "other.docx"
    Document().save(str(path))
    assert newsroom.checked(path.read_bytes()).verdict is Verdict.NO_CODE
    document = Document()
    document.add_paragraph("快照码 0000-1111-2222")
    document.save(str(path))
    found = newsroom.checked(path.read_bytes())
    assert (found.verdict, found.codes) == (Verdict.UNKNOWN_CODE, ("0000-1111-2222",))


# ---- longer periods, and several stations ----


def test_a_longer_report_has_its_months_texts_in_their_order(newsroom: Newsroom) -> None:
    desk = newsroom.desk
    desk.record("2024-10", NarrativeWritten(section=ReportSection.FEATURED, text="十月。"), "2024-10-31")
    desk.record("v0", visit(4), "2024-10-05")
    newsroom.advance()
    with newsroom.press.read_models.engine.connect() as connection:
        for period, visits in (
            ("2024-10", 4), ("2024-Q4", 7), ("2024-H2", 7), ("2024", 7), ("2024-2025", 7), ("2024-H1", 0),
        ):
            found = monthly_report(connection, newsroom.ledger, STATION, period, opened=newsroom.opened)
            values = {figure.indicator.code: figure.value for figure in found.figures}
            assert values["person_visits"] == visits, period
            assert values["households_updated"] == (1 if visits == 7 else 0)
        quarter = monthly_report(connection, newsroom.ledger, STATION, "2024-Q4", opened=newsroom.opened)
    assert quarter.title.endswith("2024年第4季度工作报告")
    assert quarter.sections[2].parts[0].narrative == ("10月：十月。", "11月：探访测试甲。")


@pytest.mark.parametrize("period", ["2024-13", "2024-Q5", "2024-H3", "2024-2026", "24-11", "", "二〇二四", "0000"])
def test_a_period_that_is_none_is_refused(newsroom: Newsroom, period: str) -> None:
    with refused("bad_report_period"):
        preview(newsroom.press, STATION, period, date(2024, 12, 5), opened=newsroom.opened)


def test_a_quarter_is_published_like_a_month(newsroom: Newsroom) -> None:
    later = datetime(2025, 1, 5, tzinfo=UTC)
    newsroom.advance()
    codes = [
        item.code for item in preview(newsroom.press, STATION, "2024-Q4", date(2025, 1, 5), opened=newsroom.opened).items
    ]
    context = newsroom.desk.context(now=later, actor="lead-1", role="lead")
    publish(newsroom.press, "2024-Q4", context, codes)
    (published,) = newsroom.chain("2024-Q4")
    assert (published.snapshot.first_on, published.last_on) == (date(2024, 10, 1), date(2024, 12, 31))


def test_stations_add_up_to_their_district_and_city(newsroom: Newsroom) -> None:
    for code, district, chosen, persons in (
        ("other", "历下区", "lixia-2024", 4), ("third", "市中区", "lixia-2024", 8),
        ("casework", "历下区", "casework-2024", 16),
    ):
        desk = Desk(newsroom.ledger, code)
        desk.record(code, a_station(district=district, indicator_set=chosen, name=f"{code}站"), "2024-01-01")
        desk.record("v1", visit(persons), "2024-11-05")
    newsroom.advance()

    def asked(scope: Scope, area: str | None = None) -> Any:
        with newsroom.press.read_models.engine.connect() as connection:
            return area_report(connection, newsroom.ledger, scope, area, MONTH)

    city = asked(Scope.CITY)
    assert (city.title, len(city.stations)) == ("济南市社工站2024年11月工作月报", 4)
    # what all count by the same rule is in the sum; the rest is listed by station
    lone = asked(Scope.HUB, "市中区")
    assert {f.indicator.code: f.value for f in lone.summed}["person_visits"] == 8
    assert lone.apart == []
    assert lone.notes
    district = asked(Scope.HUB, "历下区")
    common = {figure.indicator.code for figure in district.summed}
    assert "person_visits" not in common
    apart = {one.station: {f.indicator.code: f.value for f in one.figures} for one in district.apart}
    assert apart[STATION]["person_visits"] == 3
    assert apart["other"]["person_visits"] == 4
    assert "person_visits" not in apart["casework"]
    with refused("area_unknown"):
        asked(Scope.HUB)
    with refused("area_unknown"):
        asked(Scope.CITY, "别处")


def test_a_publication_cannot_be_imported(newsroom: Newsroom) -> None:
    newsroom.publish()
    (stored,) = newsroom.ledger.notifications_of([f"{STATION}/report/{MONTH}"])
    line = {
        "key": "k", "topic": "report.published", "occurred_on": "2024-12-01", "actor": "甲",
        "recorded_at": "2024-12-01T09:00:00+08:00", "subject": "2024-10",
        "data": msgspec.json.decode(stored.state)["data"],
    }
    result = import_history(
        newsroom.ledger, [msgspec.json.encode(line)], STATION, "old",
        datetime(2024, 12, 5, tzinfo=UTC),
    )
    assert (result.written, len(result.faults)) == (0, 1)
    assert "不能导入" in str(result.faults[0])
