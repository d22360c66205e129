"""Can everything that is read be asked about an earlier moment, with the same bytes each time?"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from callers import VISIT, Api, refusal_of
from desk import STATION, Desk, a_station
from eventsourcing.persistence import StoredEvent
from flask import Flask

from api.app import create_app
from api.services import EXTENSION, Services
from domain.kernel import STATION_TIME
from domain.ledger import Ledger
from domain.station import StationRevised
from domain.supervision import SupervisionReceived
from domain.visit import VISIT as VISIT_KIND
from domain.visit import VisitRecorded
from domain.volunteer import VolunteerRegistered, VolunteerServiceRecorded
from projections.moments import known_at_text, parse_known_at
from workers.settings import settings_for

NOVEMBER_6 = datetime(2024, 11, 6, 9, 0, tzinfo=UTC)
DECEMBER_3 = datetime(2024, 12, 3, 9, 0, tzinfo=UTC)


def visit(household: str | None = "h1", persons: int = 1) -> VisitRecorded:
    return VisitRecorded(
        mode="home", purpose="routine", persons_met=persons, household=household,
        workers=("张社工",),
    )


def a_november(ledger: Ledger) -> int:
    """A station's November, and corrections in December; answers the position between."""
    desk = Desk(ledger)
    early: dict[str, Any] = {"now": NOVEMBER_6}
    for name in ("h1", "h2"):
        desk.household(name, **early)
    desk.record("v1", visit(), "2024-11-04", **early)
    desk.record("v2", visit(), "2024-11-05", **early)
    desk.record("vol", VolunteerRegistered(name="测试志愿者"), "2024-10-01", **early)
    desk.record("vol", VolunteerServiceRecorded(title="探访", minutes=60), "2024-11-02", **early)
    supervised = SupervisionReceived(supervisor="督导甲", kind="peer", mode="online")
    desk.record("s1", supervised, "2024-11-05", **early)
    then = ledger.head()
    later: dict[str, Any] = {"now": DECEMBER_3}
    desk.correct("v1", 1, visit("h2", 4), "2024-11-03", **later)
    desk.void(VISIT_KIND, "v2", 1, **later)
    desk.record("v3", visit("h1", 2), "2024-11-20", **later)
    return then


@pytest.fixture
def then(api: Api) -> int:
    """The position between a November and its corrections, all projected."""
    position = a_november(api.services.ledger)
    api.project()
    return position


ROUTES = (
    "households", "households/h1/status", "households/h1", "households/records", "visits",
    "visits/v1", "visits?household=h1", "visits?status=all&sort=occurred_on&limit=2",
    "timelines/household/h1", "timelines/household/h2", "timelines/community/东路社区",
    "referral-tracking", "volunteer-hours?from=2024-11-01&to=2024-11-30",
    "staff-growth?from=2024-11-01&to=2024-11-30", "volunteers/vol",
    "indicators/lixia-2024?month=2024-11",
    "indicators/lixia-2024/person_visits/evidence?month=2024-11", "reports/2024-11",
    f"stations/{STATION}",
)


def asked(path: str, **when: Any) -> str:
    said = "&".join(f"{name}={value}" for name, value in when.items())
    return f"{path}{'&' if '?' in path else '?'}{said}"


def body(api: Api, path: str, **when: Any) -> Any:
    answer = api.get(asked(path, **when))
    assert answer.status_code == 200, answer.text
    return answer.get_json()


@pytest.mark.usefixtures("then")
@pytest.mark.parametrize("path", ROUTES)
def test_every_answer_states_its_question_and_can_be_asked_again(api: Api, path: str) -> None:
    # given an answer about the present, and about a day, that says its position
    now, as_of = body(api, path), body(api, path, as_of="2024-11-30")
    assert now["position"] <= api.head()
    assert as_of["as_of"] == "2024-11-30"
    # when more is recorded, and the same is asked with that position
    Desk(api.services.ledger).record("v9", visit("h1", 9), "2024-11-21", now=DECEMBER_3)
    Desk(api.services.ledger).correct("v3", 1, visit("h2", 9), "2024-11-21", now=DECEMBER_3)
    api.project()
    # then the answer is as before, but for what it says of its question
    again = body(api, path, known_at=now["position"])
    assert again["known_at"] == now["position"] == again["position"]
    assert without_question(again) == without_question(now)
    again = body(api, path, as_of="2024-11-30", known_at=as_of["position"])
    assert without_question(again) == without_question(as_of)


