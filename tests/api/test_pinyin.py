"""Is a name found by its characters, its pinyin and its initials, in every way it can be read?"""

from __future__ import annotations

import pytest

from api.name_index import Known, nearest
from api.pinyin import folded, spellings


def found(name: str, part: str) -> bool:
    said = folded(name)
    return bool(nearest(iter([Known("owner", said, spellings(said))]), part))


@pytest.mark.parametrize("part", [
    "王", "秀兰", "王秀兰", "wxl", "xl", "wangxiulan", "xiulan", "wang xiu lan", "WangXL", "wangxiul",
    "lan", "wxiul",
])
def test_a_part_of_a_name_finds_it(part: str) -> None:
    assert found("王秀兰", part)


@pytest.mark.parametrize("part", ["王兰", "wl", "ang", "iulan", "wangxiulanx", "wxlz", "王x", "，", ""])
def test_what_is_no_part_of_a_name_does_not(part: str) -> None:
    assert not found("王秀兰", part)


@pytest.mark.parametrize(("surname", "read"), [
    ("单", "shan"), ("曾", "zeng"), ("仇", "qiu"), ("区", "ou"), ("查", "zha"), ("解", "xie"),
    ("朴", "piao"), ("盖", "ge"), ("任", "ren"), ("尉迟", "yuchi"), ("万俟", "moqi"),
    ("覃", "qin"), ("翟", "zhai"), ("员", "yun"), ("缪", "miao"), ("种", "chong"), ("吕", "lv"),
])
def test_a_surname_is_found_as_it_is_read(surname: str, read: str) -> None:
    assert found(f"{surname}建国", f"{read}jg")


def test_letters_digits_and_dots_of_a_name_are_no_hindrance() -> None:
    assert found("阿依古丽·买买提", "古丽买")
    assert found("阿依古丽·买买提", "ayglmmt")
    assert found("Ａnna 李", "anna")
    assert found("测试2", "测试２")
    assert found("测试12", "cs12")
    assert found("𠮷田", "𠮷")


def test_whole_names_come_first_and_then_how_names_begin() -> None:
    names = ("高兰", "刘兰英", "兰英", "兰", "兰考")
    known = [Known(name, name, spellings(name)) for name in names]
    assert nearest(iter(known), "兰") == ["兰", "兰考", "兰英", "刘兰英", "高兰"]
    assert nearest(iter(known), "lan") == ["兰", "兰考", "兰英", "刘兰英", "高兰"]
    assert nearest(iter(known), "ly")[:2] == ["兰英", "刘兰英"]


def test_no_name_however_long_or_odd_holds_up_a_search() -> None:
    known = [Known("owner", folded(name), spellings(folded(name))) for name in (
        "单曾仇区查解朴盖任尉" * 5, "a1" * 25, "aa " * 16, "啊" * 50,
    )]
    assert max(len(one.spelled) for one in known) < 3_000
    assert nearest(iter(known), "b" + "a" * 49) == []
    assert nearest(iter(known), "a" * 39 + "b") == []
