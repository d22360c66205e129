"""Does each bad input get a named refusal of its own, and leave no event behind?"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from callers import HOUSEHOLD, VISIT, Api, refusal_of

ELDERLY = "370102194901010019"
"""An invented number of somebody born in 1949, whose region code is an old one."""


def check_character(number: str) -> str:
    """The check character of GB 11643."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[sum(int(d) * w for d, w in zip(number, weights, strict=True)) % 11]


def a_member(**changes: Any) -> list[dict[str, Any]]:
    return [{"person": "p1", "name": "测试一", "relation": "head"} | changes]


BAD_BODIES: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("an unknown field", "visits", VISIT | {"colour": "red"}, 422, "unknown_field"),
    ("an actor in the body", "visits", VISIT | {"actor": "somebody"}, 422, "unknown_field"),
    ("a station in the body", "visits", VISIT | {"station": "other"}, 422, "unknown_field"),
    ("a derived field", "visits", VISIT | {"category": "dibao"}, 422, "unknown_field"),
    ("an unknown field of a member", "households",
     HOUSEHOLD | {"members": a_member(colour="red")}, 422, "unknown_field"),
    ("a missing field", "visits", {"occurred_on": "2024-11-05"}, 422, "missing_field"),
    ("text for a number", "visits", VISIT | {"persons_met": "one"}, 422, "wrong_type"),
    ("a digit in quotes for a number", "visits", VISIT | {"persons_met": "1"}, 422, "wrong_type"),
    ("truth for a number", "visits", VISIT | {"persons_met": True}, 422, "wrong_type"),
    ("a number for text", "visits", VISIT | {"mode": 7}, 422, "wrong_type"),
    ("text for a list", "visits", VISIT | {"workers": "张社工"}, 422, "wrong_type"),
    ("text for an object", "households", HOUSEHOLD | {"members": ["p1"]}, 422, "wrong_type"),
    ("null for what is not optional", "visits", VISIT | {"mode": None}, 422, "missing_field"),
    ("the 31st of November", "visits", VISIT | {"occurred_on": "2024-11-31"}, 422,
     "impossible_date"),
    ("a day in words", "visits", VISIT | {"occurred_on": "昨天"}, 422, "impossible_date"),
    ("an instant without a zone", "visits",
     {**VISIT, "occurred_on": None, "occurred_at": "2024-11-05T09:00:00"}, 422, "missing_field"),
    ("no day at all", "visits", {k: v for k, v in VISIT.items() if k != "occurred_on"}, 422,
     "occurrence_missing"),
    ("a day and an instant", "visits", VISIT | {"occurred_at": "2024-11-05T09:00:00+08:00"}, 422,
     "occurrence_missing"),
    ("a day in the future", "visits", VISIT | {"occurred_on": "2999-01-01"}, 422,
     "date_in_future"),
    ("a range that ends before it begins", "visits", VISIT | {"occurred_until": "2024-11-01"},
     422, "bad_date_range"),
    ("a year that is a slip of the pen", "visits", VISIT | {"occurred_on": "1924-11-05"}, 422,
     "date_too_early"),
    ("a number out of range", "visits", VISIT | {"minutes": 1441}, 422, "out_of_range"),
    ("a negative number", "visits", VISIT | {"persons_met": -1}, 422, "out_of_range"),
    ("no member", "households", HOUSEHOLD | {"members": []}, 422, "out_of_range"),
    ("text that no database keeps", "visits", VISIT | {"note": "门\0"}, 422, "unreadable_text"),
    ("an over-long text", "visits", VISIT | {"note": "长" * 5001}, 422, "text_too_long"),
    ("an empty name", "households", HOUSEHOLD | {"members": a_member(name="")}, 422,
     "text_too_short"),
    ("a phone in words", "households", HOUSEHOLD | {"members": a_member(phone="没有电话")}, 422,
     "wrong_form"),
    ("an unknown code", "visits", VISIT | {"mode": "carrier_pigeon"}, 422, "unknown_code"),
    ("an unknown community", "households", HOUSEHOLD | {"community": "南路社区"}, 422,
     "unknown_community"),
    ("an unknown household", "visits", VISIT | {"household": "nobody"}, 422, "unknown_household"),
    ("an unusable id of a household", "visits", VISIT | {"household": "a/b"}, 422,
     "bad_identifier"),
    ("an ID number with a wrong check character", "households",
     HOUSEHOLD | {"members": a_member(id_number="370102194901010010")}, 422, "bad_id_number"),
    ("an ID number with an impossible birthday", "households",
     HOUSEHOLD | {"members": a_member(id_number="370102194913010017")}, 422, "bad_id_number"),
    ("a person twice in a household", "households",
     HOUSEHOLD | {"members": a_member() * 2}, 422, "person_named_twice"),
    ("persons met though nobody was", "visits", VISIT | {"outcome": "not_met"}, 422,
     "persons_met_contradicts_outcome"),
]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"), [case[1:] for case in BAD_BODIES],
    ids=[case[0] for case in BAD_BODIES],
)
def test_a_bad_body_is_refused_by_name(
    api: Api, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    before = api.head()
    refusal_of(api.post(path, body), status, code)
    assert api.head() == before


def test_a_category_is_refused_before_its_first_day(api: Api) -> None:
    household = api.household()
    grant = {"unit": "u1", "category": "rigid_expense", "covered": ["p1"]}
    path, before = f"households/{household}/assistance", api.head()
    refused = api.post(path, grant | {"occurred_on": "2024-10-23"})
    refusal_of(refused, 422, "code_not_valid_on_date")
    assert api.head() == before
    api.recorded(path, grant | {"occurred_on": "2024-10-24"})


def test_a_true_number_of_an_elderly_person_is_accepted(api: Api) -> None:
    number = ELDERLY[:17] + check_character(ELDERLY[:17])
    api.household(members=a_member(id_number=number))


def test_a_refusal_points_at_each_field(api: Api) -> None:
    members = [*a_member(), {"person": "p2", "name": "测试二", "phone": "x"}]
    body = HOUSEHOLD | {"members": members, "a/b": 1, "file_number": 3}
    problem = api.post("households", body).get_json()
    pointers = {error["pointer"]: error["code"] for error in problem["errors"]}
    assert pointers == {
        "/members/1/phone": "wrong_form", "/a~1b": "unknown_field", "/file_number": "wrong_type",
    }


def test_a_refusal_repeats_no_personal_value(api: Api) -> None:
    secrets = {"name": "甲" * 51, "phone": "私密电话", "id_number": "370102194901010010"}
    for field, value in secrets.items():
        answer = api.post("households", HOUSEHOLD | {"members": a_member(**{field: value})})
        assert answer.status_code == 422
        assert value not in answer.text


def test_a_case_is_closed_once(api: Api) -> None:
    case = api.recorded("cases", {
        "occurred_on": "2024-11-01", "household": api.household(), "worker": "张社工",
        "problem": "照料不足",
    })["id"]
    closing = {"occurred_on": "2024-11-02", "reason": "goals_met"}
    skipped = api.post(f"cases/{case}/closure", closing)
    refusal_of(skipped, 422, "stage_skipped")
    closing |= {"skipping_because": "服务对象迁出"}
    api.recorded(f"cases/{case}/closure", closing)
    before = api.head()
    refusal_of(api.post(f"cases/{case}/closure", closing), 409, "case_closed")
    assert api.head() == before


def test_a_case_file_is_closed_once(api: Api) -> None:
    household = api.household()
    closing = {"occurred_on": "2024-11-02", "reason": "goals_met"}
    path = f"households/{household}/case-file"
    api.recorded(path, {"occurred_on": "2024-11-01", "file_number": "F-1"})
    api.recorded(f"{path}/closure", closing)
    before = api.head()
    refusal_of(api.post(f"{path}/closure", closing), 409, "case_file_not_open")
    assert api.head() == before


def test_minutes_of_a_volunteer_do_not_overlap(api: Api) -> None:
    volunteer = api.recorded("volunteers", {"occurred_on": "2024-10-01", "name": "测试志愿者"})
    path = f"volunteers/{volunteer['id']}/service-records"
    served = {"occurred_on": "2024-11-05", "title": "清扫楼道", "minutes": 90}
    api.recorded(path, served | {"starts_at": "09:00"})
    before = api.head()
    for start in ("10:29", "08:00", "09:30"):
        refused = api.post(path, served | {"starts_at": start})
        refusal_of(refused, 422, "volunteer_minutes_overlap")
    refusal_of(api.post(path, served | {"minutes": 1440}), 422, "volunteer_day_too_long")
    assert api.head() == before
    api.recorded(path, served | {"starts_at": "10:30"})


def test_a_cancelled_supervision_is_not_received(api: Api) -> None:
    meeting = {"supervisor": "李督导", "kind": "group", "mode": "online"}
    planned = meeting | {"occurred_on": "2024-11-01", "planned_on": "2024-11-20"}
    supervision = api.recorded("supervisions/scheduled", planned)["id"]
    cancelling = {"occurred_on": "2024-11-10", "because": "督导出差"}
    api.recorded(f"supervisions/{supervision}/cancellation", cancelling)
    before = api.head()
    received = api.post(
        f"supervisions/{supervision}/receipt", meeting | {"occurred_on": "2024-11-20"}
    )
    refusal_of(received, 409, "supervision_cancelled")
    assert api.head() == before


# ---- bodies that are no bodies ----


def raw(api: Api, data: bytes, content_type: str = "application/json") -> Any:
    return api.call("POST", "visits", data=data, content_type=content_type)


def deep(n: int) -> bytes:
    return b'{"note":' + b"[" * n + b"]" * n + b"}"


NO_BODIES: list[tuple[str, bytes, int, str]] = [
    ("half an object", b'{"mode": "home"', 400, "malformed_json"),
    ("no JSON", b"mode=home", 400, "malformed_json"),
    ("no UTF-8", b'{"mode": "\xff"}', 400, "malformed_json"),
    ("a list", b"[1, 2]", 422, "wrong_type"),
    ("a text", b'"home"', 422, "wrong_type"),
    ("null", b"null", 422, "wrong_type"),
    ("a body nested very deeply", deep(100_000), 400, "malformed_json"),
    ("an integer of 10,000 digits", b'{"persons_met": ' + b"9" * 10_000 + b"}", 400,
     "malformed_json"),
]


@pytest.mark.parametrize(
    ("data", "status", "code"), [case[1:] for case in NO_BODIES],
    ids=[case[0] for case in NO_BODIES],
)
def test_what_is_no_object_is_refused(api: Api, data: bytes, status: int, code: str) -> None:
    before = api.head()
    refusal_of(raw(api, data), status, code)
    assert api.head() == before


def test_another_media_type_is_refused(api: Api) -> None:
    answer = raw(api, json.dumps(VISIT).encode(), "text/plain")
    refusal_of(answer, 415, "unsupported_media_type")


def test_an_over_long_body_is_refused(api: Api) -> None:
    before = api.head()
    answer = raw(api, json.dumps(VISIT | {"note": "x" * 2_000_000}).encode())
    refusal_of(answer, 413, "body_too_large")
    assert api.head() == before


HOSTILE: list[tuple[str, str, dict[str, Any]]] = [
    ("half a character", "visits", VISIT | {"note": "\ud800"}),
    ("half a character in a worker's name", "visits", VISIT | {"workers": ["\udfff"]}),
    ("half a character as a field", "visits", VISIT | {"\ud800": 1}),
    ("the first instant", "visits",
     {**VISIT, "occurred_at": "0001-01-01T00:00:00+14:00"}),
    ("the last instant", "visits",
     {**VISIT, "occurred_at": "9999-12-31T23:59:59-12:00"}),
    ("a crowd beyond counting", "surveys",
     {"occurred_on": "2024-11-05", "kind": "elderly_alone",
      "persons_surveyed": {"value": 10**30}}),
    ("a crowd beyond 64 bits", "surveys",
     {"occurred_on": "2024-11-05", "kind": "elderly_alone",
      "persons_surveyed": {"value": 2**63}}),
    ("not a number", "visits", VISIT | {"persons_met": float("nan")}),
    ("infinity", "visits", VISIT | {"persons_met": float("inf")}),
]


@pytest.mark.parametrize(
    ("path", "body"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE]
)
def test_a_hostile_body_is_refused_and_breaks_nothing(
    api: Api, path: str, body: dict[str, Any]
) -> None:
    if "occurred_at" in body:
        body = {name: value for name, value in body.items() if name != "occurred_on"}
    before = api.head()
    data = json.dumps(body).encode()
    answer = api.call("POST", path, data=data, content_type="application/json")
    assert answer.status_code in {400, 422}, answer.text
    assert api.head() == before


def test_a_starting_time_with_a_zone_breaks_no_later_record(api: Api) -> None:
    volunteer = api.recorded("volunteers", {"occurred_on": "2024-10-01", "name": "测试志愿者"})
    path = f"volunteers/{volunteer['id']}/service-records"
    served = {"occurred_on": "2024-11-05", "title": "清扫楼道", "minutes": 30}
    starts = ("09:00+08:00", "10:00", "11:00Z", "12:00:00.5")
    answers = [api.post(path, served | {"starts_at": start}) for start in starts]
    assert all(answer.status_code in {201, 422} for answer in answers)


HOSTILE_QUERIES: list[tuple[str, Callable[[Api], str]]] = [
    ("a page of nothing", lambda _: "visits?limit=0"),
    ("a page of everything", lambda _: "visits?limit=99999999999999999999"),
    ("a made-up cursor", lambda _: "visits?cursor=abc"),
    ("a cursor of another shape", lambda _: "visits?cursor=WyJ0ZXh0IiwxLDJd"),
    ("a day that is none", lambda _: "visits?from=2024-13-01"),
    ("an unknown sort", lambda _: "visits?sort=colour"),
    ("an unknown status", lambda _: "visits?status=lost"),
    ("a position in words", lambda _: "visits?at_least=soon"),
    ("a month that is none",
     lambda a: f"indicators/lixia-2024?station={a.station}&month=2024-13"),
    ("a moment that is none",
     lambda a: f"indicators/lixia-2024?station={a.station}&month=2024-11&known_at=soon"),
    ("a position beyond 64 bits",
     lambda a: f"indicators/lixia-2024?station={a.station}&month=2024-11&known_at={10**30}"),
    ("a day of service that is none",
     lambda a: f"indicators/lixia-2024?station={a.station}&month=2024-11&as_of=2024-02-30"),
    ("an unknown indicator set",
     lambda a: f"indicators/none?station={a.station}&month=2024-11"),
    ("an id with a slash", lambda _: "visits/a%2Fb"),
    ("an id that is too long", lambda _: "visits" + "x" * 100),
    ("an unknown record", lambda _: "visits/nobody"),
    ("the audit trail of an unknown record", lambda _: "visits/nobody/audit"),
]


@pytest.mark.parametrize(
    "path", [case[1] for case in HOSTILE_QUERIES], ids=[case[0] for case in HOSTILE_QUERIES]
)
def test_a_bad_question_is_answered_by_a_problem(api: Api, path: Callable[[Api], str]) -> None:
    answer = api.get(path(api))
    assert answer.status_code in {400, 404, 422}, answer.text
    assert answer.content_type == "application/problem+json"


def test_an_address_and_a_method_that_are_none(api: Api) -> None:
    refusal_of(api.get("nothing"), 404, "not_found")
    refusal_of(api.call("PATCH", "visits"), 405, "method_not_allowed")


def test_an_address_that_no_database_can_compare_is_refused(api: Api) -> None:
    answer = api.get("households?community=%00")
    refusal_of(answer, 422, "unreadable_text")
