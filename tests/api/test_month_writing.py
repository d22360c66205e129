"""Does the lead write a month's texts where the report prints them, and say what became of its plan?"""

from __future__ import annotations

import re

import pytest
from callers import Api, form_of
from flask.testing import FlaskClient


@pytest.fixture
def lead(api: Api) -> FlaskClient:
    """A lead's browser without script."""
    return api.browser("lead")


def sections(api: Api, browser: FlaskClient, month: str) -> list[str]:
    """The sections of a month's page as it is now."""
    api.project()
    found = re.split(r'<h2 id="section-\d"[^>]*>', browser.get(f"/months/{month}").text)
    assert len(found) == 8
    return found[1:]


def links(section: str) -> list[tuple[str, str]]:
    """The buttons of a section: where each leads and what it says."""
    return [
        (href.replace("&amp;", "&"), f"{label}{of}")
        for href, label, of in re.findall(
            r'<a href="([^"]+)">([^<]+)<span class="hidden">([^<]+)</span></a>', section
        )
    ]


def sent(browser: FlaskClient, href: str, **answers: str) -> str:
    """A form that a button leads to, as it stands but for some answers; answers where it leads."""
    page = browser.get(href)
    assert page.status_code == 200, href
    said = dict(pair.split("=") for pair in href.partition("?")[2].split("&") if pair)
    [action] = re.findall(r'<form class="fields"[^>]* action="([^"]+)"', page.text)
    done = browser.post(action, data=form_of(page, **said | answers))
    assert done.status_code == 303, re.findall(r'class="wrong"[^>]*>([^<]*)', done.text)
    return str(done.location)


def test_every_text_is_written_in_the_section_that_prints_it(api: Api, lead: FlaskClient) -> None:
    api.household()
    number = 0
    for at, section in enumerate(sections(api, lead, "2024-11")):
        for href, _label in [link for link in links(section) if link[0].startswith("/record/")]:
            number += 1
            text = f"第{number}段的话。"
            where = sent(lead, href, text=text)
            assert where.startswith("/months/2024-11?recorded=")
            assert text in sections(api, lead, "2024-11")[at]
    assert number == 10  # eight texts, a reflection, an item of the plan


def test_a_text_that_stands_there_is_corrected_and_not_written_twice(api: Api, lead: FlaskClient) -> None:
    api.household()
    [(write, _)] = links(sections(api, lead, "2024-11")[4])
    sent(lead, write, text="督导写了一稿。")
    [(mend, label)] = links(sections(api, lead, "2024-11")[4])
    assert label == "改：社工站督导、培训及会议"
    page = lead.get(mend)
    assert "督导写了一稿。" in page.text
    answers = {"text": "督导定了稿。", "section": "supervision", "occurred_on": "2024-11-30"}
    done = lead.post(mend, data=form_of(page, reason="定稿", **answers))
    assert done.status_code == 303
    now = sections(api, lead, "2024-11")[4]
    assert "督导定了稿。" in now
    assert "督导写了一稿。" not in now


def test_what_was_planned_is_done_or_carried_over_from_the_check_list(api: Api, lead: FlaskClient) -> None:
    api.household()
    for text in ("走访高龄老人", "开展义诊"):
        [*_earlier, (add, _label)] = links(sections(api, lead, "2024-10")[6])
        sent(lead, add, text=text)
    # November's check list leads to October's plan
    api.project()
    listed = lead.get("/months/2024-11/publish").text
    assert listed.count('href="/months/2024-10?checklist=2024-11#section-7"') == 2
    plan = {label: href for href, label in links(sections(api, lead, "2024-10?checklist=2024-11")[6])}
    # and the answer back to November's check list
    back = '<a href="/months/2024-11/publish">← 回到 2024-11 的核对清单</a>'
    assert back in lead.get(plan["已完成：走访高龄老人"]).text
    assert back in lead.get(sent(lead, plan["已完成：走访高龄老人"])).text
    assert back in lead.get(sent(lead, plan["顺延：开展义诊"])).text
    assert "核对清单</a>" not in lead.get("/months/2024-10?checklist=2024-13").text.replace(back, "")
    api.project()
    assert "/months/2024-10?" not in lead.get("/months/2024-11/publish").text
    assert [label for _href, label in links(sections(api, lead, "2024-10")[6])] == [
        "改：走访高龄老人", "改：开展义诊", "已完成：开展义诊", "顺延：开展义诊", "加一项：下月计划",
    ]
    october = sections(api, lead, "2024-10")[6]
    assert "已完成（2024-11-" in october
    assert "已顺延至 2024-12" in october


def test_what_was_carried_over_stands_where_it_was_carried_to(api: Api, lead: FlaskClient) -> None:
    api.household()
    sent(lead, links(sections(api, lead, "2024-10")[6])[-1][0], text="开展义诊")
    plan = {label: href for href, label in links(sections(api, lead, "2024-10")[6])}
    sent(lead, plan["顺延：开展义诊"])
    # November's plan and December's check list have it
    november = sections(api, lead, "2024-11")[6]
    assert "由 2024-10 的计划顺延而来" in november
    api.project()
    december = "/months/2024-12/publish"
    assert "顺延至 2024-12，没有登记完成或再顺延。" in lead.get(december).text
    # until it is done, or put off once more
    sent(lead, {label: href for href, label in links(november)}["顺延：开展义诊"])
    api.project()
    assert "/months/2024-10?" not in lead.get(december).text
    later = {label: href for href, label in links(sections(api, lead, "2024-12")[6])}
    sent(lead, later["已完成：开展义诊"])
    assert "顺延而来" not in sections(api, lead, "2024-12")[6]


def test_a_prize_is_printed_alike_in_the_table_and_in_the_text(api: Api, lead: FlaskClient) -> None:
    entered = {"occurred_on": "2024-11-05", "title": "大赛"}
    prizes = {"一等奖": 200_000, "二等奖": 50_050}
    for award, fen in prizes.items():
        of = api.recorded("competitions", entered, role="lead")["id"]
        said = {"occurred_on": "2024-11-14", "award": award, "prize_fen": fen}
        api.recorded(f"competitions/{of}/award", said, role="lead")
    api.project()
    page = lead.get("/months/2024-11").text
    assert "获得一等奖，奖金2000元。" in page
    assert "获得二等奖，奖金500.50元。" in page
    assert "<strong>2500.50</strong>" in page


def test_nobody_else_is_offered_to_write(api: Api) -> None:
    api.household()
    shown = sections(api, api.browser("reviewer"), "2024-11")
    assert not [link for section in shown for link in links(section) if "/record/" in link[0]]
    # nor is anything written into what was known at an earlier moment
    then = api.browser("lead").get("/months/2024-11?known_at=2024-12-01").text
    assert "写一段" not in then
