"""Who may do what, and which reviewer sees names? 权限 and 授权查看姓名."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from api.accounts import name_permissions
from api.accounts.name_permissions import MOST_DAYS
from api.identity import OWN, PERMIT_NAMES, READ_CASES, action, allowed, by, new_id, now
from api.nouns import NOUNS
from api.pages.views import pages
from api.policy import POLICY, VERB_LABELS
from api.queries import one_station
from api.services import services
from domain.kernel import Refused
from domain.vocabulary import Role


def recorded_labels() -> dict[str, str]:
    """Whatever a role may be let record, with what people read for it."""
    own = {noun.plural: f"登记{noun.kind.label}" for noun in NOUNS}
    return own | {
        "reports": "发布报告", "evaluations": "运行年度评估",
        "task-books/approval": "核准任务书", "merge-approvals": "核准合并",
        "merge-refusals": "否决合并", "erasure-decisions": "核准个人信息删除",
    }


@pages.route("/permissions")
@action(OWN)
def permissions_page() -> str:
    """What each role may do, as the program itself checks it."""
    labels = recorded_labels()
    recorded = {noun for grant in POLICY.values() for noun in grant.records}
    rows = [
        *((text, [verb in POLICY[role].reads for role in Role])
          for verb, text in VERB_LABELS.items()),
        ("查看志愿者和活动", [allowed(role, READ_CASES, "volunteers") for role in Role]),
        *((labels.get(noun, noun), [noun in POLICY[role].records for role in Role])
          for noun in sorted(recorded, key=list(labels).index)),
    ]
    return render_template("pages/account_permissions.html", roles=list(Role), rows=rows)


@pages.route("/name-permissions")
@action(PERMIT_NAMES)
def name_permissions_page() -> str:
    """Which reviewers see names at this station."""
    return _names_page()


def _names_page(problem: Refused | None = None) -> str:
    given = name_permissions.permissions(services().tokens, one_station())
    return render_template(
        "pages/account_names.html", given=given, problem=problem, form=request.form,
        most=MOST_DAYS, now=now(),
        reviewers=name_permissions.reviewers(services().tokens, one_station()),
    )


@pages.route("/name-permissions", methods=["POST"])
@action(PERMIT_NAMES)
def permit_names_form() -> BaseResponse | tuple[str, int]:
    """Let a reviewer see names for some days."""
    form, engine, station = request.form, services().tokens, one_station()
    actor = form.get("actor", "").strip()
    try:
        name_permissions.refuse_nobody(engine, station, actor)
        name_permissions.permit(
            engine, new_id(), by(), station=station, actor=actor,
            days=form.get("days", 0, type=int), reason=form.get("reason", "").strip(),
        )
    except Refused as refusal:
        return _names_page(refusal), refusal.status
    return redirect(url_for("pages.name_permissions_page"), 303)


@pages.route("/name-permissions/<permission>/withdraw", methods=["POST"])
@action(PERMIT_NAMES)
def withdraw_names_form(permission: str) -> BaseResponse:
    """End a permission before its time."""
    name_permissions.withdraw(services().tokens, permission, one_station(), by())
    return redirect(url_for("pages.name_permissions_page"), 303)
