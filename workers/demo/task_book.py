"""What does the demo's station promise for its cycle, and who approves it?

Written last, so that it takes no chance from the year's other records. Some targets are
reached and some are not, as in a real year; two are judged by people.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from workers.demo.year import CYCLE, LAST_DAY, StationYear

SUBJECT: Final = "tb1"
BUREAU: Final = "高立言"
"""Of the bureau that pays: another person than the one who submits."""


def target(
    indicator: str, label: str, unit: str, amount: int, weight: int, **more: Any
) -> dict[str, Any]:
    """A row of the task book."""
    return {
        "indicator": indicator, "label": label, "unit": unit, "target": amount,
        "weight": weight, **more,
    }


BOOK: Final[dict[str, Any]] = {
    "title": "2024-2025 年度任务书", "cycle": CYCLE,
    "first_on": "2024-07-01", "last_on": LAST_DAY.isoformat(),
    "indicators": [
        target("households_updated", "更新困难群体服务信息", "household", 130, 20),
        target("person_visits", "走访", "person_times", 360, 20),
    ],
}
STEPS: Final = {
    "kind": "steps",
    "steps": [
        {"from_percent": 60, "gives_percent": 50}, {"from_percent": 80, "gives_percent": 80},
        {"from_percent": 100, "gives_percent": 100},
    ],
}
ALL_OR_NOTHING: Final = {"kind": "all_or_nothing"}
REVISED: Final = (
    target("administration", "制度与档案规范", "item", 1, 10, head="administration"),
    target("finance", "经费使用规范", "item", 1, 10, head="finance"),
    target("households_updated", "更新困难群体服务信息", "household", 130, 10),
    target("case_files_opened", "新建服务对象档案", "file", 75, 10),
    target(
        "person_visits", "走访", "person_times", 300, 15,
        plan=[15, 20, 25, 25, 25, 25, 25, 25, 30, 30, 30, 25],
    ),
    target("case_days", "个案平均历时", "day", 60, 5, direction="at_most"),
    target("volunteer_hours", "志愿服务时长", "hour", 240, 5, scoring=STEPS),
    target(
        "households_without_contact", "超过90天未联系的家庭", "household", 60, 5,
        direction="at_most",
    ),
    target(
        "communities_surveyed", "需求调研走访社区", "piece", 6, 5, head="social", scoring=STEPS
    ),
    target("supervisions_received", "接受督导", "times", 12, 5, head="administration"),
    target("trainings_received", "接受培训", "times", 8, 5, head="administration"),
    target("volunteer_trainings_delivered", "志愿者培训", "times", 2, 5, head="social"),
    target(
        "brand_launches_assisted", "协助品牌发布会", "times", 1, 5, head="innovation",
        scoring=ALL_OR_NOTHING,
    ),
    target(
        "competition_awards", "大赛获奖", "item", 1, 5, head="innovation", scoring=ALL_OR_NOTHING
    ),
)
DEFINED: Final[tuple[dict[str, Any], ...]] = (
    {
        "code": "case_days", "label": "个案平均历时", "label_en": "Average days of a case",
        "unit": "day", "measure": "case.days",
    },
    {
        "code": "households_without_contact", "label": "超过90天未联系的家庭",
        "label_en": "Households without contact for 90 days", "unit": "household",
        "measure": "household.kept", "without": {"measure": "contact.households", "days": 90},
    },
    {
        "code": "volunteer_hours", "label": "志愿服务时长", "label_en": "Volunteer hours",
        "unit": "hour", "measure": "volunteer.minutes", "divide_by": 60,
    },
)
"""What the bureau's set does not count: the station's own, from the new year on."""


def promise(year: StationYear) -> None:
    """The task book is revised by what the reviewers advised, submitted and approved."""
    lead = {"actor": year.profile.staff.lead, "role": "lead", "days_late": 0}
    for indicator in DEFINED:
        defined = {
            "indicator_set": "lixia-2024", "indicator": indicator, "valid_from": "2025-01-01",
            "because": "任务书要求",
        }
        subject = str(indicator["code"])
        year.say("indicator.defined", date(2024, 12, 9), defined, subject=subject, **lead)
    revised = {"indicators": list(REVISED), "because": "按评审意见修改"}
    year.say("task_book.revised", date(2024, 12, 9), revised, subject=SUBJECT, **lead)
    year.say("task_book.submitted", date(2024, 12, 10), {}, subject=SUBJECT, **lead)
    year.say(
        "task_book.approved", date(2024, 12, 18), {"approver": year.profile.registered()["funder"]},
        subject=SUBJECT, actor=BUREAU, role="reviewer", days_late=0,
    )
