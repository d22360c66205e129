"""Who may evaluate and see score sheets over HTTP, and what does a what-if answer?"""

from __future__ import annotations

import html
import io
import re
import zipfile
from datetime import date
from typing import Any

import msgspec
import pytest
from callers import VISIT, Api, form_of, refusal_of
from desk import NOW, STATION, Desk
from docx import Document
from werkzeug.test import TestResponse

from api import evaluations
from api.pages import evaluation as evaluation_pages
from domain.publication import short_code
from domain.task_book import TaskBookApproved, TaskBookDrafted, TaskBookSubmitted, TaskIndicator
from domain.visit import VisitRecorded
from domain.vocabulary import Unit
from projections.evaluation.evaluating import Question
from workers.evaluating import Workshop, run_evaluation

CYCLE = "2024-2025"
TRAININGS = {
    "code": "volunteer_trainings_delivered", "label": "培训", "label_en": "Trainings",
    "unit": "times", "measure": "training.delivered",
    "plus": [{"measure": "training.received"}],
}


@pytest.fixture
def evaluated(api: Api) -> Api:
    """A station with a training of each kind and one recorded evaluation."""
    trained = {"occurred_on": "2024-11-06", "title": "培训"}
    api.recorded("trainings-delivered", trained | {"audience": "volunteers"})
    api.recorded("trainings-received", trained)
    found = api.services
    context = Desk(found.ledger).context(NOW, actor="评审", role="reviewer", idempotency_key="e1")
    shop = Workshop(found.settings, found.ledger, found.read_models)
    run_evaluation(shop, "e1", Question(CYCLE), context)
    api.project()
    return api


@pytest.mark.parametrize(
    ("role", "status"),
    [
        ("lead", 200), ("supervisor", 200), ("reviewer", 200), ("hub", 200),
        ("social_worker", 403), ("volunteer_coordinator", 403), ("administrator", 403),
    ],
)
def test_who_may_read_a_score_sheet(evaluated: Api, role: str, status: int) -> None:
    assert evaluated.get("evaluations/e1/sheet", role=role).status_code == status
    answer = evaluated.post("evaluations/what-if", {}, role=role)
    assert answer.status_code == (403 if status == 403 else 422)


@pytest.mark.parametrize(
    ("role", "status"), [("lead", 503), ("reviewer", 503), ("hub", 503), ("supervisor", 403)]
)
def test_who_may_run_an_evaluation_and_that_it_needs_workers(
    api: Api, role: str, status: int
) -> None:
    answer = api.post("evaluations", {"cycle": CYCLE}, role=role)
    assert answer.status_code == status


def test_who_reads_no_cases_sees_figures_and_counts_but_no_single_record(evaluated: Api) -> None:
    desk = Desk(evaluated.services.ledger)
    visit = VisitRecorded(mode="home", purpose="routine", persons_met=1)
    desk.record("late-one", visit, "2024-08-20", now=NOW)
    found = evaluated.services
    shop = Workshop(found.settings, found.ledger, found.read_models)
    who = desk.context(NOW, actor="评审", role="reviewer", idempotency_key="e2")
    run_evaluation(shop, "e2", Question(CYCLE), who)
    whole = evaluated.get("evaluations/e2/sheet", role="reviewer").get_json()
    assert "late-one" in str(whole["signals"])
    counted = evaluated.get("evaluations/e2/sheet", role="hub").get_json()
    assert "late-one" not in str(counted)
    assert (counted["signal_count"], counted["code"]) == (len(whole["signals"]), whole["code"])
    assert counted["totals"] == whole["totals"]
    for role, is_named in (("reviewer", False), ("hub", True)):
        page = evaluated.get("/evaluations/runs/e2", role=role).text
        assert (f"共 {whole['signal_count']} 处，不逐条列出" in page) is is_named
    # and on paper the counts stand where the records would, and never that there are none
    path = "evaluations/e2/sheet/docx"
    for role, is_named in (("reviewer", True), ("hub", False)):
        document = Document(io.BytesIO(evaluated.get(path, role=role).data))
        cells = [c.text for table in document.tables for r in table.rows for c in r.cells]
        texts = [paragraph.text for paragraph in document.paragraphs]
        signs = next(text for text in texts if text.startswith("看上去不寻常的地方"))
        assert f"共 {whole['signal_count']} 项" in signs
        assert (f"共 {whole['signal_count']} 处，不逐条列出" in cells) is not is_named


