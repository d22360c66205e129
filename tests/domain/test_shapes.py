"""Is what is wrong with the shape of a value said in Chinese, and where?"""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from domain.indicators import Indicator
from domain.shapes import shape_said

RIGHT = {"code": "a", "label": "甲", "label_en": "A", "unit": "times", "measure": "visit.held"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"filter": {"kind": 3}}, "/filter 处应为文字或列表，收到整数"),
        ({"filter": {"kind": [""]}}, "/filter/0 处应至少有 1 个字符"),
        ({"plus": [{}]}, "/plus/0 处缺少“measure”"),
        ({"plus": [{"measure": "A B"}]}, "/plus/0/measure 处写法不合要求"),
        ({"unit": "miles"}, "/unit 处“miles”不在可选范围内"),
        ({"divide_by": 0}, "/divide_by 处应不小于 1"),
        ({"divide_by": None}, "/divide_by 处应为整数，收到空"),
        ({"label": "长" * 101}, "/label 处应最多有 100 个字符"),
        ({"without": {"measure": "a", "days": 9_999}}, "/without/days 处应不大于 3660"),
    ],
)
def test_a_fault_is_said_with_its_place(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(RIGHT | wrong, Indicator)
    assert shape_said(refused.value) == said


@pytest.mark.parametrize("text", [b'{"a":', b"[1, 2]", b"\xb2", b'{"code": "a"}', b'{"a": nul}'])
def test_no_english_sentence_comes_through(text: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError) as refused:
        msgspec.json.decode(text, type=Indicator)
    assert not re.search(r"[A-Z][a-z]+ ", shape_said(refused.value))
