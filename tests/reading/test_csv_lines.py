"""What is wrong with a CSV file is told by its line, wherever empty lines and line breaks lie."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tried_examples import tries
from written_tables import opened, read

from components.core.errors import DataError
from components.reading.csv_bytes import PIECE_BYTES, signs_of
from components.reading.csv_stream import BLOCK_BYTES

ENDS = st.sampled_from(["\n", "\r\n", "\r"])
TEXT = st.text(st.sampled_from('xé ,"\n'), max_size=6)
BLANKS = st.integers(0, 2)
ROWS = st.lists(st.tuples(BLANKS, TEXT, st.booleans()), max_size=8)
FAULTS = {
    "a type": ('{},"x"', "column n of .* holds what is no int64, first in {}$"),
    "a date": ("1,{}", "column t of .* holds 1 value that is no date, first in {}$"),
    "a long row": ('1,"{}",1', "no CSV table: {} has 3 columns instead of 2"),
}


def quoted(text: str) -> str:
    return '"{}"'.format(text.replace('"', '""'))


@tries(150)
@given(
    kind=st.sampled_from(sorted(FAULTS)),
    before=ROWS,
    after=ROWS,
    blanks=st.tuples(BLANKS, BLANKS),
    end=ENDS,
    encoding=st.sampled_from(["utf-8", "utf-16", "latin-1"]),
)
@example("a type", [(1, "a\nb", True)], [], (1, 1), "\n", "utf-8")
def test_a_fault_is_told_by_the_line_that_an_editor_shows(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    before: list[tuple[int, str, bool]],
    after: list[tuple[int, str, bool]],
    blanks: tuple[int, int],
    end: str,
    encoding: str,
) -> None:
    path = tmp_path_factory.mktemp("lines") / "t.csv"
    fault, message = FAULTS[kind]
    dates = kind == "a date"

    def lines(rows: list[tuple[int, str, bool]]) -> str:
        values = ("2013-01-01" if dates else quoted(text) for _, text, _ in rows)
        return "".join(
            end * count + f"{'' if whole else '1'},{value}{end}"
            for (count, _, whole), value in zip(rows, values, strict=True)
        )

    above = f"{end * blanks[0]}n,t{end}{lines(before)}{end * blanks[1]}"
    text = above + fault.format("geheim") + end + lines(after)
    path.write_bytes(text.encode(encoding))
    line = above.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    types = {"n": "int64"} | ({"t": "timestamp"} if dates else {"t": "string"})
    with pytest.raises(DataError, match=message.format(f"line {line}")) as caught:
        opened(path, encoding=encoding, types=types)
    assert "geheim" not in f"{caught.value}{caught.value.remedy}"


@pytest.mark.parametrize("value", ["x", "9223372036854775808", "1,1", "1,"])
def test_lines_are_those_of_the_file_after_many_blocks_with_empty_lines(
    tmp_path: Path, value: str
) -> None:
    rows = 3 * BLOCK_BYTES // 100
    filler = "\n" + "1,7," + "x" * 96 + "\n"
    changed = filler.replace("7", "seven")  # the reading begins anew after the rows before it
    text = "n,f,t\n" + filler * rows + changed + filler * rows + f"{value},1,x\n" + filler * 3
    (tmp_path / "t.csv").write_text(text)
    line = 2 * (2 * rows + 1) + 2
    with pytest.raises(DataError, match=rf"in line {line}$|: line {line} has 4"):
        opened(tmp_path / "t.csv", types={"n": "int64"})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
@pytest.mark.parametrize("delimiter", [",", ";", " "])
def test_quotes_that_end_no_value_are_part_of_it(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    values = ['5"x', "x", 'a"b"c"', '"', '"q" and', 'q""', '\n"', '{"k": 1}']
    rows = ["a,b", *(f"1,{quoted(value) if n > 2 else value}" for n, value in enumerate(values))]
    text = "\n".join(rows).replace(",", delimiter)
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    found = read(tmp_path / "t.csv", encoding=encoding, delimiter=delimiter)
    assert found["b"].to_pylist() == values


@tries(500)
@given(text=st.text(st.sampled_from('"",;x \n\r'), max_size=20))
@example('"x\\"y"')
@example('x"y,"z"')
@example('",";')
def test_the_bytes_show_every_quote_that_does_not_end_its_value(text: str) -> None:
    try:
        list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        assert signs_of(pa.BufferReader(text.encode()), ",", "utf-8").odd_quote


@pytest.mark.parametrize("cut", range(5))
def test_a_quote_is_seen_wherever_a_piece_of_the_file_ends(cut: int) -> None:
    for odd, end in {False: b',"x"\n', True: b',"x"y'}.items():
        data = b"a" * (PIECE_BYTES - cut) + end
        assert signs_of(pa.BufferReader(data), ",", "utf-8").odd_quote == odd


def test_a_file_of_well_written_quotes_is_not_read_once_more() -> None:
    text = '\ufeff"a","b c"\r\n"1,","x""y"\n"""",""\n"{""k"": ""v""}","\n"\r\n'
    assert not signs_of(pa.BufferReader(text.encode()), ",", "utf-8").odd_quote


FAULTY = {
    "ascii": "é".encode("latin-1"),
    "cp1252": b"\x81",
    "utf-8": b"\xff",
    "utf-16": b"\x00\xd8",
    "utf-16-be": b"\xdc\x00",
    "shift_jis": b"\x80",
}


@pytest.mark.parametrize("encoding", FAULTY)
@pytest.mark.parametrize("before", [0, 3 * BLOCK_BYTES // 100])
@pytest.mark.parametrize("given", [{}, {"n": "int64", "t": "string"}])
def test_what_is_not_in_the_encoding_is_told_by_column_and_line(
    tmp_path: Path, encoding: str, before: int, given: dict[str, str]
) -> None:
    def text(part: str) -> bytes:
        encoded = part.encode(encoding)
        return encoded.removeprefix("".encode(encoding)) if part != head else encoded

    head = "n,t\n\n" + f"1,{'x' * 98}\n" * before + '1,"x\ny"\n1,x'
    tail = FAULTY[encoding] + text("x\n2,y\n")
    (tmp_path / "t.csv").write_bytes(text(head) + tail)
    message = f"is not {encoding}: column t in line {before + 5} cannot be read"
    with pytest.raises(DataError, match=message) as caught:
        opened(tmp_path / "t.csv", encoding=encoding, types=given)
    assert "set source.*.encoding" in caught.value.remedy


def test_utf_16_that_is_cut_within_a_character_is_told_by_its_last_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("a,b\n1,2\n3,4\n".encode("utf-16")[:-3])
    with pytest.raises(DataError, match="is not utf-16: column b in line 3 cannot be read"):
        opened(tmp_path / "t.csv", encoding="utf-16")


def test_utf_16_without_its_mark_is_told_by_the_header(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("a,b\n1,2\n".encode("utf-16-le"))
    with pytest.raises(DataError, match="is not utf-16: the header cannot be read"):
        opened(tmp_path / "t.csv", encoding="utf-16")
    assert read(tmp_path / "t.csv", encoding="utf-16-le")["b"].to_pylist() == [2]


def test_a_value_longer_than_pythons_own_limit_does_not_hide_the_line(tmp_path: Path) -> None:
    value = "x\n" * 100_000
    (tmp_path / "t.csv").write_text(f'n,t\n1,"{value}"\nx,y\n')
    with pytest.raises(DataError, match=r"is no int64, first in line 100003$"):
        opened(tmp_path / "t.csv", types={"n": "int64"})
