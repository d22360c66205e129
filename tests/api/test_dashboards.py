"""Do the charts say what the reports say, month by month, and does each number lead to its records?"""

from __future__ import annotations

import html
import re

import pytest
from callers import VISIT, Api, refusal_of
from flask.testing import FlaskClient

MONTHS = ("2024-07", "2024-08", "2024-09", "2024-10", "2024-11", "2024-12")


@pytest.fixture
def lead(api: Api) -> FlaskClient:
    """A lead's browser; two months, two communities, two workers, one of the records late."""
    east, west = api.household(), api.household(community="西路社区", members=[
        {"person": "p2", "name": "测试二", "relation": "head"}
    ])
    for household, day, role, met in (
        (east, "2024-09-03", "social_worker", 2), (east, "2024-11-05", "social_worker", 3),
        (west, "2024-11-06", "lead", 4),
    ):
        said = VISIT | {"household": household, "occurred_on": day, "persons_met": met}
        api.recorded("visits", said, role=role)
    api.project()
    return api.browser("lead")


def table(page: str, name: str) -> list[list[tuple[str, str]]]:
    """The rows under a chart's column heads: what each cell says and where it leads."""
    [section] = re.findall(rf'aria-labelledby="chart-{name}">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    return [
        [(text, html.unescape(href)) for href, text in re.findall(r'<a href="([^"]+)">([^<]+)<', row)]
        for row in section.split("</tr>")[:-1]
    ]


@pytest.mark.parametrize("times", ["", "&as_of=2024-11-05", "&known_at=1", "&as_of=2024-10-31&known_at=4"])
def test_a_chart_s_table_is_the_months_reports(api: Api, lead: FlaskClient, times: str) -> None:
    for code in ("person_visits", "households_updated", "other_households", "dibao_households"):
        page = lead.get(f"/dashboards?indicator=lixia-2024/{code}&months=6&to=2024-12{times}").text
        rows = table(page, "trend")
        months = [re.findall(r"/months/([\d-]+)/", row[0][1])[0] for row in rows]
        assert months[-1] == ("2024-10" if "as_of=2024-10" in times else "2024-11" if times.startswith("&as") else "2024-12")
        for month, [(text, href)] in zip(months, rows, strict=True):
            report = api.get(f"reports/{month}?{times}", role="lead").get_json()
            [own] = [one for one in report["indicators"] if one["code"] == code]
            assert text == own["display"], (code, month)
            assert own["display"] in lead.get(href).text.partition("</h1>")[0].rpartition("<h1>")[2]


def test_the_parts_make_the_whole_and_lead_to_their_records(lead: FlaskClient) -> None:
    page = lead.get("/dashboards?indicator=lixia-2024/person_visits&months=6&to=2024-12").text
    assert [row[0][0] for row in table(page, "community")] == ["5", "4"]
    assert [row[0][0] for row in table(page, "staff")] == ["5", "4"]
    for name in ("community", "staff"):
        for [(text, href)] in table(page, name):
            behind = lead.get(href).text
            amounts = re.findall(r'<td class="number">\+(\d+)', behind)
            assert sum(map(int, amounts)) == int(text), href
            assert "只计" in behind


def test_late_entries_are_those_that_the_reports_mark(api: Api, lead: FlaskClient) -> None:
    page = lead.get("/dashboards?indicator=lixia-2024/person_visits&months=6&to=2024-12").text
    for month, row in zip(MONTHS, table(page, "late"), strict=True):
        said = api.get(f"indicators/lixia-2024?month={month}").get_json()["indicators"]
        [own] = [one for one in said if one["code"] == "person_visits"]
        assert [text for text, _href in row] == [str(own["late_entries"]), str(own["imported_entries"])]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("to=2024-13", 400, "bad_month"), ("indicator=lixia-2024/none", 404, "unknown_indicator"),
        ("indicator=none/person_visits", 404, "unknown_indicator_set"), ("as_of=x", 400, "bad_as_of"),
    ],
)
def test_what_makes_no_sense_is_refused(lead: FlaskClient, query: str, status: int, code: str) -> None:
    answer = lead.get(f"/dashboards?{query}")
    assert answer.status_code == status
    assert code in answer.text


def test_a_published_figure_is_not_split(api: Api) -> None:
    asked = "indicators/lixia-2024/person_visits/explanation?month=2024-11&published=0&staff=x"
    refusal_of(api.get(asked), 400, "published_as_it_was")