def without_question(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: v for name, v in answer.items() if name not in {"as_of", "known_at", "position"}}


def test_what_was_corrected_and_voided_later_stands_as_it_stood(api: Api, then: int) -> None:
    def found(path: str, known_at: int | str) -> list[tuple[str, str]]:
        items = body(api, path, known_at=known_at)["items"]
        return [(row["id"], row["occurred_on"]) for row in items]

    for known_at in (then, "2024-11-30", "2024-11-07T00:00:00%2B08:00"):
        assert found("visits", known_at) == [("v2", "2024-11-05"), ("v1", "2024-11-04")]
        assert found("visits?household=h2", known_at) == []
        status = body(api, "households/h1/status", known_at=known_at)
        assert status["household"]["last_contact_on"] == "2024-11-05"
    assert found("visits", api.head()) == [("v3", "2024-11-20"), ("v1", "2024-11-03")]
    assert body(api, "visits/v1", known_at=then)["entries"][0]["corrected_times"] == 0
    refusal_of(api.get(f"visits/v3?known_at={then}"), 404, "unknown_record")
    refusal_of(api.get("visits/v3?as_of=2024-11-19"), 404, "unknown_record")
    assert body(api, "households/h1/status", as_of="2024-11-19")["household"][
        "last_contact_on"] is None


def test_late_entries_and_imported_ones_are_marked(api: Api, then: int) -> None:
    desk = Desk(api.services.ledger)
    old = datetime(2024, 11, 9, tzinfo=UTC)
    desk.record("old", visit("h1", 1), "2024-11-08", now=old, imported_at=DECEMBER_3)
    api.project()
    rows = {row["id"]: row for row in body(api, "visits")["items"]}
    marks = {name: (row["is_late"], row["is_imported"]) for name, row in rows.items()}
    assert marks == {"v1": (False, False), "v3": (True, False), "old": (False, True)}
    assert rows["v3"]["days_late"] == 13
    entry = body(api, "visits/v3")["entries"][0]
    assert (entry["is_late"], entry["days_late"], entry["is_imported"]) == (True, 13, False)
    figures = body(api, "reports/2024-11")["indicators"]
    row = next(f for f in figures if f["code"] == "person_visits")
    assert (row["value"], row["late_entries"], row["imported_entries"]) == (7, 1, 1)
    known = body(api, "indicators/lixia-2024?month=2024-11", known_at=then)["indicators"]
    row = next(f for f in known if f["code"] == "person_visits")
    assert (row["value"], row["late_entries"], row["imported_entries"]) == (2, 0, 0)
    evidence = body(api, "indicators/lixia-2024/person_visits/evidence?month=2024-11")["items"]
    late = {row["id"]: (row["is_late"], row["is_imported"]) for row in evidence}
    assert late == {"v1": (False, False), "v2": (False, False), "v3": (True, False),
                    "old": (False, True)}


# ---- how a moment is written ----


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("known_at=soon", 400, "bad_known_at"), ("known_at=2024-13-01", 400, "bad_known_at"),
        ("known_at=2024-11-30@soon", 400, "bad_known_at"), ("known_at=@3", 400, "bad_known_at"),
        (f"known_at={10**30}", 400, "bad_known_at"), ("known_at=-1", 400, "bad_known_at"),
        ("known_at=123456", 400, "known_at_ahead"),
        ("known_at=2024-11-30@123456", 400, "known_at_ahead"),
        ("as_of=2024-02-30", 422, "impossible_date"),
    ],
)
@pytest.mark.usefixtures("then")
def test_what_is_no_moment_is_refused_alike_on_every_route(
    api: Api, query: str, status: int, code: str
) -> None:
    for path in ROUTES:
        refusal_of(api.get(f"{path}{'&' if '?' in path else '?'}{query}"), status, code)


