"""Is the demo the station that it claims to be?"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest
from desk import Desk, a_vault
from docx import Document
from stdnum.cn import ric

from domain.fields import PERSONAL, marked_values
from domain.indicators import Counted, Indicator
from domain.kernel import Recorded
from domain.ledger import Ledger
from domain.vocabulary import Unit
from projections.engine import ReadModels
from projections.evaluation.evaluating import Question
from projections.evaluations import evaluations_of
from projections.figures import Figure, KnownAt, Period, figures
from projections.indicators import indicator_set
from projections.integrity import thresholds_of
from projections.monthly_report import MonthlyReport, monthly_report, unopened
from projections.published_reports import publication
from projections.task_progress import task_book_progress
from workers.demo import DEMO_SOURCE, DEMO_STATION, demo_history
from workers.demo.afterwards import BECAUSE, RESTATED, later_history
from workers.demo.generator import demo_lines
from workers.demo.many import CASEWORK_STATION, casework_lines, load_lines
from workers.evaluating import (
    SheetChanged,
    Workshop,
    evaluate,
    keep,
    run_evaluation,
    sheet_of,
    what_if,
)
from workers.history import import_history
from workers.history.lines import Names
from workers.monthly_template import write_template
from workers.publishing import Press, preview, publish, restate
from workers.reports import BadTemplateError, write_docx
from workers.settings import settings_for

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PUBLISHED = {
    "households_updated": "125", "case_files_opened": "23", "dibao_households": "86",
    "dibao_persons": "102", "edge_households": "23", "edge_persons": "25",
    "elderly_alone_surveys": "1", "person_visits": "25", "brand_launches_assisted": "1",
    "volunteer_trainings_delivered": "1", "supervisions_received": "3",
    "supervisions_online": "2", "supervisions_peer": "1", "trainings_received": "1",
    "communities_surveyed": "3", "other_households": "16", "brand_launch_attendance": "近70",
    "competition_prize": "未填报", "reflections": "1", "plan_items": "4",
}

pytestmark = pytest.mark.slow  # the stations are loaded once for all tests here


@dataclass
class Station:
    """A station whose history was imported and projected."""

    ledger: Ledger
    read_models: ReadModels
    folder: Path

    @property
    def ledger_url(self) -> str:
        return f"sqlite:///{self.folder}/ledger.sqlite3"

    @property
    def read_url(self) -> str:
        return f"sqlite:///{self.folder}/read.sqlite3"

    def figures(
        self, month: str, code: str = DEMO_STATION, name: str = "lixia-2024",
        known_at: KnownAt | None = None,
    ) -> dict[str, Figure]:
        with self.read_models.engine.connect() as connection:
            found = figures(
                connection, code, indicator_set(name), Period.of_month(month), known_at=known_at
            )
        return {figure.indicator.code: figure for figure in found}

    def report(self) -> MonthlyReport:
        with self.read_models.engine.connect() as connection:
            return monthly_report(
                connection, self.ledger, DEMO_STATION, "2024-11",
                opened=self.ledger.vault.opened_stream,
            )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    folder = tmp_path_factory.mktemp("demo")
    read_models = ReadModels(f"sqlite:///{folder}/read.sqlite3")
    with Ledger(f"sqlite:///{folder}/ledger.sqlite3", a_vault()) as ledger:
        for code, lines in (
            (DEMO_STATION, demo_history()), (CASEWORK_STATION, casework_lines()),
            ("s001", load_lines(1, 7)),
        ):
            assert import_history(ledger, lines, code, DEMO_SOURCE, NOW).faults == []
        read_models.advance(ledger)
        yield Station(ledger, read_models, folder)
    read_models.close()


def test_the_generator_reproduces_the_stored_file() -> None:
    assert list(demo_lines()) == list(demo_history())


def test_every_station_for_load_begins_by_opening_its_ledger() -> None:
    first = [json.loads(next(load_lines(number, 7)))["topic"] for number in range(1, 162)]
    assert set(first) == {"station.registered"}


@pytest.mark.parametrize("number", [17, 81])
def test_a_station_that_works_on_its_first_evening_is_taken_in(number: int) -> None:
    with Ledger("sqlite:///:memory:", a_vault()) as ledger:
        lines = load_lines(number, 7)
        found = import_history(ledger, lines, f"s{number:03}", DEMO_SOURCE, NOW, dry_run=True)
    assert (found.faults, found.acceptable) == ([], found.lines)


def test_nobody_in_it_could_exist() -> None:
    numbers = [
        member["id_number"]
        for line in map(json.loads, demo_history())
        for member in [*line["data"].get("members", ()), line["data"]]
        if "id_number" in member
    ]
    assert len(numbers) > 150
    for number in numbers:
        assert number[6:8] == "18"
        assert ric.calc_check_digit(number) == number[-1]


def test_november_is_the_published_one(demo: Station) -> None:
    found = demo.figures("2024-11")
    assert {code: found[code].display for code in PUBLISHED} == PUBLISHED


def test_november_was_the_same_on_the_fifth_of_december(demo: Station) -> None:
    known = datetime(2024, 12, 5, 16, 0, tzinfo=UTC)
    found = demo.figures("2024-11", known_at=known)
    assert {code: found[code].display for code in PUBLISHED} == PUBLISHED


def test_a_naive_recount_of_the_events_agrees(demo: Station) -> None:
    standing = [event for event in demo.ledger.recorded() if _counts(event, demo)]
    november = [e for e in standing if date(2024, 11, 1) <= e.occurred.on <= date(2024, 11, 30)]
    updates = {"household.info_updated", "household.case_file_opened"}
    assert len({e.stream for e in november if e.event.topic in updates}) == 125
    visits = [e.event for e in november if e.event.topic == "visit.recorded"]
    assert sum(visit.persons_met for visit in visits) == 25
    units: dict[str, tuple[str, int]] = {}
    for event in sorted(standing, key=lambda e: (e.stream, e.version)):
        if event.occurred.on > date(2024, 11, 30):
            continue
        if event.event.topic in {"assistance.assigned", "assistance.changed"}:
            units[event.stream] = (event.event.category, len(event.event.covered))
        elif event.event.topic == "assistance.ended":
            units.pop(event.stream)
    for category, expected in (("dibao", (86, 102)), ("dibao_edge", (23, 25))):
        covered = [count for found, count in units.values() if found == category]
        assert (len(covered), sum(covered)) == expected


def _counts(event: Recorded, demo: Station) -> bool:
    """Whether an event is the demo station's and was not voided, seen from its stream."""
    if not event.stream.startswith(f"{DEMO_STATION}/") or event.event.topic.startswith("record."):
        return False
    voided = (e.event for e in demo.ledger.history(event.stream))
    return not any(e.topic == "record.voided" and e.entry == event.version for e in voided)


