"""Is what is recorded over HTTP kept, corrected and shown as it should be?"""

from __future__ import annotations

from typing import Any

import pytest
from callers import VISIT, Api, refusal_of
from sqlalchemy import text

from domain import catalog
from domain.kernel import KIND_OF_TOPIC


def test_a_visit_is_recorded_and_read_back(api: Api) -> None:
    household = api.household()
    answer = api.post("visits", VISIT | {"household": household, "minutes": 30})
    body = answer.get_json()
    assert answer.status_code == 201
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Location"] == f"/api/v1/visits/{body['id']}"
    assert body["position"] == api.head()
    assert body["recorded_at"].endswith("+08:00")
    assert body["data"]["community"] == "东路社区"
    shown = api.get(answer.headers["Location"]).get_json()
    assert shown["entries"][0]["data"] == body["data"]
    assert shown["entries"][0]["actor"] == "social_worker-1"


def test_an_instant_belongs_to_the_day_of_the_station(api: Api) -> None:
    visit = {name: value for name, value in VISIT.items() if name != "occurred_on"}
    body = api.recorded("visits", visit | {"occurred_at": "2024-11-30T16:30:00Z"})
    assert body["occurred"]["on"] == "2024-12-01"


def test_a_range_says_that_it_is_one(api: Api) -> None:
    body = api.recorded("visits", VISIT | {"occurred_until": "2024-11-07"})
    assert (body["occurred"]["until"], body["occurred"]["precision"]) == ("2024-11-07", "range")


