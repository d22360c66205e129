"""Can a record of every kind be corrected, voided and reinstated over HTTP?"""

from __future__ import annotations

from typing import Any

import pytest
from callers import Api, refusal_of
from desk import STATION, Desk
from domain_examples import TRAININGS
from flask import url_for
from records import body_of, ensure, opening

from api.identity import POLICY
from api.nouns import NOUNS
from api.schemas import correction_reason
from domain.kernel import KINDS

PLURALS = {noun.kind.name: noun.plural for noun in NOUNS}
SUBJECTS = {"station": "another", "month": "2024-11", "indicator": TRAININGS.code}
"""Whose path names the record."""
WITH_A_FILE = {"evidence"}
"""What begins with a file, and is corrected and voided in tests/api/test_evidence.py."""


def who(kind: str) -> dict[str, str]:
    """A caller who may record a kind."""
    role = next(role for role, grant in POLICY.items() if PLURALS[kind] in grant.records)
    return {"role": role.value, "station": "*" if kind == "station" else STATION}


@pytest.mark.parametrize("kind", sorted(k for k in PLURALS if not KINDS[k].is_final and k not in WITH_A_FILE))
def test_a_record_is_corrected_voided_and_reinstated(kind: str, api: Api) -> None:
    # given a record of the kind
    event = opening(kind)
    ensure(Desk(api.services.ledger), event)
    topic, plural = event.topic.replace(".", "_"), PLURALS[kind]
    named = {"subject": SUBJECTS[kind]} if kind in SUBJECTS else {}
    names = {rule.endpoint for rule in api.app.url_map.iter_rules()}
    state = next(f"{plural}.{n}_{topic}" for n in ("open", "state") if f"{plural}.{n}_{topic}" in names)
    body, caller = body_of(event), who(kind)

    def path(endpoint: str, **arguments: Any) -> str:
        with api.app.test_request_context():
            return url_for(endpoint, **arguments)

    def keep(method: str, name: str, said: dict[str, Any], version: int) -> Any:
        where = path(f"{plural}.{name}", subject=subject, version=1)
        return api.call(method, where, said, headers={"If-Match": str(version)}, **caller)

    first = api.recorded(path(state, **named), body | {"occurred_on": "2024-11-05"}, **caller)
    subject, reason = first["id"], {"reason": "核对后"}
    acts = (
        (
            "PUT", f"correct_{topic}",
            body | {correction_reason(type(event)): "核对后", "occurred_on": "2024-11-04"},
        ),
        ("DELETE", "void_entry", reason),
        ("POST", "reinstate_entry", reason),
    )
    # when it is corrected, voided and reinstated, then it says so, and so does its trail
    standing = []
    for version, (method, name, said) in enumerate(acts, start=1):
        answer = keep(method, name, said, version)
        assert answer.status_code == 201, answer.text
        whose = f"?station={subject}" if kind == "station" else ""
        record = api.get(path(f"{plural}.get_record", subject=subject) + whose, **_reader(kind))
        (entry,) = record.get_json()["entries"]
        standing.append((entry["occurred"]["on"], entry["corrected_times"], entry["is_voided"]))
    assert standing == [("2024-11-04", 1, False), ("2024-11-04", 1, True), ("2024-11-04", 1, False)]
    labels = [e.event.label for e in api.services.ledger.history(_stream(kind, subject))]
    assert labels == [event.label, "更正", "作废", "恢复"]


def test_only_what_is_final_has_no_such_routes(api: Api) -> None:
    names = {rule.endpoint for rule in api.app.url_map.iter_rules()}
    lacking = {kind for kind in KINDS if f"{PLURALS.get(kind)}.void_entry" not in names}
    assert lacking == {kind for kind in KINDS if KINDS[kind].is_final}


def _reader(kind: str) -> dict[str, str]:
    return {"role": "reviewer", "station": "another" if kind == "station" else STATION}


def _stream(kind: str, subject: str) -> str:
    return f"{subject if kind == 'station' else STATION}/{kind}/{subject}"


