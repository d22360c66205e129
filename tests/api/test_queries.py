"""Do questions get the answers that were recorded, fresh enough and a page at a time?"""

from __future__ import annotations

from typing import Any

import pytest
from callers import HOUSEHOLD, VISIT, Api, refusal_of
from sqlalchemy import text


def figures(api: Api, month: str = "2024-11", **query: Any) -> dict[str, Any]:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    path = f"indicators/lixia-2024?station={api.station}&month={month}&{asked}"
    answer = api.get(path, role="reviewer")
    assert answer.status_code == 200, answer.text
    return {row["code"]: row for row in answer.get_json()["indicators"]}


def test_figures_are_answered_with_their_units(api: Api) -> None:
    for persons in (1, 2):
        api.recorded("visits", VISIT | {"persons_met": persons})
    api.project()
    row = figures(api)["person_visits"]
    assert (row["value"], row["unit"], row["label"]) == (3, "人次", "走访")
    assert figures(api, "2024-10")["person_visits"]["value"] == 0


def test_figures_as_of_a_day_and_as_known_at_a_moment(api: Api) -> None:
    first = api.recorded("visits", VISIT)["position"]
    api.recorded("visits", VISIT | {"occurred_on": "2024-11-20", "persons_met": 4})
    api.project()
    assert figures(api)["person_visits"]["value"] == 5
    assert figures(api, as_of="2024-11-19")["person_visits"]["value"] == 1
    assert figures(api, known_at=first)["person_visits"]["value"] == 1
    assert figures(api, known_at="2024-11-30")["person_visits"]["value"] == 0


def test_evidence_leads_from_a_figure_to_its_records(api: Api) -> None:
    visit = api.recorded("visits", VISIT)["id"]
    api.project()
    path = f"indicators/lixia-2024/person_visits/evidence?station={api.station}&month=2024-11"
    (row,) = api.get(path).get_json()["items"]
    assert (row["kind"], row["id"], row["amount"]) == ("visit", visit, 1)


# ---- reading one's own write ----


def test_a_read_waits_for_a_write_that_is_projected(api: Api) -> None:
    position = api.recorded("visits", VISIT)["position"]
    api.project()
    answer = api.get(f"visits?at_least={position}")
    assert len(answer.get_json()["items"]) == 1


@pytest.mark.slow
def test_a_read_that_waits_in_vain_is_told_when_to_try_again(api: Api) -> None:
    position = api.recorded("visits", VISIT)["position"]
    answer = api.get(f"visits?at_least={position}")
    refusal_of(answer, 503, "not_yet_projected")
    assert int(answer.headers["Retry-After"]) > 0


def test_nobody_waits_without_a_token(api: Api) -> None:
    assert api.get("/healthz?at_least=999999", role=None).status_code == 200


# ---- lists ----


