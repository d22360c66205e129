"""How does a station move in with years of records? See docs/history-format.md."""

from workers.history.importing import Fault, ImportResult, import_history

__all__ = ["Fault", "ImportResult", "import_history"]
