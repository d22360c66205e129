"""How is the difference between two moments of knowing given to people and programs?

Each record that changed a figure is named with its events in between: who recorded what,
when, and for which reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from api.answers import local_time
from api.report_data import figure_data
from domain.code_lists import label_of
from domain.fields import CODE_LIST, marks_of
from domain.kernel import KINDS, Event, Recorded, stream_kind, stream_subject
from domain.ledger import Ledger
from projections.aliases import AliasChange
from projections.difference import Difference, FigureChange, RecordChange

Shown = Callable[[dict[str, Any], str], dict[str, Any]]
"""What is shown of an event's sealed texts, given the stream that they were sealed for."""


def without_reason(said: dict[str, Any], _stream: str) -> dict[str, Any]:
    """For whoever reads figures and no cases: a reason may speak of persons."""
    return said | {"reason": None}


def difference_data(found: Difference, ledger: Ledger, shown: Shown) -> dict[str, Any]:
    """The figures before and after, the records and the merges between them."""
    told = _Told(ledger, shown)
    return {
        "indicators": [_figure(change) for change in found.figures],
        "records": [told.record(change) for change in found.records],
        "merges": [told.merge(change) for change in found.merges],
        "is_cut": found.is_cut,
    }


def without_records(told: dict[str, Any]) -> dict[str, Any]:
    """The same for who reads no cases: how many records and merges there are, and not which."""
    return told | {
        "records": [_unnamed(record, ("id", "entry")) for record in told["records"]],
        "merges": [_unnamed(one, ("merged", "survivor", "entry")) for one in told["merges"]],
    }


def _unnamed(told: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    of_event = ("recorded_at", "actor")
    events = [event | dict.fromkeys(of_event) for event in told["events"]]
    return told | dict.fromkeys(names) | {"events": events}


def _figure(change: FigureChange) -> dict[str, Any]:
    before, after = figure_data(change.before, {}), figure_data(change.after, {})
    named = {name: after[name] for name in ("code", "label", "label_en", "unit")}
    return named | {
        "before": {name: before[name] for name in ("value", "display")},
        "after": {name: after[name] for name in ("value", "display")},
    }


@dataclass(frozen=True, slots=True)
class _Told:
    """Tells of records by what the log says of them."""

    ledger: Ledger
    shown: Shown

    def record(self, change: RecordChange) -> dict[str, Any]:
        kind = stream_kind(change.stream)
        history = self.ledger.history(change.stream)
        return {
            "kind": kind, "kind_label": KINDS[kind].label, "id": stream_subject(change.stream),
            "entry": change.entry, "effective_on": change.effective_on.isoformat(),
            "amounts": change.amounts,
            "events": [self._event(e) for e in history if e.position in change.positions],
        }

    def merge(self, change: AliasChange) -> dict[str, Any]:
        history = self.ledger.history(change.stream)
        made = next(e for e in history if e.position == change.position)
        proposed = next(e for e in history if e.version == change.entry)
        return {
            "kind": change.kind, "merged": change.alias, "survivor": change.survivor,
            "entry": change.entry, "is_ended": change.amount < 0,
            "events": [self._event(event) for event in (proposed, made)],
        }

    def _event(self, event: Recorded) -> dict[str, Any]:
        said = {
            "position": event.position, "topic": event.event.topic, "label": event.event.label,
            "recorded_at": local_time(event.envelope.recorded_at),
            "actor": event.envelope.actor, "reason": _reason(event.event),
        }
        return self.shown(said, event.stream)


def _reason(event: Event) -> str | None:
    """Why, as it was stated: in words, or by a code of a list."""
    said: str | None = getattr(event, "reason", None)
    code_list = marks_of(type(event)).get("reason", {}).get(CODE_LIST)
    return label_of(code_list, said) if said and code_list else said
