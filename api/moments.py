"""How does a question say which moment it is about? The same way on every route and page.

``as_of`` is a day of service, ``known_at`` what had been recorded by then. Every answer
states both, and ``position``: up to where the log was read. Asked again with that
position as ``known_at`` (an instant followed by ``@`` and it), a question has the same
answer for ever, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any

from flask import Flask, Response, g, request
from marshmallow import fields

from api.paging import PageSchema, ReadSchema
from api.problems import WAIT_SECONDS, NotYetProjected
from api.report_data import AS_OF_HELP, KNOWN_AT_HELP
from api.services import services
from domain.kernel import Refused
from projections.moments import (
    KnownAt,
    Moment,
    parse_known_at,
    position_of,
    refuse_ahead,
)
from projections.standing import Standing, Summed, standing, summed


class BadAsOf(
    Refused, code="bad_as_of", status=400, title="“截至”写法不正确",
    detail="as_of 应为日期（2024-11-30），收到“{got}”。",
):
    """An as_of that is no day."""


class BadKnownAt(
    Refused, code="bad_known_at", status=400, title="“当时所知”写法不正确",
    detail="known_at 应为时刻（2024-12-05T09:00:00+08:00）、日期或台账位置"
    "（时刻、日期后可加 @台账位置），收到“{got}”。",
):
    """A known_at that is neither an instant, a day nor a position."""


class MomentSchema(ReadSchema):
    """A question that may be about an earlier moment."""

    as_of = fields.Date(metadata={"description": AS_OF_HELP})
    known_at = fields.String(metadata={"description": KNOWN_AT_HELP})


class MomentPageSchema(PageSchema, MomentSchema):
    """A page of a list that may be about an earlier moment."""


def moment_of(query: Mapping[str, Any], *, is_projected: bool = True) -> Moment:
    """The moment that a query names.

    :raises BadAsOf: where ``as_of`` is no day.
    :raises BadKnownAt: where ``known_at`` is no moment.
    :raises KnownAtAhead: where the log has not come to its position.
    :raises NotYetProjected: where the read models that are asked have not, in time.
    """
    moment = Moment(_day(query.get("as_of")), _known_at(query.get("known_at")))
    position = position_of(moment.known_at)
    if position is not None:
        g.is_fixed_question = True
        refuse_ahead(moment.known_at, services().ledger.head())
        read_models = services().read_models
        if is_projected and not read_models.wait_for(position, WAIT_SECONDS):
            reached = read_models.position()
            raise NotYetProjected(seconds=WAIT_SECONDS, wanted=position, reached=reached)
    return moment


def _day(given: date | str | None) -> date | None:
    if not given or isinstance(given, date):
        return given or None
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise BadAsOf(got=given[:40]) from None


def _known_at(given: str | None) -> KnownAt | None:
    try:
        return parse_known_at(given) if given else None
    except ValueError:
        raise BadKnownAt(got=str(given)[:40]) from None


@contextmanager
def standing_at(moment: Moment, *names: str) -> Iterator[Standing]:
    """Some read models as they stood at a moment."""
    found = services()
    with standing(found.read_models, found.ledger, moment, *names) as then:
        yield then


@contextmanager
def summed_at(moment: Moment) -> Iterator[Summed]:
    """What figures at a moment are summed over."""
    with summed(services().read_models, moment) as then:
        yield then


def install(app: Flask) -> None:
    """Give an answer that stays the same a tag, so that it need not be sent twice."""
    app.after_request(_tagged)


def _tagged(answer: Response) -> Response:
    is_fixed = g.get("is_fixed_question", False) and answer.status_code == 200
    if is_fixed and answer.is_json and "ETag" not in answer.headers:
        answer.add_etag()
        answer.make_conditional(request)
    return answer
