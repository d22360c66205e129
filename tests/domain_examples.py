"""What does each kind of event look like? One invented example a class, and histories."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Final

from desk import a_station
from domain_spec import given, record, said

from domain.activity import ActivityHeld
from domain.case import (
    CaseAssessed,
    CaseClosed,
    CaseFollowedUp,
    CaseIntaken,
    CasePlanned,
    CaseReopened,
    CaseReviewed,
    CaseSessionHeld,
    Stage,
)
from domain.erasure import (
    ErasureApproved,
    ErasureGround,
    ErasureProposed,
    ErasureRefused,
    ErasureUnlocked,
    RefusalGround,
)
from domain.evaluation import EvaluationRun, HeadScore
from domain.evidence import EvidenceAttached, EvidenceKind, MediaType
from domain.fields import Quantity
from domain.group import GroupClosed, GroupOpened, GroupSessionHeld
from domain.household import (
    AssistanceAssigned,
    AssistanceChanged,
    AssistanceEnded,
    BenefitGranted,
    BenefitStopped,
    CaseFileClosed,
    CaseFileOpened,
    ConsentGiven,
    ConsentWithdrawn,
    HouseholdInfoUpdated,
    HouseholdInfoVerified,
    HouseholdMoved,
    HouseholdRegistered,
    Member,
    MemberAdded,
    MemberRemoved,
    TemporaryAssistanceGranted,
    UnitTransferred,
)
from domain.indicators import (
    Aggregation,
    Counted,
    Indicator,
    IndicatorDefined,
    IndicatorRevised,
    PeriodRule,
)
from domain.kernel import Envelope, Event, Occurrence, Precision
from domain.meeting import MeetingHeld
from domain.merging import (
    HouseholdMergeProposed,
    MergeApproved,
    MergeDeclined,
    MergeEnded,
    PersonMergeProposed,
)
from domain.programme import (
    BrandRegistered,
    CompetitionAwarded,
    CompetitionEntered,
    ProjectReviewPresented,
    ServiceProjectDrafted,
)
from domain.publication import (
    Change,
    ChangedRecord,
    PublishedFigure,
    PublishedPart,
    PublishedSection,
    ReportPublished,
    ReportRestated,
    RestatedFigure,
    Snapshot,
    TreeHead,
)
from domain.record_keeping import EntryCorrected, EntryReinstated, EntryVoided, StatedIn
from domain.referral import (
    ReferralAccepted,
    ReferralClosed,
    ReferralCompleted,
    ReferralDeclined,
    ReferralMade,
)
from domain.resource import ResourceDelivered, ResourceLinked
from domain.scoring import Direction, Scoring, ScoringRule, Step
from domain.station import StationRegistered, StationRevised
from domain.station_month import (
    NarrativeWritten,
    PlanItemAdded,
    PlanItemCarriedOver,
    PlanItemCompleted,
    ReflectionWritten,
)
from domain.supervision import SupervisionCancelled, SupervisionReceived, SupervisionScheduled
from domain.survey import (
    CommunityNeedsSurveyHeld,
    NeedMet,
    NeedsAssessed,
    NeedStated,
    SurveyHeld,
    Urgency,
)
from domain.task_book import (
    Head,
    TaskBookApproved,
    TaskBookDrafted,
    TaskBookRevised,
    TaskBookSubmitted,
    TaskIndicator,
)
from domain.training import TrainingDelivered, TrainingReceived
from domain.visit import VisitRecorded
from domain.vocabulary import Approximation, ReportSection, Unit
from domain.volunteer import (
    ServiceCertificateIssued,
    VolunteerRegistered,
    VolunteerServiceConfirmed,
    VolunteerServiceRecorded,
    VolunteerTeamRegistered,
)

ENVELOPE: Final = Envelope(
    station="qianfoshan", recorded_at=datetime(2024, 11, 6, 1, 30, tzinfo=UTC),
    actor="worker-1", role="social_worker", request_id="r-1", idempotency_key="k-1",
    correlation_id="c-1", causation_id="c-0", project_cycle="2024", programmes=("p-1",),
    imported_at=datetime(2024, 12, 1, tzinfo=UTC),
)
OCCURRED: Final = Occurrence(
    on=date(2024, 11, 5), at=datetime(2024, 11, 5, 1, 0, tzinfo=UTC), until=date(2024, 11, 6),
    precision=Precision.RANGE,
)

STATED_IN: Final = StatedIn(actor="worker-1", project_cycle="2024", programmes=("p-1",))
TRAININGS: Final = Indicator(
    code="trainings", label="培训", label_en="Trainings", unit=Unit.TIMES,
    measure="training.delivered", filter={"audience": ("volunteers", "residents")},
    plus=(Counted(measure="training.received", filter={"mode": "online"}),),
    aggregation=Aggregation.SUM, over=PeriodRule.YEAR, part_of="services",
)
HEAD: Final = Member(
    person="p1", name="测试甲", relation="head", id_number="370102194902030015",
    phone="000-0000000", health="高血压",
)
COUNTED: Final = {"category": "dibao", "community": "东路社区"}
STAGED: Final = COUNTED | {
    "household": "h1", "opened_on": date(2024, 10, 1), "stage": Stage.INTAKE,
    "stage_since": date(2024, 10, 8),
}
ABOUT_30: Final = Quantity(value=30, approximation=Approximation.ABOUT)
INDICATOR: Final = TaskIndicator(
    indicator="visits", label="走访", unit=Unit.HOUSEHOLD_TIMES, target=600, head=Head.SERVICE,
    weight=20, direction=Direction.AT_LEAST, plan=(100, 500),
    scoring=ScoringRule(
        kind=Scoring.STEPS, cap_percent=100, steps=(Step(from_percent=80, gives_percent=60),)
    ),
)
MEETING: Final = MeetingHeld(
    title="例会", kind="work", organiser="示例街道", participants=("测试社工",), minutes=60,
    summary="安排本月工作",
)
PAIR: Final = {
    "merged_person": "p2", "merged_household": "h2", "surviving_person": "p1",
    "surviving_household": "h1",
}
STATION_FIELDS: Final = {name: getattr(a_station(), name) for name in StationRegistered.__struct_fields__}

SNAPSHOT: Final = Snapshot(
    station="qianfoshan", period="2024-10", first_on=date(2024, 10, 1),
    last_on=date(2024, 10, 31), position=120, title="示例社工站2024年10月工作月报",
    summary="截至2024年10月31日，示例社工站：走访25人次。",
    imprint="截至 2024-10-31，台账第 120 条时所知；口径 lixia-2024 第 1 版",
    profile={"name": "示例社工站", "introduction": "示例"},
    indicator_set={"code": "lixia-2024", "version": 1, "indicators": []},
    figures=(
        PublishedFigure(
            code="person_visits", label="走访", label_en="Persons visited",
            unit=Unit.PERSON_TIMES, value=25, display="近25",
            approximation=Approximation.JUST_UNDER, unstated=1, part_of="all", is_fact=True,
        ),
    ),
    sections=(
        PublishedSection(
            number="一", title="数据统计",
            parts=(PublishedPart(title="走访", facts=("走访测试甲。",), narrative=("正文",)),),
        ),
    ),
    template="ab" * 32, checkpoint=TreeHead(size=119, root="q83v" * 10 + "q80="),
)
EXAMPLES: Final[tuple[Event, ...]] = (
    StationRegistered(**STATION_FIELDS),
    StationRevised(**STATION_FIELDS | {"introduction": "示例"}),
    HouseholdRegistered(
        community="东路社区", members=(HEAD,), address="东路 1 号", file_number="F-1", note="示例"
    ),
    HouseholdInfoUpdated(
        fields=("address", "phone"), address="东路 2 号", phone="000-0000001", note="示例",
        **COUNTED,
    ),
    HouseholdInfoVerified(note="无变化", community="东路社区"),
    MemberAdded(member=Member(person="p2", name="测试乙", relation="child"), reason="出生"),
    MemberRemoved(person="p2", reason="moved_out"),
    HouseholdMoved(
        community="西路社区", address="西路 1 号",
        transferred=(
            UnitTransferred(category="dibao", covered_count=1, from_community="东路社区"),
        ),
    ),
    CaseFileOpened(file_number="F-1", **COUNTED),
    CaseFileClosed(reason="completed"),
    ConsentGiven(person="p1", scope="建档"),
    ConsentWithdrawn(person="p1", scope="建档"),
    AssistanceAssigned(unit="u1", category="dibao", covered=("p1",), community="东路社区"),
    AssistanceChanged(
        unit="u1", category="tekun", covered=("p1", "p2"), community="东路社区",
        previous_category="dibao", previous_covered_count=1, previous_community="东路社区",
    ),
    AssistanceEnded(
        unit="u1", reason="voluntary", previous_category="dibao", previous_covered_count=1,
        previous_community="东路社区",
    ),
    BenefitGranted(person="p1", benefit="heating_subsidy"),
    BenefitStopped(person="p1", benefit="heating_subsidy"),
    TemporaryAssistanceGranted(amount_fen=100_000, purpose="突发疾病", community="东路社区"),
    VisitRecorded(
        mode="home", purpose="routine", persons_met=2, household="h1", persons=("p1",),
        workers=("测试社工",), minutes=40, contents=("policy",), needs=("medical",), note="示例",
        **COUNTED,
    ),
    CaseIntaken(
        household="h1", worker="测试社工", problem="独居", person="p1", source="社区转介",
        number="C-1", **COUNTED,
    ),
    CaseAssessed(summary="示例", **STAGED),
    CasePlanned(goals=("按时服药",), **STAGED),
    CaseSessionHeld(persons_met=1, minutes=50, summary="示例", **STAGED),
    CaseReviewed(summary="示例", skipping_because="未介入", **STAGED),
    CaseClosed(reason="goals_met", summary="示例", **STAGED),
    CaseReopened(because="复发", **STAGED),
    CaseFollowedUp(mode="phone", summary="示例", **STAGED),
    ReferralMade(
        household="h1", to_agency="示例医院", need="medical", basis="consent", person="p1",
        worker="测试社工", note="示例", needs_assessment="na1",
        need_assessed_on=date(2024, 10, 1), **COUNTED,
    ),
    ReferralAccepted(community="东路社区"),
    ReferralDeclined(because="名额已满", community="东路社区"),
    ReferralCompleted(
        outcome="已安排", need="medical", made_on=date(2024, 10, 8),
        need_assessed_on=date(2024, 10, 1), **COUNTED,
    ),
    ReferralClosed(because="搬走", community="东路社区"),
    SupervisionScheduled(
        planned_on=date(2024, 11, 20), supervisor="测试督导", kind="group", mode="on_site"
    ),
    SupervisionReceived(
        supervisor="测试督导", kind="group", mode="online", source="internal", minutes=90,
        participants=("测试社工",), advice="示例",
    ),
    SupervisionCancelled(because="生病"),
    ErasureProposed(
        ground=ErasureGround.REQUEST, household="h1", person="p1", records=("group/g1",), note="来站提出"
    ),
    ErasureApproved(),
    ErasureRefused(ground=RefusalGround.LEGAL_RETENTION, because="审计期内"),
    ErasureUnlocked(because="审计已结束"),
    ServiceProjectDrafted(title="银龄守护", cycle="2024", summary="示例"),
    ProjectReviewPresented(title="银龄守护", organiser="示例区民政局", cycle="2024", advice="示例"),
    BrandRegistered(name="红马甲", summary="示例"),
    CompetitionEntered(title="公益大赛", organiser="示例协会", entry="银龄守护", summary="示例"),
    CompetitionAwarded(award="二等奖", prize_fen=500_000, summary="示例"),
    TaskBookDrafted(
        title="任务书", cycle="2024", indicators=(INDICATOR,), first_on=date(2024, 7, 1),
        last_on=date(2024, 8, 31), indicator_set="lixia-2024",
    ),
    TaskBookRevised(indicators=(INDICATOR,), because="示例"),
    TaskBookSubmitted(),
    TaskBookApproved(approver="示例区民政局"),
    NarrativeWritten(section=ReportSection.FEATURED, text="示例", title="义剪"),
    ReflectionWritten(text="示例"),
    PlanItemAdded(item="i1", text="探访独居老人"),
    PlanItemCompleted(item="i1", outcome="完成"),
    PlanItemCarriedOver(item="i1", to_month="2024-12", because="下雪"),
    SurveyHeld(
        kind="elderly_alone", title="独居老人", community="东路社区", persons_surveyed=ABOUT_30,
        workers=("测试社工",), summary="示例",
    ),
    CommunityNeedsSurveyHeld(
        community="东路社区", topics=("养老",), workers=("测试社工",), summary="示例"
    ),
    NeedsAssessed(
        household="h1", needs=(NeedStated(need="medical", urgency=Urgency.HIGH, note="示例"),),
        person="p1", worker="测试社工", **COUNTED,
    ),
    NeedMet(
        need="medical", outcome="已就医", household="h1", assessed_on=date(2024, 10, 1), **COUNTED
    ),
    GroupOpened(
        title="手工小组", audience="residents", community="东路社区", planned_sessions=6,
        workers=("测试社工",),
    ),
    GroupSessionHeld(theme="剪纸", attendance=ABOUT_30, minutes=90, community="东路社区"),
    GroupClosed(summary="示例", community="东路社区"),
    ResourceLinked(
        title="米面", kind="goods", provider="示例公司", community="东路社区", household="h1",
        value_fen=20_000,
    ),
    ResourceDelivered(
        value_fen=20_000, households_served=1, persons_served=2, community="东路社区",
        kind="goods",
    ),
    ActivityHeld(
        title="重阳节", kind="festival", role="assist", community="东路社区", attendance=ABOUT_30,
        audience="residents", contents=("comfort",), workers=("测试社工",),
        organisers=("示例街道",), venue="活动室", project="pr1", summary="示例",
    ),
    MEETING,
    EvidenceAttached(
        record="visit/v1", step=1, kind=EvidenceKind.PHOTO, media_type=MediaType.JPEG,
        byte_count=48_213, file="0b" * 32, file_key="1c" * 32, digest="2d" * 32,
        caption="入户合影", household="h1",
    ),
    HouseholdMergeProposed(merged="h2", survivor="h1", reason="重复建档"),
    PersonMergeProposed(
        merged="p2", merged_household="h2", survivor="p1", survivor_household="h1",
        reason="同一身份证号",
    ),
    MergeApproved(entry=1, **PAIR),
    MergeDeclined(entry=1, reason="并非一人", **PAIR),
    MergeEnded(entry=1, reason="并非一人", **PAIR),
    TrainingDelivered(
        title="急救", audience="volunteers", attendance=ABOUT_30, minutes=120, mode="on_site",
        community="东路社区", workers=("测试社工",), summary="示例",
    ),
    TrainingReceived(
        title="个案", organiser="示例协会", participants=("测试社工",), minutes=120,
        mode="online", summary="示例",
    ),
    VolunteerTeamRegistered(name="红马甲", community="东路社区"),
    VolunteerRegistered(
        name="测试丙", phone="000-0000002", id_number="370102194902030015",
        community="东路社区", team="t1",
    ),
    VolunteerServiceRecorded(
        title="理发", minutes=60, starts_at=time(9, 0), activity="a1", recorder="测试社工",
        community="东路社区",
    ),
    VolunteerServiceConfirmed(
        entry=2, minutes=60, service_on=date(2024, 11, 5), community="东路社区"
    ),
    ServiceCertificateIssued(
        number="Z-1", from_on=date(2024, 11, 1), until_on=date(2024, 11, 30), minutes=60
    ),
    EntryCorrected(
        entry=1, before=said(MEETING), after=said(MEETING, "2024-11-06"), reason="填错了",
        stated_in=STATED_IN,
    ),
    EntryVoided(entry=1, voided=said(MEETING), reason="重复登记", stated_in=STATED_IN),
    EntryReinstated(
        entry=1, reinstated=said(MEETING), reason="误作废", stated_in=STATED_IN
    ),
    IndicatorDefined(
        indicator_set="lixia-2024", indicator=TRAININGS, valid_from=date(2025, 1, 1),
        valid_until=date(2025, 6, 30), because="区局口径调整",
    ),
    IndicatorRevised(
        indicator_set="lixia-2024", indicator=TRAININGS, valid_from=date(2025, 7, 1),
        valid_until=date(2025, 12, 31), because="区局口径调整",
    ),
    ReportPublished(
        snapshot=SNAPSHOT, acknowledged=("unstated.person_visits",), texts="cd" * 32,
        code="ef" * 32,
    ),
    EvaluationRun(
        cycle="2024-2025", as_of=date(2025, 6, 30), position=120, indicator_set="lixia-2024",
        indicator_version=2, code="cd" * 32, known_at="120", task_book="b1", late=3, signals=1,
        differing=1, changed=("2024-11",),
        heads=(HeadScore(head=Head.SERVICE, weight=50, judged_weight=10, points=Decimal("36.25")),),
    ),
    ReportRestated(
        snapshot=SNAPSHOT, reason="补录走访一次", restates="ef" * 32, texts="cd" * 32,
        code="01" * 32,
        differences=(
            RestatedFigure(
                code="person_visits", label="走访", unit=Unit.PERSON_TIMES, before="近25",
                after="近26", is_cut=True,
                records=(
                    ChangedRecord(
                        change=Change.LATE, position=121, stream="qianfoshan/visit/v1", entry=1,
                        effective_on=date(2024, 10, 5), amount=1,
                    ),
                ),
            ),
        ),
    ),
)
"""One example of every event class, with every field stated where it can be."""

HOUSEHOLD: Final = given(
    said(
        HouseholdRegistered(
            community="东路社区",
            members=(HEAD, Member(person="p2", name="测试乙", relation="spouse")),
        ),
        "2024-07-01",
    ),
    said(AssistanceAssigned(unit="u1", category="dibao", covered=("p1",)), "2024-08-01"),
    said(HouseholdMoved(community="西路社区"), "2024-09-01"),
    said(AssistanceChanged(unit="u1", category="tekun", covered=("p1", "p2")), "2024-10-01"),
    HouseholdInfoVerified(),
    CaseFileOpened(file_number="F-1"),
    ConsentGiven(person="p1", scope="建档"),
    BenefitGranted(person="p2", benefit="heating_subsidy"),
    MemberAdded(member=Member(person="p3", name="测试丙")),
    MemberRemoved(person="p3", reason="other"),
    CaseFileClosed(reason="completed"),
    subject="h1",
)
HISTORIES: Final = (
    HOUSEHOLD,
    given(
        said(VolunteerRegistered(name="测试甲", community="东路社区"), "2024-07-01"),
        VolunteerServiceRecorded(title="理发", minutes=60, starts_at=time(9, 0)),
        VolunteerServiceRecorded(title="清扫", minutes=30),
        VolunteerServiceConfirmed(entry=3),
        VolunteerServiceConfirmed(entry=2),
        record(
            ServiceCertificateIssued(
                number="Z-1", from_on=date(2024, 11, 1), until_on=date(2024, 11, 30)
            ),
            "2024-12-01",
        ),
        subject="v1",
    ),
    given(
        CaseIntaken(household="h1", worker="测试社工", problem="独居"),
        CaseAssessed(), CasePlanned(goals=("按时服药",)), CaseSessionHeld(), CaseSessionHeld(),
        CaseReviewed(), CaseClosed(reason="goals_met"), CaseFollowedUp(mode="phone"),
        CaseReopened(because="复发"), CaseSessionHeld(),
        subject="c1", related={"h1": HOUSEHOLD},
    ),
    given(
        GroupOpened(title="小组", audience="residents", community="东"), GroupSessionHeld(),
        GroupSessionHeld(), GroupClosed(), subject="g1",
    ),
    given(
        TaskBookDrafted(
            title="任务书", cycle="2024", indicators=(INDICATOR,), first_on=date(2024, 7, 1),
            last_on=date(2024, 8, 31),
        ),
        TaskBookRevised(indicators=()), TaskBookSubmitted(), subject="b1",
    ),
    given(
        PlanItemAdded(item="i1", text="家访"), ReflectionWritten(text="示例"),
        PlanItemCompleted(item="i1"), PlanItemAdded(item="i2", text="培训"),
        PlanItemCarriedOver(item="i2", to_month="2024-12"), subject="2024-11",
    ),
    given(
        SupervisionScheduled(
            planned_on=date(2024, 11, 5), supervisor="测试督导", kind="group", mode="on_site"
        ),
        SupervisionReceived(supervisor="测试督导", kind="group", mode="on_site"),
        subject="s1",
    ),
)
"""Streams of several entries, some of which depend on earlier ones."""
