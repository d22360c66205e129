"""Is a report published once, frozen for ever, and restated with its reasons?"""

from __future__ import annotations

import json
from typing import Any

import pytest
from callers import VISIT, Api

MONTH = "2024-11"
LEAD: dict[str, Any] = {"role": "lead"}


@pytest.fixture
def station(api: Api) -> Api:
    """A station with a household, two visits and the lead's own text."""
    household = api.household()
    api.recorded("visits", VISIT | {"household": household})
    api.recorded("visits", VISIT | {"occurred_on": "2024-11-12"})
    api.recorded(f"households/{household}/info-updates", {
        "occurred_on": "2024-11-20", "fields": ["phone"],
    })
    api.recorded(
        f"months/{MONTH}/narrative",
        {"occurred_on": "2024-11-30", "section": "featured", "text": "义剪一场。"}, **LEAD,
    )
    api.project()
    return api


def warnings(api: Api, period: str = MONTH) -> list[str]:
    found = api.get(f"reports/{period}/checklist").get_json()
    assert found["is_publishable"], found
    return [item["code"] for item in found["items"]]


def published(api: Api, period: str = MONTH) -> dict[str, Any]:
    body = {"acknowledged": warnings(api, period)}
    found = api.recorded(f"reports/{period}/publication", body, **LEAD)
    api.project()
    return found


def test_x(station: Api) -> None:
    print(json.dumps(station.get(f"reports/{MONTH}/checklist").get_json(), ensure_ascii=False, indent=1))
    found = published(station)
    print(found)
    print(station.get(f"reports/{MONTH}/publication").get_json())
    docx = station.get(f"reports/{MONTH}/publication/docx").data
    print(station.post("reports/verify", None, data=docx).get_json())
    visit = station.recorded("visits", VISIT | {"occurred_on": "2024-11-13"})
    station.project()
    print(json.dumps(station.get(f"reports/{MONTH}/differences").get_json(), ensure_ascii=False, indent=1))
    print(station.post(f"reports/{MONTH}/restatement", {"reason": "补录"}, **LEAD).get_json())
    print(station.get(f"reports/{MONTH}/restatement/docx").status_code)
    assert False
