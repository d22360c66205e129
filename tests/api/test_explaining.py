"""Does every figure lead to its records and their proofs, and is it said why something is not in it?"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from callers import VISIT, Api, refusal_of
from desk import Desk, a_station

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MONTH = "month=2024-11"
LEAD: dict[str, Any] = {"role": "lead"}


@pytest.fixture
def november(api: Api) -> dict[str, str]:
    """A household with two visits, of which one is voided; one on 低保; one of another month."""
    home = api.household()
    visit = VISIT | {"household": home, "persons_met": 2}
    kept = api.recorded("visits", visit)["id"]
    gone = api.recorded("visits", visit | {"occurred_on": "2024-11-06"})["id"]
    said = {"reason": "测试一说重复了"}
    voided = api.call("DELETE", f"visits/{gone}/entries/1", said, headers={"If-Match": '"1"'})
    assert voided.status_code == 201
    phoned = api.recorded("visits", visit | {"mode": "phone", "occurred_on": "2024-10-30"})["id"]
    unit = {"occurred_on": "2024-09-01", "unit": "u", "category": "dibao", "covered": ["p1"]}
    api.recorded(f"households/{home}/assistance", unit)
    api.recorded(f"households/{home}/info-updates", {"occurred_on": "2024-11-07", "fields": ["care"]})
    api.recorded(f"households/{home}/info-updates", {"occurred_on": "2024-11-08", "fields": ["care"]})
    idle = api.household(members=[{"person": "p2", "name": "测试二", "relation": "head"}])
    api.project()
    return {"home": home, "kept": kept, "gone": gone, "phoned": phoned, "idle": idle}


def explanation(api: Api, code: str, **more: Any) -> dict[str, Any]:
    answer = api.get(f"indicators/lixia-2024/{code}/explanation?{MONTH}{more.pop('and_', '')}", **more)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def why_not(api: Api, code: str, asked: str, **more: Any) -> dict[str, Any]:
    answer = api.get(f"indicators/lixia-2024/{code}/why-not?{MONTH}&{asked}", **more)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def because(answer: dict[str, Any]) -> list[str]:
    return [reason["because"] for reason in answer["reasons"]]


def test_a_figure_leads_to_its_postings_their_history_and_their_proof(
    api: Api, november: dict[str, str]
) -> None:
    while api.services.runtime.sealer.seal(NOW):
        pass
    found = explanation(api, "person_visits")
    assert (found["figure"]["display"], found["postings"], found["records"]) == ("2", 3, 2)
    assert [line["amount"] for line in found["items"]] == [2, 2, -2]
    assert {line["id"] for line in found["items"]} == {november["kept"], november["gone"]}
    assert sum(line["amount"] for line in found["items"]) == found["figure"]["value"]
    for line in found["items"]:
        assert api.get(line["record"]).status_code == 200
        history = api.get(line["history"]).get_json()["entries"]
        assert line["position"] in {event["position"] for event in history}
        assert api.get(line["proof"]).get_json()["position"] == line["position"]
    # a page at a time, also between two postings of one event
    first = explanation(api, "person_visits", and_="&limit=1")
    rest = explanation(api, "person_visits", and_=f"&limit=5&cursor={first['next_cursor']}")
    assert first["items"] + rest["items"] == found["items"]
    assert rest["next_cursor"] is None


def test_a_remainder_is_explained_as_a_difference_of_figures(
    api: Api, november: dict[str, str]
) -> None:
    found = explanation(api, "other_households")
    assert [(part["code"], part["sign"], part["value"]) for part in found["parts"]] == [
        ("households_updated", 1, 1), ("households_updated_dibao", -1, 1),
        ("households_updated_edge", -1, 0),
    ]
    answer = why_not(api, "other_households", f"household={november['home']}")
    assert (answer["is_in"], answer["amount"]) == (False, 0)
    assert [(part["sign"], part["amount"]) for part in answer["parts"]] == [(1, 1), (-1, 1), (-1, 0)]


def test_a_record_is_told_why_it_is_not_counted(api: Api, november: dict[str, str]) -> None:
    gone = why_not(api, "person_visits", f"record={november['gone']}")
    assert (gone["verdict"], because(gone)) == ("not_counted", ["voided"])
    assert (gone["reasons"][0]["cause"], gone["reasons"][0]["actor"]) == ("测试一说重复了", "social_worker-1")
    early = why_not(api, "person_visits", f"record=visit/{november['phoned']}")
    assert because(early) == ["outside_period"]
    assert why_not(api, "person_visits", f"record=visit/{november['kept']}/1")["amount"] == 2
    # the second update of a household counts nothing more: the first counted it already
    first, second = (
        why_not(api, "households_updated", f"record=household/{november['home']}/{entry}")
        for entry in (3, 4)
    )
    assert (first["verdict"], second["verdict"]) == ("counted", "counted_already")
    assert second["reasons"][0]["entry"] == 3
    # a record that never counts here says where it does
    other = why_not(api, "households_updated", f"record={november['kept']}")
    assert because(other) == ["other_measure"]
    # 低保 is not 低保边缘: the filter with what it has and what is wanted
    edge = why_not(api, "edge_households", f"household={november['home']}")
    assert [(r["dimension"], r["got"], r["wanted"]) for r in edge["reasons"][:1]] == [
        ("category", "dibao", ["dibao_edge"])
    ]


def test_who_left_the_assistance_is_not_among_the_covered(
    api: Api, november: dict[str, str]
) -> None:
    home = november["home"]
    assert why_not(api, "dibao_persons", "person=p1")["is_in"]
    assert not why_not(api, "dibao_persons", "person=p2")["is_in"]
    end = {"occurred_on": "2024-11-20", "unit": "u", "reason": "deceased"}
    api.recorded(f"households/{home}/assistance/end", end)
    api.project()
    ended = why_not(api, "dibao_persons", f"household={home}")
    assert (ended["is_in"], because(ended)[0]) == (False, "ended")
    assert not why_not(api, "dibao_persons", "person=p1")["is_in"]
    assert why_not(api, "dibao_persons", "person=p1&as_of=2024-11-19")["is_in"]


def test_a_published_figure_is_explained_as_it_was_published(
    api: Api, november: dict[str, str]
) -> None:
    listed = api.get("reports/2024-11/checklist").get_json()["items"]
    body = {"acknowledged": [item["code"] for item in listed]}
    published = api.recorded("reports/2024-11/publication", body, **LEAD)
    idle = november["idle"]
    api.recorded("visits", VISIT | {"household": idle, "occurred_on": "2024-11-20"})
    api.project()
    assert explanation(api, "person_visits")["figure"]["display"] == "3"
    found = explanation(api, "person_visits", and_="&published=0")
    assert (found["figure"]["display"], found["published"]["display"]) == ("2", "2")
    assert (found["position"], found["published"]["number"]) == (published["position"], 1)
    assert why_not(api, "person_visits", f"household={idle}")["is_in"]
    late = why_not(api, "person_visits", f"household={idle}&published=1")
    assert (late["is_in"], because(late)[-1]) == (False, "not_known_yet")
    path = f"indicators/lixia-2024/person_visits/explanation?{MONTH}&published=1"
    refusal_of(api.get(f"{path}&as_of=2024-11-20"), 400, "published_as_it_was")
    page = api.get("/months/2024-11/published", **LEAD).text
    assert "/months/2024-11/figures/person_visits?published=1" in page
    assert "按发布时说明" in api.get("/months/2024-11/figures/person_visits?published=1", **LEAD).text


def test_what_cannot_be_answered_is_refused(api: Api, november: dict[str, str]) -> None:
    path = f"indicators/lixia-2024/person_visits/why-not?{MONTH}"
    refusal_of(api.get(path), 400, "nobody_named")
    refusal_of(api.get(f"{path}&household=h&person=p"), 400, "nobody_named")
    refusal_of(api.get(f"{path}&household=nowhere"), 404, "unknown_record")
    for named in ("nowhere", "visit/nowhere", "nokind/x", "visit/x/9/9", f"visit/{november['kept']}/7"):
        refusal_of(api.get(f"{path}&record={named}"), 404, "unknown_record")
    refusal_of(api.get(f"{path}&household=a%20b"), 422, "bad_identifier")
    other = path.replace("person_visits", "no_such")
    refusal_of(api.get(f"{other}&household={november['home']}"), 404, "unknown_indicator")
    bad = "indicators/lixia-2024/person_visits/explanation?month="
    refusal_of(api.get(f"{bad}2024-13"), 400, "bad_report_period")
    refusal_of(api.get(f"{bad}2024-11-09..2024-11-01"), 400, "bad_period")


def test_only_who_reads_cases_asks_why_and_the_asking_is_logged(
    api: Api, november: dict[str, str]
) -> None:
    hub: dict[str, Any] = {"role": "hub", "station": "*"}
    path = f"indicators/lixia-2024/person_visits/why-not?{MONTH}&station={api.station}"
    refusal_of(api.get(f"{path}&household={november['home']}", **hub), 403, "not_allowed")
    # to a hub a figure's postings say what it needs, and not of which records they are
    own = f"&station={api.station}"
    found, whole = (explanation(api, "person_visits", and_=own, **who) for who in (hub, {}))
    assert (found["records"], found["figure"]) == (whole["records"], whole["figure"])
    of_records = ("id", "entry", "entity", "counts_as", "actor", "recorded_at", "is_late", "record")
    evidence = f"indicators/lixia-2024/person_visits/evidence?{MONTH}{own}"
    for mine, theirs in (
        (found["items"], whole["items"]),
        (api.get(evidence, **hub).get_json()["items"], api.get(evidence).get_json()["items"]),
    ):
        for line, told in zip(mine, theirs, strict=True):
            assert not any(line.get(name) for name in of_records)
            assert told["actor"]
            for name in ("amount", "effective_on", "kind", "position"):
                assert line[name] == told[name]
        assert not {november["kept"], november["home"]} & set(re.findall(r"[\w-]+", repr(mine)))
    page = api.get(f"/months/2024-11/figures/person_visits?station={api.station}", **hub).text
    assert "/records/" not in page
    assert november["kept"] not in page
    assert "social_worker-1" not in page
    assert "录入</th>" not in page
    assert "录入</th>" in api.get("/months/2024-11/figures/person_visits").text
    why_not(api, "person_visits", f"household={november['home']}")
    rows = api.get(f"access-log?household={november['home']}", role="reviewer").get_json()["items"]
    assert any(row["route"].endswith("/why-not") for row in rows)


def test_another_station_s_record_is_told_only_to_who_sees_every_station(
    api: Api, november: dict[str, str]
) -> None:
    Desk(api.services.ledger, "elsewhere").record("elsewhere", a_station(), "2024-01-01")
    api.project()
    reviewer: dict[str, Any] = {"role": "reviewer", "station": "*"}
    path = f"indicators/lixia-2024/person_visits/why-not?{MONTH}&station=elsewhere"
    own, seen = f"{path}&household={november['home']}", f"{path}&record={november['kept']}"
    refusal_of(api.get(own), 403, "other_station")
    refusal_of(api.get(own, station="elsewhere"), 404, "unknown_record")
    refusal_of(api.get(seen, station="elsewhere"), 404, "unknown_record")
    for asked in (own, seen):
        assert api.station in refusal_of(api.get(asked, **reviewer), 404, "of_other_station")["detail"]


def test_the_page_answers_without_a_script(api: Api, november: dict[str, str]) -> None:
    figure = "/months/2024-11/figures/person_visits"
    page = api.get(figure).text
    assert f'action="{figure}/why-not"' in page
    assert f"/records/visit/{november['kept']}#p" in page
    asked = api.get(f"{figure}/why-not?about=record&id={november['gone']}")
    assert asked.status_code == 303
    answer = api.get(asked.headers["Location"]).text
    assert "不在其中" in answer
    assert "测试一说重复了" in answer
    unknown = api.get(f"{figure}/why-not?household=nowhere")
    assert unknown.status_code == 404
    assert "查无此记录" in unknown.text
    for code in ("other_households", "dibao_persons", "households_updated"):
        assert api.get(f"/months/2024-11/figures/{code}/why-not?household={november['home']}").status_code == 200
    assert api.get("/months/2024-07-01..2025-06-30/figures/person_visits").status_code == 200



def test_a_household_is_named_by_its_file_number_as_people_know_it(api: Api) -> None:
    home = api.household(file_number="JT-0117")
    for day in ("2024-09-03", "2024-12-02", "2024-10-08"):
        update = {"occurred_on": day, "fields": ["care"]}
        api.recorded(f"households/{home}/info-updates", update)
    api.project()
    answer = why_not(api, "households_updated", "household=JT-0117")
    assert answer == why_not(api, "households_updated", f"household={home}")
    # and what kept it out is read day by day
    days = [reason["on"] for reason in answer["reasons"] if reason["because"] == "outside_period"]
    assert days == ["2024-09-03", "2024-10-08", "2024-12-02"]
    page = api.get("/months/2024-11/figures/person_visits/why-not?household=JT-0117", role="lead").text
    assert "没有一条记录计入" in page
    assert f"户 {home}" not in page
    other = api.household(file_number="JT-0117", members=[
        {"person": "p9", "name": "测试九", "relation": "head"},
    ])
    api.project()
    path = "indicators/lixia-2024/households_updated/why-not?month=2024-11&household=JT-0117"
    refused = refusal_of(api.get(path), 409, "ambiguous_file_number")
    assert home in refused["detail"]
    assert other in refused["detail"]
