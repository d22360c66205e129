"""How is the demo's history file made? ``python -m workers.demo``.

One station's November 2024 has the figures that were published; every other month, and
every other station, is drawn by chance from a seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from workers.demo.task_book import BOOK, promise
from workers.demo.year import MONTHS, Home, Profile, Staff, StationYear

DEMO_SEED: Final = 2024
HOUSEHOLDS: Final = 140
DIBAO: Final = range(86)
EDGE: Final = range(86, 109)
OTHER_UPDATED: Final = range(109, 125)
"""The households that November's report names: 86 低保, 23 低保边缘, 16 others."""
DIBAO_PAIRS: Final = 16
"""Units that cover two persons: 70 + 2 × 16 = 102."""
EDGE_PAIRS: Final = 2
NEW_FILES: Final = range(40, 63)

QIANFOSHAN: Final = Profile(
    code="qianfoshan", name="千佛山街道社会工作服务站", short_name="千佛山街道社工站",
    street="千佛山街道",
    communities=(
        ("千佛山东路社区", ("千东",)), ("千佛山西路社区", ("千西",)), ("济柴社区", ("济柴",)),
        ("历山名郡社区", ("历山名郡",)), ("千佛山南路社区", ("千南",)), ("棋盘街社区", ()),
    ),
    staff=Staff("林知夏", ("周小满", "吴青禾", "陈一鸣"), "何春晖", "沈思远", "许同舟"),
    introduction=(
        "千佛山街道社工站由历下区民政局购买服务，示范社会工作服务中心承接运营，设在千佛山街道办事处。\n"
        "本站以困难群体和老年人为重点，入户了解需求，链接资源，培育志愿队伍，参与社区治理。"
        "（演示数据：人物均为虚构。）"
    ),
)


def demo_lines() -> Iterator[bytes]:
    """The history file of the demo station, line by line."""
    year = StationYear(QIANFOSHAN, DEMO_SEED)
    year.begin()
    homes = [year.home(_members(n)) for n in range(HOUSEHOLDS)]
    _grant(year, homes)
    year.enlist(14)
    _plan_work(year, homes)
    for number, month in enumerate(MONTHS):
        _changes(year, homes, month)
        if month == (2024, 11):
            _november(year, homes)
        else:
            ordinary_month(year, homes, month, number)
    promise(year)
    return year.diary.lines()


def _members(n: int) -> int:
    return 3 if n % 7 == 0 else 2 if n % 2 == 0 else 1


def _covered(n: int) -> int:
    """How many persons of a household its unit covers."""
    if n in DIBAO:
        return 2 if n % 2 == 0 and n // 2 < DIBAO_PAIRS else 1
    return 2 if n % 2 == 0 and (n - EDGE.start) // 2 < EDGE_PAIRS else 1


def _grant(year: StationYear, homes: list[Home]) -> None:
    """Most grants are older than the ledger."""
    for n, home in enumerate(homes):
        since = date(2020 + n % 4, 1 + n % 12, 1)
        recorded = date(2024, 7, 17) + timedelta(days=n % 5)
        if n == 84:
            year.assist(home, "dibao_edge", 1, since, recorded)
        elif n in DIBAO and n != 85:
            year.assist(home, "dibao", _covered(n), since, recorded)
        elif n in EDGE:
            year.assist(home, "dibao_edge", _covered(n), since, recorded)
        elif n == 125:
            year.assist(home, "dibao", 1, since, recorded)
        elif n in {126, 127}:
            year.assist(home, "tekun", 1, since, recorded)


