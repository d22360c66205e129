"""Does any file at all make the check of Word files fail, or take more than it may?"""

from __future__ import annotations

import io
import random
import time
import zipfile
from pathlib import Path

import pytest
from docx import Document
from domain_spec import refused
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.kernel import Refused
from workers.report_check import MOST_PART_BYTES, read_text

NAMESPACE = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def packed(compression: int = zipfile.ZIP_DEFLATED, **parts: bytes) -> bytes:
    """A zip of some parts; ``document`` is the document itself."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as file:
        for name, content in parts.items():
            file.writestr(f"word/{name}.xml", content)
    return target.getvalue()


def document(body: str) -> bytes:
    return f'<w:document xmlns:w="{NAMESPACE}"><w:body>{body}</w:body></w:document>'.encode()


def test_a_text_is_read_whatever_runs_it_is_divided_into() -> None:
    body = "<w:p><w:r><w:t>快照码 ABCD-</w:t></w:r><w:r><w:t>1234-</w:t><w:t>5678</w:t></w:r></w:p>"
    found = read_text(packed(document=document(f"{body}<w:p/>")))
    assert found.paragraphs == ("快照码 ABCD-1234-5678",)
    assert found.codes == ("ABCD-1234-5678",)


def test_the_codes_of_footers_come_first(tmp_path: Path) -> None:
    word = Document()
    word.add_paragraph("原报告 1111-1111-1111")
    word.sections[0].footer.paragraphs[0].text = "更正说明 2222-2222-2222"
    word.save(str(tmp_path / "x.docx"))
    assert read_text((tmp_path / "x.docx").read_bytes()).codes == ("2222-2222-2222", "1111-1111-1111")


def test_a_zip_bomb_is_refused_before_it_unfolds() -> None:
    bomb = packed(document=document("A" * (64 << 20)))
    assert len(bomb) < 1 << 20
    began = time.monotonic()
    with refused("not_a_word_file"):
        read_text(bomb)
    assert time.monotonic() - began < 2


def test_a_header_that_lies_about_the_size_is_not_believed() -> None:
    honest = packed(document=document("A" * (MOST_PART_BYTES + 1024)))
    size = len(document("A" * (MOST_PART_BYTES + 1024))).to_bytes(4, "little")
    assert honest.count(size) == 2
    with refused("not_a_word_file"):
        read_text(honest.replace(size, (100).to_bytes(4, "little")))


@pytest.mark.parametrize(
    "content",
    [
        packed(other=b"<x/>"),
        packed(document=b"<x"),
        packed(document=b""),
        packed(document="<x>测</x>".encode("utf-16")),
        packed(document=b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'),
        packed(document=b"<x>" * 5_000 + b"</x>" * 5_000),
        packed(document=document("<w:p><w:r><w:t>x</w:t></w:r></w:p>" * 5_001)),
        packed(document=document(""), **{f"p{n}": b"" for n in range(500)}),
        b"P" * ((1 << 20) + 1),
    ],
    ids=["no document", "cut", "empty", "utf-16", "entities", "deep", "long", "many", "large"],
)
def test_what_is_out_of_bounds_is_refused(content: bytes) -> None:
    with refused("not_a_word_file"):
        read_text(content)


def test_an_external_entity_is_not_fetched(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("geheim")
    body = f'<!DOCTYPE x [<!ENTITY a SYSTEM "file://{secret}">]>'.encode()
    with refused("not_a_word_file") as caught:
        read_text(packed(document=body + document("<w:p><w:r><w:t>&a;</w:t></w:r></w:p>")))
    assert "geheim" not in str(caught.value)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), flips=st.integers(1, 8), cut=st.booleans())
def test_a_damaged_file_is_read_or_refused_and_nothing_else(seed: int, flips: int, cut: bool) -> None:  # noqa: FBT001 - a generated case
    chance = random.Random(seed)
    content = bytearray(packed(document=document("<w:p><w:r><w:t>测</w:t></w:r></w:p>" * 20)))
    for _ in range(flips):
        content[chance.randrange(len(content))] = chance.randrange(256)
    if cut:
        del content[chance.randrange(len(content)):]
    try:
        read_text(bytes(content))
    except Refused as refusal:
        assert refusal.code == "not_a_word_file"  # noqa: PT017 - either outcome is right
