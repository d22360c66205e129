"""Is the API described as it is?"""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
from callers import Api
from werkzeug.test import TestResponse

from api.problems import MEDIA_TYPE, explained
from domain import catalog
from domain.code_lists import code_list
from domain.kernel import EVENTS, REFUSALS


@pytest.fixture
def document(api: Api) -> dict[str, Any]:
    return api.get("openapi.json", role=None).get_json()


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in {"get", "post", "put", "delete"}
    }


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the validator's own imports
        from openapi_spec_validator import OpenAPIV31SpecValidator

        errors = list(OpenAPIV31SpecValidator(document).iter_errors())
    assert document["openapi"] == "3.1.0"
    assert errors == []


def test_every_error_is_described_as_a_problem(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        for status, answer in operation["responses"].items():
            if not status.startswith(("2", "3")):
                assert list(answer["content"]) == [MEDIA_TYPE], name


def test_every_route_of_the_api_is_described(api: Api, document: dict[str, Any]) -> None:
    described = set(operations(document))
    for rule in api.app.url_map.iter_rules():
        if not rule.rule.startswith("/api/v1/") or rule.rule.endswith(("openapi.json", "/docs")):
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            assert f"{method} {path}" in described


def test_every_event_has_a_body_with_its_limits_and_labels(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for topic in catalog.stated_topics():
        assert f"{EVENTS[topic].__name__}Statement" in schemas
    visit = schemas["VisitRecordedStatement"]
    assert {"mode", "purpose", "persons_met"} <= set(visit["required"])
    assert visit["additionalProperties"] is False
    assert visit["properties"]["note"]["maxLength"] == 5000
    assert visit["properties"]["minutes"]["maximum"] == 1440
    assert visit["properties"]["workers"]["maxItems"] == 20
    for row in code_list("visit_modes").values():
        assert f"{row.code} {row.label}" in visit["properties"]["mode"]["description"]
    assert "category" not in visit["properties"]  # a decision fills it in


def test_an_answer_has_what_its_description_names(api: Api, document: dict[str, Any]) -> None:
    body = api.recorded("visits", {
        "occurred_on": "2024-11-05", "mode": "home", "purpose": "routine", "persons_met": 1,
    })
    operation = document["paths"]["/api/v1/visits"]["post"]
    schema = operation["responses"]["201"]["content"]["application/json"]["schema"]
    named = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]
    assert set(body) == set(named)


# ---- pages about it ----


def page(answer: TestResponse) -> str:
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/html")
    assert re.search(r"<script(?![^>]* src=\"/assets/)", answer.text) is None
    assert "://" not in re.sub(r"https?://127\.0\.0\.1\S*|https?://localhost\S*", "", answer.text)
    return answer.text


def test_the_page_about_the_api_shows_every_route_without_a_script_of_its_own(
    api: Api, document: dict[str, Any]
) -> None:
    text = page(api.get("docs", role=None))
    for path in document["paths"]:
        assert path in text
    assert "入户" in text
    assert "curl" in text


def test_every_refusal_has_a_page(api: Api) -> None:
    for code in (*REFUSALS, "not_found", "unknown_field"):
        _status, title, _detail = explained()[code]
        assert title in page(api.get(f"/problems/{code}", role=None)), code


def test_a_code_that_does_not_exist_has_no_page(api: Api) -> None:
    assert api.get("/problems/nothing", role=None).status_code == 404
