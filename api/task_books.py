"""How far along is a task book? The route, and the answer as data."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from marshmallow import Schema, fields

from api.bodies import Blueprint
from api.identity import READ_FIGURES, action, today
from api.moments import MomentSchema, moment_of, summed_at
from api.queries import FigureSchema, one_station
from api.report_data import figure_data
from api.services import services
from domain.catalog import to_builtins
from projections.moments import known_at_text
from projections.task_progress import Month, Progress, TaskBookProgress, task_book_progress

task_books = Blueprint("task_books", __name__, url_prefix="/api/v1", description="任务书进度")


class TargetProgressSchema(Schema):
    """A target and how it stands; ``actual`` is null where people judge it."""

    target = fields.Dict()
    is_level = fields.Boolean(metadata={"description": "存量或平均：看水平，不随时间累加"})
    expected = fields.Float(allow_none=True, metadata={"description": "到截至日应完成"})
    actual = fields.Nested(FigureSchema, allow_none=True)
    forecast = fields.Float(allow_none=True, metadata={"description": "按目前进度，周期末预计"})
    completed_percent = fields.Float(allow_none=True)
    points = fields.Float(allow_none=True)
    light = fields.String(metadata={"description": "green、amber、red 或 none"})
    light_label = fields.String()
    months = fields.List(fields.Dict())


class ProgressSchema(Schema):
    """A task book's progress and the question that it answers."""

    id = fields.String()
    station = fields.String()
    title = fields.String()
    cycle = fields.String()
    first_on = fields.String()
    last_on = fields.String()
    status = fields.String()
    status_label = fields.String()
    as_of = fields.String()
    known_at = fields.Raw(allow_none=True)
    position = fields.Integer()
    indicator_set = fields.String()
    indicator_set_version = fields.Integer()
    heads = fields.List(fields.Dict())
    indicators = fields.List(fields.Nested(TargetProgressSchema))


@task_books.route("/task-books/<subject>/progress")
@action(READ_FIGURES)
@task_books.arguments(MomentSchema, location="query")
@task_books.response(200, ProgressSchema)
def get_progress(query: dict[str, Any], subject: str) -> dict[str, Any]:
    """任务书进度：目标值、应完成、完成值、预计、得分，分月。"""
    moment = moment_of(query)
    with summed_at(moment) as then:
        found = task_book_progress(
            then.connection, services().ledger, one_station(), subject,
            as_of=moment.as_of or today(), known_at=then.known_at,
        )
    return progress_data(found) | {
        "known_at": known_at_text(moment.known_at), "position": then.position,
    }


def progress_data(found: TaskBookProgress) -> dict[str, Any]:
    """A task book's progress as plain data: the same for the API and the command line."""
    return {
        "id": found.id, "station": found.station, "title": found.drafted.title,
        "cycle": found.drafted.cycle, "first_on": found.cycle.first.isoformat(),
        "last_on": found.cycle.last.isoformat(), "status": found.book.status.value,
        "status_label": found.book.status.label, "as_of": found.as_of.isoformat(),
        "indicator_set": found.indicator_set.code,
        "indicator_set_version": found.indicator_set.version,
        "heads": [
            {
                "head": s.head.value, "label": s.head.label, "weight": s.weight,
                "judged_weight": s.judged_weight, "points": float(s.points),
            }
            for s in found.heads
        ],
        "indicators": [_row(row) for row in found.rows],
    }


def _row(row: Progress) -> dict[str, Any]:
    return {
        "target": to_builtins(row.target), "is_level": row.is_level,
        "expected": _number(row.expected), "actual": row.actual and figure_data(row.actual, {}),
        "forecast": _number(row.forecast),
        "completed_percent": _number(row.completed_percent), "points": _number(row.points),
        "light": row.light.value, "light_label": row.light.label,
        "months": [_month(month) for month in row.months],
        "counted_by": to_builtins(row.counted_by) if row.counted_by else None,
    }


def _month(month: Month) -> dict[str, Any]:
    value = month.actual.value if month.actual else None
    return {
        "month": f"{month.period.first:%Y-%m}", "planned": float(month.planned),
        "actual": float(value) if isinstance(value, Decimal) else value,
    }


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
