"""Is every reading of personal data written down, once, before it is answered?"""

from __future__ import annotations

import contextlib
import re
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from callers import VISIT, Api, refusal_of
from click.testing import CliRunner
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from stage import ROOT

from api.access_index import AT_ONCE
from api.access_log import MOST_NAMED, Access, AccessAction, AccessLog
from api.access_queries import AccessQuery, accesses_of
from api.cli import main
from api.pages.read_places import place
from projections.store import writing

NAME, NOTE = "测试一", "老人独居，需要陪同就医"


def calls(api: Api, role: str = "lead", **query: Any) -> list[dict[str, Any]]:
    asked = "&".join(f"{name.rstrip('_')}={value}" for name, value in query.items())
    answer = api.get(f"access-log?{asked}", role=role)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.get_json()["items"]
    return rows


def subjects(row: dict[str, Any]) -> set[str]:
    return {f"{s['kind']}:{s['id']}" for s in row["subjects"]}


def test_who_reads_a_file_is_written_down(api: Api) -> None:
    household = api.household()
    headers = {"X-Request-Id": "call-9"}
    api.get(f"households/{household}", headers=headers)
    (row,) = calls(api)
    assert (row["actor"], row["role_label"], row["request_id"]) == ("social_worker-1", "社工", "call-9")
    assert (row["action"], row["route"]) == ("read", "/api/v1/households/<subject>")
    assert subjects(row) == {f"household:{household}", "person:p1"}


@pytest.mark.parametrize("path", [
    "households/{}", "households/{}/audit", "households/{}/status", "households", "/households",
    "/households/{}", "/records/household/{}", "timelines/household/{}", "timelines/person/p1",
    "visits?household={}", "audit?household={}", "/audit?household={}", "referral-tracking?household={}",
])
def test_every_way_to_read_of_a_person_is_written_down(api: Api, path: str) -> None:
    household = api.household()
    api.recorded("visits", VISIT | {"household": household, "note": NOTE})
    api.project()
    assert api.get(path.format(household), role="lead").status_code == 200
    (row,) = calls(api, actor="lead-1")
    assert subjects(row) & {f"household:{household}", "person:p1"}


def test_a_note_is_read_of_its_household(api: Api) -> None:
    household = api.household()
    visit = api.recorded("visits", VISIT | {"household": household, "note": NOTE})["id"]
    api.get(f"visits/{visit}")
    (row,) = calls(api, household=household)
    assert subjects(row) == {f"visit:{visit}", f"household:{household}"}


def test_a_person_learns_who_has_read_the_file(api: Api) -> None:
    household, other = api.household(), api.household(members=[
        {"person": "p9", "name": "测试九", "relation": "head"},
    ])
    api.get(f"households/{household}", role="supervisor")
    api.get(f"households/{other}")
    assert [row["actor"] for row in calls(api, person="p1")] == ["supervisor-1"]
    # and who asked for that is written down as well
    asked = calls(api, person="p1")[0]
    assert (asked["actor"], asked["route"]) == ("lead-1", "/api/v1/access-log")


def test_what_is_not_shown_is_not_written_down(api: Api) -> None:
    household = api.household()
    api.recorded("visits", VISIT | {"household": household, "note": NOTE})
    api.project()
    refusal_of(api.get("households/nobody"), 404, "unknown_record")
    refusal_of(api.get(f"households/{household}", role="administrator"), 403, "not_allowed")
    api.get(f"indicators/lixia-2024?month=2024-11&station={api.station}")
    api.get("visits")
    assert calls(api) == []


def test_an_export_is_told_from_a_look(api: Api) -> None:
    api.household()
    api.project()
    for path in ("audit.csv", "audit.json", "access-log.csv", "access-log.json"):
        assert api.get(path, role="reviewer").status_code == 200
    assert [row["action_label"] for row in calls(api, actor="reviewer-1")] == ["导出"] * 4
    assert len(calls(api, action="export")) == 4


