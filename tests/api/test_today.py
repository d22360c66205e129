"""Does every number of 今日 count the lines of the page that it leads to, and is nothing asked ignored?"""

from __future__ import annotations

import re
from typing import Any

import pytest
from callers import VISIT, Api
from lxml import html

from api.identity import today
from api.pages import today as pages_today

DAY = {"occurred_on": "2024-11-05"}


@pytest.fixture
def busy(api: Api) -> Api:
    """A station with something on each of today's lists, two volunteers' services among it."""
    for number in range(3):
        home = api.household(file_number=f"JT-{number}")
        api.recorded("visits", VISIT | {"household": home, "outcome": "not_met", "persons_met": 0})
        body = {"household": home, "to_agency": f"示例医院{number}", "need": "medical", "basis": "consent"}
        api.recorded("referrals", DAY | body)
    case = api.recorded("cases", DAY | {"household": home, "worker": "张社工", "problem": "独居"})["id"]
    why = {"reason": "goals_met", "skipping_because": "已转介"}
    api.recorded(f"cases/{case}/closure", {"occurred_on": "2024-11-20"} | why)
    for number in range(2):
        body = DAY | {"name": "测试志愿者"}
        volunteer = api.recorded("volunteers", body, role="volunteer_coordinator")["id"]
        for day in ("2024-11-06", "2024-11-07")[: number + 1]:
            service = {"occurred_on": day, "title": "陪诊", "minutes": 60}
            api.recorded(f"volunteers/{volunteer}/service-records", service, role="volunteer_coordinator")
    api.project()
    return api


def test_every_number_of_today_is_the_number_of_lines_it_leads_to(busy: Api) -> None:
    browser = busy.browser("lead")
    counted: dict[str, int] = {}
    for panel in html.fromstring(browser.get("/").text).xpath("//section[.//h2/span[@class='count']]"):
        [link], [count] = panel.xpath("./h2/a"), panel.xpath("./h2/span[@class='count']")
        page = html.fromstring(browser.get(link.get("href")).text)
        lines = page.xpath("//ul[@id='lines']/li[not(@class)] | //main//tbody/tr")
        counted[link.text] = len(lines)
        assert len(lines) == int(count.text), link.text
    assert counted.pop("本月月报还缺什么") > 3
    assert counted == {
        "待再访": 3, "待回访的个案": 1, "转介待办": 3, "久未联系的户": 3, "待确认的志愿时长": 3,
    }


def test_what_the_report_lacks_is_listed_or_counted(
    busy: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages_today, "MISSING_SHOWN", 2)
    page = html.fromstring(busy.browser("lead").get("/").text)
    [panel] = page.xpath("//section[.//h2/a[@href='/due/missing']]")
    lines, counted = panel.xpath("./ul/li"), int(panel.xpath("./h2/span")[0].text)
    more = re.fullmatch(r"另 (\d+) 项", lines[-1].text_content().strip())
    assert more
    assert counted == len(lines) - 1 + int(more[1])
    assert lines[-1].xpath("./a/@href") == ["/due/missing"]


def test_the_present_month_and_those_since_the_last_on_record_are_listed(busy: Api) -> None:
    page = html.fromstring(busy.browser("lead").get("/months").text)
    listed = [one.text for one in page.xpath("//ul[@class='tiles']/li/a[starts-with(@href, '/months/')]/b")
              if re.fullmatch(r"\d{4}-\d\d", one.text or "")]
    assert listed[0] == f"{today():%Y-%m}"
    assert "2024-11" in listed
    assert listed == sorted(set(listed), reverse=True)


def test_whose_it_is_stands_on_each_line_and_tells_two_of_one_name_apart(busy: Api) -> None:
    browser = busy.browser("lead")
    for page in ("/due/missed", "/due/referrals", "/referrals"):
        told = browser.get(page).text
        assert [number in told for number in ("JT-0", "JT-1", "JT-2")] == [True] * 3, page
    assert "测试一" in browser.get("/due/cases").text
    hidden = busy.browser("reviewer").get("/due/referrals").text
    assert ("JT-2" in hidden, "测试一" in hidden) == (True, False)
    [read] = [a for a in busy.get("access-log?action=read", role="lead").get_json()["items"]
              if a["route"] == "/due/<what>" and a["role"] == "reviewer"]
    assert {s["kind"] for s in read["subjects"]} == {"household", "person"}


@pytest.mark.parametrize(("path", "field"), [("/volunteers?from=2024-13-01", "from"), ("/volunteers?to=x", "to")])
def test_a_bad_day_is_said_beside_its_field_and_kept(busy: Api, path: str, field: str) -> None:
    answer = busy.browser("lead").get(path)
    assert answer.status_code == 422
    [asked] = html.fromstring(answer.text).xpath(f"//input[@name='{field}']")
    assert asked.get("value") == path.partition("=")[2]
    [wrong] = html.fromstring(answer.text).xpath(f"//*[@id='{asked.get('aria-describedby')}']")
    assert "应为日期" in wrong.text_content()


@pytest.mark.parametrize("path", [
    "/?days=31", "/due/unseen?days=x", "/due/missed?page=0", "/cases?state=x", "/groups?state=x", "/referrals?status=x",
    "/referrals.csv?status=x", "/dashboards?months=5", "/calendar?kind=x",
    "/months/2024-11/figures/person_visits?version=x", "/months/2024-11/figures/person_visits?published=-1",
])
def test_what_an_address_asks_is_refused_in_words_and_not_ignored(busy: Api, path: str) -> None:
    answer: Any = busy.browser("lead").get(path)
    assert answer.status_code == 400
    assert "地址中的" in answer.text


def test_a_page_past_the_end_leads_to_the_last_one(busy: Api) -> None:
    browser = busy.browser("lead")
    answer = browser.get("/due/unseen?days=30&page=9")
    assert (answer.status_code, answer.location) == (303, "/due/unseen?days=30&page=1")
