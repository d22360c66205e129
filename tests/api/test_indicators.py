"""Can definitions be previewed, defined and revised over HTTP, and a task book followed?"""

from __future__ import annotations

from typing import Any

import pytest
from callers import VISIT, Api, form_of, refusal_of
from werkzeug.test import TestResponse

from api.identity import issue_token

TRAININGS: dict[str, Any] = {
    "code": "trainings_received", "label": "培训", "label_en": "Trainings", "unit": "times",
    "measure": "training.delivered", "plus": [{"measure": "training.received"}],
}
DEFINED = {
    "occurred_on": "2024-11-20", "indicator_set": "lixia-2024", "indicator": TRAININGS,
    "valid_from": "2024-12-01",
}
LEAD = {"role": "lead"}


@pytest.fixture
def trained(api: Api) -> Api:
    delivered = {"occurred_on": "2024-11-12", "title": "急救", "audience": "volunteers"}
    api.recorded("trainings-delivered", delivered)
    api.recorded("trainings-received", {"occurred_on": "2024-11-28", "title": "个案"})
    api.project()
    return api


def preview(api: Api, *definitions: dict[str, Any], **more: Any) -> Any:
    body = {"definitions": list(definitions), "period": "2024-11"} | more
    return api.post("indicators/preview", body, role="reviewer")


def value(api: Api, code: str, month: str = "2024-11", query: str = "") -> Any:
    found = api.get(f"indicators/lixia-2024?month={month}{query}").get_json()
    return next(row["value"] for row in found["indicators"] if row["code"] == code)


def test_what_if_trainings_were_counted_together(trained: Api) -> None:
    head = trained.head()
    (row,) = preview(trained, TRAININGS).get_json()["indicators"]
    assert (row["asked"]["value"], row["valid"]["value"]) == (2, 1)
    assert trained.head() == head
    assert value(trained, "trainings_received") == 1


def test_a_preview_names_the_place_of_a_fault(trained: Api) -> None:
    for changes, where in (
        ({"measure": "no.such"}, "/definitions/1/measure"),
        ({"plus": [{"measure": "training.received", "filter": {"mode": "x"}}]},
         "/definitions/1/plus/0/filter/mode"),
        ({"part_of": "no_such"}, "/definitions/1/part_of"),
        ({"code": "other"}, "/definitions/1/code"),
    ):
        faulty = TRAININGS | {"code": "again"} | changes
        refused = preview(trained, TRAININGS | {"code": "other"}, faulty)
        assert refusal_of(refused, 422, "bad_indicator")["facts"]["where"] == where
    refusal_of(preview(trained, TRAININGS, period="gestern"), 400, "bad_period")


def test_a_station_defines_and_revises_what_it_counts(trained: Api) -> None:
    path = "indicator-definitions/trainings_received"
    refusal_of(trained.post(path, DEFINED), 403, "not_allowed")
    trained.recorded(path, DEFINED, **LEAD)
    trained.recorded("trainings-received", {"occurred_on": "2024-12-02", "title": "个案"})
    revised = {
        "occurred_on": "2024-12-03", "valid_from": "2025-01-01", "because": "区局调整",
        "indicator": TRAININGS | {"plus": []},
    }
    trained.recorded(f"{path}/revisions", revised, **LEAD)
    trained.project()
    assert value(trained, "trainings_received") == 1
    assert value(trained, "trainings_received", query="&version=2") == 2
    assert value(trained, "trainings_received", "2024-12") == 1
    found = trained.get("indicators/lixia-2024/versions").get_json()["items"]
    assert [(v["version"], v["valid_from"]) for v in found] == [
        (1, "2024-01-01"), (2, "2024-12-01"), (3, "2025-01-01"),
    ]
    unknown = trained.get("indicators/lixia-2024?month=2024-11&version=9")
    refusal_of(unknown, 404, "unknown_indicator_version")


def test_a_definition_that_cannot_be_counted_is_not_recorded(api: Api) -> None:
    head = api.head()
    for changes, where in (
        ({"unit": "household"}, "/indicator/unit"),
        ({"part_of": "no_such"}, "/indicator/part_of"),
        ({"aggregation": "at_end"}, "/indicator/aggregation"),
    ):
        body = DEFINED | {"indicator": TRAININGS | changes}
        refused = api.post("indicator-definitions/trainings_received", body, **LEAD)
        assert refusal_of(refused, 422, "bad_indicator")["facts"]["where"] == where
    other = api.post("indicator-definitions/other", DEFINED, **LEAD)
    assert refusal_of(other, 422, "bad_indicator")["facts"]["where"] == "/indicator/code"
    assert api.head() == head


@pytest.mark.parametrize("code", ["other_households", "person_visits"])
def test_the_evidence_page_says_by_what_is_counted(api: Api, code: str) -> None:
    assert api.get(f"/months/2024-11/figures/{code}").status_code == 200