def test_replays_within_requests_are_few_at_once(
    evaluated: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluations, "PATIENCE_SECONDS", 0.01)
    body = {"cycle": CYCLE, "definitions": [TRAININGS]}
    with evaluations.turn(), evaluations.turn():
        refused = evaluated.post("evaluations/what-if", body, role="reviewer")
        refusal_of(refused, 503, "too_many_at_once")
        assert int(refused.headers["Retry-After"]) > 0
        page = evaluated.browser("lead").get(f"/evaluations/{CYCLE}")
        assert (page.status_code, page.mimetype) == (503, "text/html")
        assert int(page.headers["Retry-After"]) > 0
        assert "请求编号" in page.text
    assert evaluated.post("evaluations/what-if", body, role="reviewer").status_code == 200


def test_a_run_is_told_from_the_log_also_without_redis(evaluated: Api) -> None:
    state = evaluated.get("evaluations/e1", role="reviewer").get_json()
    assert (state["done"], state["total"]) == (1, 1)
    (station,) = state["stations"]
    assert (station["station"], station["status"]) == (STATION, "finished")
    sheet = evaluated.get("evaluations/e1/sheet", role="reviewer").get_json()
    assert sheet["code"] == station["run"]["code"]
    assert [head["label"] for head in sheet["heads"]] == [
        "行政管理", "财务管理", "服务执行与产出", "社会评价", "宣传创新",
    ]
    (listed,) = evaluated.get("evaluations", role="reviewer").get_json()["items"]
    assert (listed["id"], listed["code"]) == ("e1", sheet["code"])


