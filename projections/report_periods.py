"""For which periods is there a report: a month, a quarter, a half-year, a year, a cycle?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from domain.kernel import Refused
from projections.figures import Period

FIRST_OF_CYCLE: Final = 7
"""A project cycle is bought from July to June: 2024-2025 ends on 30 June 2025."""
_FORM: Final = re.compile(r"(\d{4})(?:-(?:(\d{2})|Q([1-4])|H([12])|(\d{4})))?", re.ASCII)


class BadReportPeriod(
    Refused, code="bad_report_period", status=400, title="期间写法不正确",
    detail="“{got}”不是报告的期间，应写作 2024-11（月）、2024-Q4（季）、2024-H2（半年）、2024（年）"
    "或 2024-2025（项目周期，7 月至次年 6 月）。",
):
    """A period for which there is no report."""


@dataclass(frozen=True, slots=True)
class ReportPeriod:
    """A report's period: ``name`` as it is addressed, ``label`` as its title has it."""

    name: str
    label: str
    period: Period

    @property
    def months(self) -> tuple[str, ...]:
        """The months of the period, like ``2024-11``, in order."""
        return tuple(_months(self.period))


def report_period(name: str) -> ReportPeriod:
    """The period that a name means.

    :raises BadReportPeriod: where it means none.
    """
    form = _FORM.fullmatch(name)
    if form is None or form[1] == "0000":
        raise BadReportPeriod(got=name[:20])
    year, month, quarter, half, until = form.groups()
    if month is not None:
        if not 1 <= int(month) <= 12:
            raise BadReportPeriod(got=name[:20])
        return _of(name, f"{int(year)}年{int(month)}月工作月报", year, int(month), 1)
    if quarter is not None:
        return _of(name, f"{int(year)}年第{quarter}季度工作报告", year, 3 * int(quarter) - 2, 3)
    if half is not None:
        which = "上" if half == "1" else "下"
        return _of(name, f"{int(year)}年{which}半年工作报告", year, 6 * int(half) - 5, 6)
    if until is None:
        return _of(name, f"{int(year)}年度工作报告", year, 1, 12)
    if int(until) != int(year) + 1:
        raise BadReportPeriod(got=name[:20])
    return _of(name, f"{int(year)}-{int(until)}项目周期工作报告", year, FIRST_OF_CYCLE, 12)


def _of(name: str, label: str, year: str, first: int, months: int) -> ReportPeriod:
    begun = int(year) * 12 + first - 1
    ended = begun + months - 1
    first_on = Period.of_month(_month(begun)).first
    return ReportPeriod(name, label, Period(first_on, Period.of_month(_month(ended)).last))


def _months(period: Period) -> Iterator[str]:
    for number in range(_number(period.first), _number(period.last) + 1):
        yield _month(number)


def _number(day: date) -> int:
    return day.year * 12 + day.month - 1


def _month(number: int) -> str:
    return f"{number // 12:04}-{number % 12 + 1:02}"


def periods_covering(month: str) -> tuple[str, ...]:
    """Every period of which a month is a part: itself, its quarter, half-year, year, cycle."""
    year, number = int(month[:4]), int(month[5:])
    begun = year if number >= FIRST_OF_CYCLE else year - 1
    return (
        month, f"{year:04}-Q{(number + 2) // 3}", f"{year:04}-H{(number + 5) // 6}",
        f"{year:04}", f"{begun:04}-{begun + 1:04}",
    )


def month_before(month: str) -> str:
    """The month before a month."""
    return _month(_number(Period.of_month(month).first) - 1)


def month_after(month: str) -> str:
    """The month after a month."""
    return _month(_number(Period.of_month(month).first) + 1)
