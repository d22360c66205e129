"""Does a reviewer at home get the station's own score sheet, from one file and a public key?"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from callers import Api, refusal_of
from click.testing import CliRunner, Result
from desk import Desk
from docx import Document
from lxml import etree
from stage import ROOT, a_machine, a_postgres_database, working_off
from tampering import Log, members, rewritten

from api.app import create_app
from api.cli import main
from api.cli.publish import lead_context, press_of
from api.services import EXTENSION
from domain.bundle import EVENTS, MANIFEST, Member
from domain.visit import VisitRecorded
from projections.evaluation.evaluating import Question
from projections.evaluation.score_sheet import ScoreSheet
from projections.figures import Period, figures
from projections.indicator_versions import station_set
from projections.integrity import thresholds_of
from projections.monthly_report import unopened
from projections.published_reports import printed
from workers import runtime
from workers.bundles import Asked, seal_and_write
from workers.demo import DEMO_SOURCE, DEMO_STATION, demo_history
from workers.embedded import connect
from workers.evaluating import Workshop, evaluate, run_evaluation
from workers.history import import_history
from workers.kept_bundles import bundle_file
from workers.publishing import preview, publish, restate
from workers.queues import LONG
from workers.runtime import Runtime
from workers.settings import settings_for

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CYCLE = "2024-2025"
TRAINING = {
    "code": "trainings_received", "label": "培训（开展与接受）", "label_en": "Trainings", "unit": "times",
    "measure": "training.received", "plus": [{"measure": "training.delivered"}],
}
ON_ONE = pytest.mark.parametrize("station", ["sqlite"], indirect=True)
"""What has the bundle alone to do with: it is the same whichever database it came from."""
OFFLINE = """
import sys
def refuse(event, arguments):
    if event.startswith("socket."):
        raise RuntimeError(f"{event} {arguments}")
sys.addaudithook(refuse)
from api.app import create_app
from api.cli import main
main()
"""


@dataclass
class Station:
    """The demo's station, with reports published, restated and overtaken; and its bundle."""

    runtime: Runtime
    bundle: Path
    key: str
    sheet: ScoreSheet


def keep_ledger(here: Runtime) -> None:
    assert import_history(
        here.ledger, demo_history(), DEMO_STATION, DEMO_SOURCE, NOW
    ).faults == []
    press, lead = press_of(here), lead_context("站长", DEMO_STATION)
    for month in ("2024-09", "2024-10"):
        here.read_models.advance(here.ledger)
        found = preview(press, DEMO_STATION, month, lead.today, opened=unopened)
        publish(press, month, lead_context("站长", DEMO_STATION), found.warnings)
    desk = Desk(here.ledger, DEMO_STATION)
    for month in ("2024-09", "2024-10"):
        visit = VisitRecorded(mode="home", purpose="routine", persons_met=1)
        desk.record(f"late-{month}", visit, f"{month}-20", now=NOW)
        here.read_models.advance(here.ledger)
        if month == "2024-09":
            restate(press, month, lead_context("站长", DEMO_STATION), "补录一次走访")
    here.read_models.advance(here.ledger)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def station(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Station]:
    home = tmp_path_factory.mktemp("home")
    with ExitStack() as opened:
        url = ""
        if request.param == "postgresql":
            server = request.getfixturevalue("postgres_server")
            url = opened.enter_context(a_postgres_database(server))
        settings = settings_for(home, database_url=url)
        settings.prepare_home()
        here = Runtime(settings)
        opened.callback(here.close)
        keep_ledger(here)
        file = home / "for-the-reviewer.zip"
        asked = Asked.for_evaluation(DEMO_STATION, CYCLE, thresholds_of(settings.thresholds_file))
        manifest = seal_and_write(
            file, asked, here.ledger, here.seals, settings, now=NOW
        )
        shop = Workshop(settings, here.ledger, here.read_models)
        sheet = evaluate(shop, DEMO_STATION, Question(CYCLE))
        yield Station(here, file, manifest.key, sheet)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def at_home(station: Station, *more: object, file: Path | None = None) -> dict[str, Any]:
    said = run("evaluate", file or station.bundle, "--key", station.key, "--json", *more)
    assert said.exit_code == 0, said.output
    return json.loads(said.stdout)