def test_the_log_holds_nothing_that_was_read_or_asked(api: Api) -> None:
    household = api.household(note=NOTE)
    api.project()
    api.get(f"households/{household}")
    api.get(f"timelines/household/{NAME}?at_least=1")
    api.get(f"audit?actor={NAME}&household={NAME}", role="lead")
    api.get(f"/audit/reads?person={NAME}", role="lead")
    assert len(calls(api)) == 3  # who asks about nobody there is reads nothing
    api.services.access_log.close()
    stored = b"".join(p.read_bytes() for p in api.services.settings.home.glob("access.sqlite3*"))
    for secret in (NAME, NOTE, "at_least"):
        assert secret.encode() not in stored


def test_what_cannot_be_written_down_is_not_shown(api: Api) -> None:
    household = api.household()
    with api.services.access_log.engine.begin() as connection:
        connection.execute(text("ALTER TABLE access_log RENAME TO gone"))
    answer = api.get(f"households/{household}")
    refusal_of(answer, 503, "access_not_logged")
    assert NAME not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    page = api.get(f"/records/household/{household}")
    assert page.status_code == 503
    assert NAME not in page.text
    # and what shows nobody, or is recorded, goes on
    assert api.get(f"indicators/lixia-2024?month=2024-11&station={api.station}").status_code == 200
    assert api.post("visits", VISIT | {"household": household}).status_code == 201


# ---- who may ask ----


@pytest.mark.parametrize("role", ["lead", "reviewer", "administrator"])
def test_leads_reviewers_and_administrators_see_who_read(api: Api, role: str) -> None:
    household = api.household()
    api.get(f"households/{household}")
    answer = api.get(f"access-log?household={household}", role=role)
    assert [row["actor"] for row in answer.get_json()["items"]] == ["social_worker-1"]
    assert NAME not in answer.text
    assert api.get("/audit/reads", role=role).status_code == 200


@pytest.mark.parametrize("role", ["social_worker", "volunteer_coordinator", "supervisor", "hub"])
@pytest.mark.parametrize("path", ["access-log", "access-log.csv", "access-log.json", "/audit/reads"])
def test_others_do_not(api: Api, role: str, path: str) -> None:
    assert api.get(path, role=role).status_code == 403


def test_another_station_s_reads_are_out_of_reach(api: Api) -> None:
    household = api.household()
    api.get(f"households/{household}")
    assert api.get("access-log", role="lead", station="elsewhere").get_json()["items"] == []
    refused = api.get(f"access-log?station={api.station}", role="lead", station="elsewhere")
    refusal_of(refused, 403, "other_station")
    everywhere = api.get("access-log", role="administrator", station="*").get_json()["items"]
    assert {row["station"] for row in everywhere} == {api.station, "elsewhere"}


def test_pages_and_days(api: Api) -> None:
    household = api.household()
    for _ in range(3):
        api.get(f"households/{household}")
    answer = api.get("access-log?limit=2&actor=social_worker-1", role="lead")
    assert len(answer.get_json()["items"]) == 2
    assert 'rel="next"' in answer.headers["Link"]
    rest = calls(api, limit=2, actor="social_worker-1", cursor=answer.get_json()["next_cursor"])
    assert len(rest) == 1
    assert calls(api, to="2024-01-01") == []


def test_the_page_says_in_words_what_was_read_and_by_file_number_of_whom(api: Api) -> None:
    household = api.household(file_number="JT-0007")
    api.get(f"timelines/household/{household}")
    api.get(f"households/{household}")
    api.project()
    page = api.get("/audit/reads?household=JT-0007", role="lead").text
    for said in ("查看：困难家庭", "查看：时间线", "困难家庭 JT-0007", "JT-0007 的成员"):
        assert said in page
    assert f">{household}<" not in page
    assert "困难家庭 JT-0007" not in api.get(
        f"/audit/reads?household={household}&station={api.station}", role="administrator"
    ).text
    places = {place(rule.rule) for rule in api.app.url_map.iter_rules()}
    assert {"困难家庭", "台账", "评估", "志愿者"} <= places


# ---- the command line ----


