"""Which words does the field use, and what do people read for them?

Closed sets that the rules themselves depend on are enums here, each member with its
Chinese label. Sets that a bureau may change are dated data in ``domain/code_lists``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Labelled(StrEnum):
    """A string enum whose members carry a Chinese label: ``DIBAO = "dibao", "低保"``."""

    label: str

    def __new__(cls, code: str, label: str) -> Self:  # noqa: D102 - enum protocol
        member = str.__new__(cls, code)
        member._value_ = code
        member.label = label
        return member

    @classmethod
    def of(cls, code: str) -> Self:
        """The member of a code.

        :raises KeyError: where there is none.
        """
        return {member.value: member for member in cls}[code]


class Role(Labelled):
    """Who acts: what each may do stands in ``api/identity.py``."""

    SOCIAL_WORKER = "social_worker", "社工"
    LEAD = "lead", "站长"
    VOLUNTEER_COORDINATOR = "volunteer_coordinator", "志愿者管理员"
    SUPERVISOR = "supervisor", "督导"
    REVIEWER = "reviewer", "评审"
    HUB = "hub", "区总站"
    ADMINISTRATOR = "administrator", "系统管理员"


class Approximation(Labelled):
    """How a stated quantity is meant."""

    EXACT = "exact", ""
    JUST_UNDER = "just_under", "近"
    ABOUT = "about", "约"
    OVER = "over", "余"


class Unit(Labelled):
    """Units of the field's figures; they are not interchangeable."""

    HOUSEHOLD = "household", "户"
    HOUSEHOLD_TIMES = "household_times", "户次"
    PERSON = "person", "人"
    PERSON_TIMES = "person_times", "人次"
    FILE = "file", "份"
    PIECE = "piece", "个"
    TIMES = "times", "次"
    EVENT = "event", "场"
    SESSION = "session", "节"
    FAMILY = "family", "家"
    ITEM = "item", "项"
    HOUR = "hour", "小时"
    MINUTE = "minute", "分钟"
    DAY = "day", "天"
    YUAN = "yuan", "元"


class ReportSection(Labelled):
    """The parts of the monthly report that hold the lead's own text."""

    STATISTICS = "statistics", "数据统计"
    CASE_CENTRE = "case_centre", "个案管理中心建设"
    NEEDS_SURVEY = "needs_survey", "社区需求调研"
    ELDERLY_SURVEY = "elderly_survey", "独居老年人调研"
    FEATURED = "featured", "特色服务"
    COMPETITION = "competition", "参加大赛"
    PROJECT_REVIEW = "project_review", "立项评审"
    SUPERVISION = "supervision", "社工站督导、培训及会议"


UNSTATED = "未填报"
"""What an unstated figure prints: never 0."""
