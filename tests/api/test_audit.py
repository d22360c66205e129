"""Can a reviewer find who recorded what, when, by which request, and what it was changed to?"""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from callers import HOUSEHOLD, VISIT, Api, refusal_of
from click.testing import CliRunner

from api.accounts.name_permissions import permit
from api.accounts.security_log import By
from api.cli import main
from api.edge import now

NOTE = "老人独居，需要陪同就医"


@pytest.fixture(autouse=True)
def _permitted(api: Api) -> None:
    """The lead lets the reviewer see names: what without it is hidden is ``test_names.py``'s."""
    permit(api.services.tokens, "p1", By("lead-1", now()), station=api.station,
           actor="reviewer-1", days=1, reason="年度评估")


def audited(api: Api, role: str = "reviewer", **query: Any) -> list[dict[str, Any]]:
    """What the audit query answers, of all its pages."""
    api.project()
    asked = "&".join(f"{name.rstrip('_')}={value}" for name, value in query.items())
    answer = api.get(f"audit?{asked}", role=role)
    assert answer.status_code == 200, answer.text
    rows = answer.get_json()["items"]
    while cursor := answer.get_json()["next_cursor"]:
        assert f"cursor={cursor}" in answer.headers["Link"]
        answer = api.get(f"audit?{asked}&cursor={cursor}", role=role)
        rows += answer.get_json()["items"]
    return rows


def labels(rows: list[dict[str, Any]]) -> list[str]:
    return [row["label"] for row in rows]


def a_visit(api: Api, **changes: Any) -> str:
    return str(api.recorded("visits", VISIT | changes)["id"])


def corrected(api: Api, visit: str, *, role: str = "social_worker", **changes: Any) -> None:
    body = VISIT | {"reason": "填错了"} | changes
    headers = {"If-Match": '"1"'}
    path = f"visits/{visit}/entries/1/recorded"
    assert api.call("PUT", path, body, role=role, headers=headers).status_code == 201


def test_an_event_is_told_with_who_when_and_by_which_request(api: Api) -> None:
    said = {"X-Request-Id": "call-7", "Idempotency-Key": "key-7"}
    visit = api.recorded("visits", VISIT | {"note": NOTE}, headers=said)
    (row,) = audited(api, kind="visit", id=visit["id"])
    assert row["position"] == visit["position"]
    assert (row["actor"], row["role_label"]) == ("social_worker-1", "社工")
    assert (row["request_id"], row["idempotency_key"]) == ("call-7", "key-7")
    assert (row["action_label"], row["imported_at"]) == ("登记", None)
    said_of = {change["label"]: change["after"] for change in row["changes"]}
    assert said_of["备注"] == NOTE
    assert (said_of["方式"], said_of["发生日期"]) == ("入户", "2024-11-05")


def test_a_correction_is_told_before_and_after_by_field(api: Api) -> None:
    visit = a_visit(api, note=NOTE)
    corrected(api, visit, note=NOTE, mode="phone", minutes=30)
    row = audited(api, action="corrected")[0]
    assert row["reason"] == "填错了"
    assert [(c["label"], c["before"], c["after"]) for c in row["changes"]] == [
        ("方式", "入户", "电话"), ("时长", None, "30 分钟"),
    ]


def test_the_same_note_sealed_twice_is_no_change(api: Api) -> None:
    visit = a_visit(api, note=NOTE)
    corrected(api, visit, note=NOTE + "。")
    (row,) = audited(api, action="corrected")
    assert [c["field"] for c in row["changes"]] == ["note"]


def test_a_household_s_trail_holds_all_that_names_it(api: Api) -> None:
    mine, other = api.household(), api.household()
    a_visit(api, household=mine)
    a_visit(api, household=other)
    referral = api.recorded("referrals", {
        "occurred_on": "2024-11-06", "household": mine, "to_agency": "医院", "need": "medical",
        "basis": "consent",
    })["id"]
    api.recorded(f"referrals/{referral}/acceptance", {"occurred_on": "2024-11-07"})
    assert labels(audited(api, household=mine)) == ["转介接收", "转介", "走访", "家庭建档登记"]


@pytest.mark.parametrize("path", ["audit", "audit.json", "access-log", "access-log.json"])
def test_a_household_is_asked_for_by_its_file_number_and_an_unknown_one_is_refused(
    api: Api, path: str
) -> None:
    household = api.household(file_number="JT-0007")
    api.household(file_number="JT-0008")
    api.get(f"households/{household}")
    api.project()
    by_number = api.get(f"{path}?household=JT-0007", role="lead").get_json()["items"]
    by_id = api.get(f"{path}?household={household}", role="lead").get_json()["items"]
    assert by_number
    assert by_number == [row for row in by_id if row in by_number]
    refusal_of(api.get(f"{path}?household=JT-0099", role="lead"), 404, "unknown_record")


def test_what_was_corrected_away_from_a_household_is_still_found_there(api: Api) -> None:
    mine, other = api.household(), api.household()
    visit = a_visit(api, household=mine)
    corrected(api, visit, household=other)
    for household in (mine, other):
        assert labels(audited(api, household=household, action="corrected")) == ["更正"]
    assert labels(audited(api, household=mine, kind="visit", id=visit)) == ["更正", "走访"]


def test_a_person_s_trail_names_that_person_only(api: Api) -> None:
    member = HOUSEHOLD["members"][0]
    household = api.household(members=[member, member | {"person": "p2", "relation": "spouse"}])
    a_visit(api, household=household, persons=["p2"])
    assert labels(audited(api, person="p2")) == ["走访", "家庭建档登记"]
    assert labels(audited(api, person="p1")) == ["家庭建档登记"]
    assert audited(api, person="p3") == []


