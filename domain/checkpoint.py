"""How long was the log, and what was in it? A signed checkpoint, and the entries it covers.

https://c2sp.org/tlog-checkpoint: a signed note of three lines: the origin, which names
the log; the number of leaves; the root hash in Base64.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Final, Self

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.merkle import HASH_BYTES, leaf_hash
from domain.signed_note import BadNote, Signer, Verifier

LARGEST: Final = 2**63 - 1
_encode = msgspec.json.Encoder().encode
_TEXT: Final = re.compile(r"([^\n]+)\n(0|[1-9]\d{0,18})\n([A-Za-z0-9+/]{43}=)\n(?:[^\n]+\n)*")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log: how many leaves it has, and the root of the tree over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def opened(cls, note: str, verifier: Verifier, called: str = "检查点") -> Self:
        """The checkpoint of a note that a key signed for the log of its own name.

        :raises BadNote: for another form, another log or another key.
        """
        found = _TEXT.fullmatch(verifier.opened(note, called))
        root = base64.b64decode(found[3]) if found else b""
        if found is None or len(root) != HASH_BYTES or int(found[2]) > LARGEST:
            raise BadNote(name=called, problem="不是 C2SP tlog-checkpoint 的写法")
        if found[1] != verifier.name:
            raise BadNote(name=called, problem=f"它属于另一份台账（{found[1][:80]}）")
        return cls(found[1], int(found[2]), root)


def signer_of(secret: bytes) -> Signer:
    """Who signs the checkpoints of an installation: its origin follows from its key.

    So the name is unique, never changes while the key does not, and is no setting.
    """
    private = Ed25519PrivateKey.from_private_bytes(secret)
    digest = hashlib.sha256(private.public_key().public_bytes_raw()).hexdigest()
    return Signer(f"taizhang/{digest[:16]}", private)


def entry_of(row: tuple[int, str, int, str, bytes]) -> bytes:
    """What a leaf hashes: a stored event (position, stream, version, topic, state), every byte.

    A line of JSON without spaces, ``[position,"stream",version,"topic"]``, and the stored
    state, which holds the envelope. JSON escapes line feeds, so the first one ends the line
    and no two events have the same entry. A damaged database may answer a row without a state.
    """
    return _encode(row[:4]) + b"\n" + (row[4] or b"")


def leaf_of(row: tuple[int, str, int, str, bytes]) -> bytes:
    """The leaf hash of a stored event."""
    return leaf_hash(entry_of(row))
