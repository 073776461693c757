"""CSV: the types of the whole file, its encodings, and its rows in bounded memory."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from written_tables import csv_bytes, opened, read

from components.core.errors import DataError, SettingsError
from components.reading.csv_stream import BLOCK_BYTES

FILLER = b"x" * 100
# So many rows that what follows them is not in the first block, or even the second.
MANY = 2 * BLOCK_BYTES // len(FILLER)


def late(early: bytes, value: bytes, tail: bytes = b"") -> bytes:
    """Return a file whose column `a` has one value for blocks on end, then another."""
    return b"filler,a\n" + (FILLER + b"," + early + b"\n") * MANY + FILLER + b"," + value + tail


@pytest.mark.parametrize(
    ("early", "value", "kind", "first", "last"),
    [
        (b"", b"7", "int64", None, 7),
        (b"1", b"0.5", "double", 1.0, 0.5),
        (b"1", b"x", "string", "1", "x"),
        (b"007", b"x", "string", "007", "x"),
        (b"1", b"true", "string", "1", "true"),
        (b"true", b"false", "int64", 1, 0),
        (b"0.50", b"2013-01-01", "string", "0.50", "2013-01-01"),
        (b"", b"2013-01-01", "timestamp[s]", None, None),
        (b"2013-01-01", b"2013-01-01 10:00:00.5", "timestamp[us]", None, None),
        (b"2013-01-01T10:00:00Z", b"2013-01-01T10:00:00.5Z", "timestamp[us, tz=UTC]", None, None),
        (b"2013-01-01", b"2013-01-01T10:00:00Z", "string", "2013-01-01", "2013-01-01T10:00:00Z"),
        (b"10:00:00", b"11:00:00", "string", "10:00:00", "11:00:00"),
        (b"", b"", "double", None, None),
    ],
)
def test_a_type_is_that_of_the_whole_file(
    tmp_path: Path, early: bytes, value: bytes, kind: str, first: object, last: object
) -> None:
    (tmp_path / "t.csv").write_bytes(late(early, value))
    column = read(tmp_path / "t.csv")["a"]
    assert str(column.type) == kind
    assert len(column) == MANY + 1
    if "timestamp" not in kind:
        assert (column[0].as_py(), column[-1].as_py()) == (first, last)
    (tmp_path / "reverse.csv").write_bytes(b"filler,a\n,%s\n,%s\n" % (value, early))
    assert str(read(tmp_path / "reverse.csv")["a"].type) == kind


def test_every_batch_has_the_schema_that_was_said_before(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(late(b"1", b"0.5", tail=b"\n" + FILLER + b",x\n"))
    table = opened(tmp_path / "t.csv")
    assert {piece.rows.schema for piece in table.batches()} == {table.schema}


def test_columns_that_change_one_after_the_other_are_all_found(tmp_path: Path) -> None:
    names = [f"c{n}" for n in range(9)]
    rows = [b",".join(b"" if n > row else b"%d" % row for n in range(9)) for row in range(9)]
    filler = b",".join([b""] * 9) + b"\n"
    blocks = filler * (BLOCK_BYTES // len(filler))
    data = ",".join(names).encode() + b"\n" + b"\n".join(rows[:3]) + b"\n" + blocks
    (tmp_path / "t.csv").write_bytes(data + b"\n".join(rows[3:]) + b"\n" + blocks + b"x" + filler)
    found = read(tmp_path / "t.csv")
    assert [str(kind) for kind in found.schema.types] == ["string"] + ["int64"] * 8
    assert found["c8"].drop_null().to_pylist() == [8]
    assert found["c0"].drop_null().to_pylist()[-1] == "x"


def test_a_quoted_value_over_the_edge_of_a_block_stays_whole(tmp_path: Path) -> None:
    value = b'"' + b"line\n" * 1000 + b'"'
    rows = BLOCK_BYTES // len(value) * 3
    (tmp_path / "t.csv").write_bytes(b"a,b\n" + (b"1," + value + b"\n") * rows)
    found = read(tmp_path / "t.csv")
    assert found["b"].unique().to_pylist() == ["line\n" * 1000]
    assert len(found) == rows


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("latin-1", "Zürich"), ("cp1252", "€"), ("utf-16", "Zürich €"), ("utf-8-sig", "é")],
)
def test_a_file_is_read_in_the_encoding_of_the_settings(
    tmp_path: Path, encoding: str, text: str
) -> None:
    (tmp_path / "t.csv").write_bytes(f"stadt {text},n\n{text},1\n".encode(encoding))
    found = read(tmp_path / "t.csv", encoding=encoding)
    assert found.to_pylist() == [{f"stadt {text}": text, "n": 1}]


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf_8", "U8"])
def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfa,b\n1,2\n")
    assert read(tmp_path / "t.csv", encoding=encoding).column_names == ["a", "b"]


MARKS = {"utf-8-sig": "utf-8", "utf-16": "utf-16", "utf-32": "utf-32"}


@pytest.mark.parametrize("written", MARKS)
@pytest.mark.parametrize("asked", ["utf-8", "latin-1", "cp1252", "utf-16", "utf-16-le", "utf-32"])
def test_a_byte_order_mark_of_another_encoding_is_told(
    tmp_path: Path, written: str, asked: str
) -> None:
    (tmp_path / "t.csv").write_bytes("a,ü\n1,2\n".encode(written))
    if asked == MARKS[written]:
        assert read(tmp_path / "t.csv", encoding=asked).column_names == ["a", "ü"]
        return
    message = f"begins with the mark of {MARKS[written]}, and is to be read as {asked}"
    with pytest.raises(DataError, match=message) as caught:
        opened(tmp_path / "t.csv", encoding=asked)
    assert f"set source.*.encoding of CSV to {MARKS[written]}" in caught.value.remedy


@pytest.mark.parametrize("before", [b"\n", b"\r\n\r\n", b""])
def test_empty_lines_before_the_header_hold_no_row(tmp_path: Path, before: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(before + b"a,b\n1,x\n2,y\n")
    assert read(tmp_path / "t.csv").to_pydict() == {"a": [1, 2], "b": ["x", "y"]}


def test_a_given_type_that_the_first_row_breaks_is_told_by_column_and_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"age\n1\nx\n")
    with pytest.raises(DataError, match=r"column age of .* first in line 3$"):
        read(tmp_path / "t.csv", types={"age": "int64"})


@pytest.mark.parametrize("encoding", ["klingon", "base64", "rot13"])
def test_what_is_no_encoding_of_text_is_the_settings_fault(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "t.csv").write_bytes(b"a\n1\n")
    with pytest.raises(SettingsError, match=f"there is no encoding {encoding}"):
        opened(tmp_path / "t.csv", encoding=encoding)


def test_delimiter_and_null_values_are_those_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a;b\n1,5;-\n?;x\n")
    found = read(tmp_path / "t.csv", delimiter=";", null_values=["-", "?"])
    assert found.to_pylist() == [{"a": "1,5", "b": None}, {"a": None, "b": "x"}]


def test_a_column_without_a_name_is_called_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'"","a",""\n"1",2,3\n')
    assert read(tmp_path / "t.csv").column_names == ["column_1", "a", "column_3"]
    assert read(tmp_path / "t.csv", types={"column_1": "string"})["column_1"].to_pylist() == ["1"]


def test_years_far_away_are_not_folded_into_others(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a\n2300-01-01 00:00:00.5\n")
    assert str(read(tmp_path / "t.csv")["a"][0]) == "2300-01-01 00:00:00.500000"
    (tmp_path / "t.csv").write_bytes(b"a\n2013-01-01 00:00:00.5\n2013-01-01 00:00:00.123456789\n")
    assert read(tmp_path / "t.csv")["a"].type == pa.string()


@pytest.mark.parametrize("value", [b"9223372036854775808", b"-9223372036854775809", b"1" * 30])
@pytest.mark.parametrize("late_by", [0, MANY])
def test_an_integer_beyond_int64_is_refused_and_never_rounded(
    tmp_path: Path, value: bytes, late_by: int
) -> None:
    (tmp_path / "t.csv").write_bytes(b"f,a\n" + (FILLER + b",1\n") * late_by + b",1\n," + value)
    with pytest.raises(DataError) as caught:
        opened(tmp_path / "t.csv")
    assert f"column a of {tmp_path}/t.csv holds an integer beyond int64" in caught.value.message
    assert caught.value.message.endswith(f"first in line {late_by + 3}")
    assert value.decode() not in f"{caught.value}{caught.value.remedy}"
    assert read(tmp_path / "t.csv", types={"a": "string"})["a"][-1].as_py() == value.decode()
    assert read(tmp_path / "t.csv", types={"a": "float64"})["a"][-1].as_py() == float(value)


def test_the_ends_of_int64_and_large_decimals_are_numbers(tmp_path: Path) -> None:
    ends = [-(2**63), 2**63 - 1]
    (tmp_path / "t.csv").write_bytes(csv_bytes(["a", "b"], [ends[0], 1e300], [ends[1], "1e20"]))
    found = read(tmp_path / "t.csv")
    assert found["a"].to_pylist() == ends
    assert found["b"].to_pylist() == [1e300, 1e20]


def test_a_value_that_does_not_fit_the_settings_type_is_named_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(late(b"1", b"geheim"))
    with pytest.raises(DataError) as caught:
        opened(tmp_path / "t.csv", types={"a": "int64"})
    assert caught.value.message == (
        f"column a of {tmp_path}/t.csv holds what is no int64, first in line {MANY + 2}"
    )
