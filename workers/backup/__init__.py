"""How is everything that cannot be computed again kept in one file, and taken from it?

The ledger, its request keys, tokens and seals, the keyring, the access log and the (sealed)
files of evidence. Read
models are left out, since a rebuild makes them again, and so are the master key and the
signing key: whoever holds a backup alone reads no personal field and signs nothing.
"""

from workers.backup.archive import BadBackupError
from workers.backup.copying import CALLED, Backup, Restored, TargetNotEmptyError, backup, restore

__all__ = [
    "CALLED",
    "Backup",
    "BadBackupError",
    "Restored",
    "TargetNotEmptyError",
    "backup",
    "restore",
]