def test_the_task_book_shows_how_the_cycle_went(demo: Station) -> None:
    book = Names(DEMO_STATION, DEMO_SOURCE).own("tb1", "task_book")
    with demo.read_models.engine.connect() as connection:
        found = task_book_progress(
            connection, demo.ledger, DEMO_STATION, book, as_of=date(2025, 7, 31)
        )
    assert (found.as_of, found.book.status.value) == (date(2025, 6, 30), "approved")
    actual = {
        row.target.indicator: row.actual.display if row.actual else "人工评定"
        for row in found.rows
    }
    assert actual["finance"] == "人工评定"
    assert actual["person_visits"] == "278"
    assert actual["case_days"] == "53.33"
    hours = next(row for row in found.rows if row.target.indicator == "volunteer_hours")
    assert hours.actual is not None
    assert sum(month.actual.value for month in hours.months) == hours.actual.value == 215
    assert [month.is_reported for month in hours.months] == [False] * 6 + [True] * 6
    assert {row.light.value for row in found.rows} == {"green", "amber", "red", "none"}
    assert sum(s.weight for s in found.heads) == 100
    halfway = datetime(2024, 12, 20, tzinfo=UTC)
    with demo.read_models.engine.connect() as connection:
        then = task_book_progress(
            connection, demo.ledger, DEMO_STATION, book, as_of=date(2024, 11, 30),
            known_at=halfway,
        )
    visits = next(row for row in then.rows if row.target.indicator == "person_visits")
    assert visits.expected == 110
    assert visits.months[4].actual is not None
    assert visits.months[4].actual.value == 25


