"""Do the pages of referrals, cases, groups and the calendar show what waits, and record its next step?"""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from callers import Api, form_of
from flask.testing import FlaskClient

REFERRAL = {"occurred_on": "2024-11-01", "need": "medical", "basis": "consent", "worker": "张社工"}


@pytest.fixture
def browser(api: Api) -> FlaskClient:
    """A social worker's browser without script."""
    return api.browser("social_worker")


def recorded(api: Api, path: str, **body: Any) -> str:
    """Record something; answers its id."""
    done = api.call("POST", path, {"occurred_on": "2024-11-05"} | body)
    assert done.status_code == 201, done.text
    return str(done.get_json()["id"])


def step(api: Api, browser: FlaskClient, address: str, **answers: Any) -> str:
    """Record the step that a button of a page leads to; answers where it is shown."""
    page = browser.get(address)
    done = browser.post(address.partition("?")[0], data=form_of(page, **answers))
    assert done.status_code == 303, re.findall(r'class="wrong"[^>]*>([^<]*)', done.text)
    api.project()
    return str(done.location)


def button(page: str, label: str) -> str:
    """Where the first button of a name leads."""
    [address, *_more] = re.findall(rf'href="([^"]+)">{label}</a>', page)
    return str(address).replace("&amp;", "&")


def part(page: str, status: str) -> str:
    """One part of the board."""
    [found] = re.findall(rf'aria-labelledby="{status}">(.*?)</section>', page, flags=re.DOTALL)
    return str(found)


def test_a_referral_goes_over_the_board_step_by_step(api: Api, browser: FlaskClient) -> None:
    household = api.household()
    recorded(api, "referrals", household=household, to_agency="示例医院", **REFERRAL)
    recorded(api, "referrals", household=household, to_agency="示例学校", **REFERRAL | {"worker": "李社工"})
    api.project()
    board = browser.get("/referrals").text
    assert f'href="/households/{household}"' in part(board, "made")
    assert re.search(r"2024-11-01 转出，已等回复 \d{2,} 天 · 张社工", part(board, "made"))
    own = browser.get("/referrals?worker=张社工").text
    assert "示例医院" in own
    assert "示例学校" not in part(own, "made")
    # accepted, then completed: two buttons, whose forms say whose referral it is and where to
    asked = browser.get(button(own, "转介接收")).text.partition('<form class="fields"')[0]
    assert f'href="/households/{household}"' in asked
    assert "示例医院" in asked
    shown = step(api, browser, button(own, "转介接收"), occurred_on="2024-11-03")
    assert shown.startswith("/referrals?recorded=")
    board = browser.get(shown).text
    assert "已登记" in board
    assert "2024-11-03 接收" in part(board, "accepted")
    step(api, browser, button(part(board, "accepted"), "转介完成"), occurred_on="2024-11-09", outcome="已入院")
    board = browser.get("/referrals").text
    assert "2024-11-01 转出，历时 8 天" in part(board, "completed")
    assert "没有" in part(board, "accepted")
    # one status as a list, and as a file
    one = browser.get("/referrals?status=made").text
    assert "示例学校" in one
    assert "示例医院" not in re.sub(r"<option.*?</option>", "", one)
    answer = browser.get("/referrals.csv?to_agency=示例医院")
    lines = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [(x["户主"], x["状态"], x["天数"], x["结果"]) for x in lines] == [("测试一", "已完成", "8", "已入院")]
    assert lines[0]["社区"] == "东路社区"


def test_who_may_not_record_sees_the_board_without_buttons_and_names(
    api: Api, browser: FlaskClient
) -> None:
    recorded(api, "referrals", household=api.household(), to_agency="示例医院", **REFERRAL)
    api.project()
    board = api.browser("reviewer").get("/referrals").text
    assert "示例医院" in board
    assert "转介接收" not in board
    assert "测试一" not in board
    assert "转介接收" in browser.get("/referrals").text
    for role in ("hub", "administrator"):
        assert api.browser(role).get("/referrals").status_code == 403


