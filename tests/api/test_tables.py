"""Does a spreadsheet show what was recorded, and calculate nothing?"""

from __future__ import annotations

import csv
import io

import pytest

from api.tables import cell, csv_text


@pytest.mark.parametrize("text", ["=1+1", "+86", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1"])
def test_what_a_spreadsheet_would_run_is_a_text(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["37010219490203001", "370102194902030015", "00012", "12e34567", "13800000000"])
def test_digits_that_a_spreadsheet_would_round_are_a_text(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["2024-11-05", "入户", "34f82a69", "12", 12, 0, "37010219490203001X"])
def test_everything_else_stays_as_it_is(value: object) -> None:
    assert cell(value) == value


def test_nothing_is_an_empty_cell() -> None:
    assert cell(None) == ""


def test_a_table_begins_with_a_mark_by_which_excel_knows_utf_8() -> None:
    text = csv_text(("编号", "备注"), [(1, 'a,"b"\nc'), (2, None)])
    assert text.startswith("\ufeff编号,备注\r\n")
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert rows[1:] == [["1", 'a,"b"\nc'], ["2", ""]]