def test_november_counted_with_delivered_trainings_is_2(demo: Station) -> None:
    both = msgspec.structs.replace(
        indicator_set("lixia-2024").row("trainings_received"),
        plus=(Counted(measure="training.delivered"),),
    )
    with demo.read_models.engine.connect() as connection:
        found = figures(
            connection, DEMO_STATION, indicator_set("lixia-2024"), Period.of("2024-11"),
            definitions=(both,),
        )
    values = {figure.indicator.code: figure.value for figure in found}
    assert values["trainings_received"] == 2
    assert demo.figures("2024-11")["trainings_received"].value == 1


def test_every_month_has_figures_of_its_own(demo: Station) -> None:
    months = [f"2024-{m:02}" for m in range(7, 13)] + [f"2025-{m:02}" for m in range(1, 7)]
    updated = [demo.figures(month)["households_updated"].value for month in months]
    assert all(updated)
    assert len(set(updated)) > 6


def test_another_kind_of_station_needs_only_another_set(demo: Station) -> None:
    months = [f"2024-{m:02}" for m in range(7, 13)] + [f"2025-{m:02}" for m in range(1, 7)]
    found = [demo.figures(m, CASEWORK_STATION, "casework-2024") for m in months]
    for code in found[0]:
        assert any(figures_of[code].value for figures_of in found), code


def test_personal_fields_stay_out_of_the_timeline(demo: Station) -> None:
    names = {
        text
        for event in demo.ledger.recorded()
        for _path, mark, text in marked_values(event.event, PERSONAL)
        if mark in {"id_number", "phone"}
    }
    with demo.read_models.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT data FROM records").scalars().all()
    text = "\n".join(rows)
    assert not any(name in text for name in names)


# ---- the Word file ----


def test_the_word_file_says_what_the_report_says(demo: Station, tmp_path: Path) -> None:
    write_docx(demo.report(), tmp_path / "report.docx", tmp_path / "templates")
    text = _text(tmp_path / "report.docx")
    for said in ("125", "23", "86", "102", "近70", "未填报", "七、下个月计划", "4.按计划开展"):
        assert said in text
    assert "{{" not in text
    assert "{%" not in text


def test_a_station_may_edit_its_template(demo: Station, tmp_path: Path) -> None:
    write_docx(demo.report(), tmp_path / "first.docx", tmp_path)
    template = Document(str(tmp_path / "monthly-report.docx"))
    template.add_paragraph("站长签字：{{ report.station }}")
    template.save(str(tmp_path / "monthly-report.docx"))
    write_docx(demo.report(), tmp_path / "second.docx", tmp_path)
    assert f"站长签字：{DEMO_STATION}" in _text(tmp_path / "second.docx")


def test_a_broken_template_is_named_and_leaves_no_file(demo: Station, tmp_path: Path) -> None:
    write_docx(demo.report(), tmp_path / "first.docx", tmp_path)
    template = Document(str(tmp_path / "monthly-report.docx"))
    template.add_paragraph("{{ report.")
    template.save(str(tmp_path / "monthly-report.docx"))
    with pytest.raises(BadTemplateError, match=r"monthly-report\.docx"):
        write_docx(demo.report(), tmp_path / "second.docx", tmp_path)
    assert not (tmp_path / "second.docx").exists()


@pytest.mark.skipif(
    not (shutil.which("soffice") and shutil.which("pdftotext")),
    reason="没有 LibreOffice 或 poppler：apt install libreoffice-writer poppler-utils",
)
def test_the_word_file_opens_in_libreoffice(demo: Station, tmp_path: Path) -> None:
    write_docx(demo.report(), tmp_path / "report.docx", tmp_path / "templates")
    subprocess.run(
        [
            "soffice", f"-env:UserInstallation=file://{tmp_path}/profile", "--headless",
            "--convert-to", "pdf", "--outdir", str(tmp_path), str(tmp_path / "report.docx"),
        ],
        check=True, capture_output=True, timeout=180,
    )
    subprocess.run(["pdftotext", "-layout", "report.pdf"], cwd=tmp_path, check=True)
    text = (tmp_path / "report.txt").read_text(encoding="utf-8")
    for said in ("125", "102", "未填报", "工作反思"):
        assert said in text


