"""What is no table: each error names the file, and the column and row where there is one."""

from __future__ import annotations

import gzip
import io
import struct
import traceback
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import ipc
from written_tables import PACKERS, example, framed, opened, rows_of

from components.core.errors import DataError, SettingsError

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01"
SECRET = "geheim"


def parquet(rows: dict[str, Any]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(rows), sink)
    return sink.getvalue()


def arrow(rows: pa.Table) -> bytes:
    sink = io.BytesIO()
    with ipc.new_file(sink, rows.schema) as file:
        file.write_table(rows)
    return sink.getvalue()


def zipped(*names: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name in names:
            archive.writestr(name, b"a\n1\n")
    return sink.getvalue()


def not_utf8(values: list[bytes]) -> pa.Array:
    column = pa.array(values, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(column), column.buffers())


NUMBERS = b"".join(b"%d\n" % n for n in range(100_000))
FLOATS = parquet({"a": [float(n) ** 0.5 for n in range(100_000)]})
RECORD = framed(example({"a": 1}))
CASES: dict[str, tuple[str, bytes, str]] = {
    "empty file": ("t.csv", b"", "t.csv is empty"),
    "empty gzip": ("t.csv.gz", gzip.compress(b""), "t.csv.gz is empty"),
    "empty json": ("t.jsonl", b"", "t.jsonl is empty"),
    "header only": ("t.csv", b"a,b\n", "t.csv has no rows"),
    "header without its end": ("t.csv", b"a,b", "t.csv has no rows"),
    "no rows in parquet": ("t.parquet", parquet({"a": pa.array([], pa.int64())}), "has no rows"),
    "no rows in arrow": ("t.arrow", arrow(pa.table({"a": pa.array([], "int64")})), "has no rows"),
    "blank json": ("t.jsonl", b"\n\n", "t.jsonl has no rows"),
    "long row": ("t.csv", b"a,b\n1,2\n1,2,geheim\n", "line 3 has 3 columns instead of 2"),
    "short row": ("t.csv", b"a,b\n1,2\ngeheim\n", "line 3 has 1 columns instead of 2"),
    "open quote": ("t.csv", b'a,b\n1,x\n2,"geheim\n3,x\n', "line 3 has a quote that is not closed"),
    "open quote, other line ends": (
        "t.csv", b'a,b\r1,x\r2,"geheim\r3,x\r', "line 3 has a quote that is not closed"),
    "open quote in the last line": ("t.csv", b'a,b\n1,x\n2,"geheim', "line 3 has a quote that"),
    "open quote in utf-8 with a mark": (
        "t.csv", b'\xef\xbb\xbf"a",b\n1,x\n2,"geheim', "line 3 has a quote that is not closed"),
    "backslash before a quote": (
        "t.csv", b'a,b\n1,x\n\n2,"geheim\\"5"\n3,x\n', "line 4 has .* goes on after it"),
    "digit after a quote": ("t.csv", b'a,b\n1,"4"5\n3,x\n', "line 2 has .* goes on after it"),
    "blank after a quote": ("t.csv", b'a,b\n1,x\n"geheim" ,2\n', "line 3 has .* goes on after it"),
    "open quote over blocks": (
        "t.csv", b'a\n"' + b"geheim\n" * 4_000_000, "line 2 is longer .* not closed"),
    "twice": ("t.csv", b"a,b,a\n1,2,3\n", "t.csv has more than one column a"),
    "binary": ("t.csv", PNG, "t.csv holds binary data, not text"),
    "latin-1": ("t.csv", b"a,b\n1,x\n1,gehe\xefm\n", "column b in line 3 cannot be read"),
    "latin-1 header": ("t.csv", b"a,\xfc\n1,x\n", "is not utf-8: the header cannot be read"),
    "late latin-1": (
        "t.csv", b"a\n" + b"x" * 99 + b"\n" + b"xxxxxxxxx\n" * 1_000_000 + b"\xff\n",
        "column a in line 1000003 cannot be read",
    ),
    "cut gzip": ("t.csv.gz", gzip.compress(b"a\n" + NUMBERS)[:-50], "cut short or damaged"),
    "no gzip": ("t.csv.gz", b"a\n1\n", "is not a readable .gz file"),
    "no zip": ("t.csv.zip", b"a\n1\n", "is not a readable .zip file"),
    "two in a zip": ("t.csv.zip", zipped("a.csv", "b.csv"), "holds 2 files, not one"),
    "cut parquet": ("t.parquet", FLOATS[:-100], "t.parquet is not a readable Parquet file"),
    "hole in parquet": (
        "t.parquet", FLOATS[:1000] + b"\0" * 50_000 + FLOATS[51_000:],
        "t.parquet is not a readable Parquet file",
    ),
    "no parquet": ("t.parquet", b"a,b\n1,2\n", "t.parquet is not a readable Parquet file"),
    "lists": ("t.parquet", parquet({"a": [[1]]}), "column a of .* is list, which"),
    "structs": ("t.parquet", parquet({"a": [{"geheim": 1}]}), "column a of .* is struct, which"),
    "bytes": ("t.parquet", parquet({"a": [b"geheim"]}), "column a of .* is binary, which"),
    "times of day": ("t.parquet", parquet({"a": pa.array([1], "time32[s]")}), "a of .* is time32"),
    "beyond int64": (
        "t.parquet", parquet({"a": pa.array([1, None, 2**63], pa.uint64())}),
        "column a of .* holds an integer beyond int64, first in row 3",
    ),
    "dictionary beyond int64": (
        "t.arrow", arrow(pa.table({"a": pa.array([1, 2**63], pa.uint64()).dictionary_encode()})),
        "column a of .* holds an integer beyond int64, first in row 2",
    ),
    "no text in arrow": (
        "t.arrow", arrow(pa.table({"a": not_utf8([b"x", b"gehe\xefm"])})),
        "column a of .* holds text that is not UTF-8, first in row 2",
    ),
    "cut arrow": ("t.arrow", arrow(pa.table({"a": range(9999)}))[:5000], "not a readable Arrow"),
    "no arrow": ("t.arrow", b"a,b\n1,2\n", "is not a readable Arrow file"),
    "mixed json": (
        "t.jsonl", b'{"a": 1}\n{"a": "geheim"}\n', "column a has a string in line 2 and a number"),
    "json object": (
        "t.jsonl", b'{"a": 1}\n{"a": {"b": "geheim"}}\n',
        "column a has an object in line 2 and a number"),
    "late mix in json": (
        "t.jsonl", b'{"a": 10000000000000000}\n' * 500_000 + b'{"a": "geheim"}\n',
        "column a has a string in line 500001 and a number|column a of .* is int64 up to row",
    ),
    "nested json": ("t.jsonl", b'{"a": {"geheim": 1}}\n', "column a of .* is struct, which"),
    "no json": ("t.jsonl", b'{"a": 1}\ngeheim\n', "line 2 is no JSON object"),
    "json array": ("t.jsonl", b"[1]\n", "no table of JSON lines"),
    "cut json": ("t.jsonl", b'{"a": 1}\n{"a": "gehei', "line 2 is no JSON object"),
    "twice in json": ("t.jsonl", b'{"a": 1, "a": 2}\n', "line 1 has column a more than once"),
    "json beyond int64": (
        "t.jsonl", b'{"a": 1}\n{"b": 1, "a": 9223372036854775808}\n',
        "column a of .* holds an integer beyond int64, first in line 2",
    ),
    "json in latin-1": (
        "t.jsonl", b'{"a": "x"}\n{"a": "gehe\xefm"}\n', "a of .* is not UTF-8, first in line 2"),
    "no columns": ("t.jsonl", b"{}\n{}\n", "t.jsonl has no columns"),
    "cut record": ("t.tfrecord", RECORD + RECORD[:-3], "record 2 is damaged or cut short"),
    "changed record": ("t.tfrecord", RECORD[:-6] + b"xx" + RECORD[-4:], "record 1 is damaged"),
    "false length": (
        "t.tfrecord", struct.pack("<Q", 2**60) + RECORD[8:], "record 1 is damaged or cut short"),
    "several values": (
        "t.tfrecord", RECORD + framed(example({"a": [1, 2]})), "a of .* has 2 values in row 2"),
    "two types": (
        "t.tfrecord", RECORD + framed(example({"a": "geheim"})),
        "a record that is no tf.Example, or a feature of two types, from row 1 to row 2",
    ),
    "no example": ("t.tfrecord", RECORD + framed(b"geheim"), "a record that is no tf.Example"),
    "sequence example": (
        "t.tfrecord", RECORD + framed(example({"a": 1}) + b"\x12\x00"),
        "a record that is no tf.Example in row 2",
    ),
    "cut example": ("t.tfrecord", framed(example({"a": 1})[:-1]), "no tf.Example in row 1"),
    "endless length": ("t.tfrecord", framed(b"\x0a\xff"), "no tf.Example in row 1"),
    "bytes in tfrecord": (
        "t.tfrecord", framed(example({"a": b"gehe\xefm"})), "a of .* not UTF-8, first in row 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_no_table_is_named_and_never_quoted(tmp_path: Path, case: str) -> None:
    name, data, message = CASES[case]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message) as caught:
        rows_of(opened(tmp_path / name))
    said = "".join(traceback.format_exception(caught.value))
    assert name in caught.value.message
    assert SECRET not in f"{said}{caught.value.remedy}"


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.tfrecord"])
@pytest.mark.parametrize("packer", PACKERS)
def test_a_packed_file_that_is_cut_anywhere_is_told_as_such(
    tmp_path: Path, name: str, packer: str
) -> None:
    rows = {"t.csv": b"a\n1\n", "t.jsonl": b'{"a": 1}\n', "t.tfrecord": RECORD}[name]
    data = PACKERS[packer](rows)
    path = tmp_path / f"{name}.{packer}"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(DataError, match=f"is not a readable .{packer} file: it is cut short"):
            opened(path)


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_the_remedy_of_an_empty_file_holds_for_every_format(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(DataError) as caught:
        opened(tmp_path / name)
    assert caught.value.remedy == "have it written again, or name another file in source.*.location"


def test_a_json_value_that_does_not_fit_the_settings_type_is_named(tmp_path: Path) -> None:
    lines = b'{"a": 1, "b": 1}\n' * 5 + b'{"a": 1.5, "b": 1}\n'
    (tmp_path / "t.jsonl").write_bytes(lines)
    with pytest.raises(DataError, match=r"column a of .* holds what is no int64, first in line 6"):
        opened(tmp_path / "t.jsonl", types={"a": "int64"})


def test_a_stored_text_that_does_not_fit_the_settings_type_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(parquet({"a": ["1", "2", SECRET]}))
    table = opened(tmp_path / "t.parquet", types={"a": "int64"})
    with pytest.raises(DataError, match=r"column a of .* holds what is no int64, first in row 3"):
        rows_of(table)


def test_a_column_of_nulls_is_a_column_of_numbers_without_values(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,b\n1,\n2,NA\n")
    found = rows_of(opened(tmp_path / "t.csv"))
    assert found["b"].type == pa.float64()
    assert found["b"].null_count == 2


def test_numbers_and_text_in_one_csv_column_are_text(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a\n1\n2\nunknown\n")
    assert rows_of(opened(tmp_path / "t.csv"))["a"].to_pylist() == ["1", "2", "unknown"]


def test_what_cannot_be_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"ftp://x/y.csv cannot be read"):
        opened("ftp://x/y.csv")
    with pytest.raises(DataError, match="is a folder"):
        opened(tmp_path)
