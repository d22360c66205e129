"""Is a checkpoint a signed note as C2SP has it, and is everything else refused?"""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from domain.checkpoint import Checkpoint, entry_of, signer_of
from domain.kernel import Refused
from domain.merkle import EMPTY_ROOT
from domain.signed_note import Signer, Verifier

# From the tests of golang.org/x/mod/sumdb/note.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SECRET = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
PETER_SAYS = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6"
    "KE6RyyBwJnAM=\n"
)
ENOCH_SAYS = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WW"
    "d1RvMc+QQ=\n"
)
# From the specification itself, https://c2sp.org/signed-note.
FOO = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
FOO_NOTE = (
    "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncA"
    "lTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)


# ---- signed notes ----


def test_the_published_notes_are_opened() -> None:
    peter, enoch = Verifier.parsed(PETER), Verifier.parsed(ENOCH)
    note = f"{TEXT}\n{PETER_SAYS}{ENOCH_SAYS}"
    assert peter.opened(note, "n") == TEXT
    assert enoch.opened(note, "n") == TEXT
    assert Verifier.parsed(FOO).opened(FOO_NOTE, "n") == "This is an example message.\n"
    assert peter.vkey == PETER


def test_the_published_key_signs_the_published_note() -> None:
    secret = base64.b64decode(PETER_SECRET)[1:]
    signer = Signer("PeterNeumann", Ed25519PrivateKey.from_private_bytes(secret))
    assert signer.verifier.vkey == PETER
    assert signer.signed(TEXT) == f"{TEXT}\n{PETER_SAYS}"


@pytest.mark.parametrize("note", [
    TEXT, f"{TEXT}\n", f"{TEXT}\n{PETER_SAYS[:-1]}", f"\x01{TEXT}\n{PETER_SAYS}",
    f"{TEXT}\n— Bad Name {PETER_SAYS[15:]}", f"{TEXT}\n{PETER_SAYS}Unexpected line.\n",
    f"{TEXT}\n{PETER_SAYS * 101}", f"{TEXT}\n{PETER_SAYS[:60]}ABCD{PETER_SAYS[60:]}",
    f"{TEXT}\n{ENOCH_SAYS}", f"x{TEXT}\n{PETER_SAYS}", "", "\n\n", f"\n\n{PETER_SAYS}",
    f"{TEXT}\n— PeterNeumann x08gow==\n", f"{TEXT}\n— PeterNeumann x08g\n",
])
def test_any_other_note_is_refused(note: str) -> None:
    with pytest.raises(Refused) as refused:
        Verifier.parsed(PETER).opened(note, "检查点")
    assert refused.value.code == "bad_note"
    assert "检查点" in str(refused.value)


def test_no_part_and_no_change_of_a_key_is_a_key() -> None:
    cut = {PETER[i:j] for i in range(len(PETER) + 1) for j in range(i, len(PETER) + 1)}
    changed = {PETER[:n] + chr(ord(c) + 1) + PETER[n + 1 :] for n, c in enumerate(PETER)}
    wrong_length = "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY=="
    wrong_algorithm = "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    for vkey in (cut | changed | {wrong_length, wrong_algorithm}) - {PETER}:
        with pytest.raises(Refused) as refused:
            Verifier.parsed(vkey)
        assert refused.value.code == "bad_verifier_key"


# ---- checkpoints ----

SIGNER = signer_of(bytes(range(32)))


def test_a_checkpoint_is_read_as_it_was_signed() -> None:
    checkpoint = Checkpoint(SIGNER.name, 7, EMPTY_ROOT)
    note = SIGNER.signed(checkpoint.text)
    assert Checkpoint.opened(note, SIGNER.verifier) == checkpoint
    assert note == SIGNER.signed(checkpoint.text)
    assert note.splitlines()[:3] == [SIGNER.name, "7", base64.b64encode(EMPTY_ROOT).decode()]


@pytest.mark.parametrize("text", [
    f"{SIGNER.name}\n07\n{base64.b64encode(EMPTY_ROOT).decode()}\n",
    f"{SIGNER.name}\n-1\n{base64.b64encode(EMPTY_ROOT).decode()}\n",
    f"{SIGNER.name}\n9999999999999999999\n{base64.b64encode(EMPTY_ROOT).decode()}\n",
    f"{SIGNER.name}\n7\nshort\n", f"{SIGNER.name}\n7\n",
    f"another/log\n7\n{base64.b64encode(EMPTY_ROOT).decode()}\n",
])
def test_what_is_no_checkpoint_of_this_log_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        Checkpoint.opened(SIGNER.signed(text), SIGNER.verifier)
    assert refused.value.code == "bad_note"


def test_another_installation_s_checkpoint_is_refused() -> None:
    other = signer_of(bytes(32))
    note = other.signed(Checkpoint(other.name, 7, EMPTY_ROOT).text)
    assert other.name != SIGNER.name
    with pytest.raises(Refused):
        Checkpoint.opened(note, SIGNER.verifier)


# ---- entries ----

rows = st.tuples(
    st.integers(1, 2**62), st.text(max_size=8), st.integers(1, 9), st.text(max_size=8),
    st.binary(max_size=8),
)


@given(rows, rows)
def test_no_two_events_have_the_same_entry(one: tuple, other: tuple) -> None:
    assert (entry_of(one) == entry_of(other)) == (one == other)


def test_an_entry_can_be_read() -> None:
    assert entry_of((7, "st/visit/v1", 1, "visit.recorded", b'{"data":{}}')) == (
        b'[7,"st/visit/v1",1,"visit.recorded"]\n{"data":{}}'
    )
