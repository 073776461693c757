"""Tables written by other code than ours: Python's csv and json, pyarrow, TensorFlow's protos."""

from __future__ import annotations

import bz2
import csv
import datetime
import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import google_crc32c
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from pyarrow import ipc

from components.core.data_settings import Table
from components.reading.tables import OpenedTable, open_table


def write_csv(path: Path, rows: pa.Table) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(rows.column_names)
        for row in rows.to_pylist():
            writer.writerow(_text(value) for value in row.values())


def write_jsonl(path: Path, rows: pa.Table) -> None:
    lines = [json.dumps({n: _json(v) for n, v in row.items()}) for row in rows.to_pylist()]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_arrow(path: Path, rows: pa.Table) -> None:
    with ipc.new_file(path, rows.schema) as file:
        file.write_table(rows)


def write_arrow_stream(path: Path, rows: pa.Table) -> None:
    with ipc.new_stream(path, rows.schema) as stream:
        stream.write_table(rows)


def write_parquet(path: Path, rows: pa.Table) -> None:
    pq.write_table(rows, path)


def write_tfrecord(path: Path, rows: pa.Table) -> None:
    path.write_bytes(b"".join(framed(example(row)) for row in rows.to_pylist()))


def example(row: Mapping[str, Any]) -> bytes:
    """Return a tf.Example's bytes: protobuf's wire format of three nested messages."""
    entries = b""
    for name, value in row.items():
        feature = _feature(value)
        entries += _field(1, _field(1, name.encode()) + _field(2, feature))
    return _field(1, entries)


def _feature(value: Any) -> bytes:
    values = value if isinstance(value, list) else [] if value is None else [value]
    if not values:
        return b""
    if isinstance(values[0], int):
        return _field(3, _field(1, b"".join(_varint(v % 2**64) for v in values)))
    if isinstance(values[0], float):
        return _field(2, _field(1, struct.pack(f"<{len(values)}f", *values)))
    encoded = [v if isinstance(v, bytes) else v.encode() for v in values]
    return _field(1, b"".join(_field(1, v) for v in encoded))


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def framed(record: bytes) -> bytes:
    """Return a TFRecord: length, its masked CRC-32C, the bytes, theirs."""
    length = struct.pack("<Q", len(record))
    return length + _masked(length) + record + _masked(record)


def _masked(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


WRITERS: Mapping[str, Callable[[Path, pa.Table], None]] = {
    "csv": write_csv,
    "jsonl": write_jsonl,
    "parquet": write_parquet,
    "arrow": write_arrow,
    "ipc": write_arrow_stream,
    "tfrecord": write_tfrecord,
}


def zipped(data: bytes, *names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, data)
    return stream.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "zst": zstandard.ZstdCompressor().compress,
    "zip": lambda data: zipped(data, "inner"),
}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value.isoformat(sep=" ") if isinstance(value, datetime.datetime) else str(value)


def _json(value: Any) -> Any:
    return value.isoformat(sep=" ") if isinstance(value, datetime.datetime) else value


def csv_bytes(header: Sequence[str], *rows: Sequence[Any]) -> bytes:
    stream = io.StringIO()
    csv.writer(stream).writerows([header, *rows])
    return stream.getvalue().encode()


def opened(path: Path | str, **settings: Any) -> OpenedTable:
    return open_table(Table(location=str(path), **settings))


def rows_of(table: OpenedTable, columns: Sequence[str] | None = None) -> pa.Table:
    """Return all rows of a small table."""
    schema = (
        table.schema if columns is None else pa.schema([table.schema.field(c) for c in columns])
    )
    batches = [piece.rows for piece in table.batches(columns)]
    return pa.Table.from_batches(batches, schema)


def read(path: Path | str, **settings: Any) -> pa.Table:
    return rows_of(opened(path, **settings))
