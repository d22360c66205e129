"""What happens at an invented station in a year?"""

from __future__ import annotations

import calendar
import random
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any, Final

from workers.demo.diary import Diary
from workers.demo.people import People

CYCLE: Final = "2024-2025"
LAST_DAY: Final = date(2025, 6, 30)
MONTHS: Final = tuple((2024, month) for month in range(7, 13)) + tuple(
    (2025, month) for month in range(1, 7)
)
AGENCIES: Final = ("街道卫生服务中心", "区残疾人联合会", "区法律援助中心", "区慈善总会")
NEEDS: Final = ("medical", "care", "housing_safety", "companionship", "policy", "living")
UPDATES: Final = ("address", "phone", "health", "income", "care", "benefits", "needs", "employment")
PURPOSES: Final = ("routine", "update", "assistance_check", "follow_up")


@dataclass(frozen=True, slots=True)
class Home:
    """A household of the demo: ids of the file, and who of it is covered."""

    id: str
    community: str
    persons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Staff:
    """The station's people, all invented."""

    lead: str
    workers: tuple[str, ...]
    coordinator: str
    supervisor: str
    peer: str


@dataclass(frozen=True, slots=True)
class Profile:
    """What differs between invented stations."""

    code: str
    name: str
    short_name: str
    street: str
    communities: tuple[tuple[str, tuple[str, ...]], ...]
    staff: Staff
    introduction: str
    indicator_set: str = "lixia-2024"

    def registered(self) -> dict[str, Any]:
        """The data of the station's registration."""
        return {
            "name": self.name, "short_name": self.short_name, "city": "济南市",
            "district": "历下区", "street": self.street, "operator": "示范社会工作服务中心",
            "funder": "历下区民政局", "host_office": f"{self.street}办事处",
            "communities": [
                {"name": name, "aliases": list(aliases)} for name, aliases in self.communities
            ],
            "introduction": self.introduction, "indicator_set": self.indicator_set,
        }


