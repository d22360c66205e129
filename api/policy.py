"""What may a role do? One table, enforced before any route runs, and shown on a page.

A route declares what it does; one that declares nothing cannot be called at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from domain.vocabulary import Role

RECORD, READ_CASES, READ_FIGURES, OPERATE, PUBLIC = (
    "record", "read_cases", "read_figures", "operate", "public",
)
AUDIT: Final = "audit"
"""To see what others recorded, by whom and how; shows names, as the cases themselves do."""
READ_ACCESSES: Final = "read_accesses"
"""To see who read what; shows no name but those of staff."""
READ_EVALUATIONS: Final = "read_evaluations"
"""To see score sheets, and to recount under other rules; shows names of staff."""
READ_NAMES: Final = "read_names"
"""To see who a record is about, and to look for a person; reviewers need a lead's permission."""
PERMIT_NAMES: Final = "permit_names"
"""To let a reviewer see names for some days."""
SHARE_VIEWS: Final = "share_views"
"""To keep the views of the ledger that a station's people share."""
MANAGE_ACCOUNTS: Final = "manage_accounts"
"""To invite, to change and to disable accounts, and to see who signed in."""
READ_RECORDS: Final = "read_records"
"""To open the pages of records: of which kinds, the route asks once it knows."""
OWN: Final = "own"
"""What everybody may do who is signed in: his own account, and what a role may do."""
VERB_LABELS: Final = {
    READ_FIGURES: "查看数字和报告", READ_CASES: "查看个案和记录", READ_NAMES: "查看和查找姓名",
    READ_EVALUATIONS: "查看年度评估", AUDIT: "审计", READ_ACCESSES: "查看访问记录",
    OPERATE: "查看运行、重建统计",
    PERMIT_NAMES: "授权评审查看姓名", SHARE_VIEWS: "设置全站共用的台账视图",
    MANAGE_ACCOUNTS: "管理账号、查看登录与权限记录",
}
ALL_NOUNS: Final = "*"
EVIDENCE: Final = "evidence"
"""To show by a photo that something took place; of what one may record: ``api/evidence.py``."""
CASEWORK: Final = frozenset({
    "households", "visits", "surveys", "community-surveys", "needs-assessments", "cases",
    "groups", "activities", "referrals", "resources", "trainings-delivered",
    "trainings-received", "supervisions", "meetings", "volunteers", "volunteer-teams", EVIDENCE,
})
PROGRAMME: Final = frozenset({
    "projects", "competitions", "task-books", "project-reviews", "brands", "months", "reports",
    "indicator-definitions",
})
APPROVALS: Final = frozenset({"task-books/approval"})
"""What the bureau, or another person of the station, agrees to."""
PROPOSES_MERGES: Final = frozenset({"merges", "merge-refusals"})
APPROVES_MERGES: Final = frozenset({"merge-approvals", "merge-refusals"})
"""Whoever proposed a merge does not approve it, whatever the role: ``domain/second_person.py``."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a role may do: the nouns it may record, and what it may read or see to."""

    records: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    sees: frozenset[str] = frozenset()
    """Of a role that reads no cases: the nouns whose records and names it reads all the same."""


EVALUATES: Final = frozenset({"evaluations"})
"""Whoever runs an annual evaluation, which is recorded."""
ERASURES, ERASURE_DECISIONS = "erasures", "erasure-decisions"
"""Who proposes an erasure, and who decides on one."""

READS_ALL: Final = frozenset({READ_CASES, READ_NAMES, READ_FIGURES})
VOLUNTEERING: Final = frozenset({"volunteers", "volunteer-teams", "activities"})
POLICY: Final[dict[Role, Grant]] = {
    Role.SOCIAL_WORKER: Grant(CASEWORK | PROPOSES_MERGES | {ERASURES}, READS_ALL),
    Role.LEAD: Grant(
        CASEWORK | PROGRAMME | APPROVALS | PROPOSES_MERGES | APPROVES_MERGES
        | EVALUATES | {ERASURES, ERASURE_DECISIONS},
        READS_ALL | {AUDIT, READ_ACCESSES, READ_EVALUATIONS, PERMIT_NAMES, SHARE_VIEWS, OPERATE},
    ),
    Role.VOLUNTEER_COORDINATOR: Grant(
        VOLUNTEERING | {ERASURES}, frozenset({READ_FIGURES, READ_NAMES}), sees=VOLUNTEERING
    ),
    Role.SUPERVISOR: Grant(
        frozenset({"supervisions"}) | APPROVES_MERGES, READS_ALL | {READ_EVALUATIONS}
    ),
    Role.REVIEWER: Grant(
        APPROVALS | EVALUATES,
        frozenset({READ_CASES, READ_FIGURES, AUDIT, READ_ACCESSES, READ_EVALUATIONS}),
    ),
    Role.HUB: Grant(APPROVALS | EVALUATES, frozenset({READ_FIGURES, READ_EVALUATIONS})),
    Role.ADMINISTRATOR: Grant(
        frozenset({"stations", ERASURE_DECISIONS}),
        frozenset({OPERATE, READ_ACCESSES, MANAGE_ACCOUNTS}),
    ),
}

View = TypeVar("View", bound=Callable[..., Any])


def action(verb: str, noun: str = "") -> Callable[[View], View]:
    """Declare what a route does, for the policy; without it a route cannot be called."""

    def declare(view: View) -> View:
        view.action = (verb, noun)  # type: ignore[attr-defined]
        return view

    return declare


def allowed(role: Role, verb: str, noun: str) -> bool:
    """Whether a role may do something."""
    if verb == OWN:
        return True
    grant = POLICY[role]
    if verb == RECORD:
        return noun in grant.records
    if verb == READ_RECORDS:
        return READ_CASES in grant.reads or bool(grant.sees)
    if verb in {READ_CASES, READ_NAMES} and grant.sees and noun:
        return noun in grant.sees
    return verb in grant.reads