def _changes(year: StationYear, homes: list[Home], month: tuple[int, int]) -> None:
    """Some grants come, change and end within the year, each written in its month."""
    match month:
        case (2024, 9):
            year.change(homes[84], "dibao", 1, date(2024, 9, 12))
        case (2024, 10):
            year.end(homes[125], "income_above_line", date(2024, 10, 15))
        case (2024, 11):
            year.assist(homes[85], "dibao", 1, date(2024, 11, 8), date(2024, 11, 8))
        case (2024, 12):
            for home in homes[128:130]:
                year.assist(home, "rigid_expense", 1, date(2024, 12, 2), date(2024, 12, 2))
        case (2025, 2):
            year.end(homes[7], "moved_away", date(2025, 2, 10))
        case (2025, 3):
            year.change(homes[90], "dibao", 1, date(2025, 3, 4))


def _plan_work(year: StationYear, homes: list[Home]) -> None:
    """Cases and groups run over months."""
    for n, (month, sessions) in enumerate(
        (
            ((2024, 7), 3), ((2024, 8), 4), ((2024, 9), 3),
            ((2024, 12), 5), ((2025, 2), 3), ((2025, 4), 2),
        )
    ):
        year.case(homes[110 + n], year.workday(*month, 18, 28), sessions)
    year.group("老友记互助小组", date(2024, 8, 6), 5)
    year.group("安心居家支持小组", date(2025, 3, 5), 6)
    year.say("brand.registered", date(2024, 9, 20), {"name": "银发伙伴"})
    year.say("project.drafted", date(2024, 10, 9), {"title": "安心善居", "cycle": "2024-2025"})


def ordinary_month(
    year: StationYear, homes: list[Home], month: tuple[int, int], number: int
) -> None:
    """A month drawn by chance: updates, visits, needs, growth, an activity and texts."""
    chance, (y, m) = year.chance, month
    updated = chance.sample(range(len(homes)), chance.randint(35, 80))
    for n in updated:
        year.update(homes[n], year.workday(y, m, 22 if number == 0 else 1))
    first_file = number * 5 if number < 4 else 63 + (number - 5) * 5
    for n in range(first_file, first_file + 5):
        year.case_file(homes[n], year.workday(y, m, 22))
    for home in chance.sample(homes, chance.randint(18, 40)):
        late = chance.choice((None, None, None, None, 6, 11))
        persons = chance.choice((0, 1, 1, 1, min(2, len(home.persons))))
        year.visit(home, year.workday(y, m, 22 if number == 0 else 1), persons, days_late=late)
    for home in chance.sample(homes, 3):
        year.assess_needs(home, year.workday(y, m, 20))
    for home in chance.sample(homes, 2):
        year.refer(home, year.workday(y, m, 20, 27))
    _growth(year, y, m)
    year.activity(
        chance.choice(("社区便民日", "健康讲座", "邻里茶话会", "节日慰问")),
        chance.choice(("health", "culture", "festival", "policy")), "host",
        year.workday(y, m, 5), {"value": chance.randint(20, 60)},
    )
    year.volunteer(y, m, chance.randint(10, 18) if number else 0)
    if m % 3 == 0:
        year.say("community_survey.held", year.workday(y, m), {"community": year.community()})
    _resources(year, y, m)
    day = year.workday(y, m, 26)
    year.write_month(
        f"{y}-{m:02}", day,
        {"statistics": "本月继续以信息更新和入户走访为主，重点关注独居和新进入救助的家庭。"},
        "入户时间偏集中，下月按社区分批安排。",
        ["完成重点家庭走访。", "整理服务对象档案。", "开展志愿者例会。"],
    )


def _growth(year: StationYear, y: int, m: int) -> None:
    """Supervision, training and meetings."""
    staff = year.profile.staff
    year.say("supervision.received", year.workday(y, m, 8, 20), {
        "supervisor": staff.supervisor, "kind": "group", "mode": "on_site",
        "minutes": 120, "participants": list(staff.workers), "advice": "加强过程记录和成效评估。",
    })
    if m % 2:
        title = {"title": "社会救助政策培训", "organiser": "区民政局", "minutes": 180}
        year.say("training.received", year.workday(y, m), title)
    year.say("meeting.held", year.workday(y, m, 1, 10), {
        "title": "站务例会", "kind": "work", "participants": [staff.lead, *staff.workers],
        "minutes": 60,
    })