class StationYear:
    """Writes a station's year into a diary, piece by piece."""

    def __init__(self, profile: Profile, seed: int) -> None:
        """The same profile and seed write the same year."""
        self.profile = profile
        self.chance = random.Random(f"{profile.code}/{seed}")  # noqa: S311 - invented data
        self.people = People(self.chance)
        self.diary = Diary(self.chance, CYCLE)
        self.homes: list[Home] = []
        self.volunteers: list[str] = []
        self._numbers: dict[str, int] = {}

    # ---- small things ----

    def number(self, of: str) -> int:
        """The next number of its kind."""
        self._numbers[of] = self._numbers.get(of, 0) + 1
        return self._numbers[of]

    def worker(self) -> str:
        """One of the social workers."""
        return self.chance.choice(self.profile.staff.workers)

    def community(self) -> str:
        """One of the station's communities."""
        return self.chance.choice(self.profile.communities)[0]

    def workday(self, year: int, month: int, first: int = 1, last: int = 31) -> date:
        """A working day of a month."""
        last = min(last, calendar.monthrange(year, month)[1])
        day = date(year, month, self.chance.randint(first, last))
        step = -1 if day.day > (first + last) // 2 else 1
        while day.weekday() >= 5:
            day += timedelta(days=step)
        return day

    # ---- the register ----

    def begin(self) -> None:
        """The station opens its ledger."""
        self.diary.write(
            "station.registered", date(2024, 7, 1), self.profile.registered(),
            subject=self.profile.code, actor=self.profile.staff.lead, role="lead",
            at=time(8, 30), days_late=0, key="station",
        )

    def home(self, members: int, community: str | None = None, day: date | None = None) -> Home:
        """Register a household of some members."""
        number = self.number("home")
        community = community or self.community()
        relations = ("head", "spouse", "child", "parent", "grandchild")
        persons = tuple(f"p{number}-{n + 1}" for n in range(members))
        building, room = self.chance.randint(1, 40), self.chance.randint(101, 609)
        data = {
            "community": community, "file_number": f"JT-{number:04}",
            "address": f"{community}{building}号楼{room}室",
            "members": [
                self.people.member(person, relations[n]) for n, person in enumerate(persons)
            ],
        }
        when = day or self.workday(2024, 7, 2, 16)
        home = Home(f"h{number}", community, persons)
        self.diary.write(
            "household.registered", when, data, subject=home.id, actor=self.worker(),
            key=home.id, days_late=0 if day is None else None,
        )
        self.homes.append(home)
        return home

    def assist(
        self, home: Home, category: str, covered: int, effective: date, recorded: date
    ) -> None:
        """Grant a category to the first persons of a household, effective from a day."""
        self.diary.write(
            "assistance.assigned", effective,
            {"unit": "u1", "category": category, "covered": list(home.persons[:covered])},
            subject=home.id, actor=self.worker(), days_late=(recorded - effective).days,
        )

    def change(self, home: Home, category: str, covered: int, day: date) -> None:
        """Change a unit's category or covered persons."""
        data = {"unit": "u1", "category": category, "covered": list(home.persons[:covered])}
        self.diary.write(
            "assistance.changed", day, data, subject=home.id, actor=self.worker()
        )

    def end(self, home: Home, reason: str, day: date) -> None:
        """End a unit's assistance."""
        self.diary.write(
            "assistance.ended", day, {"unit": "u1", "reason": reason}, subject=home.id,
            actor=self.worker(),
        )

    def update(self, home: Home, day: date) -> None:
        """Update a household's information."""
        fields = sorted(self.chance.sample(UPDATES, self.chance.randint(1, 3)))
        self.diary.write(
            "household.info_updated", day, {"fields": fields}, subject=home.id,
            actor=self.worker(),
        )

    def case_file(self, home: Home, day: date) -> None:
        """Open a file for a household."""
        number = f"DA-{day.year}-{self.number('file'):04}"
        self.diary.write(
            "household.case_file_opened", day, {"file_number": number}, subject=home.id,
            actor=self.worker(),
        )

    # ---- contact ----

    def visit(
        self, home: Home, day: date, persons: int = 1, *, purpose: str | None = None,
        mode: str = "home", note: str | None = None, days_late: int | None = None,
    ) -> str:
        """Visit a household; 0 persons means nobody was met."""
        worker = self.worker()
        data: dict[str, Any] = {
            "household": home.id, "mode": mode, "purpose": purpose or self.chance.choice(PURPOSES),
            "outcome": "met" if persons else "not_met", "persons_met": persons,
            "persons": list(home.persons[:persons]), "workers": [worker],
            "minutes": self.chance.choice((15, 20, 30, 40, 60)),
        }
        if note:
            data["note"] = note
        return self.diary.write("visit.recorded", day, data, actor=worker, days_late=days_late)

    def assess_needs(self, home: Home, day: date) -> None:
        """Assess a household's needs; most of what is found is met later."""
        needs = self.chance.sample(NEEDS, self.chance.randint(1, 3))
        subject = f"na{self.number('assessment')}"
        data = {
            "household": home.id, "person": home.persons[0], "worker": self.worker(),
            "needs": [{"need": need, "urgency": "normal"} for need in needs],
        }
        self.diary.write(
            "needs_assessment.made", day, data, subject=subject, actor=self.worker()
        )
        for need in needs[1:]:
            later = min(day + timedelta(days=self.chance.randint(7, 40)), date(2025, 6, 27))
            self.diary.write(
                "needs_assessment.need_met", later, {"need": need, "outcome": "已协助解决"},
                subject=subject, actor=self.worker(),
            )

    def refer(self, home: Home, day: date) -> None:
        """Refer a need to an agency; some referrals are still open at the end."""
        subject, worker = f"rf{self.number('referral')}", self.worker()
        data = {
            "household": home.id, "person": home.persons[0], "worker": worker,
            "to_agency": self.chance.choice(AGENCIES), "need": self.chance.choice(NEEDS),
            "basis": "consent",
        }
        self.diary.write("referral.made", day, data, subject=subject, actor=worker)
        fate = self.chance.random()
        accepted, completed = day + timedelta(days=4), day + timedelta(days=18)
        if completed > LAST_DAY:
            return
        if fate < 0.15:
            self.diary.write(
                "referral.declined", accepted, {"because": "名额已满"}, subject=subject,
                actor=worker,
            )
        elif fate < 0.9:
            self.diary.write("referral.accepted", accepted, {}, subject=subject, actor=worker)
            if fate < 0.7:
                self.diary.write(
                    "referral.completed", completed, {"outcome": "已得到服务"}, subject=subject,
                    actor=worker,
                )

    def case(self, home: Home, day: date, sessions: int) -> None:
        """Run a case through its stages."""
        subject, worker = f"ca{self.number('case')}", self.worker()
        steps: list[tuple[str, int, dict[str, Any]]] = [
            ("case.intake", 0, {
                "household": home.id, "person": home.persons[0], "worker": worker,
                "problem": "独自居住，希望有人定期探望并改善居家安全。", "source": "社区推荐",
            }),
            ("case.assessed", 5, {"summary": "支持网络薄弱，室内有安全隐患。"}),
            ("case.planned", 9, {"goals": ["消除室内安全隐患", "建立邻里探访"]}),
            *(
                ("case.session_held", 14 + 10 * n, {"minutes": 45, "persons_met": 1})
                for n in range(sessions)
            ),
            ("case.reviewed", 16 + 10 * sessions, {"summary": "目标基本达成。"}),
            ("case.closed", 20 + 10 * sessions, {"reason": "goals_met"}),
            ("case.followed_up", 50 + 10 * sessions, {"mode": "phone"}),
        ]
        for topic, after, data in steps:
            on = day + timedelta(days=after)
            if on <= date(2025, 6, 27):
                self.diary.write(topic, on, data, subject=subject, actor=worker)

    def group(self, title: str, day: date, sessions: int) -> None:
        """Run a group."""
        subject, worker = f"gr{self.number('group')}", self.worker()
        opened = {
            "title": title, "audience": "service_users", "community": self.community(),
            "planned_sessions": sessions, "workers": [worker],
        }
        self.diary.write("group.opened", day, opened, subject=subject, actor=worker)
        for n in range(sessions):
            data = {
                "theme": f"第{n + 1}节", "attendance": {"value": self.chance.randint(7, 12)},
                "minutes": 60,
            }
            on = day + timedelta(days=7 * n)
            self.diary.write("group.session_held", on, data, subject=subject, actor=worker)
        self.diary.write(
            "group.closed", day + timedelta(days=7 * sessions), {"summary": "组员愿意继续互助。"},
            subject=subject, actor=worker,
        )

    # ---- activities, growth, volunteers ----

    def say(self, topic: str, day: date, data: dict[str, Any], **more: Any) -> str:
        """Record a fact of the station as a whole."""
        return self.diary.write(topic, day, data, actor=more.pop("actor", self.worker()), **more)

    def activity(
        self, title: str, kind: str, role: str, day: date, attendance: dict[str, Any]
    ) -> None:
        """Hold an activity, or assist in one."""
        self.say("activity.held", day, {
            "title": title, "kind": kind, "role": role, "community": self.community(),
            "attendance": attendance, "audience": "residents", "contents": ["participation"],
        })

    def enlist(self, count: int) -> None:
        """Register volunteers in two teams."""
        for team, name in (("t1", "银发伙伴志愿队"), ("t2", "邻里守望志愿队")):
            self.diary.write(
                "volunteer_team.registered", date(2024, 7, 8),
                {"name": name, "community": self.community()}, subject=team,
                actor=self.profile.staff.coordinator, role="volunteer_coordinator", days_late=0,
            )
        for n in range(count):
            volunteer = f"vo{n + 1}"
            data = {
                "name": self.people.name(), "community": self.community(),
                "team": f"t{n % 2 + 1}",
                "id_number": self.people.id_number(self.chance.randint(1840, 1899)),
            }
            self.diary.write(
                "volunteer.registered", self.workday(2024, 7, 10, 20), data, subject=volunteer,
                actor=self.profile.staff.coordinator, role="volunteer_coordinator", days_late=0,
            )
            self.volunteers.append(volunteer)

    def volunteer(self, year: int, month: int, services: int) -> None:
        """Volunteers serve; the coordinator confirms most of it."""
        coordinator = self.profile.staff.coordinator
        for _ in range(services):
            volunteer, day = self.chance.choice(self.volunteers), self.workday(year, month, 1, 26)
            data = {
                "title": self.chance.choice(("结对探访", "送餐", "陪同就医", "活动协助")),
                "minutes": self.chance.choice((60, 90, 120)), "recorder": coordinator,
            }
            key = self.diary.write(
                "volunteer.service_recorded", day, data, subject=volunteer, actor=coordinator,
                role="volunteer_coordinator",
            )
            if self.chance.random() < 0.9:
                self.diary.write(
                    "volunteer.service_confirmed", day + timedelta(days=2), {"entry": key},
                    subject=volunteer, actor=coordinator, role="volunteer_coordinator",
                )

    def write_month(
        self, month: str, day: date, texts: dict[str, str], reflection: str, plan: list[str]
    ) -> None:
        """The lead writes the month's own texts."""
        said: list[tuple[str, dict[str, Any]]] = [
            ("narrative.written", {"section": section, "text": text})
            for section, text in texts.items()
        ]
        said.append(("reflection.written", {"text": reflection}))
        said += [
            ("plan_item.added", {"item": f"{n}", "text": text}) for n, text in enumerate(plan, 1)
        ]
        for topic, data in said:
            self.diary.write(
                topic, day, data, subject=month, actor=self.profile.staff.lead, role="lead"
            )
