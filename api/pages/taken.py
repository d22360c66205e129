"""What does a worker take along for where there is no signal, and has it changed meanwhile?

A household or volunteer is taken along one by one: its file number, its name where the role
sees names, its community, and a fingerprint of how it stood. What is recorded of it later
comes with that fingerprint, so that a change meanwhile is shown, never silently won.
"""

from __future__ import annotations

import json
from typing import Any, Final

from api.identity import sees_names
from api.pages.finding import HOUSEHOLD, VOLUNTEER
from api.personal import reading, shown
from api.queries import one_station, status_shown
from api.services import services
from domain.kernel import KINDS, Refused, UnknownRecord, stream_id
from domain.volunteer import Volunteer
from projections.household_status import HouseholdStatus, household_status

KINDS_TAKEN: Final = (HOUSEHOLD, VOLUNTEER)
LENGTH: Final = 24
"""Of a fingerprint, in hexadecimal digits."""


class HouseholdChanged(
    Refused, code="household_changed", status=409, title="这一户已有变动",
    detail="记录之后这一户有了变动（合并、成员、救助类别或社区，或信息已删除）。"
    "现在是：{now}。请核对后再确认登记，或改选一户。",
):
    """What waited on a phone is about a household that is no longer as it was seen."""


def taken(kind: str, subject: str) -> dict[str, Any]:
    """A household or volunteer as it is taken along.

    :raises UnknownRecord: where there is none.
    """
    return _volunteer(subject) if kind == VOLUNTEER else _household(subject)


def _household(subject: str) -> dict[str, Any]:
    station = one_station()
    with services().read_models.engine.connect() as connection:
        status = household_status(connection, station, subject)
    if status is None:
        raise UnknownRecord(id=subject, kind=KINDS[HOUSEHOLD].label)
    return household_taken(status_shown(station, status))


def household_taken(status: HouseholdStatus) -> dict[str, Any]:
    """The same of a household whose names are opened already."""
    own = status.household
    return {
        "kind": HOUSEHOLD, "id": own.household, "label": _label(status), "seen": seen_of(status),
        "community": own.community,
    }


def _label(status: HouseholdStatus) -> str:
    """By what its worker knows a household: file number, and the name where he sees names."""
    own = status.household
    said = [own.file_number, own.head_name if sees_names() else None]
    return " ".join(filter(None, said)) or own.household


def _volunteer(subject: str) -> dict[str, Any]:
    station = one_station()
    stream = services().ledger.stream(station, VOLUNTEER, subject)
    if stream is None:
        raise UnknownRecord(id=subject, kind=KINDS[VOLUNTEER].label)
    state: Volunteer = stream.state
    name = shown(state.name, stream_id(station, VOLUNTEER, subject)) or subject
    return {
        "kind": VOLUNTEER, "id": subject, "label": name, "seen": "",
        "community": state.community or "",
    }


# ---- has it changed? ----


def seen_of(status: HouseholdStatus) -> str:
    """A keyed fingerprint of how a household stands: who it is, not what was done for it.

    A visit by a colleague changes nothing; a merge, a member, a category, a community, or a
    person whose information was erased does.
    """
    own, station, opened = status.household, one_station(), reading().vault.shown
    members = [
        (m.person, m.relation, m.category,
         opened(m.name, stream_id(station, HOUSEHOLD, m.household)))
        for m in status.members
    ]
    said = [own.household, own.file_number, own.community, own.category, sorted(members, key=str)]
    content = json.dumps(said, ensure_ascii=False, default=str).encode()
    return services().ledger.vault.keys.fingerprint(content)[:LENGTH]


def refuse_if_changed(status: HouseholdStatus | None, seen: str) -> None:
    """Refuse what was written down of a household that is no longer as it was seen.

    :raises HouseholdChanged: with how it stands now, and what says so when it is confirmed.
    """
    if status is None or not seen or (now := seen_of(status)) == seen:
        return
    found = household_taken(status_shown(one_station(), status))
    raise HouseholdChanged(now=f"{found['label']} · {found['community']}", seen=now, to=found["id"])
