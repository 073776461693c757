"""A column that the source does not have is refused before a run, by the key that names it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from pyarrow import ipc

from components.core.errors import DataError, SettingsError
from pipelines.home import Home
from pipelines.loaded_settings import load_settings
from pipelines.prepared import prepare

Write = Callable[[dict[str, Any]], Path]
TARGET = {"name": "late", "column": "delai", "above": 15}
WRONG = {
    "target.column": {"target": TARGET},
    "spans.columns": {"spans": {"columns": ["yaer", "month"]}},
    "spans.column": {"spans": {"column": "when"}},
    "splits.column": {"splits": {"by": "hash", "column": "orign"}},
    "drop_where_null.1.column": {
        "drop_where_null": [{"column": "delay", "reason": "x"}, {"column": "gone", "reason": "y"}]
    },
    "leakage": {"leakage": ["arived"]},
    "leave_out": {"leave_out": ["comment"]},
    "table.types": {"table": {"location": "rows.csv", "types": {"code": "string"}}},
}


def prepared(path: Path) -> None:
    prepare(load_settings(path), path, Home(path.parent / "home"), cache=True)


@pytest.mark.parametrize("key", WRONG)
def test_a_column_that_is_missing_is_named_by_its_key(
    values: dict[str, Any], write_settings: Write, key: str
) -> None:
    values["source"] |= WRONG[key]
    path = write_settings(values)
    with pytest.raises(SettingsError, match=rf"^source\.{key}: column \w+ is missing in rows.csv"):
        prepared(path)
    assert not (path.parent / "home").exists()


def test_a_file_with_another_delimiter_is_told_by_its_one_column(
    values: dict[str, Any], write_settings: Write
) -> None:
    path = write_settings(values)
    rows = path.parent / "rows.csv"
    rows.write_text(rows.read_text().replace(",", ";"))
    with pytest.raises(SettingsError, match="set the table's delimiter to ';'"):
        prepared(path)


def as_arrow(rows: pa.Table) -> bytes:
    sink = io.BytesIO()
    with ipc.new_file(sink, rows.schema) as file:
        file.write_table(rows)
    return sink.getvalue()


def as_parquet(rows: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(rows, sink)
    return sink.getvalue()


@pytest.mark.parametrize(("suffix", "write"), [("parquet", as_parquet), ("arrow", as_arrow)])
def test_stored_columns_are_known_before_a_run_too(
    values: dict[str, Any], write_settings: Write, suffix: str, write: Callable[[pa.Table], bytes]
) -> None:
    values["source"]["table"] = {"location": f"rows.{suffix}"}
    path = write_settings(values)
    rows = pyarrow.csv.read_csv(path.with_name("rows.csv"))
    path.with_name(f"rows.{suffix}").write_bytes(write(rows))
    prepared(path)
    values["source"]["target"] = TARGET
    path = write_settings(values)
    with pytest.raises(SettingsError, match=r"^source\.target\.column: .* did you mean delay\?$"):
        prepared(path)


def test_what_only_rows_tell_is_left_to_ingestion(
    values: dict[str, Any], write_settings: Write
) -> None:
    values["source"] |= {"table": {"location": "rows.jsonl"}, "target": TARGET}
    path = write_settings(values)
    path.with_name("rows.jsonl").write_text('{"delay": 1}\n')
    prepared(path)


def test_a_header_that_cannot_be_read_is_told_before_a_run(
    values: dict[str, Any], write_settings: Write
) -> None:
    path = write_settings(values)
    path.with_name("rows.csv").write_bytes(b"year,m\xf6nth\n1,1\n")
    with pytest.raises(DataError, match=r"rows.csv is not utf-8: the header cannot be read"):
        prepared(path)
