"""Are merges and erasures proposed on one's page, and decided on another's?"""

from __future__ import annotations

import html
import re

import pytest
from callers import Api, form_of
from flask.testing import FlaskClient

from projections.erasures import erasure_list


@pytest.fixture
def twice(api: Api) -> tuple[str, str]:
    """One household with two files."""
    own, other = api.household(file_number="JT-1"), api.household(file_number="JT-2")
    api.project()
    return own, other


def proposed(api: Api, own: str, other: str, **answers: str) -> FlaskClient:
    """A social worker's proposal that they are one household; answers the browser."""
    worker = api.browser("social_worker")
    page = worker.get(f"/households/{own}/merge")
    assert f'value="{other}"' in page.text  # whoever has the head's name is offered
    form = form_of(page, other=other, keep="own", reason="同一户两次建档", **answers)
    done = worker.post(f"/households/{own}/merge", data=form)
    assert done.status_code == 303
    assert worker.post(f"/households/{own}/merge", data=form).location == done.location  # once
    api.project()
    return worker


def decide(browser: FlaskClient, step: str, which: str = "households", entry: int = 1, **answers: str) -> int:
    """Press one of the buttons of the page; answers the status."""
    path = f"/approvals/merges/{which}/{entry}/{step}"
    [form] = re.findall(rf'<form method="post" action="{path}">(.*?)</form>', browser.get("/approvals").text, re.DOTALL)
    hidden = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form))
    return browser.post(path, data=hidden | answers).status_code


def test_a_household_with_two_files_is_merged_by_two_people_and_divided_again(
    api: Api, twice: tuple[str, str]
) -> None:
    own, other = twice
    worker, lead = proposed(api, own, other), api.browser("lead")
    # who proposed it does not approve it; the lead finds it on today's page
    assert "核准合并</button>" not in worker.get("/approvals").text
    assert re.search(r'等您核准的</a><span class="count">1<', lead.get("/").text)
    assert "等您核准的" not in worker.get("/").text
    assert decide(lead, "approved") == 303
    api.project()
    assert "您查的档案已并入" in lead.get(f"/households/{other}").text
    assert "等您核准的" not in lead.get("/").text
    # and divided again, with a reason
    assert decide(lead, "ended", reason="") == 422
    assert decide(lead, "ended", reason="查明是两户") == 303
    api.project()
    assert "您查的档案已并入" not in lead.get(f"/households/{other}").text


def test_a_proposal_is_declined_with_a_reason_and_bad_ones_are_refused_in_words(
    api: Api, twice: tuple[str, str]
) -> None:
    own, other = twice
    worker, lead = proposed(api, own, other), api.browser("lead")
    again = worker.post(
        f"/households/{own}/merge",
        data=form_of(worker.get(f"/households/{own}/merge"), other=other, keep="own", reason="再提"),
    )
    assert again.status_code == 409
    assert "已有一项待核准的合并" in again.text
    itself = form_of(worker.get(f"/households/{own}/merge"), other=own, keep="own", reason="误")
    refused = worker.post(f"/households/{own}/merge", data=itself)
    assert refused.status_code == 422
    assert "不能与自己合并" in refused.text or "被合并的和保留的是同一个编号" in refused.text
    assert decide(lead, "declined", reason="住址不同") == 303
    assert "没有待核准的合并" in lead.get("/approvals").text


def test_one_person_listed_twice_is_merged(api: Api) -> None:
    people = [
        {"person": name, "name": "测试二", "relation": relation}
        for name, relation in (("q1", "head"), ("q2", "other"))
    ]
    household = api.household(members=people)
    api.project()
    worker, lead = api.browser("social_worker"), api.browser("lead")
    form = form_of(
        worker.get(f"/households/{household}/merge"), person=f"{household}/q2",
        same_as=f"{household}/q1", reason="同一人",
    )
    assert worker.post(f"/households/{household}/merge", data=form).status_code == 303
    assert "测试二（" in lead.get("/approvals").text
    assert decide(lead, "approved", which="persons") == 303


def test_after_a_merge_who_is_listed_in_both_files_is_shown_with_the_way_to_merge_them(api: Api) -> None:
    own, other = (
        api.household(file_number=number, members=[
            {"person": person, "name": "测试二", "relation": "head"},
        ])
        for number, person in (("JT-1", "q1"), ("JT-2", "q2"))
    )
    api.project()
    proposed(api, own, other)
    lead = api.browser("lead")
    assert "都有" not in lead.get(f"/households/{own}").text
    path = "/approvals/merges/households/1/approved"
    done = lead.post(path, data={
        "form_token": form_of(lead.get("/approvals"))["form_token"], "request": "request-1",
    })
    api.project()
    page = lead.get(f"/households/{own}").text
    assert "两份档案里都有 测试二" in page
    assert "测试二 JT-2 并入 测试二 JT-1" in page
    assert "两份档案里都有 测试二" in lead.get(done.location).text
    [href] = re.findall(r'href="([^"]+)">提出合并这两人', page)
    form = lead.get(html.unescape(href).partition("#")[0])
    assert f'value="{other}/q2" selected' in form.text
    assert f'value="{own}/q1" selected' in form.text
    told = form_of(form, person=f"{other}/q2", same_as=f"{own}/q1", reason="同一人")
    assert lead.post(f"/households/{own}/merge", data=told).status_code == 303
    assert "都有" not in lead.get(f"/households/{own}").text
    reviewer = api.browser("reviewer").get(f"/households/{own}").text
    assert "JT-2 并入" in reviewer
    assert "测试二" not in reviewer


def erasure_proposed(api: Api, role: str) -> str:
    """The id of an erasure that somebody has proposed from a household's page."""
    household, browser = api.household(), api.browser(role)
    api.project()
    [href] = re.findall(r'href="(/record/erasure.proposed[^"]*)"', browser.get(f"/households/{household}").text)
    page = browser.get(href.replace("&amp;", "&"))
    person = re.findall(r'name="person"[^>]*value="([^"]+)"', page.text)[0]
    said = {"ground": "request", "person": person, "household": household}
    done = browser.post(href.partition("?")[0], data=form_of(page, **said))
    assert done.status_code == 303
    api.project()
    with api.services.read_models.engine.connect() as connection:
        return erasure_list(connection, api.station)[-1].erasure


def test_an_erasure_is_proposed_from_the_household_and_approved_by_the_lead(api: Api) -> None:
    erasure, lead = erasure_proposed(api, "social_worker"), api.browser("lead")
    address, subject = "/record/erasure.approved", f"?subject={erasure}"
    assert f"{address}{subject}" in lead.get("/approvals").text
    assert '等您核准的</a><span class="count">1<' in lead.get("/").text
    form = form_of(lead.get(address + subject), subject=erasure, occurred_on="2026-01-01")
    assert lead.post(address, data=form).status_code == 303
    api.project()
    assert erasure not in lead.get("/approvals").text
    assert "等您核准的" not in lead.get("/").text


def test_whoever_proposes_an_erasure_may_take_it_back_and_is_not_offered_to_approve_it(api: Api) -> None:
    erasure = erasure_proposed(api, "lead")
    own = api.browser("lead").get("/approvals").text
    assert f"erasure.refused?subject={erasure}" in own
    assert f"erasure.approved?subject={erasure}" not in own
    other = api.browser("lead", actor="另一站长").get("/approvals").text
    assert f"erasure.approved?subject={erasure}" in other
