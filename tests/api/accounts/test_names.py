"""Does a reviewer see names only where, and as long as, a lead lets him?"""

from __future__ import annotations

import re

import pytest
from callers import Api, refusal_of

NAME, NOTE = "测试一", "家中有病人需要照看的说明"


@pytest.fixture
def household(api: Api) -> str:
    found = api.household(note=NOTE)
    api.recorded(f"households/{found}/moves", {"occurred_on": "2024-11-01", "community": "西路社区", "address": "某路一号"})
    api.project()
    return found


def pages(household: str) -> tuple[str, ...]:
    return (
        f"households/{household}", f"households/{household}/audit", f"households/{household}/status",
        "households", f"audit?household={household}", "audit.csv", "audit.json",
        f"/households/{household}", "/households", f"/records/household/{household}", "/audit",
    )


def permit(api: Api, days: str = "3", actor: str = "reviewer-1") -> int:
    browser = api.browser("lead")
    form = re.search(r'name="form_token" value="(\w+)"', browser.get("/name-permissions").text)
    assert form is not None
    said = {"form_token": form.group(1), "actor": actor, "days": days, "reason": "年度评估抽查"}
    return browser.post("/name-permissions", data=said).status_code


def test_a_reviewer_sees_no_name_unless_he_is_let(api: Api, household: str) -> None:
    for path in pages(household):
        answer = api.get(path, role="reviewer")
        assert answer.status_code == 200, path
        for secret in (NAME, NOTE, "某路一号"):
            assert secret not in answer.text, path
    assert "已隐去" in api.get(f"households/{household}", role="reviewer").text
    refusal_of(api.post("persons/search", {"name": NAME}, role="reviewer"), 403, "not_allowed")
    refusal_of(api.post("households/duplicates", {"name": NAME}, role="reviewer"), 403, "not_allowed")
    # let for some days, he sees and finds, and so no longer once it is withdrawn
    assert permit(api) == 303
    assert NAME in api.get(f"households/{household}", role="reviewer").text
    assert NAME in api.get(f"/households/{household}", role="reviewer").text
    assert api.post("persons/search", {"name": NAME}, role="reviewer").get_json()["items"]
    browser = api.browser("lead")
    page = browser.get("/name-permissions").text
    form = re.search(r'name="form_token" value="(\w+)"', page)
    ended = re.search(r'action="(/name-permissions/\w+/withdraw)"', page)
    assert form is not None
    assert ended is not None
    assert browser.post(ended.group(1), data={"form_token": form.group(1)}).status_code == 303
    assert NAME not in api.get(f"households/{household}", role="reviewer").text
    told = api.get("security-log", role="administrator").get_json()["items"]
    assert {"names_permitted", "names_withdrawn"} <= {row["action"] for row in told}


def test_a_permission_is_for_one_reviewer_for_some_days(api: Api, household: str) -> None:
    assert permit(api, actor="reviewer-2") == 422  # whom nobody is called
    api.browser("reviewer", actor="reviewer-2")
    api.browser("social_worker", actor="social_worker-2")
    assert permit(api, actor="social_worker-2") == 422  # who is no reviewer
    assert permit(api, actor="reviewer-2") == 303
    assert NAME not in api.get(f"households/{household}", role="reviewer").text
    assert permit(api, actor="reviewer-2", days="0") == 422
    assert permit(api, actor="reviewer-2", days="61") == 422
    for role in ("social_worker", "supervisor", "reviewer", "administrator"):
        assert api.get("/name-permissions", role=role).status_code == 403


def test_who_sees_no_names_sees_still_what_changed(api: Api, household: str) -> None:
    """A hidden text that was changed shows as changed: equal texts alone look equal."""
    rows = api.get(f"households/{household}/audit", role="reviewer").get_json()["entries"]
    shown = {change["after"] for row in rows for change in row["changes"]}
    hidden = {text for text in shown if text and text.startswith("（已隐去")}
    assert len(hidden) == 3
