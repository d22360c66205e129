"""Is what waited on a phone recorded once, for its author alone, and never over what changed?"""

from __future__ import annotations

from typing import Any

import pytest
from callers import Api
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

KEY = "0123456789abcdef0123456789abcdef"
VISIT = {"occurred_on": "2024-11-05", "mode": "home", "purpose": "follow_up", "persons_met": "1",
         "outcome": "met"}
DAY = {"occurred_on": "2024-11-20"}


@pytest.fixture
def phone(api: Api) -> FlaskClient:
    """A social worker's phone, signed in."""
    return api.browser("social_worker")


def household(api: Api, person: str = "p1", **more: Any) -> str:
    made = api.household(members=[{"person": person, "name": f"测试{person}", "relation": "head"}], **more)
    api.project()
    return str(made)


def taken(phone: FlaskClient, subject: str) -> dict[str, Any]:
    answer = phone.get(f"/offline/taken/household/{subject}")
    assert answer.status_code == 200, answer.text
    return dict(answer.get_json())


def sent(phone: FlaskClient, subject: str, token: str | None = None, **more: str) -> TestResponse:
    """What the phone's script sends of a visit that waited."""
    if token is None:
        token = str(phone.get("/offline/session").get_json()["form_token"])
    said = {"Accept": "application/json", "X-Form-Token": token}
    form = VISIT | {"household": subject, "request": KEY} | more
    return phone.post("/record/visit.recorded", data=form, headers=said)


def merge(api: Api, merged: str, survivor: str) -> None:
    body = DAY | {"merged": merged, "survivor": survivor, "reason": "重复建档"}
    entry = api.recorded("merges/households/proposals", body)["version"]
    api.recorded("merges/households/approvals", DAY | {"entry": entry}, role="lead")
    api.project()


def erase(api: Api, subject: str) -> None:
    proposal = DAY | {"ground": "request", "household": subject, "person": "p1"}
    erasure = api.recorded("erasures", proposal)["id"]
    api.recorded(f"erasures/{erasure}/approval", DAY, role="lead")
    api.project()


def close(api: Api, subject: str) -> None:
    member = {"person": "p9", "name": "测试九", "relation": "child"}
    api.recorded(f"households/{subject}/members", DAY | {"member": member})
    api.project()


def test_what_was_recorded_is_answered_as_then_though_its_household_has_changed_since(
    api: Api, phone: FlaskClient
) -> None:
    one, other = household(api), household(api, "p2")
    seen = taken(phone, one)["seen"]
    first = sent(phone, one, seen=seen)
    assert (first.status_code, first.get_json()["request"]) == (201, KEY)
    merge(api, one, other)
    head = api.head()
    again = sent(phone, one, seen=seen)
    assert (again.status_code, again.get_json()) == (201, first.get_json())
    assert api.head() == head
    # another content under its id is told, and not taken for the same
    changed = sent(phone, one, seen=seen, note="另一次")
    assert changed.get_json()["code"] in {"household_changed", "idempotency_key_reused"}
    assert api.head() == head


@pytest.mark.parametrize("happens", [merge, erase, close])
def test_a_change_meanwhile_is_shown_and_recorded_only_when_confirmed(
    api: Api, phone: FlaskClient, happens: Any
) -> None:
    subject = household(api)
    seen = taken(phone, subject)["seen"]
    assert seen
    survivor = household(api, "p2") if happens is merge else subject
    happens(api, *((subject, survivor) if happens is merge else (subject,)))
    head = api.head()
    refused = sent(phone, subject, seen=seen)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "household_changed")
    assert api.head() == head
    facts = refused.get_json()["facts"]
    assert facts["to"] == survivor
    confirmed = sent(phone, facts["to"], seen=facts["seen"])
    assert confirmed.status_code == 201, confirmed.text
    assert api.head() == head + 1


def test_what_was_done_for_a_household_is_no_change_of_it(api: Api, phone: FlaskClient) -> None:
    subject = household(api)
    seen = taken(phone, subject)["seen"]
    api.recorded("visits", VISIT | {"household": subject, "persons_met": 1})
    api.project()
    assert taken(phone, subject)["seen"] == seen
    assert sent(phone, subject, seen=seen).status_code == 201


def test_what_is_wrong_is_said_by_field_in_data(api: Api, phone: FlaskClient) -> None:
    answer = sent(phone, household(api), persons_met="0", occurred_on="2999-01-01")
    assert answer.content_type == "application/problem+json"
    assert set(answer.get_json()["fields"]) & {"occurred_on", "persons_met"}
    assert sent(phone, "nobody").get_json()["code"] == "unknown_record"


def test_a_queue_is_sent_for_nobody_but_its_session(api: Api, phone: FlaskClient) -> None:
    subject, head = household(api), api.head()
    own = phone.get("/offline/session").get_json()
    other = api.browser("social_worker", actor="另一人")
    assert other.get("/offline/session").get_json()["account"] != own["account"]
    foreign = sent(other, subject, token=own["form_token"])
    assert (foreign.status_code, foreign.get_json()["code"]) == (403, "foreign_form")
    nobody = api.app.test_client().get("/offline/session", headers={"Accept": "application/json"})
    assert (nobody.status_code, nobody.get_json()["code"]) == (401, "not_authenticated")
    assert api.head() == head


def test_the_shell_is_the_same_for_everybody_and_all_else_is_not_kept(api: Api, phone: FlaskClient) -> None:
    subject = household(api)
    mine, anybodys = phone.get("/offline"), api.app.test_client().get("/offline")
    assert mine.data == anybodys.data
    assert mine.headers["Cache-Control"] == "private, max-age=43200"
    for address in ("/offline/session", "/offline/forms", f"/offline/taken/household/{subject}"):
        assert phone.get(address).headers["Cache-Control"] == "no-store", address
    worker = phone.get("/service-worker.js")
    assert '"/offline"' in worker.text
    assert phone.get("/manifest.webmanifest").get_json(force=True)["start_url"] == "/"


def test_taking_along_is_written_down_and_shows_names_to_whoever_sees_them(
    api: Api, phone: FlaskClient
) -> None:
    subject = household(api, file_number="JC-7")
    assert taken(phone, subject)["label"] == "JC-7 测试p1"
    assert taken(api.browser("reviewer"), subject)["label"] == "JC-7"
    token = phone.get("/offline/session").get_json()["form_token"]
    for sought in ("JC-7", "测试p1"):
        form = {"kind": "household", "sought": sought}
        found = phone.post("/offline/find", data=form, headers={"X-Form-Token": token})
        assert [item["id"] for item in found.get_json()["items"]] == [subject]
    rows = api.get("access-log", role="lead").get_json()["items"]
    assert "/offline/taken/<kind>/<subject>" in {row["route"] for row in rows}


def test_who_records_nothing_is_offered_nothing_to_record_without_a_signal(api: Api) -> None:
    reviewer, worker = api.browser("reviewer"), api.browser("social_worker")
    assert "<form" not in reviewer.get("/offline/forms").text
    assert "离线记录" not in reviewer.get("/record").text
    assert "离线记录" in worker.get("/record").text