def test_a_command_that_opens_a_file_is_written_down(api: Api) -> None:
    household = api.household()
    home = {"TAIZHANG_HOME": str(api.services.settings.home)}
    said = CliRunner().invoke(main, ["audit", "--household", household], env=home)
    assert NAME in said.stdout
    (row,) = calls(api, person="p1")
    assert (row["route"], row["role"], row["action"]) == ("taizhang audit", "administrator", "read")
    said = CliRunner().invoke(main, ["access-log", "--household", household], env=home)
    assert "taizhang audit" in said.stdout


# ---- writes and refusals ----


def test_a_receipt_that_repeats_what_was_stated_before_is_a_reading(api: Api) -> None:
    """Given another's visit with a note, when it is corrected, voided and reinstated."""
    household = api.household()
    visit = api.recorded("visits", VISIT | {"household": household, "note": NOTE})["id"]
    assert calls(api, "reviewer") == []  # what one states oneself is no reading
    edits: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("PUT", "/recorded", VISIT | {"household": household, "note": "另一段话"}), ("DELETE", "", {}),
        ("POST", "/reinstatement", {}),
    )
    for version, (method, path, body) in enumerate(edits, start=1):
        answer = api.call(
            method, f"visits/{visit}/entries/1{path}", body | {"reason": "核对"}, role="lead",
            headers={"If-Match": f'"{version}"'},
        )
        assert (answer.status_code, "话" in answer.text) == (201, True), answer.text
        row, *others = calls(api, "reviewer", actor="lead-1")
        assert len(others) == version - 1
        assert row["route"].endswith(f"/entries/<int:version>{path}")
        assert subjects(row) == {f"visit:{visit}", f"household:{household}"}


def test_an_edit_of_what_says_nothing_personal_is_no_reading(api: Api) -> None:
    visit = api.recorded("visits", VISIT)["id"]
    answer = api.call(
        "DELETE", f"visits/{visit}/entries/1", {"reason": "重复登记"}, headers={"If-Match": '"1"'}
    )
    assert answer.status_code == 201
    assert calls(api) == []


def test_a_report_shown_with_a_refusal_is_a_reading(reported: Api) -> None:
    browser = reported.browser("lead")
    token = re.search(r'name="form_token" value="([^"]+)"', browser.get("/verify").text)
    assert token is not None
    assert calls(reported, "reviewer") == []
    refused = browser.post("/months/2024-11/publish", data={"form_token": token.group(1)})
    assert (refused.status_code, SAID in refused.text) == (422, True)
    (row,) = calls(reported, actor="lead-1")
    assert (row["route"], subjects(row)) == ("/months/<month>/publish", {"month:2024-11"})


# ---- reports ----

SAID = "居民张测试的家属前来致谢"


@pytest.fixture
def reported(api: Api) -> Api:
    """A station whose report of a month has a text that names a person."""
    said = {"occurred_on": "2024-11-30", "section": "featured", "text": SAID}
    api.recorded("months/2024-11/narrative", said, role="lead")
    api.project()
    return api


REPORTS = {
    "reports/2024-11": "read", "reports/2024-11/docx": "export", "/months/2024-11": "read",
    "/months/2024-11/publish": "read", "reports/2024-11/checklist": "read",
}


@pytest.mark.parametrize("path", REPORTS)
def test_every_way_to_read_a_report_is_written_down(reported: Api, path: str) -> None:
    answer = reported.get(path, role="reviewer")
    assert answer.status_code == 200
    (row,) = calls(reported, actor="reviewer-1")
    assert (row["action"], subjects(row)) == (REPORTS[path], {"month:2024-11"})


def test_a_report_that_cannot_be_written_down_is_not_shown(reported: Api) -> None:
    with reported.services.access_log.engine.begin() as connection:
        connection.execute(text("ALTER TABLE access_log RENAME TO gone"))
    for path in REPORTS:
        answer = reported.get(path, role="reviewer")
        assert (answer.status_code, SAID in answer.text) == (503, False), path
    # and the records of a figure are asked for without the report's texts
    figure = reported.get("/months/2024-11/figures/person_visits", role="reviewer")
    assert figure.status_code == 200


