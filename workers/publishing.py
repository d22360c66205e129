"""How is a report published, and restated? Checked, frozen, and recorded once."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from domain.kernel import Context, Event, Occurrence, Refused, Statement, stream_station
from domain.ledger import Instruction, Ledger, Receipt, StaleVersion
from domain.publication import (
    REPORT,
    NothingToRestate,
    ReportAlreadyPublished,
    ReportPublished,
    ReportRestated,
    TreeHead,
    short_code,
)
from domain.record_keeping import Record
from projections.engine import ReadModels
from projections.monthly_report import MonthlyReport, Opener, monthly_report
from projections.published_reports import Publication, publication, publications_for
from projections.publishing_checks import Item, Severity, Surroundings, checklist
from projections.report_differences import Differences, differences
from projections.report_periods import report_period
from workers.published_documents import keep_template
from workers.snapshots import snapshot_of

MOST_NAMED: Final = 5
"""How many items a refusal names; the check list has them all."""


class PublicationBlocked(
    Refused, code="publication_blocked", status=409, title="还不能发布",
    detail="发布前须先处理：{items}。",
):
    """The check list holds what must be mended first."""


class WarningsNotAcknowledged(
    Refused, code="warnings_not_acknowledged", title="请先确认提示",
    detail="有 {count} 项提示没有确认：{items}。请看过核对清单后，在 acknowledged 中写明其代码。",
):
    """Whoever publishes says which warnings he has seen."""


class FiguresBehind(
    Refused, code="figures_behind", status=503, title="数字还没有计入全部记录",
    detail="还有 {behind} 条记录没有计入，此时不能发布，也不能比较；请稍后重试。",
):
    """The read models are behind the log."""


@dataclass(frozen=True, slots=True)
class Press:
    """What publishing works with.

    ``checkpoint`` answers the newest checkpoint of the log, or ``None`` where none was
    made yet.
    """

    ledger: Ledger
    read_models: ReadModels
    templates: Path
    checkpoint: Callable[[], TreeHead | None]


@dataclass(frozen=True, slots=True)
class Preview:
    """A report as it would be published now, and what to look at before."""

    report: MonthlyReport
    items: tuple[Item, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """The codes that must be acknowledged."""
        return tuple(i.code for i in self.items if i.severity is Severity.WARNS)


def preview(
    press: Press, station: str, period: str, today: date, *, opened: Opener
) -> Preview:
    """The report of a period as known at the position that the figures have reached.

    ``opened`` opens its texts for whoever looks at it.

    :raises BadReportPeriod: where it is no period.
    """
    report_period(period)
    head, reached = press.ledger.head(), press.read_models.position()
    around = _around(press, station, today, head - reached)
    return _checked(
        press, station, period, around, opened=opened, known_at=min(head, reached)
    )


def at_present(
    press: Press, station: str, period: str, today: date, *, opened: Opener
) -> Preview:
    """The same of what the figures hold now, for whoever publishes nothing yet.

    It asks the monthly sums, and not what is late.
    """
    reached = press.read_models.position()
    around = _around(press, station, today, press.ledger.head() - reached)
    return _checked(
        press, station, period, around, opened=opened, position=reached, tells_late=False
    )


def _around(press: Press, station: str, today: date, behind: int) -> Surroundings:
    mine = [row for row in press.read_models.parked() if stream_station(row.stream) == station]
    return Surroundings(today, behind=max(behind, 0), parked=len(mine))


def _checked(
    press: Press, station: str, period: str, around: Surroundings, *, opened: Opener,
    **asked: Any,
) -> Preview:
    with press.read_models.engine.connect() as connection:
        report = monthly_report(
            connection, press.ledger, station, period, opened=opened, **asked
        )
        items = checklist(connection, press.ledger, report, around, opened=opened)
    return Preview(report, tuple(items))


def publish(
    press: Press, period: str, context: Context, acknowledged: Collection[str],
    expected_version: int | None = None,
) -> Receipt:
    """Publish the report of a period, once.

    :raises ReportAlreadyPublished: where it was published.
    :raises StaleVersion: where the caller saw a publication that there is not.
    :raises PublicationBlocked: where something must be mended first.
    :raises WarningsNotAcknowledged: where a warning is not among ``acknowledged``.
    """
    asked = _asked("publish", period, sorted(acknowledged))
    if (earlier := press.ledger.answered(asked, context)) is not None:
        return earlier
    chain = publications_for(press.ledger, context.station, period)
    if chain:
        raise ReportAlreadyPublished(period=period[:20], code=short_code(chain[-1].code))
    if expected_version:
        raise StaleVersion(got=expected_version, current=0)
    found = preview(
        press, context.station, period, context.today, opened=_to_freeze(press.ledger)
    )
    _refuse_unready(found, acknowledged)
    seen = tuple(code for code in found.warnings if code in set(acknowledged))
    event = ReportPublished(
        snapshot=snapshot_of(
            found.report, template=keep_template(press.templates), checkpoint=press.checkpoint()
        ),
        acknowledged=seen,
    )
    return _recorded(
        press, event, period, context, expected_version=expected_version, asked=asked
    )


def _refuse_unready(found: Preview, acknowledged: Collection[str]) -> None:
    blocking = [item for item in found.items if item.severity is Severity.BLOCKS]
    if blocking:
        said = (item.detail.removesuffix("。") for item in blocking[:MOST_NAMED])
        raise PublicationBlocked(items="；".join(said))
    missing = [code for code in found.warnings if code not in set(acknowledged)]
    if missing:
        raise WarningsNotAcknowledged(
            count=len(missing), items="、".join(missing[:MOST_NAMED])
        )


def differences_since(
    connection: Connection, press: Press, published: Publication, *, opened: Opener
) -> Differences:
    """What has changed since a publication (with its texts opened).

    :raises FiguresBehind: where the figures do not hold everything yet.
    """
    head, reached = press.ledger.head(), press.read_models.position()
    if reached < head:
        raise FiguresBehind(behind=head - reached)
    return differences(connection, press.ledger, published, head, opened=opened)


def restate(
    press: Press, period: str, context: Context, reason: str,
    expected_version: int | None = None,
) -> Receipt:
    """Publish what has changed since the newest publication of a period.

    :raises ReportNotPublished: where nothing was published.
    :raises NothingToRestate: where nothing has changed.
    :raises FiguresBehind: where the figures do not hold everything yet.
    """
    asked = _asked("restate", period, reason)
    if (earlier := press.ledger.answered(asked, context)) is not None:
        return earlier
    newest = _opened(press.ledger, publication(press.ledger, context.station, period))
    with press.read_models.engine.connect() as connection:
        found = differences_since(
            connection, press, newest, opened=_to_freeze(press.ledger)
        )
    if found.is_empty:
        raise NothingToRestate(period=period)
    event = ReportRestated(
        snapshot=snapshot_of(
            found.report, template=keep_template(press.templates), checkpoint=press.checkpoint()
        ),
        differences=found.figures, reason=reason,
    )
    return _recorded(
        press, event, period, context, expected_version=expected_version, asked=asked
    )


def _to_freeze(ledger: Ledger) -> Opener:
    """Opens texts that are sealed once more in what is published, and shown to nobody."""
    return partial(ledger.vault.opened_stream, to_show=True)


def _opened(ledger: Ledger, published: Publication) -> Publication:
    """A publication with its texts as they were stated, for the decision to restate it."""
    return ledger.vault.shown(published, published.stream)


def _asked(what: str, period: str, said: object) -> bytes:
    return msgspec.json.encode((what, period, said))


def _recorded(
    press: Press, event: Event, period: str, context: Context, *,
    expected_version: int | None, asked: bytes,
) -> Receipt:
    statement = Statement(event, Occurrence.at_instant(context.now))
    return press.ledger.execute(
        Instruction(REPORT, period, Record(statement=statement), expected_version, asked), context
    )