def _resources(year: StationYear, y: int, m: int) -> None:
    """A resource found and delivered."""
    subject = f"rs{year.number('resource')}"
    day = year.workday(y, m, 3, 18)
    linked = {
        "title": "爱心物资", "kind": "goods", "provider": "爱心企业",
        "community": year.community(),
    }
    year.say("resource.linked", day, linked, subject=subject)
    delivered = {"value_fen": year.chance.randint(20, 90) * 10_000, "households_served": 20}
    year.say("resource.delivered", day + timedelta(days=5), delivered, subject=subject)


# ---- November 2024, as it was published ----


def _november(year: StationYear, homes: list[Home]) -> None:
    for n in (*DIBAO, *EDGE, *OTHER_UPDATED):
        if n in NEW_FILES:
            year.case_file(homes[n], year.workday(2024, 11, 4, 28))
        else:
            year.update(homes[n], year.workday(2024, 11, 9 if n == 85 else 1, 28))
    for n in (3, 44, 100):
        year.update(homes[n], year.workday(2024, 11, 18, 28))
    _november_visits(year, homes)
    _november_surveys(year)
    _november_events(year)
    _november_growth(year)
    year.volunteer(2024, 11, 16)
    _resources(year, 2024, 11)
    _november_texts(year)


def _november_visits(year: StationYear, homes: list[Home]) -> None:
    """25 persons met: 20 on the day of the survey, 5 on other days; one visit met nobody."""
    fifth = date(2024, 11, 5)
    for home in homes[:20]:
        year.visit(home, fifth, 1, purpose="survey", days_late=0)
    twice = year.visit(homes[20], fifth, 1, purpose="survey", days_late=0)
    year.visit(homes[20], fifth, 1, purpose="survey", days_late=1)
    year.visit(homes[22], date(2024, 11, 12), 2, purpose="follow_up")
    noted = year.visit(
        homes[35], date(2024, 11, 20), 1, purpose="routine", days_late=0,
        note="家中灯具损怀，已记下。",
    )
    year.visit(homes[60], date(2024, 11, 21), 0, purpose="routine", days_late=0)
    year.visit(homes[112], date(2024, 11, 28), 1, purpose="assistance_check", days_late=5)
    lead = {"actor": year.profile.staff.lead, "role": "lead"}
    year.say(
        "record.voided", date(2024, 11, 8), {"of": twice, "reason": "同一次走访登记了两遍"},
        days_late=0, **lead,
    )
    visit = {
        "household": homes[35].id, "mode": "home", "purpose": "routine", "persons_met": 1,
        "persons": [homes[35].persons[0]], "workers": ["周小满"], "minutes": 30,
        "note": "家中灯具损坏，已记下。",
    }
    year.say(
        "record.corrected", date(2024, 12, 3),
        {"of": noted, "data": visit, "reason": "备注有错别字"}, days_late=0, **lead,
    )


def _november_surveys(year: StationYear) -> None:
    year.say("survey.held", date(2024, 11, 5), {
        "kind": "elderly_alone", "title": "独居老年人需求调研", "community": "千西",
        "persons_surveyed": {"value": 25}, "workers": list(year.profile.staff.workers),
        "summary": "多数受访老人希望增加健康和文娱活动。",
    }, days_late=0)
    for community, day in (("千东", 6), ("济柴", 7), ("历山名郡", 8)):
        year.say("community_survey.held", date(2024, 11, day), {
            "community": community, "topics": ["人员变动", "政策享受", "家庭信息"],
        })


