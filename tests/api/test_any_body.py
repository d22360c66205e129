"""Can any body at all make the API fail? Whatever is sent, it answers, and never with a 500."""

from __future__ import annotations

from typing import Any

import pytest
from callers import HOUSEHOLD, VISIT, Api
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates().map(str),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
TIMES = st.sampled_from(
    ["2024-11-05", "2024-02-30", "0000-01-01", "9999-12-31", "2024-11-05T24:00:00Z",
     "2024-11-05T09:00:00+23:59", "09:00", "25:00", "", "２０２４-１１-０５"]
)
ALMOST = JSON | TIMES
QUIET = settings(
    max_examples=60, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
PATHS = [
    ("households", HOUSEHOLD),
    ("visits", VISIT),
    ("surveys", {"occurred_on": "2024-11-05", "kind": "elderly_alone",
                 "persons_surveyed": {"value": 3, "approximation": "about"}}),
    ("volunteers", {"occurred_on": "2024-11-05", "name": "测试"}),
    ("supervisions/scheduled", {"occurred_on": "2024-11-05", "planned_on": "2024-11-20",
                                "supervisor": "李督导", "kind": "group", "mode": "online"}),
    ("visits/x/entries/1/recorded", VISIT | {"reason": "填错了"}),
]


@pytest.mark.parametrize(("path", "right"), PATHS, ids=[path for path, _right in PATHS])
def test_a_body_with_a_field_changed_is_recorded_or_refused(
    api: Api, path: str, right: dict[str, Any]
) -> None:
    method = "PUT" if "entries" in path else "POST"

    @QUIET
    @given(name=st.sampled_from([*right, "occurred_at", "occurred_until", "precision"]), value=ALMOST)
    def check(name: str, value: Any) -> None:
        before = api.head()
        answer = api.call(method, path, right | {name: value}, headers={"If-Match": '"1"'})
        answer_new = api.call(method, path, right | {name: value})
        for one in (answer, answer_new):
            assert one.status_code in {201, 400, 404, 409, 412, 422, 428}, one.text
        recorded = answer.status_code == 201, answer_new.status_code == 201
        assert api.head() == before + sum(recorded)

    check()


@QUIET
@given(body=JSON)
def test_any_json_is_refused(api: Api, body: Any) -> None:
    before = api.head()
    answer = api.call("POST", "visits", body if body is not None else [])
    assert answer.status_code in {400, 422}, answer.text
    assert api.head() == before


@QUIET
@given(raw=st.binary(max_size=60))
def test_any_bytes_are_refused(api: Api, raw: bytes) -> None:
    answer = api.call("POST", "visits", data=raw, content_type="application/json")
    assert answer.status_code in {400, 422}, answer.text


@QUIET
@given(
    name=st.sampled_from(["limit", "cursor", "from", "to", "sort", "status", "topic", "household"]),
    value=st.text(max_size=20),
)
def test_any_question_is_answered(api: Api, name: str, value: str) -> None:
    answer = api.call("GET", "visits", query_string={name: value})
    assert answer.status_code in {200, 400, 422}, answer.text
