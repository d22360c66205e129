"""Is a table of the ledger kept under a name, for oneself or for the station, and nobody else?"""

from __future__ import annotations

import re

import pytest
from callers import Api, form_of
from desk import STATION, Desk, a_station
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.accounts.saved_views import MOST_NAME, MOST_OWN, TooManyViews, Viewer, keep, views_for
from api.edge import new_id, now

TABLE = "/ledger?kind=visit&columns=occurred_on&columns=mode&sort=occurred_on&from=2024-11-01"


def kept(browser: FlaskClient, name: str, table: str = TABLE, **more: str) -> TestResponse:
    """Keep the table that an address shows, by the form beneath it."""
    return browser.post("/ledger/views", data=form_of(browser.get(table), name=name, **more))


def listed(browser: FlaskClient) -> dict[str, str]:
    """The views of the ledger's page: name and address."""
    page = browser.get("/ledger?kind=visit").text
    return {name: link for link, name in re.findall(r'<a href="(/ledger\?view=\w+)"[^>]*>([^<]+)', page)}


def asked(browser: FlaskClient, link: str, what: str = "", **said: str) -> TestResponse:
    """Do something with a view."""
    token = form_of(browser.get(TABLE))["form_token"]
    path = f"/ledger/views/{link.rpartition('=')[2]}{what}"
    return browser.post(path, data={"form_token": token} | said)


def test_a_table_is_kept_opened_renamed_begun_with_and_deleted(api: Api) -> None:
    mine = api.browser("social_worker")
    assert kept(mine, " 十一月 走访 ").status_code == 303
    views = listed(mine)
    assert list(views) == ["十一月 走访"]
    opened = mine.get(views["十一月 走访"], follow_redirects=True)
    assert opened.request.args.to_dict() == {
        "kind": "visit", "columns": "occurred_on,mode", "sort": "occurred_on", "from": "2024-11-01",
    }
    assert 'aria-current="page">十一月 走访' in opened.text
    api.household()
    api.project()
    assert '<th scope="col" aria-sort="descending">' in mine.get("/ledger?sort=-community").text
    link = views["十一月 走访"]
    assert asked(mine, link, "/start", is_start="1").status_code == 303
    assert "kind=visit" in mine.get("/ledger").location
    assert mine.get("/ledger?kind=household").status_code == 200
    assert asked(mine, link, "/start").status_code == 303
    assert mine.get("/ledger").status_code == 200
    assert asked(mine, link, name="改过的").status_code == 303
    assert listed(mine) == {"改过的": link}
    assert asked(mine, link, "/start", is_start="1").status_code == 303
    assert asked(mine, link, "/delete").status_code == 303
    assert listed(mine) == {}
    assert mine.get("/ledger").status_code == 200
    assert mine.get(link).status_code == 404


def test_a_shared_view_is_the_lead_s_and_an_own_one_nobody_else_s(api: Api) -> None:
    Desk(api.services.ledger, "elsewhere").record(
        "elsewhere", a_station(), "2024-01-01", role="administrator"
    )
    mine, lead = api.browser("social_worker"), api.browser("lead")
    assert kept(mine, "我的", is_shared="1").status_code == 303  # he keeps none for all
    assert kept(lead, "全站的", is_shared="1").status_code == 303
    assert kept(lead, "站长的").status_code == 303
    assert set(listed(mine)) == {"我的", "全站的"}
    assert set(listed(lead)) == {"站长的", "全站的"}
    assert set(listed(api.browser("lead", "elsewhere"))) == set()
    shared = listed(mine)["全站的"]
    for other, link in ((mine, shared), (mine, listed(lead)["站长的"]), (lead, listed(mine)["我的"])):
        assert asked(other, link, name="别的").status_code == 404
        assert asked(other, link, "/delete").status_code == 404
    assert asked(mine, shared, "/start", is_start="1").status_code == 303
    assert asked(lead, shared, "/delete").status_code == 303
    assert mine.get("/ledger").status_code == 200  # what he began with is gone


def test_a_shared_view_s_name_is_read_by_who_sees_names_and_two_of_a_name_are_told_apart(api: Api) -> None:
    mine, lead = api.browser("social_worker"), api.browser("lead")
    kept(mine, "王秀兰 走访")
    assert kept(lead, "王秀兰 走访", is_shared="1").status_code == 303  # of others' own nothing is told
    assert kept(lead, "王秀兰 走访").status_code == 409
    assert kept(lead, "王秀兰 走访", is_shared="1").status_code == 409
    assert list(listed(mine)) == ["王秀兰 走访", "王秀兰 走访（全站共用）"]
    assert list(listed(lead)) == ["王秀兰 走访"]
    reviewer = api.browser("reviewer")
    assert list(listed(reviewer)) == ["视图 1"]
    assert "王秀兰" not in reviewer.get("/ledger/views").text
    assert reviewer.get(listed(reviewer)["视图 1"], follow_redirects=True).status_code == 200
    assert kept(reviewer, "王秀兰 走访").status_code == 303  # nor is a guess confirmed
    assert list(listed(reviewer)) == ["王秀兰 走访", "视图 1"]


@pytest.mark.parametrize(("name", "said"), [
    ("", "1 到"), ("　", "1 到"), ("长" * (MOST_NAME + 1), "1 到"), ("我的", "已有名为"),
    ("13800000000", "手机号码"),
])
def test_a_name_that_is_none_or_taken_is_refused_with_what_was_typed(
    api: Api, name: str, said: str
) -> None:
    browser = api.browser("social_worker")
    kept(browser, "我的")
    answer = kept(browser, name)
    assert answer.status_code in {409, 422}
    assert said in answer.text
    assert form_of(browser.get(TABLE))["query"][0] in answer.text.replace("&amp;", "&")
    assert list(listed(browser)) == ["我的"]


def test_nothing_that_was_typed_is_kept(api: Api) -> None:
    browser = api.browser("social_worker")
    page = browser.get(TABLE + "&known_at=2024-12-05&as_of=2024-11-30")
    assert "known_at" not in form_of(page)["query"][0]
    for typed in ("community=王秀兰", "category=王秀兰", "columns=王秀兰", "sort=王秀兰", "kind=王秀兰"):
        answer = browser.post("/ledger/views", data=form_of(page, name="甲") | {"query": typed})
        assert answer.status_code == 422, typed
        assert "没有保存" in answer.text
    sought = form_of(page, name="乙") | {"query": "kind=visit&sought=王秀兰&known_at=王秀兰"}
    assert browser.post("/ledger/views", data=sought).status_code == 303
    with api.services.tokens.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM saved_views").all()
    assert len(rows) == 1
    assert "王秀兰" not in str(rows)


def test_views_are_bounded_and_each_account_s(api: Api) -> None:
    engine, viewer = api.services.tokens, Viewer("account-1", STATION, keeps_shared=False)
    for number in range(MOST_OWN):
        keep(engine, viewer, view=new_id(), name=f"视图{number}", query={"kind": "visit"}, at=now())
    with pytest.raises(TooManyViews):
        keep(engine, viewer, view=new_id(), name="再一个", query={"kind": "visit"}, at=now())
    assert len(views_for(engine, viewer)) == MOST_OWN
    assert views_for(engine, Viewer("account-2", STATION, keeps_shared=True)) == []
    token = api.get("/ledger?kind=visit")  # a token that is no account's keeps none, and is offered none
    assert token.status_code == 200
    assert "保存为视图" not in token.text
