"""A number written with a leading zero keeps it: its column is text, whatever else is in it."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tried_examples import tries
from written_tables import csv_bytes, read

from components.core.errors import DataError
from components.ingest_examples.times import months_of
from components.reading.csv_bytes import PIECE_BYTES, signs_of
from components.reading.csv_stream import BLOCK_BYTES

CODE = re.compile(r"\s*[+-]?0[\dxX]")
FILLER = "x" * 100
BLOCKS = 2 * BLOCK_BYTES // len(FILLER)
NUMBERS = st.from_regex(r" {0,2}[+-]?(0|00|0x)?[0-9]{1,4}(\.[0-9]{1,2})?(e1)?", fullmatch=True)


@tries(300)
@given(
    files=st.lists(st.lists(NUMBERS, min_size=1, max_size=4), min_size=1, max_size=3),
    delimiter=st.sampled_from(",; \t"),
    quoted=st.booleans(),
    encoding=st.sampled_from(["utf-8", "latin-1", "utf-16", "utf-8-sig"]),
)
@example([["7"], ["1.5"], [" -07"]], ",", False, "utf-8")
@example([["0x1F"]], ";", True, "utf-8")
@example([["10"], ["0"]], ",", False, "utf-16")
def test_a_column_is_text_exactly_where_a_number_of_any_file_has_a_leading_zero(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[list[str]],
    delimiter: str,
    quoted: bool,
    encoding: str,
) -> None:
    folder = tmp_path_factory.mktemp("zeros")
    mark = '"' if quoted or delimiter == " " else ""
    for number, values in enumerate(files):
        lines = ["f" + delimiter + "a", *(f"x{delimiter}{mark}{v}{mark}" for v in values)]
        (folder / f"{number}.csv").write_text("\n".join(lines), encoding=encoding)
    found = read(f"{folder}/*.csv", delimiter=delimiter, encoding=encoding)["a"]
    written = [value for values in files for value in values]
    if any(map(CODE.match, written)):
        assert found.to_pylist() == written
    elif pa.types.is_integer(found.type) or pa.types.is_floating(found.type):
        assert found.to_pylist() == [float(value) for value in written]


@pytest.mark.parametrize("before", [0, BLOCKS])
@pytest.mark.parametrize("after", [0, BLOCKS])
def test_one_such_number_in_any_block_keeps_the_whole_column(
    tmp_path: Path, before: int, after: int
) -> None:
    rows = [[FILLER, 10]] * before + [["", "00123"], ["", 1.5]] + [[FILLER, 20]] * after
    (tmp_path / "t.csv").write_bytes(csv_bytes(["f", "a"], *rows))
    assert read(tmp_path / "t.csv")["a"].to_pylist() == [str(row[1]) for row in rows]


def test_a_zero_alone_a_fraction_and_what_stands_for_nothing_are_no_codes(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,b,c\n0,0.5,00\n-0,-0.25,7\n100,00.0,05\n")
    found = read(tmp_path / "t.csv", null_values=["00", "00.0", "05"])
    assert found.to_pydict() == {"a": [0, 0, 100], "b": [0.5, -0.25, None], "c": [None, 7, None]}


def test_an_integer_beyond_int64_with_a_leading_zero_is_kept_too(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a\n1\n0" + b"9" * 30 + b"\n")
    assert read(tmp_path / "t.csv")["a"].to_pylist() == ["1", "0" + "9" * 30]


def test_the_settings_may_make_numbers_of_them(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,b\n007,00.5\n")
    found = read(tmp_path / "t.csv", types={"a": "int64", "b": "float64"})
    assert found.to_pydict() == {"a": [7], "b": [0.5]}


def test_a_month_written_like_01_is_told_with_the_type_to_give(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"year,month\n2013,01\n")
    with pytest.raises(DataError, match="column month is string") as caught:
        months_of(read(tmp_path / "t.csv"), "year", "month")
    assert "say `types: {month: int64}`" in caught.value.remedy
    months_of(read(tmp_path / "t.csv", types={"month": "int64"}), "year", "month")


def may_have(text: str) -> bool:
    return signs_of(pa.BufferReader(text.encode()), ",", "utf-8").leading_zero


@tries(500)
@given(text=st.text(st.sampled_from('0 1x-+,.:T\n"'), max_size=30))
def test_the_bytes_show_every_value_with_a_leading_zero(text: str) -> None:
    assert may_have(text) or not re.search(r'(?:^|[,\n"]) *[+-]?0[\dxX]', text)


@pytest.mark.parametrize("cut", range(6))
@pytest.mark.parametrize("value", [",01", ",-07", "\n  0x1"])
def test_a_value_is_seen_wherever_a_piece_of_the_file_ends(value: str, cut: int) -> None:
    assert may_have("a" * (PIECE_BYTES - cut) + value)


@pytest.mark.parametrize("text", ["2013-01-01 05:00:00Z,0,0.5,10,-0\n", "a0101,x-01,5:07\n"])
def test_a_file_of_dates_and_plain_numbers_is_not_parsed_once_more(text: str) -> None:
    assert not may_have(text * 9)