def test_a_case_is_led_from_its_intake_to_its_end_and_counted(api: Api, browser: FlaskClient) -> None:
    case = recorded(
        api, "cases", household=api.household(), worker="张社工", problem="独居且无人照料",
        number="C-1", occurred_on="2024-10-01",
    )
    api.project()
    address = f"/cases/{case}"
    assert f'href="{address}"' in browser.get("/cases").text
    for label, answers in {
        "预估": {}, "制定计划": {"goals": "每周有人上门"}, "个案服务": {"minutes": "45", "summary": "陪同就医"},
        "个案评估": {}, "结案": {"reason": "goals_met"}, "个案回访": {"mode": "phone"},
    }.items():
        page = browser.get(address).text
        done = step(api, browser, button(page, label), occurred_on="2024-10-31", **answers)
        assert done.startswith(f"{address}?recorded="), label
    page = browser.get(address).text
    for said in ("独居且无人照料", "每周有人上门", "陪同就医", "1 节", "45 分钟", "30 天", "目标达成", "2024-10-31"):
        assert said in page, said
    assert button(page, "重新接案")
    listed = browser.get("/cases?state=closed").text
    assert "目标达成" in listed
    assert re.search(r"其中目标达成</dt><dd>1（100%）", listed)
    assert address not in browser.get("/cases?state=open").text
    # a voided intake takes the case off the list; what was sealed is not shown to a reviewer
    hidden = api.browser("reviewer").get(address).text
    assert "独居且无人照料" not in hidden
    assert "测试一" not in hidden
    assert browser.get("/cases/none").status_code == 404


def test_a_group_counts_its_sessions_and_who_came(api: Api, browser: FlaskClient) -> None:
    shown = step(api, browser, "/record/group.opened", occurred_on="2024-11-01", title="手工小组",
                 audience="residents", planned_sessions="6")
    step(api, browser, button(browser.get(shown).text, "小组活动"), occurred_on="2024-11-08",
         theme="剪纸", attendance="12", **{"attendance.as": "about"})
    step(api, browser, button(browser.get(shown).text, "小组活动"), occurred_on="2024-11-15")
    page = browser.get(shown.partition("?")[0]).text
    for said in ("剪纸", "约12", "2 / 6", "另 1 节未填"):
        assert said in page, said
    step(api, browser, button(page, "小组结束"), occurred_on="2024-11-22")
    page = browser.get(shown.partition("?")[0]).text
    assert "已结束" in page
    assert ">小组活动</a>" not in page
    assert "手工小组" not in browser.get("/groups").text
    assert "手工小组" in browser.get("/groups?state=closed").text


def test_a_month_s_calendar_counts_what_the_report_counts(api: Api, browser: FlaskClient) -> None:
    recorded(api, "supervisions", supervisor="王督导", kind="peer", mode="online")
    planned = recorded(api, "supervisions/scheduled", occurred_on="2024-11-01", planned_on="2024-11-20",
                       supervisor="赵督导", kind="group", mode="on_site")
    recorded(api, "activities", title="义诊", kind="health", role="assist",
             attendance={"value": 70, "approximation": "just_under"})
    recorded(api, "trainings-received", title="个案培训", occurred_on="2024-10-30")
    api.project()
    page = browser.get("/calendar?month=2024-11").text
    assert "赵督导" in page
    assert "个案培训" not in page
    assert "近70" in page
    assert _counts(page)["督导"] == ("1", {"接受督导": "1", "其中线上督导": "1", "其中同辈督导": "1"})
    # the agreed one takes place: the same supervision, and both counts go on
    step(api, browser, button(page, "接受督导"), occurred_on="2024-11-20", supervisor="赵督导",
         kind="group", mode="on_site")
    page = browser.get("/calendar?month=2024-11&kind=supervision").text
    held, figures = _counts(page)["督导"]
    assert held == figures["接受督导"] == "2"
    assert api.get(f"supervisions/{planned}").get_json()["version"] == 2
    report = browser.get("/months/2024-11/figures/supervisions_received")
    assert report.status_code == 200
    assert "2024-11" in browser.get("/calendar?month=2025-01").text  # where something is on record
    assert browser.get("/calendar?month=2024-13").status_code == 400


def test_a_coordinator_sees_the_activities_of_a_month_and_no_case(api: Api) -> None:
    recorded(api, "activities", title="义诊", kind="health", role="host")
    recorded(api, "supervisions", supervisor="王督导", kind="peer", mode="online")
    api.project()
    coordinator = api.browser("volunteer_coordinator")
    page = coordinator.get("/calendar?month=2024-11").text
    assert "义诊" in page
    assert "王督导" not in page
    assert "王督导" not in coordinator.get("/calendar?month=2024-11&kind=supervision").text
    for address in ("/referrals", "/referrals.csv", "/cases", "/groups"):
        assert coordinator.get(address).status_code == 403


def _counts(page: str) -> dict[str, tuple[str, dict[str, str]]]:
    """What the calendar counts of each kind, and the report's figures beside it."""
    [lines] = re.findall(r'<ul class="list sheet">(.*?)</ul>', page, flags=re.DOTALL)
    found = {}
    for label, held, rest in re.findall(r"<li>(\S+) <strong>(\d+)</strong>(.*?)</li>", lines):
        figures = re.findall(r'href="/months/2024-11/figures/\w+">(\S+) (\S+)</a>', rest)
        found[label] = (held, dict(figures))
    return found
