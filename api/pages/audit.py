"""Who recorded what, who read whose file, and what looks odd? The reviewer's pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, cast

from flask import render_template, request
from marshmallow import Schema, ValidationError
from werkzeug.exceptions import UnprocessableEntity

from api.access_log import AccessAction
from api.audit import AccessQuerySchema, AuditQuerySchema, access_page, audit_page
from api.audit_rows import ACTION_LABELS
from api.identity import (
    ANY_STATION,
    AUDIT,
    READ_ACCESSES,
    READ_CASES,
    action,
    may,
    now,
    station_of_request,
)
from api.pages.read_places import numbers_of, place
from api.pages.views import pages
from api.pages.whose import people_in, with_names
from api.paging import next_url
from api.queries import one_station
from api.signals import OPENING, SignalQuerySchema, signal_page
from domain.kernel import KINDS, STATION_TIME, stream_id
from projections.integrity import SignalKind

ROWS: Final = 30
"""Events on a page: each with its fields."""
FILTERS: Final = ("household", "person", "kind", "id", "actor", "from", "to", "action")


def asked(schema: type[Schema], **default: str) -> dict[str, Any]:
    """What a page's form asks; a field that was left empty asks nothing."""
    given = {name: value for name, value in request.args.items() if value}
    try:
        return cast("dict[str, Any]", schema().load({"limit": ROWS} | default | given))
    except ValidationError as error:
        problem = UnprocessableEntity()
        problem.data = {"messages": {"query": error.messages}}  # type: ignore[attr-defined]
        raise problem from error


def form() -> dict[str, str]:
    """What the form was filled with, to show it again."""
    return {name: request.args.get(name, "") for name in FILTERS}


def export_url(path: str) -> str:
    """The address of the same question as a file."""
    query = request.query_string.decode()
    return f"{path}?{query}" if query else path


@pages.route("/audit")
@action(AUDIT)
def audit() -> str:
    """Events by household, person, record, actor, day."""
    rows, cursor = audit_page(asked(AuditQuerySchema))
    people = people_in(stream_id(one_station(), row["kind"], row["id"]) for row in rows)
    return render_template(
        "pages/audit.html", rows=with_names(rows, people), people=people,
        form=form(), actions=ACTION_LABELS,
        kinds={name: kind.label for name, kind in KINDS.items()},
        next_url=cursor and next_url(cursor), csv_url=export_url("/api/v1/audit.csv"),
        json_url=export_url("/api/v1/audit.json"),
    )


@pages.route("/audit/reads")
@action(READ_ACCESSES)
def reads() -> str:
    """Who has read or exported whose file."""
    rows, cursor = access_page(asked(AccessQuerySchema))
    return render_template(
        "pages/reads.html", rows=rows,
        numbers=_numbers(rows), place=place, form=form(),
        actions={found.value: found.label for found in AccessAction},
        next_url=cursor and next_url(cursor), csv_url=export_url("/api/v1/access-log.csv"),
        json_url=export_url("/api/v1/access-log.json"),
    )


def _numbers(rows: list[dict[str, Any]]) -> dict[str, str]:
    """The file numbers of whom was read about, for whoever reads a station's cases; else none."""
    if not may(READ_CASES, "households") or station_of_request() == ANY_STATION:
        return {}
    return numbers_of(subject for row in rows for subject in row["subjects"])


@pages.route("/audit/signals")
@action(AUDIT)
def signals() -> str:
    """What looks odd in what was entered; the last twelve months where no days are asked for."""
    today = now().astimezone(STATION_TIME).date()
    days = {"from": str(today - timedelta(days=365)), "to": str(today)}
    rows, cursor = signal_page(asked(SignalQuerySchema, **days))
    return render_template(
        "pages/signals.html", rows=rows,
        people=people_in(
            stream_id(one_station(), r["kind"], r["id"]) for row in rows for r in row["records"]
        ),
        form=days | {n: v for n, v in request.args.items() if v},
        kinds=[(k.value, k.label) for k in SignalKind],
        opening={k.value for k in OPENING}, next_url=cursor and next_url(cursor),
    )