def test_the_evidence_page_of_a_defined_row_says_its_whole_rule(trained: Api) -> None:
    body = DEFINED | {"valid_from": "2024-11-01"}
    trained.recorded("indicator-definitions/trainings_received", body, **LEAD)
    trained.project()
    page = trained.get("/months/2024-11/figures/trainings_received").text
    assert "计量：开展培训" in page
    assert "加：接受培训" in page
    assert "由以下 2 条分录得出" in page


# ---- the task book ----

BOOK = {
    "occurred_on": "2024-07-02", "title": "任务书", "cycle": "2024-2025",
    "first_on": "2024-07-01", "last_on": "2025-06-30",
    "indicators": [
        {
            "indicator": "person_visits", "label": "走访", "unit": "person_times", "target": 10,
            "weight": 20, "scoring": {"kind": "all_or_nothing"},
        },
    ],
}


def submitted(api: Api) -> str:
    book = str(api.recorded("task-books", BOOK, **LEAD)["id"])
    api.recorded(f"task-books/{book}/submission", {"occurred_on": "2024-07-03"}, **LEAD)
    return book


def test_a_task_book_is_approved_by_the_bureau_and_not_by_who_submitted_it(api: Api) -> None:
    book, approval = submitted(api), {"occurred_on": "2024-07-05", "approver": "区民政局"}
    path = f"task-books/{book}/approval"
    refusal_of(api.post(path, approval, **LEAD), 403, "second_person_needed")
    refusal_of(api.post(path, approval), 403, "not_allowed")
    api.recorded(path, approval, role="reviewer")
    assert api.get(f"task-books/{book}/progress").get_json()["status"] == "approved"


def test_another_lead_does_not_change_what_was_approved(api: Api) -> None:
    book, token = submitted(api), issue_token(api.services.tokens, "lead-2", "lead", api.station, 1)
    api.recorded(f"task-books/{book}/approval", {"occurred_on": "2024-07-05"}, role="reviewer")
    changed = BOOK | {"reason": "填错了", "indicators": [BOOK["indicators"][0] | {"target": 1}]}

    def keep(method: str, entry: str, body: Any, version: int) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}", "If-Match": f'"{version}"'}
        path = f"task-books/{book}/entries/{entry}"
        return api.call(method, path, body, role=None, headers=headers)

    refusal_of(keep("PUT", "1/drafted", changed, 3), 409, "entry_settled")
    refusal_of(keep("DELETE", "2", {"reason": "填错了"}, 3), 409, "entry_settled")
    assert keep("DELETE", "3", {"reason": "审定有误"}, 3).status_code == 201
    refusal_of(keep("PUT", "1/drafted", changed, 4), 409, "entry_settled")
    again = keep("POST", "3/reinstatement", {"reason": "误作废"}, 4)
    refusal_of(again, 409, "not_settled_again")


def test_a_hub_approves_at_the_station_that_it_names(api: Api) -> None:
    path = f"task-books/{submitted(api)}/approval?station={api.station}"
    api.recorded(path, {"occurred_on": "2024-07-05"}, role="hub", station="*")


def test_progress_is_given_as_data_and_as_a_page(api: Api) -> None:
    book = submitted(api)
    api.recorded("visits", VISIT | {"persons_met": 10})
    api.project()
    found = api.get(f"task-books/{book}/progress?as_of=2024-11-30").get_json()
    (row,) = found["indicators"]
    assert (row["actual"]["value"], row["points"], row["light"]) == (10, 20.0, "green")
    assert (row["expected"], row["forecast"]) == (4, 24)
    assert row["months"][4] == {"month": "2024-11", "planned": 0.82, "actual": 10}
    page = api.get(f"/task-books/{book}?as_of=2024-11-30")
    assert page.status_code == 200
    for said in ("不少于 10", "24", "服务执行与产出", "20 / 20", "正常", "2025-06"):
        assert said in page.text
    assert f"/task-books/{book}" in api.get("/task-books").text


def test_each_step_of_a_task_book_is_a_button_for_whoever_may_take_it(api: Api) -> None:
    book = str(api.recorded("task-books", BOOK, **LEAD)["id"])
    api.recorded("visits", VISIT | {"persons_met": 10})
    api.project()
    for role, topic in (("lead", "task_book.submitted"), ("reviewer", "task_book.approved")):
        browser, href = api.browser(role), f"/record/{topic}?subject={book}"
        other = api.browser("reviewer" if role == "lead" else "lead").get(f"/task-books/{book}")
        assert href not in other.text
        assert href in browser.get(f"/task-books/{book}").text
        form = form_of(browser.get(href), subject=book, occurred_on="2024-07-05")
        done = browser.post(href.partition("?")[0], data=form)
        assert done.location.startswith(f"/task-books/{book}?recorded=")
        api.project()
    listed = api.browser("lead").get("/task-books").text
    for said in ("已审定", "<strong>20</strong> / 20", "正常 1", "/record/task_book.drafted"):
        assert said in listed
    assert "/record/" not in api.browser("hub", "*").get(f"/task-books?station={api.station}").text


def test_an_unknown_task_book_has_no_progress(api: Api) -> None:
    refusal_of(api.get("task-books/nowhere/progress"), 404, "unknown_record")
    assert api.get("/task-books/nowhere").status_code == 404