def all_pages(api: Api, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for _page in range(20):
        answer = api.get(path)
        assert answer.status_code == 200, answer.text
        items += answer.get_json()["items"]
        if "Link" not in answer.headers:
            return items
        link, _, relation = answer.headers["Link"].partition("; ")
        assert relation == 'rel="next"'
        path = link.strip("<>")
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("sort", ["occurred_on", "-occurred_on"])
def test_pages_of_a_list_give_each_record_once_in_order(api: Api, sort: str) -> None:
    days = ["2024-11-05", "2024-11-03", "2024-11-05", "2024-11-05", "2024-11-30"]
    ids = {api.recorded("visits", VISIT | {"occurred_on": day})["id"] for day in days}
    api.project()
    items = all_pages(api, f"visits?limit=2&sort={sort}")
    found = [item["occurred_on"] for item in items]
    assert found == sorted(days, reverse=sort.startswith("-"))
    assert {item["id"] for item in items} == ids


@pytest.mark.parametrize("sort", ["household", "-community", "registered_on", "-file_number", "last_contact_on", "-last_contact_on"])
def test_pages_of_households_give_each_once(api: Api, sort: str) -> None:
    ids = [
        api.household(
            occurred_on=f"2024-07-0{1 + n % 3}", community="东西"[n % 2] + "路社区",
            **{"file_number": f"JC-{n}"} if n % 2 else {},
        )
        for n in range(6)
    ]
    for day, household in (("2024-11-05", ids[1]), ("2024-11-04", ids[2]), ("2024-11-06", ids[5])):
        api.recorded("visits", VISIT | {"occurred_on": day, "household": household})
    api.recorded("merges/households/proposals", {
        "occurred_on": "2024-12-02", "merged": ids[5], "survivor": ids[4], "reason": "重复建档"})
    approval = {"occurred_on": "2024-12-02", "entry": 1}
    api.recorded("merges/households/approvals", approval, role="lead")
    api.project()
    items = all_pages(api, f"households?limit=2&sort={sort}")
    assert sorted(item["household"] for item in items) == sorted(ids[:5])
    said = [item[sort.removeprefix("-")] for item in items]
    there = [one for one in said if one is not None]
    assert said[:len(there)] == sorted(there, reverse=sort.startswith("-"))  # the others stand last
    if sort == "-last_contact_on":  # whoever was merged into it was met
        assert (items[0]["household"], len(there)) == (ids[4], 3)


def test_a_list_is_filtered(api: Api) -> None:
    household = api.household()
    mine = api.recorded("visits", VISIT | {"household": household, "persons": ["p1"]})["id"]
    api.recorded("visits", VISIT | {"occurred_on": "2024-12-01"})
    api.project()

    def found(query: str) -> list[str]:
        return [item["id"] for item in api.get(f"visits?{query}").get_json()["items"]]

    assert found(f"household={household}") == [mine]
    assert found("person=p1") == [mine]
    assert found("from=2024-11-01&to=2024-11-30") == [mine]
    assert found("status=voided") == []


def test_a_cursor_of_another_list_is_refused(api: Api) -> None:
    for _n in range(3):
        api.household()
    api.project()
    cursor = api.get("households?limit=1").get_json()["next_cursor"]
    for path in (f"visits?cursor={cursor}", f"households?sort=registered_on&cursor={cursor}"):
        refusal_of(api.get(path), 400, "bad_cursor")


# ---- households ----


def test_the_status_of_a_household_and_its_timeline(api: Api) -> None:
    household = api.household()
    grant = {
        "occurred_on": "2024-08-01", "unit": "u1", "category": "dibao", "covered": ["p1"],
    }
    api.recorded(f"households/{household}/assistance", grant)
    api.recorded("visits", VISIT | {"household": household})
    api.project()
    status = api.get(f"households/{household}/status").get_json()
    assert status["household"]["category"] == "dibao"
    assert status["household"]["last_contact_on"] == "2024-11-05"
    assert status["members"][0]["person"] == "p1"
    topics = [i["topic"] for i in all_pages(api, f"timelines/household/{household}?limit=1")]
    assert topics == ["visit.recorded", "assistance.assigned", "household.registered"]


def test_lists_and_timelines_hold_nothing_personal(api: Api) -> None:
    secret = "测试私密备注"
    household = api.household(note=secret)
    api.recorded("visits", VISIT | {"household": household, "note": secret})
    api.project()
    for path in ("visits", f"timelines/household/{household}", "households/records"):
        answer = api.get(path)
        assert answer.get_json()["items"], path
        assert secret not in answer.text
        assert HOUSEHOLD["members"][0]["name"] not in answer.text


# ---- reports and operations ----


def test_a_month_s_report(api: Api) -> None:
    api.recorded("months/2024-11/reflections", {"occurred_on": "2024-11-30", "text": "反思一"},
                 role="lead")
    api.project()
    report = api.get("reports/2024-11").get_json()
    assert [section["number"] for section in report["sections"]] == list("一二三四五六七")
    assert "反思一" in str(report["sections"][5])


def test_health_needs_nothing_and_readiness_names_each_part(api: Api) -> None:
    assert api.get("/healthz", role=None).get_json() == {"status": "ok"}
    ready = api.get("/readyz", role=None)
    assert ready.status_code == 200
    checks = {check["name"]: check for check in ready.get_json()["checks"]}
    assert set(checks) >= {"ledger", "read_models", "redis"}
    assert not checks["redis"]["ok"]
    assert not checks["redis"]["is_needed"]


def test_metrics_tell_the_head_the_lag_and_request_times(api: Api) -> None:
    api.recorded("visits", VISIT)
    api.project()
    api.recorded("visits", VISIT)
    metrics = api.get("/metrics", role=None).text
    assert f"taizhang_log_head {float(api.head())}" in metrics
    assert 'taizhang_projection_lag{projection="timeline"} 1.0' in metrics
    assert 'route="/api/v1/visits"' in metrics


def test_an_unexpected_error_tells_nothing_of_its_inside(api: Api) -> None:
    with api.services.read_models.engine.begin() as connection:
        connection.execute(text("DROP VIEW records"))
        connection.execute(text("CREATE VIEW records AS SELECT 'secret' AS inside"))
    answer = api.get("visits")
    assert answer.status_code in {500, 503}
    assert answer.content_type == "application/problem+json"
    assert answer.get_json()["request_id"]
    for word in ("secret", "SELECT", "sqlite", "Traceback", "records"):
        assert word not in answer.text


def test_a_mistyped_filter_is_refused(api: Api) -> None:
    refusal_of(api.get("visits?houshold=h1"), 422, "unknown_field")
