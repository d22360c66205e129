"""What was read, in words? The page or list that a route of the access log stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from api.nouns import NOUNS
from api.queries import one_station
from api.services import services
from projections.household_members import households_listing
from projections.known_people import known

PREFIX: Final = "/api/v1/"
COMMAND: Final = "taizhang "
BY_COMMAND: Final = "命令行"
ELSEWHERE: Final = "其他页面"
"""What a route is called that no longer is one of the program's."""
PLACES: Final[dict[str, str]] = {
    "": "今日", "access-log": "访问记录", "approvals": "核准", "audit": "审计",
    "bundles": "证据包", "calendar": "日程", "dashboards": "看板", "due": "应做的事",
    "erasure-tracking": "个人信息删除的进度", "evaluations": "评估",
    "indicators": "指标的构成", "integrity-signals": "可疑之处", "jobs": "运行",
    "ledger": "台账", "offline": "离线记录", "persons": "按姓名查找", "record": "登记",
    "records": "记录", "referral-tracking": "跟进", "referrals": "跟进", "reports": "月报",
    "review": "评审工作", "staff-growth": "社工成长", "timelines": "时间线",
    "volunteer-hours": "志愿服务时长", "proofs": "证明", "explanations": "指标的构成",
}
"""By the first part of an address, what no kind of record is."""
LABELS: Final[Mapping[str, str]] = {noun.plural: noun.kind.label for noun in NOUNS} | PLACES


def place(route: str) -> str:
    """What people call the page, list or command by which something was read."""
    if route.startswith(COMMAND):
        return BY_COMMAND
    first = route.removeprefix(PREFIX).lstrip("/").partition("/")[0]
    return LABELS.get(first.partition(".")[0], ELSEWHERE)


def numbers_of(subjects: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The file numbers of households by id, and of persons that of the household they are of."""
    asked: dict[str, set[str]] = {}
    for one in subjects:
        asked.setdefault(one["kind"], set()).add(one["id"])
    station = one_station()
    with services().read_models.engine.connect() as connection:
        of = dict(households_listing(connection, station, asked.get("person", ())))
        files = asked.get("household", set()) | set(of.values())
        found = known(connection, station, {f"household:{file}" for file in files})
    numbers = {s.partition(":")[2]: one.number for s, one in found.items() if one.number}
    return numbers | {
        person: numbers[file] for person, file in of.items() if file in numbers
    }