def test_a_moment_beyond_what_is_projected_is_waited_for(
    api: Api, then: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.moments.WAIT_SECONDS", 0.05)
    position = api.recorded("visits", VISIT)["position"]
    refusal_of(api.get(f"visits?known_at={position}"), 503, "not_yet_projected")
    api.project()
    assert len(body(api, "visits", known_at=position)["items"]) == 3
    assert then < position


def test_a_moment_reads_back_as_it_is_stated() -> None:
    day = parse_known_at("2024-12-05")
    assert isinstance(day, datetime)
    assert day + timedelta(microseconds=1) == datetime(2024, 12, 6, tzinfo=STATION_TIME)
    assert parse_known_at("2024-12-05T01:00:00Z") == datetime(2024, 12, 5, 9, tzinfo=STATION_TIME)
    assert parse_known_at("2024-12-05@12") == (day, 12)
    for text in ("12", "2024-12-05", "2024-12-05T09:00", "2024-12-05@7"):
        assert parse_known_at(str(known_at_text(parse_known_at(text)))) == parse_known_at(text)


def test_every_reading_route_documents_both_times(api: Api) -> None:
    paths = api.get("openapi.json", role=None).get_json()["paths"]
    between = {"as_of", "from_known_at", "to_known_at"}  # a difference is about two moments
    documented = {
        path for path, item in paths.items()
        if {"as_of", "known_at"} <= (
            names := {p.get("name") for p in item.get("get", {}).get("parameters", ())}
        ) or (path.endswith("/difference") and between <= names)
    }
    reads = {
        path for path, item in paths.items()
        if "get" in item and not path.endswith(("/audit", "/reports"))  # histories themselves
        and path.startswith("/api/v1/") and ANSWERS_OF_TODAY.isdisjoint(path.split("/"))
    }
    assert documented == reads


ANSWERS_OF_TODAY = {
    "operations", "jobs", "indicator-sets", "code-lists", "projections", "erasure-tracking",
    # what is a history itself, with days and positions of its own to ask by
    "audit.csv", "audit.json", "access-log", "access-log.csv", "access-log.json",
    "integrity-signals", "log", "security-log", "accounts",
    # what is frozen, and how it compares with today
    "checklist", "publication", "publications", "restatement", "differences",
    # what was asked as of a day and as known at a moment when it was run
    "evaluations", "bundles",
    # a file of evidence, which is never changed
    "file", "thumbnail",
}


# ---- the same bytes ----


@pytest.fixture
def other(app: Flask, postgres_url: str, tmp_path: Path) -> Iterator[Api]:
    """The same station on PostgreSQL: another process, another database, the same keys."""
    own = app.extensions[EXTENSION].settings
    home = tmp_path / "other"
    settings = replace(
        settings_for(home, database_url=postgres_url),
        keys_database_url=own.keys_database_url, master_key_file=own.master_key_file,
    )
    settings.prepare_home()
    other = create_app(settings)
    yield Api(other, other.extensions[EXTENSION])
    other.extensions[EXTENSION].close()


def copied(source: Services, target: Services) -> None:
    """Append what another ledger holds."""
    stored = [
        StoredEvent(n.originator_id, n.originator_version, n.topic, n.state)
        for n in source.ledger.notifications(target.ledger.head(), 10_000)
    ]
    target.ledger.store.insert_events(stored)
    target.read_models.advance(target.ledger)


def test_the_same_question_has_the_same_bytes_on_every_database_after_anything(
    api: Api, other: Api, then: int
) -> None:
    Desk(api.services.ledger).household("h3", community="西路社区", now=DECEMBER_3)
    api.project()
    copied(api.services, other.services)
    moments = [
        {"known_at": then}, {"known_at": api.head()}, {"known_at": f"2024-11-30@{api.head()}"},
        {"known_at": api.head(), "as_of": "2024-11-10"},
    ]
    questions = [asked(path, **when) for path in ROUTES for when in moments]
    questions += [f"households?sort=community&limit=1&known_at={api.head()}"]
    first = {question: api.get(question) for question in questions}
    for question, answer in first.items():  # the station itself was registered in December
        is_before = "as_of" in question or question.startswith("stations")
        assert answer.status_code in ({200, 404} if is_before else {200}), question
    present = {path: api.get(path).data for path in ROUTES}
    for path in ROUTES:
        assert other.get(path).data == present[path], path

    def same(place: Api) -> None:
        for question, answer in first.items():
            again = place.get(question)
            if answer.status_code == 200:
                assert again.data == answer.data, question
                assert again.headers["ETag"] == answer.headers["ETag"], question

    same(other)
    # and after later records and a rebuild
    Desk(api.services.ledger).correct("v3", 1, visit("h2", 9), "2024-10-21", now=DECEMBER_3)
    Desk(api.services.ledger).record(STATION, a_revision(), "2024-11-01", role="administrator")
    api.project()
    copied(api.services, other.services)
    for place in (api, other):
        same(place)
        place.services.read_models.rebuild_together(
            place.services.read_models.names(), place.services.ledger
        )
        same(place)


def a_revision() -> StationRevised:
    said = a_station(introduction="新的简介")
    return StationRevised(**{n: getattr(said, n) for n in StationRevised.__struct_fields__})


def test_an_answer_that_stays_the_same_need_not_be_sent_twice(api: Api, then: int) -> None:
    path = f"households?known_at={then}"
    tag = api.get(path).headers["ETag"]
    assert api.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert "ETag" not in api.get("households").headers


def test_the_word_file_of_a_moment_says_the_same_each_time(
    api: Api, other: Api, then: int
) -> None:
    def document(place: Api) -> bytes:
        answer = place.get(f"reports/2024-11/docx?known_at={then}")
        with zipfile.ZipFile(io.BytesIO(answer.data)) as file:
            return file.read("word/document.xml")

    first = document(api)
    Desk(api.services.ledger).record(STATION, a_revision(), "2024-11-01", role="administrator")
    api.project()
    copied(api.services, other.services)
    assert document(api) == document(other) == first
    assert f"台账至第 {then} 条".encode() in first


# ---- pages ----


@pytest.mark.parametrize("path", ["/households", "/households/h1", "/months/2024-11"])
def test_a_page_has_a_form_for_both_times_and_keeps_the_rest(
    api: Api, then: int, path: str
) -> None:
    page = api.get(f"{path}?community=东路社区&as_of=2024-11-30&known_at={then}").text
    assert 'name="as_of" value="2024-11-30"' in page
    assert f'name="known_at" value="{then}"' in page
    assert "东路社区" in page
    refused = api.get(f"{path}?as_of=2024-02-30")
    assert (refused.status_code, "截至" in refused.text) == (400, True)
    assert api.get(f"{path}?known_at=soon").status_code == 400


def test_pages_show_the_moment_and_mark_late_entries(api: Api, then: int) -> None:
    now, before = api.get("/households/h1").text, api.get(f"/households/h1?known_at={then}").text
    assert "补录 13 天" in now
    assert "补录 13 天" not in before
    assert "最近见到</dt><dd>2024-11-20" in now
    assert "最近见到</dt><dd>2024-11-05" in before
    assert f"台账读至第 {then} 条" in before
    listed = api.get(f"/households?known_at={then}").text
    assert f"/households/h1?known_at={then}" in listed
    assert "含补录 1 条" in api.get("/months/2024-11").text
    assert "补录 13 天" in api.get("/months/2024-11/figures/person_visits").text
    assert api.get(f"/months/2024-11?known_at={then}").text.count("补录") == 0