def test_a_record_with_a_reason_of_its_own_is_corrected_for_another_reason(api: Api) -> None:
    household = api.household()
    grant = {"occurred_on": "2024-08-01", "unit": "u", "category": "dibao", "covered": ["p1"]}
    api.recorded(f"households/{household}/assistance", grant)
    end = {"occurred_on": "2024-11-20", "unit": "u", "reason": "deceased"}
    api.recorded(f"households/{household}/assistance/end", end)
    corrected = end | {"occurred_on": "2024-11-10", "correction_reason": "日期填错"}
    path = f"households/{household}/entries/3/ended"
    answer = api.call("PUT", path, corrected, headers={"If-Match": "3"})
    assert answer.status_code == 201, answer.text
    said = answer.get_json()["data"]
    assert (said["reason"], said["after"]["data"]["reason"]) == ("日期填错", "deceased")


# ---- assistance that ended, or changed, some time ago ----


def test_assistance_that_ended_some_time_ago_is_ended_then_though_it_changed_since(
    api: Api,
) -> None:
    # given a unit on 低保 since August, whose category was changed in December
    household = api.household()
    grant = {"occurred_on": "2024-08-01", "unit": "u", "category": "dibao", "covered": ["p1"]}
    path = f"households/{household}"
    api.recorded(f"{path}/assistance", grant)
    change = grant | {"occurred_on": "2024-12-02", "category": "tekun"}
    api.recorded(f"{path}/assistance/changes", change)
    published = api.head()
    # when it turns out that the person died in November
    end = {"occurred_on": "2024-11-20", "unit": "u", "reason": "deceased"}
    # then the later change is in the way, and says so
    refusal_of(api.post(f"{path}/assistance/end", end), 422, "effective_before_latest")
    # and once it is voided, the end stands where it belongs
    void = api.call("DELETE", f"{path}/entries/3", {"reason": "已去世"}, headers={"If-Match": "3"})
    assert void.status_code == 201, void.text
    api.recorded(f"{path}/assistance/end", end)
    api.project()
    for month, code, known_at, expected in (
        ("2024-10", "dibao_persons", "", 1), ("2024-11", "dibao_persons", "", 0),
        ("2024-12", "dibao_persons", "", 0),
        ("2024-11", "dibao_persons", f"&known_at={published}", 1),
        ("2024-12", "dibao_persons", f"&known_at={published}", 0),
    ):
        answer = api.get(f"indicators/lixia-2024?month={month}{known_at}").get_json()
        found = {row["code"]: row["value"] for row in answer["indicators"]}
        assert found[code] == expected, (month, known_at)


def test_a_category_that_changed_some_time_ago_counts_from_then(api: Api) -> None:
    household = api.household()
    grant = {"occurred_on": "2024-08-01", "unit": "u", "category": "dibao", "covered": ["p1"]}
    api.recorded(f"households/{household}/assistance", grant)
    known = api.head()
    change = grant | {"occurred_on": "2024-10-15", "category": "dibao_edge"}
    api.recorded(f"households/{household}/assistance/changes", change)
    api.project()
    for month, known_at, expected in (
        ("2024-09", "", (1, 0)), ("2024-10", "", (0, 1)), ("2024-11", "", (0, 1)),
        ("2024-10", f"&known_at={known}", (1, 0)),
    ):
        answer = api.get(f"indicators/lixia-2024?month={month}{known_at}").get_json()
        found = {row["code"]: row["value"] for row in answer["indicators"]}
        assert (found["dibao_persons"], found["edge_persons"]) == expected


def test_a_grant_that_overlaps_an_earlier_one_is_refused(api: Api) -> None:
    household = api.household()
    path = f"households/{household}/assistance"
    grant = {"occurred_on": "2024-08-01", "unit": "u", "category": "dibao", "covered": ["p1"]}
    api.recorded(path, grant)
    api.recorded(f"{path}/end", {"occurred_on": "2024-11-20", "unit": "u", "reason": "voluntary"})
    overlapping = grant | {"occurred_on": "2024-10-01", "unit": "u2"}
    refusal_of(api.post(path, overlapping), 422, "covered_until")
    api.recorded(path, overlapping | {"occurred_on": "2024-11-20"})