# ---- the same sheet ----


def test_read_models_replay_and_bundle_agree_on_every_figure_of_every_month(
    station: Station,
) -> None:
    found = at_home(station)
    assert station.sheet.projected == ()
    assert found["code"] == station.sheet.code
    assert [month["month"] for month in found["months"]] == [
        *(f"2024-{n:02}" for n in range(7, 13)), *(f"2025-{n:02}" for n in range(1, 7)),
    ]
    with station.runtime.read_models.engine.connect() as connection:
        for month in found["months"]:
            period = Period.of_month(month["month"])
            chosen = station_set(connection, DEMO_STATION, "lixia-2024", period)
            counted = figures(connection, DEMO_STATION, chosen, period)
            assert [(f["code"], f["display"]) for f in month["figures"]] == [
                (figure.code, figure.display) for figure in map(printed, counted)
            ], month["month"]
    november = {f["code"]: f["display"] for f in found["months"][4]["figures"]}
    assert (november["households_updated"], november["trainings_received"]) == ("125", "1")
    assert november["brand_launch_attendance"] == "近70"


@ON_ONE
def test_it_runs_in_an_empty_folder_without_network_home_or_environment(
    station: Station, tmp_path: Path
) -> None:
    said = subprocess.run(
        [sys.executable, "-c", OFFLINE, "evaluate", station.bundle, "--key", station.key, "--json"],
        env={"PYTHONPATH": str(ROOT)}, cwd=tmp_path, capture_output=True, text=True, check=False,
    )
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["code"] == station.sheet.code
    assert list(tmp_path.iterdir()) == []


def test_published_reports_are_compared_with_the_log(station: Station) -> None:
    september, october = at_home(station)["reports"]
    assert (september["number"], len(september["restatements"])) == (2, 1)
    assert (september["changed"], september["unreproduced"]) == ([], [])
    changed = {figure["code"]: figure for figure in october["changed"]}
    visits = changed["person_visits"]
    assert int(visits["after"]) == int(visits["before"]) + 1
    assert [record["change"] for record in visits["records"]] == ["late"]
    assert october["unreproduced"] == []


