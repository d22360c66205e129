"""Which days is a figure about: a month, a quarter, a half-year, a year, a cycle, any span?"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from domain.kernel import Refused

MOST_DAYS: Final = 3_700
"""Ten years: a longer span is a slip of the pen."""


class BadMonth(
    Refused, code="bad_month", status=400, title="月份格式不正确",
    detail="“{got}”不是月份，应写作 2024-11 这样的形式。",
):
    """A month that is no month."""


class BadPeriod(
    Refused, code="bad_period", status=400, title="期间写法不正确",
    detail="“{got}”不是期间，应写作 2024-11（月）、2024-Q4（季）、2024-H2（半年）、2024（年）、"
    "2024-07..2025-06（若干月）或 2024-07-01..2025-06-30（起止日期，不超过十年）。",
):
    """A period that is none."""


@dataclass(frozen=True, slots=True)
class Period:
    """The days that a figure is about, both included."""

    first: date
    last: date

    @classmethod
    def of_month(cls, month: str) -> Period:
        """The days of a month like ``2024-11``.

        :raises BadMonth: where it is no month.
        """
        try:
            first = datetime.strptime(month, "%Y-%m").date()  # noqa: DTZ007 - a month has no zone
        except ValueError:
            raise BadMonth(got=month[:20]) from None
        if first.strftime("%Y-%m") != month:
            raise BadMonth(got=month[:20])
        return cls(first, last_of_month(first))

    @classmethod
    def of(cls, text: str) -> Period:
        """The days that are written ``2024-11``, ``2024-Q4``, ``2024-H2``, ``2024``, or as a span.

        A span joins two months or two days: ``2024-07..2025-06``, ``2024-07-01..2025-06-30``.

        :raises BadPeriod: for anything else.
        """
        begins, is_span, ends = text.partition("..")
        try:
            first = _part(begins).first
            last = _part(ends if is_span else begins).last
        except (ValueError, BadMonth):
            raise BadPeriod(got=text[:40]) from None
        if not 0 <= (last - first).days <= MOST_DAYS:
            raise BadPeriod(got=text[:40])
        return cls(first, last)

    def until(self, as_of: date | None) -> Period:
        """The period cut off after a day; before its first day nothing is left of it."""
        return self if as_of is None else Period(self.first, min(self.last, as_of))

    @property
    def days(self) -> int:
        """How many days it has; 0 where nothing is left of it."""
        return max((self.last - self.first).days + 1, 0)

    @property
    def is_whole_months(self) -> bool:
        """Whether the period begins and ends with a month."""
        return self.first.day == 1 and (self.last + timedelta(days=1)).day == 1

    def months(self) -> Iterator[Period]:
        """The months that the period touches, each with its days within the period."""
        first = self.first
        while first <= self.last:
            yield Period(first, min(last_of_month(first), self.last))
            first = last_of_month(first) + timedelta(days=1)


def last_of_month(day: date) -> date:
    """The last day of a day's month."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def _part(text: str) -> Period:
    """The days of a day, month, quarter, half-year or year.

    :raises ValueError: for anything else.
    """
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        day = date.fromisoformat(text)
        return Period(day, day)
    part = re.fullmatch(r"(\d{4})(?:-(?:Q([1-4])|H([12])))?", text)
    if part is None:
        return Period.of_month(text)
    year, quarter, half = part.groups()
    if quarter:
        return _months_of(year, 3 * int(quarter) - 2, 3 * int(quarter))
    return _months_of(year, 6 * int(half) - 5, 6 * int(half)) if half else _months_of(year, 1, 12)


def _months_of(year: str, first: int, last: int) -> Period:
    return Period(date(int(year), first, 1), last_of_month(date(int(year), last, 1)))
