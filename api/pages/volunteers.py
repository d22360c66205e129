"""Who volunteers, for how long, what waits to be confirmed, and what is certified?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from flask import Response, render_template, request
from msgspec.structs import replace

from api.access_log import AccessAction
from api.identity import READ_CASES, RECORD, action, may, new_id, today
from api.moments import standing_at
from api.nouns import nouns_of
from api.pages.asking import asked_day
from api.pages.views import PAGE, asked_moment, asked_times, pages
from api.pages.whose import apart, called, people_in
from api.pages.writing import form_context, may_state
from api.paging import make_cursor, next_url, read_cursor
from api.personal import noted, rows_shown, shown
from api.problems import WAIT_SECONDS
from api.queries import one_station, word_file
from api.services import services
from domain.kernel import Entry, Occurrence, Refused, Statement, Stream, UnknownRecord, stream_id
from domain.ledger import Instruction
from domain.record_keeping import Record
from domain.volunteer import (
    VOLUNTEER,
    ServiceCertificateIssued,
    VolunteerRegistered,
    VolunteerServiceConfirmed,
)
from projections.looking_back import volunteer_hours_then
from projections.monthly_report import station_profile
from projections.volunteer_hours import unconfirmed_count, unconfirmed_services
from workers.certificate import CLOSING, TITLE, Certificate, write_certificate

NOUN: Final = "volunteers"
MOST_CONFIRMED: Final = 200
"""How many services one press of the button confirms."""


# ---- all of them ----


@pages.route("/volunteers")
@action(READ_CASES, NOUN)
def volunteers_page() -> str:
    """Every volunteer with the hours between two days, by default of all time."""
    station, moment = one_station(), asked_moment()
    first, last = asked_day("from", date(1970, 1, 1)), asked_day("to", today())
    cursor = read_cursor(request.args.to_dict())
    with standing_at(moment, "volunteer_hours") as then:
        rows = volunteer_hours_then(
            then, station, first=first, last=last, after=str(cursor[1]) if cursor else None,
            limit=PAGE + 1,
        )
    more = len(rows) > PAGE
    rows = rows_shown(rows[:PAGE], [_stream(row.volunteer) for row in rows[:PAGE]])
    return render_template(
        "pages/volunteers.html", rows=rows, waiting=_waiting_count(),
        may_register=may_state(VolunteerRegistered.topic),
        next_url=more and next_url(make_cursor(("", rows[-1].volunteer))),
        position=then.position, **asked_times(),
    )


def _stream(volunteer: str) -> str:
    return stream_id(one_station(), VOLUNTEER.name, volunteer)


# ---- confirming ----


@dataclass(frozen=True, slots=True)
class Failed:
    """A service that could not be confirmed, and why."""

    service: str
    problem: str


def _waiting_count() -> int:
    with services().read_models.engine.connect() as connection:
        return unconfirmed_count(connection, one_station())


@pages.route("/volunteers/unconfirmed")
@action(READ_CASES, NOUN)
def unconfirmed_page() -> str:
    """The services that nobody has confirmed, to be ticked and confirmed at once."""
    return _unconfirmed(new_id(), 0, [])


def _unconfirmed(request_id: str, done: int, failed: list[Failed]) -> str:
    with services().read_models.engine.connect() as connection:
        rows = unconfirmed_services(connection, one_station(), limit=MOST_CONFIRMED)
    rows = rows_shown(rows, [_stream(row.volunteer) for row in rows])
    return render_template(
        "pages/volunteers_unconfirmed.html", rows=rows, is_all="all" in request.args,
        request_id=request_id, done=done, failed=failed, most=MOST_CONFIRMED,
        may_confirm=may(RECORD, NOUN), names=_names_apart([row.volunteer for row in rows]),
    )


def _names_apart(volunteers: Sequence[str]) -> dict[str, str]:
    """The names of some volunteers; of two that are the same, each with the community."""
    people = people_in((), {f"volunteer:{volunteer}" for volunteer in volunteers})
    found = {v: people.known.get(f"volunteer:{v}") for v in dict.fromkeys(volunteers)}
    return apart({v: (called(one), one.community or v[:8]) for v, one in found.items() if one})


@pages.route("/volunteers/confirm", methods=["POST"])
@action(RECORD, NOUN)
def confirm_form() -> tuple[str, int]:
    """Confirm each of the services that were ticked; of each it is said what came of it.

    Each has a request key of its own, so that a second press of the button, or one after
    half of them, confirms none twice.
    """
    chosen = request.form.getlist("service")[:MOST_CONFIRMED]
    failed, done, newest = list[Failed](), 0, 0
    for name in dict.fromkeys(chosen):
        try:
            newest = max(newest, _confirmed(name))
            done += 1
        except Refused as refusal:
            failed.append(Failed(_told(name), str(refusal)))
    services().read_models.wait_for(newest, WAIT_SECONDS)
    return _unconfirmed(new_id(), done, failed), 409 if failed else 200


def _confirmed(name: str) -> int:
    """Confirm a service named ``volunteer/entry``; answers the position."""
    volunteer, _, entry = name.rpartition("/")
    if not (entry.isascii() and entry.isdigit() and len(entry) < 10):
        raise UnknownRecord(id=name[:80], kind=VOLUNTEER.label)
    [noun], said = nouns_of(VOLUNTEER.name), form_context()
    key = uuid5(NAMESPACE_URL, f"{said.idempotency_key}/{name}").hex
    event = VolunteerServiceConfirmed(entry=int(entry))
    receipt, _warnings = noun.carry_out(
        Instruction(
            VOLUNTEER, volunteer, Record(statement=Statement(event, Occurrence(on=today())))
        ),
        replace(said, idempotency_key=key if said.idempotency_key else None), {},
    )
    return receipt.position


def _told(name: str) -> str:
    """A service as people know it: who, when and what."""
    volunteer, _, entry = name.rpartition("/")
    try:
        stream = services().ledger.stream(one_station(), VOLUNTEER.name, volunteer)
        service = stream.state.services.get(int(entry)) if stream else None
    except (Refused, ValueError):
        return name[:80]
    if stream is None or service is None:
        return name[:80]
    return f"{shown(stream.state.name, stream.id)} {service.on} {service.title}"


# ---- one of them ----


@pages.route("/volunteers/<volunteer>")
@action(READ_CASES, NOUN)
def volunteer_page(volunteer: str) -> str:
    """A volunteer: hours by month, each service, what is confirmed, and certificates."""
    recorded = request.args.get("recorded", type=int)
    stream = _found(volunteer)
    noted(f"volunteer:{volunteer}")
    state = stream.state
    months: dict[str, list[int]] = {}
    for service in state.services.values():
        of_month = months.setdefault(f"{service.on:%Y-%m}", [0, 0, 0])
        of_month[0] += 1
        of_month[1] += service.minutes
        of_month[2] += service.minutes if service.is_confirmed else 0
    return render_template(
        "pages/volunteer.html", volunteer=volunteer, name=shown(state.name, stream.id),
        community=state.community, months=sorted(months.items(), reverse=True),
        services=sorted(state.services.items(), key=lambda s: (s[1].on, s[0]), reverse=True),
        certificates=[entry for entry, _event in _certificates(stream)], recorded=recorded,
        request_id=new_id(), may_confirm=may(RECORD, NOUN),
        number=f"{today():%Y}-{volunteer[:8]}-{sum(1 for _ in _certificates(stream)) + 1}",
    )


def _found(volunteer: str) -> Stream[Any]:
    stream = services().ledger.stream(one_station(), VOLUNTEER.name, volunteer)
    if stream is None or not any(stream.active()):
        raise UnknownRecord(id=volunteer, kind=VOLUNTEER.label)
    return stream


def _certificates(stream: Stream[Any]) -> Iterator[tuple[Entry, ServiceCertificateIssued]]:
    for entry in stream.active():
        if isinstance(event := entry.statement.event, ServiceCertificateIssued):
            yield entry, event


# ---- certificates ----


@pages.route("/volunteers/<volunteer>/certificates/<int:version>")
@action(READ_CASES, NOUN)
def certificate_page(volunteer: str, version: int) -> str:
    """A certificate, to be printed or saved as PDF by the browser."""
    certificate, issued = _certificate(volunteer, version)
    return render_template(
        "pages/certificate.html", certificate=certificate, volunteer=volunteer, version=version,
        issued=issued, title=TITLE, closing=CLOSING,
    )


@pages.route("/volunteers/<volunteer>/certificates/<int:version>/docx")
@action(READ_CASES, NOUN)
def certificate_docx(volunteer: str, version: int) -> Response:
    """The same as a Word file."""
    certificate, _issued = _certificate(volunteer, version)
    noted(f"volunteer:{volunteer}", action=AccessAction.EXPORT)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "certificate.docx"
        write_certificate(certificate, target, services().settings.home / "templates")
        return word_file(target.read_bytes(), f"志愿服务记录证明 {certificate.number}.docx")


def _certificate(volunteer: str, version: int) -> tuple[Certificate, int]:
    """A certificate as it stands, and the minutes that it said when it was issued.

    Where a service that it covers is voided or corrected, the ledger corrects it too.

    :raises UnknownRecord: where there is none, or it was voided.
    """
    stream = _found(volunteer)
    found: Mapping[int, Any] = {entry.version: (entry, e) for entry, e in _certificates(stream)}
    if version not in found:
        raise UnknownRecord(id=f"{volunteer}/{version}"[:80], kind="志愿服务记录证明")
    entry, event = found[version]
    issued = next(o for o in services().ledger.history(stream.id) if o.version == version)
    first_said = issued.event.minutes if isinstance(issued.event, type(event)) else None
    noted(f"volunteer:{volunteer}")
    return Certificate(
        number=event.number, name=shown(stream.state.name, stream.id),
        station=station_profile(services().ledger, one_station()).name, first=event.from_on,
        last=event.until_on, minutes=event.minutes or 0, issued_on=entry.statement.occurred.on,
        position=issued.position,
    ), first_said or 0
