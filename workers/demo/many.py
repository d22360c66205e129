"""Which other stations are invented, for load and for another kind of report?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from workers.demo.generator import ordinary_month
from workers.demo.year import MONTHS, Profile, Staff, StationYear

CASEWORK_STATION: Final = "lishan"


def a_profile(code: str, name: str, indicator_set: str = "lixia-2024") -> Profile:
    """A station with four communities."""
    return Profile(
        code=code, name=f"{name}街道社会工作服务站", short_name=f"{name}街道社工站",
        street=f"{name}街道",
        communities=tuple((f"{name}第{n}社区", (f"{name}{n}",)) for n in "一二三四"),
        staff=Staff("林站长", ("甲社工", "乙社工"), "何协调", "沈督导", "许同辈"),
        introduction=f"{name}街道社工站（演示数据：人物均为虚构）。", indicator_set=indicator_set,
    )


def load_lines(number: int, seed: int) -> Iterator[bytes]:
    """The history file of one of many stations."""
    return _a_year(a_profile(f"s{number:03}", f"第{number}"), seed)


def casework_lines() -> Iterator[bytes]:
    """The history file of a station that reports cases, sessions, groups and resources."""
    return _a_year(a_profile(CASEWORK_STATION, "历山", "casework-2024"), seed=7)


def _a_year(profile: Profile, seed: int) -> Iterator[bytes]:
    year = StationYear(profile, seed)
    year.begin()
    size = year.chance.randint(100, 160)
    homes = [year.home(year.chance.choice((1, 1, 2, 3))) for _ in range(size)]
    for home in homes[: size * 2 // 3]:
        category = year.chance.choice(("dibao", "dibao", "dibao_edge", "tekun"))
        day = year.workday(2024, 7, 17, 26)
        year.assist(home, category, 1, day, day)
    year.enlist(10)
    for n in range(6):
        year.case(homes[n], year.workday(*MONTHS[n * 2], 18, 28), 3)
    year.group("互助小组", year.workday(2024, 9), 5)
    for number, month in enumerate(MONTHS):
        ordinary_month(year, homes, month, number)
    return year.diary.lines()
