"""The event log: the only part of the program that knows the event-sourcing library."""

from eventsourcing.persistence import Notification

from domain.ledger.application import (
    Busy,
    Instruction,
    KeyReused,
    Ledger,
    NewEntry,
    OutcomeUnknown,
    Receipt,
    StaleVersion,
    StoreUnavailable,
    by_stream,
    leaves_nothing,
    recorded_from,
    recorded_row,
    referred_streams,
)
from domain.ledger.group_commit import GroupCommit, Outcome
from domain.ledger.postgres_recorder import (
    LedgerNotPreparedError,
    LedgerPostgresRecorder,
    is_disturbed,
)
from domain.ledger.recorders import BadDatabaseUrlError
from domain.ledger.references import ReferenceIndex, ReferencesUnknown, Subject, references
from domain.ledger.request_keys import Answered, RequestKey, StoredRow

__all__ = [
    "Answered",
    "BadDatabaseUrlError",
    "Busy",
    "GroupCommit",
    "Instruction",
    "KeyReused",
    "Ledger",
    "LedgerNotPreparedError",
    "LedgerPostgresRecorder",
    "NewEntry",
    "Notification",
    "Outcome",
    "OutcomeUnknown",
    "Receipt",
    "ReferenceIndex",
    "ReferencesUnknown",
    "RequestKey",
    "StaleVersion",
    "StoreUnavailable",
    "StoredRow",
    "Subject",
    "by_stream",
    "is_disturbed",
    "leaves_nothing",
    "recorded_from",
    "recorded_row",
    "references",
    "referred_streams",
]