def test_runs_are_listed_a_page_at_a_time_the_newest_first(
    evaluated: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = evaluated.services
    shop = Workshop(found.settings, found.ledger, found.read_models)
    for name in ("e2", "e3"):  # at the very same time
        who = Desk(found.ledger).context(NOW, actor="评审", role="reviewer", idempotency_key=name)
        run_evaluation(shop, name, Question(CYCLE), who)
    evaluated.project()
    listed, path = list[str](), "evaluations?limit=1"
    while path:
        answer = evaluated.get(path, role="reviewer").get_json()
        listed += [run["id"] for run in answer["items"]]
        cursor = answer["next_cursor"]
        path = cursor and f"evaluations?limit=1&cursor={cursor}"
    assert listed == ["e3", "e2", "e1"]
    monkeypatch.setattr(evaluation_pages, "RUNS", 2)
    page = evaluated.get("/evaluations", role="reviewer").text
    older = re.search(r'href="([^"]*cursor=[^"]*)"', page)
    assert older
    assert "/evaluations/runs/e1" not in page
    assert "/evaluations/runs/e1" in evaluated.get(older[1], role="reviewer").text


def test_another_station_s_run_is_nobody_s_here(evaluated: Api) -> None:
    refusal_of(
        evaluated.get("evaluations/e1?station=other", role="reviewer"), 403, "other_station"
    )
    refusal_of(evaluated.get("evaluations/e2", role="reviewer"), 404, "unknown_record")
    refusal_of(evaluated.get("evaluations/e2/sheet", role="reviewer"), 404, "unknown_record")


def test_another_rule_is_counted_beside_and_nothing_is_stored(evaluated: Api) -> None:
    head = evaluated.head()
    body = {"cycle": CYCLE, "definitions": [TRAININGS]}
    found = evaluated.post("evaluations/what-if", body, role="reviewer").get_json()
    november = [f for f in found["figures"] if f["where"] == "2024-11"]
    assert [(f["code"], f["replayed"], f["other"]) for f in november] == [
        ("volunteer_trainings_delivered", "1", "2")
    ]
    assert found["what_if"]["what_if"] == ["volunteer_trainings_delivered"]
    assert evaluated.head() == head


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"cycle": CYCLE}, 422, "nothing_to_compare"),
        ({"cycle": "2024", "definitions": [TRAININGS]}, 400, "bad_cycle"),
        ({"cycle": CYCLE, "what_if_known_at": "0"}, 404, "unknown_station"),
        ({"cycle": CYCLE, "definitions": [TRAININGS], "known_at": "x"}, 400, "bad_known_at"),
        ({"cycle": CYCLE, "what_if_known_at": "999999"}, 400, "known_at_ahead"),
        (
            {"cycle": CYCLE, "definitions": [TRAININGS | {"measure": "dragons.slain"}]}, 422,
            "bad_indicator",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(
    evaluated: Api, body: dict[str, Any], status: int, code: str
) -> None:
    refusal_of(evaluated.post("evaluations/what-if", body, role="reviewer"), status, code)


def test_the_pages_show_the_sheet_a_run_and_a_what_if(evaluated: Api) -> None:
    for path, said in (
        ("/evaluations", "历次评估"), (f"/evaluations/{CYCLE}", "没有已审定的任务书"),
        ("/evaluations/runs/e1", "已记入台账"), (f"/evaluations/{CYCLE}/what-if", "并列试算"),
    ):
        answer = evaluated.get(path, role="lead")
        assert answer.status_code == 200, path
        assert said in answer.text
    assert evaluated.get("/evaluations", role="social_worker").status_code == 403


def test_a_target_a_definition_and_a_day_are_tried_by_a_form_beside_what_is(
    evaluated: Api,
) -> None:
    approve(evaluated, CYCLE, date(2024, 7, 1), date(2025, 6, 30))
    household = evaluated.household()
    for day, mode in (("2024-11-05", "home"), ("2024-11-06", "phone")):
        visit = VISIT | {"occurred_on": day, "household": household, "mode": mode, "persons_met": 2}
        evaluated.recorded("visits", visit)
    evaluated.project()
    head, page = evaluated.head(), f"/evaluations/{CYCLE}/what-if"
    browser = evaluated.browser("reviewer")
    form = browser.get(f"{page}?indicator=person_visits")
    assert 'name="target" value="8"' in form.text
    typed = {"indicator": "person_visits", "measure": "visit.persons", "over": "period"}
    typed |= form_of(form)

    def tried(**answers: str) -> TestResponse:
        dotted = {name.replace("__", "."): value for name, value in answers.items()}
        return browser.post(page, data=typed | dotted)

    told = tried(target="2", weight="60", filter__mode="home")
    assert told.status_code == 200, told.text
    cells = re.findall(r'data-label="([^"]+)">(?:<a href="([^"]+)">)?([^<]+)', told.text)
    said = {label: text for label, _link, text in reversed(cells)}
    assert (said["现行完成"], said["试算完成"], said["完成之差"]) == ("4", "2", "-2")
    assert (said["现行得分"], said["试算得分"]) == ("30", "60")
    # and each figure leads to its list, counted as the sheet counts it
    for label, link, figure in cells:
        if label in {"现行完成", "试算完成"}:
            assert f"：{figure} 人次" in browser.get(html.unescape(link)).text
    # what cannot be is said at its field, with what was typed
    wrong = tried(target="许多", filter__mode="phone")
    assert wrong.status_code == 422
    assert 'value="许多" inputmode="numeric"' in wrong.text
    assert 'id="wrong-target"' in wrong.text
    assert re.search(r'value="phone" checked', wrong.text)
    assert re.search(r'wrong-measure">[^<]*不符', tried(measure="training.received").text)
    assert evaluated.head() == head


def test_the_form_begins_with_the_book_that_the_sheet_scores(api: Api) -> None:
    # of two books of a cycle the one that was drafted first is approved last
    scored, newest = (_drafted(api, target, day) for target, day in ((111, "01"), (222, "03")))
    heads = []
    for book in (newest, scored):
        api.recorded(f"task-books/{book}/submission", {"occurred_on": "2024-07-05"}, role="lead")
        api.recorded(f"task-books/{book}/approval", {"occurred_on": "2024-07-06"}, role="reviewer")
        heads.append(api.head())
    api.project()
    browser, page = api.browser("lead"), f"/evaluations/{CYCLE}/what-if"
    assert "任务书111" in browser.get(f"/evaluations/{CYCLE}").text
    form = browser.get(f"{page}?indicator=person_visits")
    assert 'name="target" value="111"' in form.text
    earlier = browser.get(f"{page}?indicator=person_visits&known_at={heads[0]}")
    assert 'name="target" value="222"' in earlier.text
    assert 'name="target" value="111"' in browser.get(f"{page}?indicator=person_visits&known_at=x").text
    tried = browser.post(page, data=form_of(form) | {"target": "222"})
    assert re.search(r"111\s*→\s*222", re.sub("<[^>]+>", "", tried.text))
    # what is as it was is refused in the words of the form
    same = browser.post(page, data=form_of(form))
    assert same.status_code == 422
    assert "填的与现行的一样" in same.text
    assert "what_if_known_at）" not in same.text


def _drafted(api: Api, target: int, day: str) -> str:
    visits = {"indicator": "person_visits", "label": "走访", "unit": "person_times", "weight": 20}
    return str(api.recorded("task-books", {
        "occurred_on": f"2024-07-{day}", "title": f"任务书{target}", "cycle": CYCLE,
        "first_on": "2024-07-01", "last_on": "2025-06-30", "indicators": [visits | {"target": target}],
    }, role="lead")["id"])


def test_another_target_is_tried_over_the_api_where_the_task_book_has_it(evaluated: Api) -> None:
    body = {"cycle": CYCLE, "targets": [{"indicator": "person_visits", "target": 2}]}
    path = "evaluations/what-if"
    refusal_of(evaluated.post(path, body, role="reviewer"), 422, "bad_target")
    approve(evaluated, CYCLE, date(2024, 7, 1), date(2025, 6, 30))
    found = evaluated.post(path, body, role="reviewer").get_json()
    assert [(row["target"], row["other_target"]) for row in found["rows"]] == [(8, 2)]
    assert found["what_if"]["what_if"] == ["person_visits"]
    unknown = body | {"targets": [{"indicator": "dragons", "weight": 5}]}
    refusal_of(evaluated.post(path, unknown, role="reviewer"), 422, "bad_target")


def test_what_is_wrong_with_the_shape_of_a_definition_is_said_in_chinese(evaluated: Api) -> None:
    for wrong in ({"filter": {"kind": 3}}, {"filter": {"kind": []}}, {"filter": {"kind": [""]}}):
        body = {"cycle": CYCLE, "definitions": [TRAININGS | wrong]}
        answer = evaluated.post("evaluations/what-if", body, role="reviewer")
        said = refusal_of(answer, 422, "wrong_form")
        assert not re.search(r"Expected|length|got", said["detail"])
        assert "/filter" in said["detail"]


def test_a_sheet_that_was_made_again_says_what_was_found_when_it_was_recorded(
    evaluated: Api,
) -> None:
    (file,) = (evaluated.services.settings.home / "evaluations").iterdir()
    kept, _, _end = file.read_bytes().rpartition(b'"projected":[]')
    assert kept
    # given a file in which somebody has written another comparison
    invented = {"where": "", "code": "", "label": "虚构", "replayed": "1", "other": "2"}
    file.write_bytes(kept + b'"projected":[' + msgspec.json.encode(invented) + b"]}")
    page = evaluated.get("/evaluations/runs/e1", role="reviewer").text
    assert "虚构" not in page
    assert "登记时与统计逐月逐项比对：完全一致" in page


def approve(api: Api, cycle: str, first: date, last: date) -> None:
    """Have a task book of a cycle approved."""
    desk = Desk(api.services.ledger)
    visits = TaskIndicator(
        indicator="person_visits", label="走访", unit=Unit.PERSON_TIMES, target=8, weight=60
    )
    drafted = TaskBookDrafted(
        title="任务书", cycle=cycle, indicators=(visits,), first_on=first, last_on=last
    )
    desk.record("b1", drafted, "2024-07-02", role="lead")
    desk.record("b1", TaskBookSubmitted(), "2024-07-03", role="lead")
    desk.record("b1", TaskBookApproved(), "2024-07-05", actor="局", role="reviewer")
    api.project()


def test_a_task_book_s_own_cycle_is_asked_for_by_its_name(evaluated: Api) -> None:
    what_if = {"cycle": "2024", "definitions": [TRAININGS]}
    refusal_of(evaluated.post("evaluations/what-if", what_if, role="reviewer"), 400, "bad_cycle")
    approve(evaluated, "2024", date(2024, 1, 1), date(2024, 12, 31))
    found = evaluated.post("evaluations/what-if", what_if, role="reviewer").get_json()
    assert [row["code"] for row in found["rows"]] == ["person_visits"]
    assert "周期 2024-01-01 至 2024-12-31" in evaluated.get("/evaluations/2024", role="lead").text
    form = evaluated.get("/evaluations/2024/what-if", role="lead")
    assert form.status_code == 200
    # what the sheet of another cycle does not score stands on it, wherever it is read
    other = f"/evaluations/{CYCLE}"
    assert "周期 2024，" in evaluated.get(other, role="lead").text
    for file in ("docx", "xlsx"):
        with zipfile.ZipFile(io.BytesIO(evaluated.get(f"{other}/{file}", role="lead").data)) as z:
            text = b"".join(z.read(name) for name in z.namelist() if name.endswith(".xml"))
        assert "未在本表计分：《任务书》" in text.decode(errors="replace")


def test_a_mid_term_sheet_has_a_column_for_every_month_of_the_cycle(evaluated: Api) -> None:
    approve(evaluated, CYCLE, date(2024, 7, 1), date(2025, 6, 30))
    page = evaluated.get(f"/evaluations/{CYCLE}?as_of=2024-12-31", role="hub").text
    by_month = page.partition("<h2>分月</h2>")[2].partition("</table>")[0]
    assert by_month.count('<th scope="col" class="number">') == 12
    assert by_month.count('<td class="number">') == 12
    assert "截至 2024-12-31" in page


def test_a_sheet_that_is_not_recorded_has_its_code_its_comparison_and_its_files(
    evaluated: Api,
) -> None:
    evaluated.recorded("trainings-received", {"occurred_on": "2024-11-07", "title": "培训"})
    evaluated.project()
    page = evaluated.get(f"/evaluations/{CYCLE}", role="reviewer").text
    code = sha256_in(page)
    assert "此后有变动，下表未记入台账" in page
    assert "与统计逐月逐项比对：完全一致" in page
    # November was never published, and is not called the same as anything
    unpublished = page.partition("<h2>与已发布的报告对照</h2>")[2].partition("</table>")[0]
    assert re.findall(r'<td class="day">(2\d{3}-\d\d)</td>', unpublished) == ["2024-11"]
    assert "志愿者培训 1次" in unpublished
    for name, folder in (("docx", "word/document"), ("xlsx", "xl/worksheets/")):
        answer = evaluated.get(f"/evaluations/{CYCLE}/{name}", role="reviewer")
        file = zipfile.ZipFile(io.BytesIO(answer.data))
        said = "".join(file.read(n).decode() for n in file.namelist() if n.startswith(folder))
        assert short_code(code) in said
        assert "未发布，无可比较" in said
    # what the read models have not come to yet is not compared, and said not to be
    evaluated.recorded("trainings-received", {"occurred_on": "2024-11-08", "title": "学习"})
    assert "没有比对" in evaluated.get(f"/evaluations/{CYCLE}", role="reviewer").text
    assert evaluated.get("/evaluations/2099-2100", role="reviewer").status_code == 404


@pytest.mark.parametrize("role", ["lead", "reviewer", "hub"])
def test_a_sheet_that_is_recorded_as_it_stands_is_not_called_unrecorded(
    evaluated: Api, role: str
) -> None:
    page = evaluated.get(f"/evaluations/{CYCLE}", role=role).text
    recorded = evaluated.get("evaluations/e1/sheet", role=role).get_json()
    assert "未记入台账" not in page
    assert "最近一次记入台账" in page
    assert '/evaluations/runs/e1"' in page
    assert sha256_in(page) == recorded["code"]
    assert "确认，记入台账" in page
    # of another moment another sheet is asked
    other = evaluated.get(f"/evaluations/{CYCLE}?known_at=2024-11-01", role=role).text
    assert "下表未记入台账" in other


def sha256_in(page: str) -> str:
    [code] = re.findall(r"\b[0-9a-f]{64}\b", page)
    return code