@pytest.mark.parametrize(("command", "action"), [
    (["report"], "read"), (["report", "--json"], "export"), (["report", "--docx", "{}"], "export"),
])
def test_a_command_that_reads_a_report_is_written_down(
    reported: Api, command: list[str], action: str, tmp_path: Path
) -> None:
    home = {"TAIZHANG_HOME": str(reported.services.settings.home)}
    asked = [word.format(tmp_path / "report.docx") for word in command]
    said = CliRunner().invoke(main, [*asked, "--month", "2024-11"], env=home)
    assert said.exit_code == 0, said.output
    (row,) = calls(reported)
    assert (row["route"], row["action"], subjects(row)) == ("taizhang report", action, {"month:2024-11"})


def test_figures_alone_read_nobody(reported: Api) -> None:
    home = {"TAIZHANG_HOME": str(reported.services.settings.home)}
    said = CliRunner().invoke(main, ["figures", "--month", "2024-11"], env=home)
    assert said.exit_code == 0, said.output
    assert calls(reported) == []


def test_nothing_opens_texts_to_show_them_but_a_reading() -> None:
    """Else somebody would read what no row says he read.

    Publishing freezes what it opens; the index of names answers ids (decision 0037).
    """
    root = Path(__file__).parents[2]
    opening = re.compile(r"vault\.(shown|opened|_open)\(|to_show=True")
    found = {
        str(path.relative_to(root))
        for folder in ("domain", "projections", "workers", "api")
        for path in (root / folder).rglob("*.py")
        if opening.search(path.read_text())
    }
    assert found == {
        "domain/vault.py", "api/reading.py", "workers/publishing.py", "api/name_index.py",
    }


# ---- the log itself, on both databases ----


@pytest.fixture
def log(ledger_url: str, tmp_path: Path) -> Any:
    url = ledger_url if ledger_url.startswith("postgresql") else f"sqlite:///{tmp_path}/a.sqlite3"
    log = AccessLog(url)
    yield log
    log.close()


def a_call(*about: str, day: int = 1, actor: str = "甲") -> Access:
    return Access(
        datetime(2024, 11, day, 1, tzinfo=UTC), actor, "lead", "st", f"r{day}", AccessAction.READ,
        "/x", about,
    )


def found(log: AccessLog, **asked: Any) -> list[str]:
    with log.questions() as connection:
        rows = accesses_of(connection, AccessQuery(**{"station": "st"} | asked))
    return [row.request_id for row in rows]


def test_calls_are_found_by_whom_they_were_about(log: AccessLog) -> None:
    log.append(a_call("household:h1", "person:p1", day=1))
    log.append(a_call("household:h2", day=2, actor="乙"))
    log.append(a_call(day=3))
    assert found(log) == ["r3", "r2", "r1"]
    assert found(log, subjects=("person:p1",)) == ["r1"]
    assert found(log, subjects=("household:h1", "person:p1")) == ["r1"]
    assert found(log, subjects=("household:h2", "person:p1")) == []
    assert found(log, actor="乙") == ["r2"]
    assert found(log, first=datetime(2024, 11, 2, tzinfo=UTC), until=datetime(2024, 11, 3, tzinfo=UTC)) == ["r2"]
    assert found(log, station="other") == []


def test_a_call_about_very_many_is_about_everybody(log: AccessLog) -> None:
    log.append(a_call(*(f"household:h{n}" for n in range(MOST_NAMED + 1))))
    assert found(log, subjects=("person:anybody",)) == ["r1"]
    with log.questions() as connection:
        (row,) = accesses_of(connection, AccessQuery(station="st"))
    assert (row.subjects, row.subject_count, row.is_whole_station) == ((), MOST_NAMED + 1, True)


