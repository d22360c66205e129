"""Who lives in the demo? Invented people, who could not exist.

Their ID numbers have a right check character and a birth year of the 19th century, their
telephone numbers begin with 100, and their given names are numbers of poems.
"""

from __future__ import annotations

import random
from typing import Any, Final

from stdnum.cn import ric

SURNAMES: Final = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"
GIVEN: Final = (
    "一诗", "二词", "三曲", "四赋", "五韵", "六律", "七言", "八音", "九歌", "十章",
    "百川", "千帆", "万象", "初雪", "晚霞", "朝露", "夕月", "春草", "夏荷", "秋菊",
)
REGION: Final = "370102"


class People:
    """Invents persons; the same seed invents the same ones."""

    def __init__(self, chance: random.Random) -> None:
        """Draw from a seeded source of chance."""
        self._chance = chance
        self._count = 0

    def name(self) -> str:
        """An invented name."""
        return self._chance.choice(SURNAMES) + self._chance.choice(GIVEN)

    def member(self, person: str, relation: str) -> dict[str, Any]:
        """A member of a household."""
        self._count += 1
        elderly = relation in {"head", "spouse", "parent"}
        year = self._chance.randint(1835, 1859) if elderly else self._chance.randint(1860, 1899)
        member = {
            "person": person, "name": self.name(), "relation": relation,
            "id_number": self.id_number(year),
        }
        if self._chance.random() < 0.5:
            member["phone"] = f"100{self._chance.randint(0, 99_999_999):08}"
        return member

    def id_number(self, year: int) -> str:
        """An ID number of an impossible year with a right check character."""
        month, day = self._chance.randint(1, 12), self._chance.randint(1, 28)
        number = f"{REGION}{year}{month:02}{day:02}{self._chance.randint(1, 999):03}"
        return number + str(ric.calc_check_digit(f"{number}0"))