def test_the_head_of_the_reports_table_stands_on_every_page(tmp_path: Path) -> None:
    write_template(tmp_path / "report.docx")
    head, *rows = Document(str(tmp_path / "report.docx")).tables[0].rows
    assert head._tr.xpath("w:trPr/w:tblHeader")
    assert not any(row._tr.xpath("w:trPr/w:tblHeader") for row in rows)


def _text(path: Path) -> str:
    document = Document(str(path))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(p.text for p in document.paragraphs), *cells])


# ---- the annual evaluation ----

CYCLE = "2024-2025"


@pytest.fixture(scope="module")
def shop(demo: Station, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """A copy of the demo whose November is published, as ``taizhang demo`` invites to do."""
    settings = settings_for(tmp_path_factory.mktemp("evaluated"))
    settings.prepare_home()
    for url, target in ((demo.ledger_url, "ledger"), (demo.read_url, "read")):
        with (
            contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as source,
            contextlib.closing(sqlite3.connect(settings.home / f"{target}.sqlite3")) as copy,
        ):
            source.backup(copy)
    read_models = ReadModels(settings.read_database_url)
    with Ledger(settings.database_url, a_vault()) as ledger:
        press = Press(ledger, read_models, settings.home / "templates", lambda: None)
        lead = Desk(ledger, DEMO_STATION).context(NOW, actor="站长", role="lead")
        found = preview(press, DEMO_STATION, "2024-11", lead.today, opened=unopened)
        publish(press, "2024-11", lead, found.warnings)
        yield Workshop(settings, ledger, read_models)
    read_models.close()


def test_the_cycle_scores_and_every_figure_of_every_month_is_that_of_the_read_models(
    shop: Workshop,
) -> None:
    sheet = evaluate(shop, DEMO_STATION, Question(CYCLE))
    assert sheet.projected == ()
    assert [len(month.figures) for month in sheet.months] == [24] * 6 + [27] * 6
    november = {figure.code: figure.display for figure in sheet.months[4].figures}
    assert {code: november[code] for code in PUBLISHED} == PUBLISHED
    assert {head.head.label: str(head.points) for head in sheet.heads} == {
        "行政管理": "8.75", "财务管理": "0", "服务执行与产出": "46.43", "社会评价": "5.00",
        "宣传创新": "10.00",
    }
    assert (sheet.weight, sheet.judged_weight) == (100, 20)
    assert [(r.period, r.is_same) for r in sheet.reports] == [("2024-11", True)]
    middle = evaluate(shop, DEMO_STATION, Question(CYCLE, as_of=date(2024, 12, 31)))
    assert (middle.indicator_version, middle.judged_weight) == (1, 20)
    assert [r.target.indicator for r in middle.rows if r.counted_by] == [
        "case_days", "volunteer_hours", "households_without_contact",
    ]


def test_training_defined_as_delivered_or_received_gives_two_beside_the_published_one(
    shop: Workshop,
) -> None:
    both = Indicator(
        code="volunteer_trainings_delivered", label="培训", label_en="Trainings",
        unit=Unit.TIMES, measure="training.delivered",
        plus=(Counted(measure="training.received"),),
    )
    before = stored(shop)
    asked = Question(CYCLE), Question(CYCLE, definitions=(both,))
    found = what_if(shop, DEMO_STATION, *asked)
    (november,) = [figure for figure in found.figures if figure.where == "2024-11"]
    assert (november.code, november.replayed, november.other) == (both.code, "1", "2")
    published = publication(shop.ledger, DEMO_STATION, "2024-11")
    assert [f.display for f in published.figures if f.code == both.code] == ["1"]
    assert stored(shop) == before


def stored(shop: Workshop) -> tuple[str, list[str]]:
    """A hash over everything that the log holds, and every file of the home by its size."""
    rows = hashlib.sha256(repr(shop.ledger.rows(0, 1_000_000)).encode())
    return rows.hexdigest(), sorted(str(path) for path in shop.settings.home.rglob("*"))


def test_a_run_is_recorded_once_and_its_sheet_can_always_be_made_again(shop: Workshop) -> None:
    who = Desk(shop.ledger, DEMO_STATION).context(
        NOW, actor="评审", role="reviewer", idempotency_key="evaluation-e1"
    )
    # given a job whose worker was killed after the sheet was kept, and one that goes to the end
    sheet = evaluate(shop, DEMO_STATION, Question(CYCLE))
    keep(shop.settings, "e1", sheet)
    run = run_evaluation(shop, "e1", Question(CYCLE), who)
    head = shop.ledger.head()
    # then running it again records nothing and answers the same
    assert run_evaluation(shop, "e1", Question(CYCLE), who) == run
    assert shop.ledger.head() == head
    assert (run.code, run.differing, run.changed) == (sheet.code, 0, ())
    kept = sheet_of(shop, DEMO_STATION, "e1")
    assert (replace(kept, code_as_recorded=None), kept.code) == (sheet, run.code)
    # nor is it one that somebody has written over
    (file,) = (shop.settings.home / "evaluations").iterdir()
    file.write_bytes(file.read_bytes().replace(b'"late":', b'"late":9', 1))
    assert sheet_of(shop, DEMO_STATION, "e1").rows == sheet.rows
    # and without its file the log gives the same sheet, by the same code
    for file in (shop.settings.home / "evaluations").iterdir():
        file.unlink()
    again = sheet_of(shop, DEMO_STATION, "e1")
    assert again.code == run.code
    # but where other thresholds give another sheet, it is not shown as the one of the run
    file = shop.settings.thresholds_file
    stricter = {**msgspec.to_builtins(thresholds_of(file)), "late_days": 1}
    file.write_bytes(msgspec.json.encode(stricter))
    with pytest.raises(SheetChanged, match="核查标准"):
        sheet_of(shop, DEMO_STATION, "e1")
    file.unlink()
    shop.read_models.advance(shop.ledger)
    with shop.read_models.engine.connect() as connection:
        (listed,) = evaluations_of(connection, DEMO_STATION, CYCLE)
    assert (listed.id, listed.points, listed.code) == ("e1", "70.18", run.code)


def test_what_comes_after_the_publications_shows_all_that_an_evaluation_shows(
    shop: Workshop,
) -> None:
    press = Press(shop.ledger, shop.read_models, shop.settings.home / "templates", lambda: None)
    lead = Desk(shop.ledger, DEMO_STATION).context(NOW, actor="站长", role="lead")
    for month in ("2024-08", "2024-09"):
        shop.read_models.advance(shop.ledger)
        found = preview(press, DEMO_STATION, month, lead.today, opened=unopened)
        publish(press, month, lead, found.warnings)
    before = evaluate(shop, DEMO_STATION, Question(CYCLE))
    lines = list(later_history())
    found = import_history(shop.ledger, lines, DEMO_STATION, DEMO_SOURCE, NOW)
    assert (found.faults, found.written) == ([], len(lines))
    shop.read_models.advance(shop.ledger)
    restate(press, RESTATED, lead, BECAUSE)
    after = evaluate(shop, DEMO_STATION, Question(CYCLE))
    # there are signs, a restated report and a changed one, and months without
    assert {signal.kind for signal in after.signals} == {"late", "density", "overlap"}
    assert after.changed == ("2024-09",)
    assert [report.period for report in after.reports if report.restatements] == ["2024-08"]
    assert len(after.unpublished) == 9
    # and no figure of the task book or of November is another
    assert [row.actual for row in after.rows] == [row.actual for row in before.rows]
    assert after.months[4] == before.months[4]
    assert after.points == before.points
    repeated = import_history(shop.ledger, lines, DEMO_STATION, DEMO_SOURCE, NOW)
    assert (repeated.written, repeated.repeated) == (0, len(lines))
