"""Who said this text? A note signed with Ed25519, as C2SP's signed-note has it.

https://c2sp.org/signed-note: the text, an empty line, and a line for each signature:
``— name base64(key id || signature)``. A verifier key (*vkey*) says which name and key are
trusted: ``name+hex(key id)+base64(0x01 || public key)``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from domain.kernel import Refused

ED25519: Final = b"\x01"
ID_BYTES: Final = 4
KEY_BYTES: Final = 32
MOST_SIGNATURES: Final = 100
MOST_CHARACTERS: Final = 100_000
_NAME: Final = re.compile(r"[^\s+]+")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


class BadVerifierKey(
    Refused, code="bad_verifier_key", title="公钥写法不正确",
    detail="“{got}”不是公钥：应为“名称+8 位十六进制+Base64”这样的一行。",
):
    """A text that is no Ed25519 verifier key."""


class BadNote(
    Refused, code="bad_note", title="不是可信的签名文本",
    detail="{name}不可信：{problem}。",
):
    """A note that is malformed, or that the trusted key did not sign."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A name and the public key that speaks for it."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The key id: what a signature line begins with."""
        named = self.name.encode() + b"\n" + ED25519 + self.public
        return hashlib.sha256(named).digest()[:ID_BYTES]

    @property
    def vkey(self) -> str:
        """The key as it is given to others."""
        key = base64.b64encode(ED25519 + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{key}"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public key, in groups that can be read aloud."""
        digest = hashlib.sha256(self.public).hexdigest()
        return " ".join(digest[n : n + 4] for n in range(0, len(digest), 4))

    @classmethod
    def parsed(cls, vkey: str) -> Self:
        """The key of a *vkey*.

        :raises BadVerifierKey: where it is none, or its id is not that of its key.
        """
        name, _, rest = vkey.partition("+")
        key_id, _, encoded = rest.partition("+")
        key = _decoded(encoded)
        if key[:1] == ED25519 and len(key) == 1 + KEY_BYTES and _NAME.fullmatch(name):
            found = cls(name, key[1:])
            if found.vkey == f"{name}+{key_id}+{encoded}":
                return found
        raise BadVerifierKey(got=vkey[:100])

    def opened(self, note: str, called: str) -> str:
        """The text of a note that this key signed; ``called`` names it for a person.

        :raises BadNote: where the note is malformed or not signed by this key.
        """
        text, signatures = _parts(note, called)
        mine = [s for name, s in signatures if name == self.name and s[:ID_BYTES] == self.id]
        if not mine:
            raise BadNote(name=called, problem=f"没有 {self.name} 这把密钥的签名")
        try:
            for signature in mine:
                public = Ed25519PublicKey.from_public_bytes(self.public)
                public.verify(signature[ID_BYTES:], text.encode())
        except InvalidSignature:
            raise BadNote(name=called, problem="签名与内容不符") from None
        return text


@dataclass(frozen=True, slots=True)
class Signer:
    """A name and the private key that signs for it."""

    name: str
    private: Ed25519PrivateKey

    @property
    def verifier(self) -> Verifier:
        """The public side."""
        return Verifier(self.name, self.private.public_key().public_bytes_raw())

    def signed(self, text: str) -> str:
        """The note of a text, which ends in a newline. The same text gives the same note."""
        assert text.endswith("\n") and not _CONTROL.search(text)  # noqa: PT018 - one condition
        signature = base64.b64encode(self.verifier.id + self.private.sign(text.encode()))
        return f"{text}\n— {self.name} {signature.decode()}\n"


def _parts(note: str, called: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The text of a note and its signatures, by name.

    :raises BadNote: where it has another form.
    """
    text, mark, tail = note.rpartition("\n\n")
    lines = tail.removesuffix("\n").split("\n")
    found = [re.fullmatch(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})", line) for line in lines]
    signatures = [(m[1], _decoded(m[2])) for m in found if m]
    is_formed = mark and tail.endswith("\n") and len(signatures) == len(lines)
    is_bounded = len(lines) <= MOST_SIGNATURES and len(note) <= MOST_CHARACTERS
    is_read = all(len(signature) > ID_BYTES for _name, signature in signatures)
    if not (is_formed and is_bounded and is_read) or _CONTROL.search(note):
        raise BadNote(name=called, problem="不是 C2SP signed-note 的写法")
    return text + "\n", signatures


def _decoded(text: str) -> bytes:
    """Base64, or nothing where it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