def _november_events(year: StationYear) -> None:
    staff = year.profile.staff
    year.say("activity.held", date(2024, 11, 14), {
        "title": "“银发伙伴”互助养老服务品牌发布会", "kind": "brand_launch", "role": "assist",
        "venue": "历下创益园", "attendance": {"value": 70, "approximation": "just_under"},
        "audience": "residents", "organisers": ["千佛山街道办事处"],
        "contents": ["participation"], "workers": list(staff.workers),
    })
    year.say("training.delivered", date(2024, 11, 12), {
        "title": "银发伙伴志愿者分享内容培训", "audience": "volunteers",
        "attendance": {"value": 8}, "minutes": 90, "community": "历山名郡",
    })
    contest = {"title": "兜有爱·倾历守护 救助服务项目创新大赛", "organiser": "历下区民政局"}
    entered = contest | {"entry": "安心善居"}
    year.say("competition.entered", date(2024, 11, 5), entered, subject="co1")
    year.say("competition.awarded", date(2024, 11, 14), {"award": "铜奖"}, subject="co1")
    year.say(
        "task_book.drafted", date(2024, 11, 15), BOOK, until=date(2024, 11, 19), subject="tb1",
        actor=staff.lead, role="lead",
    )
    year.say("project_review.presented", date(2024, 11, 22), {
        "title": "2024-2025 年度社工站立项评审", "organiser": "历下区民政局", "cycle": "2024-2025",
        "advice": "服务逻辑可再收紧，指标与需求要对应。",
    }, actor=staff.lead, role="lead")


def _november_growth(year: StationYear) -> None:
    staff = year.profile.staff
    online = {"supervisor": staff.supervisor, "kind": "individual", "mode": "online", "minutes": 60}
    year.say("supervision.received", date(2024, 11, 18), online | {
        "participants": [staff.lead], "advice": "先统一任务书格式，再明确服务对象的筛选标准。",
    })
    year.say("supervision.received", date(2024, 11, 19), online | {
        "participants": [staff.lead, "周小满"], "advice": "用理论说明项目逻辑，逐条核对指标。",
    })
    year.say("supervision.scheduled", date(2024, 11, 20), {
        "planned_on": "2024-11-26", "supervisor": staff.supervisor, "kind": "group",
        "mode": "on_site",
    }, subject="sv-cancelled")
    year.say(
        "supervision.cancelled", date(2024, 11, 25), {"because": "督导临时出差"},
        subject="sv-cancelled",
    )
    year.say("supervision.received", date(2024, 11, 29), {
        "supervisor": staff.peer, "kind": "peer", "mode": "on_site", "source": "internal",
        "minutes": 90, "advice": "按各社区特点细化服务，明确银发伙伴的发展方向。",
    })
    year.say("training.received", date(2024, 11, 28), {
        "title": "“一碗饺子的分量”社区联合行动经验分享", "organiser": "历下创益园",
        "participants": list(staff.workers), "minutes": 120,
        "summary": "了解了联合行动的流程和常见问题的处理。",
    })


def _november_texts(year: StationYear) -> None:
    texts = {
        "statistics": "本月围绕个案管理中心、救助创新大赛和年度立项三件事展开。",
        "case_centre": "社工按社区分片核对台账，逐户补全政策享受和照护信息。",
        "needs_survey": "三个社区的走访侧重困难家庭的人员变动和政策享受情况，结果已录入台账。",
        "elderly_survey": "调研在楼院里进行，边走访边了解老人愿意参加的活动。",
        "featured": "发布会前，社工帮助志愿者代表梳理分享内容，并参与布场和彩排。",
        "competition": "项目针对低收入独居老人的居家安全，由社工站和千佛山东路社区共同准备。",
        "project_review": "评审前按督导意见反复修改任务书，评审意见已逐条记下。",
    }
    year.write_month(
        "2024-11", date(2024, 11, 29), texts,
        "服务设计的逻辑还不够紧，指标和需求之间要有清楚的对应；下月据评审意见修改方案。",
        [
            "吸收评审意见，改好任务书后再报送。",
            "明确银发伙伴的年度目标，筹备冬至志愿服务。",
            "逐个社区商定特色服务，和居委会分好工。",
            "按计划开展专业服务，同时做好过程跟踪和评估。",
        ],
    )
