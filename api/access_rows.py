"""How is a call of the access log given? The same to programs, files and people."""

from __future__ import annotations

from typing import Any, Final

from api.access_log import AccessAction
from api.access_queries import AccessQuery, AccessRow
from api.answers import local_time
from api.audit_rows import instants, role_label, subjects
from api.identity import ANY_STATION
from domain.kernel import KINDS

HEADER: Final = (
    "序号", "时间", "人员", "角色", "社工站", "请求编号", "方式", "地址", "涉及", "涉及数量",
)


def access_row(row: AccessRow) -> dict[str, Any]:
    """A call: who, when, how, about whom by id."""
    return {
        "id": row.id, "at": local_time(row.at), "actor": row.actor, "role": row.role,
        "role_label": role_label(row.role), "station": row.station,
        "request_id": row.request_id, "action": row.action,
        "action_label": AccessAction.of(row.action).label, "route": row.route,
        "subjects": [subject_row(subject) for subject in row.subjects],
        "subject_count": row.subject_count, "is_whole_station": row.is_whole_station,
    }


def subject_row(subject: str) -> dict[str, str]:
    """Whom or what a call was about."""
    kind, _, identity = subject.partition(":")
    label = "个人" if kind == "person" else KINDS[kind].label if kind in KINDS else kind
    return {"kind": kind, "kind_label": label, "id": identity}


def question(station: str, asked: dict[str, Any]) -> AccessQuery:
    """The question that filters by name make."""
    first, until = instants(asked.get("first"), asked.get("last"))
    named = subjects(asked)
    return AccessQuery(
        station=None if station == ANY_STATION else station,
        subjects=named, actor=asked.get("actor"), first=first, until=until,
        action=asked.get("action"),
    )


def table(rows: list[dict[str, Any]]) -> list[list[Any]]:
    """Calls as a table."""
    return [
        [
            row["id"], row["at"], row["actor"], row["role_label"], row["station"],
            row["request_id"], row["action_label"], row["route"],
            "全站" if row["is_whole_station"]
            else "、".join(f"{s['kind_label']} {s['id']}" for s in row["subjects"]),
            row["subject_count"],
        ]
        for row in rows
    ]