def test_a_record_unchanged_is_not_sent_again(api: Api) -> None:
    visit = api.recorded("visits", VISIT)["id"]
    tag = api.get(f"visits/{visit}").headers["ETag"]
    again = api.get(f"visits/{visit}", headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == tag
    # and the tag, or the version alone, is what an edit names
    for version, form in enumerate(("{tag}", "W/{tag}", '"{version}"', "{version}"), start=1):
        tag = api.get(f"visits/{visit}").headers["ETag"]
        answer = correct(api, visit, form.format(tag=tag, version=version), persons_met=version + 1)
        assert answer.status_code == 201, answer.text
    for wrong in ('"x"', '"1-"', '"1-xyz"', "-1", '"1-5d41402abc4b5"', "1" * 10):
        refusal_of(correct(api, visit, wrong), 400, "bad_if_match")


# ---- correcting, voiding, reinstating ----


def correct(api: Api, visit: str, tag: str | None = '"1"', **changes: Any) -> Any:
    body = VISIT | {"reason": "填错了"} | changes
    headers = {"If-Match": tag} if tag else {}
    return api.call("PUT", f"visits/{visit}/entries/1/recorded", body, headers=headers)


def keep(api: Api, method: str, path: str, tag: str | None) -> Any:
    headers = {"If-Match": tag} if tag else {}
    return api.call(method, path, {"reason": "重复登记"}, headers=headers)


def test_a_correction_is_seen_in_the_record_and_in_its_audit_trail(api: Api) -> None:
    visit = api.recorded("visits", VISIT)["id"]
    answer = correct(api, visit, persons_met=3, occurred_on="2024-11-06")
    assert (answer.status_code, answer.headers["ETag"]) == (201, '"2"')
    entry = api.get(f"visits/{visit}").get_json()["entries"][0]
    assert (entry["data"]["persons_met"], entry["corrected_times"]) == (3, 1)
    stated, corrected = api.get(f"visits/{visit}/audit").get_json()["entries"]
    assert (stated["topic"], corrected["label"]) == ("visit.recorded", "更正")
    assert stated["data"]["persons_met"] == 1
    changes = {change["field"]: change for change in corrected["changes"]}
    assert changes["persons_met"] == {
        "field": "persons_met", "label": "见到人数", "before": "1", "after": "3",
    }
    assert set(changes) == {"persons_met", "occurred_on"}
    assert changes["occurred_on"]["after"] == "2024-11-06"
    assert corrected["actor"] == "social_worker-1"
    assert corrected["request_id"] == answer.headers["X-Request-Id"]


def test_a_voided_entry_does_not_count_until_it_is_reinstated(api: Api) -> None:
    path = f"visits/{api.recorded('visits', VISIT)['id']}"
    assert keep(api, "DELETE", f"{path}/entries/1", '"1"').status_code in {200, 201}
    assert api.get(path).get_json()["entries"][0]["is_voided"]
    refusal_of(keep(api, "DELETE", f"{path}/entries/1", '"2"'), 409, "already_voided")
    assert keep(api, "POST", f"{path}/entries/1/reinstatement", '"2"').status_code == 201
    assert not api.get(path).get_json()["entries"][0]["is_voided"]


def test_an_edit_names_the_version_that_it_was_made_on(api: Api) -> None:
    visit = api.recorded("visits", VISIT)["id"]
    path, before = f"visits/{visit}/entries/1", api.head()
    for answer in (
        correct(api, visit, None, persons_met=2), keep(api, "DELETE", path, None),
        keep(api, "POST", f"{path}/reinstatement", None),
    ):
        refusal_of(answer, 428, "if_match_required")
    for answer in (correct(api, visit, '"9"', persons_met=2), keep(api, "DELETE", path, '"9"')):
        refusal_of(answer, 412, "stale_version")
    refusal_of(correct(api, visit, "newest", persons_met=2), 400, "bad_if_match")
    assert api.head() == before


def test_a_version_given_with_a_new_statement_is_honoured(api: Api) -> None:
    path = f"households/{api.household()}/info-verifications"
    body = {"occurred_on": "2024-11-05"}
    refusal_of(api.post(path, body, headers={"If-Match": '"7"'}), 412, "stale_version")
    assert api.post(path, body, headers={"If-Match": '"1"'}).status_code == 201


def test_an_entry_that_does_not_exist_is_not_voided(api: Api) -> None:
    visit = api.recorded("visits", VISIT)["id"]
    path = f"visits/{visit}/entries/7"
    refusal_of(keep(api, "DELETE", path, '"1"'), 404, "unknown_entry")


# ---- the same request twice ----

KEY = {"Idempotency-Key": "key-1"}


def test_the_same_request_twice_is_recorded_once(api: Api) -> None:
    first = api.post("visits", VISIT, headers=KEY)
    after = api.head()
    again = api.post("visits", VISIT, headers=KEY)
    assert again.status_code == 201
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    assert again.get_json()["position"] == first.get_json()["position"]
    assert api.head() == after


@pytest.mark.parametrize("changes", [{"persons_met": 2}, {"programmes": ["助老"]}], ids=str)
def test_a_key_used_for_another_body_is_refused(api: Api, changes: dict[str, Any]) -> None:
    api.post("visits", VISIT, headers=KEY)
    before = api.head()
    answer = api.post("visits", VISIT | changes, headers=KEY)
    refusal_of(answer, 422, "idempotency_key_reused")
    assert api.head() == before


def test_a_key_used_for_another_record_is_refused(api: Api) -> None:
    one, other = api.household(), api.household()
    body = {"occurred_on": "2024-11-05"}
    assert api.post(f"households/{one}/info-verifications", body, headers=KEY).status_code == 201
    answer = api.post(f"households/{other}/info-verifications", body, headers=KEY)
    refusal_of(answer, 422, "idempotency_key_reused")


def test_two_persons_may_use_the_same_key(api: Api) -> None:
    ids = {
        api.recorded("visits", VISIT, headers=KEY, role=role)["id"]
        for role in ("social_worker", "lead")
    }
    assert len(ids) == 2


@pytest.mark.parametrize("key", ["", "k" * 201, "two words"])
def test_an_unusable_key_is_refused(api: Api, key: str) -> None:
    answer = api.post("visits", VISIT, headers={"Idempotency-Key": key})
    refusal_of(answer, 400, "bad_idempotency_key")


# ---- warnings ----


def test_a_likely_duplicate_is_recorded_with_the_other_shown(api: Api) -> None:
    visit = VISIT | {"household": api.household()}
    first = api.recorded("visits", visit)
    assert first["warnings"] == []
    api.project()
    second = api.recorded("visits", visit)
    (warning,) = second["warnings"]
    assert (warning["code"], warning["record"]) == ("possible_duplicate", first["id"])
    assert api.get(warning["href"]).status_code == 200
    api.project()
    assert api.recorded("visits", visit | {"mode": "phone"})["warnings"] == []


def test_a_visit_is_acknowledged_though_the_read_models_fail(api: Api) -> None:
    visit = VISIT | {"household": api.household()}
    with api.services.read_models.engine.begin() as connection:
        connection.execute(text("DROP VIEW records"))
    body = api.recorded("visits", visit)
    assert body["position"] == api.head()
    assert [warning["code"] for warning in body["warnings"]] == ["duplicates_not_checked"]


# ---- every event ----


def test_every_event_is_stated_by_one_route(api: Api) -> None:
    endpoints = [rule.endpoint.rpartition(".")[2] for rule in api.app.url_map.iter_rules()]
    for topic in catalog.stated_topics():
        name = topic.replace(".", "_")
        stated = [e for e in endpoints if e in {f"open_{name}", f"state_{name}"}]
        assert stated, topic
        is_correctable = not KIND_OF_TOPIC[topic].is_final
        assert endpoints.count(f"correct_{name}") == is_correctable, topic