def test_an_actor_and_a_day_can_be_asked_for(api: Api) -> None:
    visit = a_visit(api)
    corrected(api, visit, role="lead", persons_met=2)
    assert labels(audited(api, actor="lead-1")) == ["更正"]
    today = audited(api)[0]["recorded_at"][:10]
    assert labels(audited(api, from_=today, to=today, actor="social_worker-1")) == ["走访"]
    assert audited(api, to="2024-12-31", actor="social_worker-1") == []
    assert audited(api, from_="0001-01-01", to="9999-12-31")


@pytest.mark.parametrize(("action", "labels_found"), [
    ("recorded", {"走访"}), ("corrected", set()), ("voided", {"作废"}), ("reinstated", {"恢复"}),
])
def test_an_action_can_be_asked_for(api: Api, action: str, labels_found: set[str]) -> None:
    path = f"visits/{a_visit(api)}/entries/1"
    api.call("DELETE", path, {"reason": "重复"}, headers={"If-Match": '"1"'})
    api.post(f"{path}/reinstatement", {"reason": "误作废"}, headers={"If-Match": '"2"'})
    found = audited(api, action=action, actor="social_worker-1")
    assert set(labels(found)) == labels_found
    assert all(row["action"] == action for row in found)


def test_pages_hold_each_event_once(api: Api) -> None:
    for _ in range(5):
        a_visit(api)
    rows = audited(api, limit=2)
    assert [row["position"] for row in rows] == list(range(api.head(), 0, -1))


def test_half_a_record_a_wrong_cursor_and_a_mistyped_filter_are_refused(api: Api) -> None:
    refusal_of(api.get("audit?kind=visit", role="lead"), 400, "record_not_named")
    refusal_of(api.get("audit?kind=nothing&id=1", role="lead"), 400, "record_not_named")
    refusal_of(api.get("audit?cursor=bm9uc2Vuc2U", role="lead"), 400, "bad_cursor")
    assert api.get("audit?acter=x", role="lead").status_code == 422
    assert api.get("audit?action=burnt", role="lead").status_code == 422


# ---- who may ----


@pytest.mark.parametrize("role", ["social_worker", "volunteer_coordinator", "supervisor", "hub", "administrator"])
@pytest.mark.parametrize("path", ["audit", "audit.csv", "audit.json", "integrity-signals?from=2024-01-01&to=2024-01-02"])
def test_only_leads_and_reviewers_audit_what_others_recorded(api: Api, role: str, path: str) -> None:
    refusal_of(api.get(path, role=role), 403, "not_allowed")


def test_another_station_s_trail_is_out_of_reach(api: Api) -> None:
    household = api.household()
    api.project()
    asked = f"audit?household={household}"
    answer = api.get(asked, role="reviewer", station="elsewhere")
    refusal_of(answer, 404, "unknown_record")
    refused = api.get(f"{asked}&station={api.station}", role="reviewer", station="elsewhere")
    refusal_of(refused, 403, "other_station")


# ---- files ----


def test_a_csv_file_opens_in_excel_with_every_text_as_a_text(api: Api) -> None:
    household = api.household(note="=1+1")
    a_visit(api, household=household, note="-2")
    api.project()
    answer = api.get("audit.csv", role="reviewer")
    assert answer.data.startswith(b"\xef\xbb\xbf")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
    notes = {row["改后"] for row in rows if row["字段"] == "备注"}
    assert notes == {"'=1+1", "'-2"}
    assert {row["种类"] for row in rows} == {"困难家庭", "走访", "社工站"}


def test_a_json_file_holds_what_the_pages_hold(api: Api) -> None:
    a_visit(api)
    rows = audited(api)
    answer = api.get("audit.json", role="lead")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.get_json()["items"] == rows


def test_a_file_that_would_be_too_large_is_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.audit.MOST_EXPORTED", 1)
    monkeypatch.setattr("api.tables.MOST_EXPORTED", 1)
    a_visit(api)
    api.project()
    refusal_of(api.get("audit.csv", role="lead"), 422, "export_too_large")


# ---- the page and the command line ----


def test_the_page_shows_and_filters(api: Api) -> None:
    visit = a_visit(api, note=NOTE)
    corrected(api, visit, note=NOTE, mode="phone")
    api.project()
    text = api.get("/audit?action=corrected&household=&from=", role="lead").text
    assert "方式：入户 → 电话" in text
    assert "备注" not in text
    assert f"/records/visit/{visit}" in text
    assert "action=corrected" in text.split("导出 CSV")[0].rpartition("href")[2]
    assert NOTE in api.get(f"/records/visit/{visit}", role="lead").text
    assert api.get("/audit?from=yesterday", role="lead").status_code == 422


def run(api: Api, *arguments: str) -> Any:
    home = {"TAIZHANG_HOME": str(api.services.settings.home)}
    return CliRunner().invoke(main, arguments, env=home, catch_exceptions=False)


def test_the_command_line_tells_the_same(api: Api, tmp_path: Any) -> None:
    visit = a_visit(api, note=NOTE)
    corrected(api, visit, note=NOTE, mode="phone")
    said = run(api, "audit", "--kind", "visit", "--id", visit).stdout
    assert "方式：入户 → 电话" in said
    assert f"备注：{NOTE}" in said
    target = tmp_path / "audit.csv"
    assert run(api, "audit", "--action", "corrected", "--csv", str(target)).exit_code == 0
    assert "方式,入户,电话" in target.read_text(encoding="utf-8-sig")
    assert run(api, "audit", "--kind", "visit").exit_code == 1