@ON_ONE
def test_the_command_line_writes_the_same_bundle_and_the_live_sheet(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAIZHANG_HOME", str(station.runtime.settings.home))
    file, asked = tmp_path / "b.zip", ("--station", DEMO_STATION, "--cycle")
    said = run("bundle", file, *asked, CYCLE)
    assert (said.exit_code, "taizhang evaluate" in said.stdout) == (0, True)
    assert file.read_bytes() == station.bundle.read_bytes()
    assert run("bundle", file, *asked, "2024-11").exit_code == 1
    said = run("bundle", tmp_path / "of-nothing.zip", *asked, "1999-2000")
    assert (said.exit_code, "2024-2025" in said.stderr) == (1, True)
    assert not (tmp_path / "of-nothing.zip").exists()
    assert run("bundle", file, *asked, CYCLE, "--from", "2024-07-01").exit_code == 2
    said = run(
        "evaluate", "--cycle", CYCLE, "--json", "--docx", tmp_path / "live.docx",
        "--xlsx", tmp_path / "live.xlsx",
    )
    assert json.loads(said.stdout)["code"] == station.sheet.code
    assert {"live.docx", "live.xlsx"} <= {file.name for file in tmp_path.iterdir()}
    assert run("evaluate", "--cycle", CYCLE, "--docx", tmp_path / "no" / "x.docx").exit_code == 1


@ON_ONE
def test_other_rules_and_another_moment_are_counted_beside(
    station: Station, tmp_path: Path
) -> None:
    (tmp_path / "other.json").write_text(json.dumps([TRAINING]), encoding="utf-8")
    found = at_home(station, "--what-if", tmp_path / "other.json")
    november = [f for f in found["figures"] if f["where"] == "2024-11"]
    assert [(f["code"], f["replayed"], f["other"]) for f in november] == [
        ("trainings_received", "1", "2"),
    ]
    before = station.sheet.reports[1].position
    then = at_home(station, "--known-at", before)
    assert then["position"] == before
    # of October there was no report yet, and September's had not been overtaken
    assert [(report["period"], report["changed"]) for report in then["reports"]] == [("2024-09", [])]
    both = at_home(station, "--what-if-known-at", before)
    assert (both["sheet"]["code"], both["what_if"]["code"]) == (station.sheet.code, then["code"])
    said = run("evaluate", station.bundle, "--key", station.key, "--known-at", 10_000_000)
    assert said.exit_code == 1
    (tmp_path / "other.json").write_text('[{"code": "x"}]')
    said = run("evaluate", station.bundle, "--key", station.key, "--what-if", tmp_path / "other.json")
    assert said.exit_code == 1


# ---- what was changed ----


def lines(station: Station) -> list[bytes]:
    return members(station.bundle)[EVENTS].splitlines(keepends=True)


def refused(station: Station, **changes: bytes) -> list[tuple[str, int]]:
    said = run(
        "evaluate", rewritten(station.bundle, **changes), "--key", station.key, "--json"
    )
    assert said.exit_code == 1, said.output
    assert "不予复算" in said.stderr
    return [(fault["code"], fault["position"]) for fault in json.loads(said.stdout)["faults"]]


def place_of(events: list[bytes], topic: str) -> int:
    return next(n for n, line in enumerate(events) if f'"topic":"{topic}"'.encode() in line)


@pytest.mark.parametrize(
    ("topic", "before", "after"),
    [
        ("visit.recorded", b'"persons_met":1', b'"persons_met":2'),
        ("task_book.revised", b'"target":300', b'"target":200'),
        ("report.published", b'"display":"', b'"display":"9'),
        ("indicator.defined", b'"divide_by":60', b'"divide_by":30'),
    ],
)
def test_one_altered_event_is_refused_with_its_position(
    station: Station, topic: str, before: bytes, after: bytes
) -> None:
    events = lines(station)
    number = next(
        n for n, line in enumerate(events)
        if f'"topic":"{topic}"'.encode() in line and before in line
    )
    position = json.loads(events[number])["position"]
    events[number] = events[number].replace(before, after, 1)
    assert ("changed", position) in refused(station, events__jsonl=b"".join(events))


@ON_ONE
def test_an_event_removed_added_or_moved_is_refused(station: Station) -> None:
    events = lines(station)
    place = place_of(events, "visit.recorded")
    here, after = (json.loads(line)["position"] for line in events[place : place + 2])
    for changed, told in (
        ([*events[:place], *events[place + 1 :]], ("missing", here)),
        ([*events[: place + 1], events[place], *events[place + 1 :]], ("added", here)),
        (
            [*events[:place], events[place + 1], events[place], *events[place + 2 :]],
            ("moved", after),
        ),
    ):
        assert refused(station, events__jsonl=b"".join(changed)) == [told, ("member", 0)]


@ON_ONE
def test_altered_definitions_or_thresholds_are_refused(station: Station) -> None:
    for name, before, after in (
        ("definitions/lixia-2024.json", b'"visit.persons"', b'"visit.households"'),
        ("thresholds.json", b'"late_days":', b'"late_days":9'),
    ):
        content = members(station.bundle)[name]
        assert before in content
        changed = {name.replace(".", "__"): content.replace(before, after, 1)}
        assert refused(station, **changed) == [("member", 0)]


@ON_ONE
def test_what_the_key_did_not_sign_or_was_written_for_no_evaluation_is_refused(
    station: Station, tmp_path: Path
) -> None:
    manifest = members(station.bundle)[MANIFEST]
    changed = rewritten(station.bundle, manifest__json=manifest.replace(b"2024-2025", b"2023-2024"))
    said = run("evaluate", changed, "--key", station.key)
    assert (said.exit_code, "签名与内容不符" in said.stderr) == (1, True)
    span = tmp_path / "span.zip"
    here = station.runtime
    seal_and_write(
        span, Asked(DEMO_STATION), here.ledger, here.seals, here.settings, now=NOW
    )
    said = run("evaluate", span, "--key", station.key)
    assert (said.exit_code, "--cycle" in said.stderr) == (1, True)
    of_another_program: Any = Member("late_days", 3, "")
    seal_and_write(
        span, Asked(DEMO_STATION, cycle=CYCLE, limits=of_another_program), here.ledger, here.seals,
        here.settings, now=NOW,
    )
    said = run("evaluate", span, "--key", station.key)
    assert (said.exit_code, "另一版台账" in said.stderr) == (1, True)
    assert run("evaluate", station.bundle).exit_code == 2
    assert run("evaluate", station.bundle, "--key", station.key, "--all").exit_code == 2


# ---- on paper ----


def parts(file: Path, folder: str) -> list[Any]:
    with zipfile.ZipFile(file) as archive:
        names = sorted(name for name in archive.namelist() if name.startswith(folder))
        return [etree.fromstring(archive.read(n)) for n in names if n.endswith(".xml")]


def texts(root: Any, tag: str) -> list[str]:
    return [element.text or "" for element in root.iter() if etree.QName(element).localname == tag]


@ON_ONE
def test_the_word_sheet_says_what_the_sheet_says_with_charts_that_can_be_edited(
    station: Station, tmp_path: Path
) -> None:
    file = tmp_path / "sheet.docx"
    at_home(station, "--docx", file)
    document = Document(str(file))
    cells = [[c.text for c in row.cells] for table in document.tables for row in table.rows]
    visits = next(row for row in station.sheet.rows if row.target.indicator == "person_visits")
    assert ["合计", "14", "100", "20", f"{station.sheet.points.normalize():f}"] in cells
    assert any(
        row[1:4] == ["走访", "不少于 300 人次", visits.actual.display] for row in cells if visits.actual
    )
    # where no event can give a point there is no nought, and no plan where months say nothing
    assert ["财务管理", "1", "10", "10", "由评审填写"] in cells
    by_month = [row[:2] for row in cells if len(row) == 14]
    assert [kind for label, kind in by_month if label.startswith("走访")] == ["完成", "计划"]
    assert [kind for label, kind in by_month if label.startswith("超过90天")] == ["完成", "要求"]
    for label in ("更新困难群体服务信息", "大赛获奖"):
        assert [kind for of, kind in by_month if of.startswith(label)] == ["完成"]
    said = "\n".join(cell for row in cells for cell in row)
    assert station.key in said
    assert "核对通过" in said
    assert "补录" in said
    assert "{{" not in said + "".join(p.text for p in document.paragraphs)
    charts = parts(file, "word/charts/chart")
    assert len(charts) == 1 + sum(bool(row.months) for row in station.sheet.rows)
    with zipfile.ZipFile(file) as archive:
        books = [name for name in archive.namelist() if name.startswith("word/embeddings/")]
        assert len(books) == len(charts)
        assert b'w:eastAsia="' in archive.read("word/styles.xml")
    values = next(texts(chart, "v") for chart in charts if "走访（按月）" in texts(chart, "t"))
    months = [f"{n}" for n in (7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6)]
    done = [str(month.actual.value) for month in visits.months if month.actual]
    assert values[:25] == ["完成", *months, *done]


@ON_ONE
def test_the_workbook_has_numbers_as_numbers_texts_as_texts_and_charts(
    station: Station, tmp_path: Path
) -> None:
    file = tmp_path / "sheet.xlsx"
    at_home(station, "--xlsx", file)
    scores = parts(file, "xl/worksheets/sheet1.xml")[0]
    assert f"{station.sheet.points:f}" in texts(scores, "v")
    assert "person_visits" in texts(scores, "t")
    assert all(texts(sheet, "f") == [] for sheet in parts(file, "xl/worksheets/sheet"))
    charts = parts(file, "xl/charts/chart")
    assert len(charts) == 1 + sum(bool(row.months) for row in station.sheet.rows)
    assert "116.67" in texts(charts[0], "v")  # brought along for whoever does not recalculate


# ---- over HTTP ----


@ON_ONE
def test_an_altered_log_gives_no_bundle_says_why_and_offers_no_older_one(
    station: Station, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(station.runtime.settings.home, home)
    with a_machine(tmp_path / "machine") as machine:
        settings = replace(settings_for(home), redis_url=machine.redis.server.url)
        app = create_app(settings)
        api = Api(app, app.extensions[EXTENSION], DEMO_STATION)
        here, asked = runtime.start(settings), f"bundles/{CYCLE}"
        connection = connect(machine.redis.server.url)
        with working_off(connection) as work:
            api.post(asked, {}, role="reviewer")
            work(LONG)
            assert api.get(asked, role="reviewer").get_json()["file"] == f"/api/v1/{asked}/file"
            Log(api.services.ledger, settings.database_url).set("originator_version = 99", "= 40")
            api.post(asked, {}, role="reviewer")
            work(LONG)
        connection.close()
        found = api.get(asked, role="reviewer").get_json()
        assert (found["status"], found["file"]) == ("refused", None)
        assert "台账与存证时不符" in found["problem"]
        assert "40" in found["problem"]
        refusal_of(api.get(f"{asked}/file", role="reviewer"), 404, "bundle_not_written")
        assert found["problem"] in api.get(f"/evaluations/{CYCLE}/bundle", role="reviewer").text
        here.close()
        api.services.close()


@ON_ONE
def test_a_reviewer_fetches_bundle_and_sheets_over_http(station: Station, tmp_path: Path) -> None:
    with a_machine(tmp_path / "machine") as machine:
        settings = replace(station.runtime.settings, redis_url=machine.redis.server.url)
        app = create_app(settings)
        api = Api(app, app.extensions[EXTENSION], DEMO_STATION)
        here = runtime.start(settings)
        asked = f"bundles/{CYCLE}"
        refusal_of(api.get(f"{asked}/file", role="reviewer"), 404, "bundle_not_written")
        refusal_of(api.post(asked, {}, role="social_worker"), 403, "not_allowed")
        refusal_of(api.post("bundles/2024-11", {}, role="reviewer"), 400, "bad_cycle")
        elsewhere = {"role": "lead", "station": "*"}
        refusal_of(api.get(f"{asked}/file?station=../x", **elsewhere), 422, "bad_identifier")
        started = api.post(asked, {}, role="reviewer")
        assert (started.status_code, started.get_json()["file"]) == (202, None)
        connection = connect(machine.redis.server.url)
        with working_off(connection) as work:
            work(LONG)
        connection.close()
        done = api.get(asked, role="reviewer").get_json()
        assert done["status"] == "finished"
        file = tmp_path / "fetched.zip"
        fetched = api.get(done["file"], role="reviewer")
        resumed = api.get(done["file"], role="reviewer", headers={"Range": "bytes=0-3"})
        assert (resumed.status_code, resumed.data) == (206, b"PK\x03\x04")
        resumed.close()
        bundle_file(settings, DEMO_STATION, CYCLE).unlink()  # as when it is written anew
        file.write_bytes(fetched.data)
        fetched.close()
        assert fetched.content_length == done["bytes"] == file.stat().st_size
        refusal_of(api.get(done["file"], role="reviewer"), 404, "bundle_not_written")
        assert at_home(station, file=file)["code"] == station.sheet.code
        run_evaluation(
            Workshop(settings, here.ledger, here.read_models), "e1", Question(CYCLE),
            Desk(here.ledger, DEMO_STATION).context(NOW, role="reviewer"),
        )
        for kind in ("docx", "xlsx"):
            answer = api.get(f"evaluations/e1/sheet/{kind}", role="reviewer")
            assert answer.status_code == 200, answer.text
            assert zipfile.is_zipfile(io.BytesIO(answer.data))
        here.close()
        api.services.close()