@pytest.mark.parametrize("table", ["access_log", "access_subjects"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET station = 'x'", "DELETE FROM {}"])
def test_the_database_refuses_to_change_a_row(log: AccessLog, table: str, verb: str) -> None:
    log.append(a_call("household:h1"))
    assert found(log, subjects=("household:h1",)) == ["r1"]
    with pytest.raises(DBAPIError, match="append-only"), writing(log.engine) as connection:
        connection.exec_driver_sql(verb.format(table))
    assert found(log, subjects=("household:h1",)) == ["r1"]


def test_a_call_that_was_not_entered_before_the_end_is_found_by_the_next_process(log: AccessLog) -> None:
    log.append(a_call("household:h1", "person:p1"))
    log.close()
    other = AccessLog(url_of(log))
    other.append(a_call("person:p1", day=2))
    assert found(other, subjects=("person:p1",)) == ["r2", "r1"]
    other.close()


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from sqlalchemy import event
from api import access_index
from api.access_log import Access, AccessAction, AccessLog
access_index.QUIET_SECONDS = 600
log, calls, entered = AccessLog(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
for n in range(calls):
    of = ("household:h1", f"person:p{n}")
    log.append(Access(datetime.now(UTC), "甲", "lead", "st", f"r{n}", AccessAction.READ, "/x", of))
def kill(_connection):
    global entered
    if entered == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    entered -= 1
event.listen(log.engine, "commit", kill)
log._index.bring_up()
"""


@pytest.mark.parametrize("portions", [0, 1])
def test_nothing_is_lost_of_a_process_that_is_killed_between_its_calls_and_their_index(
    portions: int, tmp_path: Path
) -> None:
    """On SQLite; on PostgreSQL there is nothing between: both are one statement."""
    # given one that is killed while it enters calls, some of which are entered
    file, count = tmp_path / "a.sqlite3", AT_ONCE * 2 + 1
    command = [sys.executable, "-c", KILLED, f"sqlite:///{file}", str(count), str(portions)]
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=60).returncode == -signal.SIGKILL
    with contextlib.closing(sqlite3.connect(file)) as left:
        [calls] = left.execute("SELECT count(*) FROM access_log").fetchone()
        [entered] = left.execute("SELECT count(DISTINCT call) FROM access_subjects").fetchone()
        [upto] = left.execute("PRAGMA user_version").fetchone()
    assert (calls, entered, upto) == (count, portions * AT_ONCE, portions * AT_ONCE)
    # then the next process finds every call, once, by whomever it was about
    with contextlib.closing(AccessLog(f"sqlite:///{file}")) as log:
        assert found(log, subjects=("household:h1",)) == [f"r{n}" for n in reversed(range(count))]
        for n in range(count):
            assert found(log, subjects=(f"person:p{n}",)) == [f"r{n}"]


def test_more_calls_than_are_entered_at_once_are_all_found(log: AccessLog) -> None:
    for _call in range(AT_ONCE * 2 + 1):
        log.append(a_call("household:h1"))
    assert len(found(log, subjects=("household:h1",))) == AT_ONCE * 2 + 1


def test_a_file_whose_calls_were_entered_at_once_goes_on_after_them(log: AccessLog) -> None:
    """As it was before decision 0027; nothing is entered twice, and what follows is found."""
    log.append(a_call("household:h1"))
    assert found(log, subjects=("household:h1",)) == ["r1"]
    if log.engine.dialect.name == "sqlite":
        with writing(log.engine) as connection:
            connection.exec_driver_sql("PRAGMA user_version = 0")
    other = AccessLog(url_of(log))
    other.append(a_call("household:h1", day=2))
    assert found(other, subjects=("household:h1",)) == ["r2", "r1"]
    other.close()


def url_of(log: AccessLog) -> str:
    return str(log.engine.url.render_as_string(hide_password=False)).replace("+psycopg", "")


def test_opening_the_log_twice_keeps_it(log: AccessLog) -> None:
    log.append(a_call("household:h1"))
    other = AccessLog(url_of(log))
    assert found(other) == ["r1"]
    other.close()


def test_reading_does_not_wait_for_the_ledger_s_writer(api: Api) -> None:
    """On SQLite the log is a file of its own."""
    household = api.household()
    path = api.services.settings.database_url.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert api.get(f"households/{household}").status_code == 200
        assert time.monotonic() - began < 1
    assert len(calls(api)) == 1
