"""Examples: labelled rows in Parquet shards, one for each span, and the manifest that names them.

Why: every stage that looks at rows reads them here, so that a column has one type and a
missing value one form. How a row enters a model is said in raw_inputs.py.

Rules:
1. a shard is `Split-<split>/<span>.parquet`; rows keep the source's order, spans are in order; a
   span has rows in one split, or in both where rows are split by a hash or a column;
2. a column is int64, float64 or string; a missing value is null, of whatever type.

It does not re-hash shards: the stage's wrapper has hashed the whole artifact before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from components.core.artifacts import read_json, write_json
from components.core.data_settings import Span
from components.core.errors import DataError
from components.core.settings import Digest, Section
from components.core.task import Task

MANIFEST_NAME = "manifest.json"
Split = Literal["train", "eval"]
SPLITS: tuple[Split, ...] = ("train", "eval")
ColumnType = Literal["int64", "float64", "string"]
InputType = Literal["float32", "string"]
ARROW_TYPES: Mapping[ColumnType, pa.DataType] = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "string": pa.string(),
}


class Shard(Section):
    """One Parquet file; `path` is relative to the artifact's folder."""

    path: str
    split: Split
    span: Span
    rows: int
    bytes: int
    sha256: str


class SourceFile(Section):
    """One file that was read, as its settings name it, and what its bytes were."""

    location: str
    sha256: str
    bytes: int


class SourceRows(Section):
    """The files that were read, and the rows of the main table before any was dropped."""

    files: tuple[SourceFile, ...]
    rows: int


class Dropped(Section):
    """How many rows were left out, and why."""

    reason: str
    rows: int


class ExamplesManifest(Section):
    """What the examples are.

    `columns` holds every column of every shard, the label included, sorted by name, as they lie in
    the shards. Source rows are `rows` plus all `dropped`. `classes` are the names of a multi_class
    label's classes, by number; of a binary label neither they nor the task are written.
    """

    version: Literal[1] = 1
    columns: dict[str, ColumnType]
    label: str
    task: Task = "binary"
    classes: tuple[str, ...] = ()
    splits: dict[Split, tuple[Span, ...]]
    shards: tuple[Shard, ...]
    source: SourceRows
    dropped: tuple[Dropped, ...]
    rows: int
    card_sha256: Digest

    @classmethod
    def read(cls, folder: Path) -> ExamplesManifest:
        """Return the manifest of an examples artifact; DataError for anything else."""
        try:
            return cls.model_validate(read_json(folder / MANIFEST_NAME))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise DataError(
                f"{MANIFEST_NAME} of the examples is not one of ours: {where}: {first['msg']}",
                remedy="run ingest_examples again",
            ) from error

    def write(self, folder: Path) -> None:
        """Write the manifest into an examples artifact."""
        left_out = {"task", "classes"} if self.task == "binary" else set()
        write_json(folder / MANIFEST_NAME, self.model_dump(mode="json", exclude=left_out))

    def input_types(self) -> dict[str, InputType]:
        """Return how each column but the label enters a model as a raw input."""
        return {
            name: "string" if kind == "string" else "float32"
            for name, kind in self.columns.items()
            if name != self.label
        }

    @property
    def class_count(self) -> int:
        """Return how many classes the label has; 0: it is a number."""
        return {"binary": 2, "multi_class": len(self.classes), "regression": 0}[self.task]

    def shards_of(self, split: str, spans: Sequence[str] | None = None) -> tuple[Shard, ...]:
        """Return the split's shards in the order of spans, all or the spans named."""
        found = (s for s in self.shards if s.split == split and (spans is None or s.span in spans))
        return tuple(sorted(found, key=lambda shard: shard.span))

    def rows_of(self, split: str) -> int:
        """Return the split's number of rows."""
        return sum(shard.rows for shard in self.shards_of(split))


def read_split(folder: Path, split: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return a split's rows, the label included, or the columns named in their given order.

    Raises DataError for a column that the examples do not have, and for rows that are not as many
    as the manifest says.
    """
    manifest = ExamplesManifest.read(folder)
    table = read_shards(folder, manifest, manifest.shards_of(split), columns)
    if table.num_rows != manifest.rows_of(split):
        raise DataError(
            f"the {split} split has {table.num_rows} rows, not the {manifest.rows_of(split)} of "
            f"{MANIFEST_NAME}",
            remedy="run ingest_examples again",
            expected=manifest.rows_of(split),
            actual=table.num_rows,
        )
    return table


def read_shards(
    folder: Path,
    manifest: ExamplesManifest,
    shards: Sequence[Shard],
    columns: Sequence[str] | None = None,
) -> pa.Table:
    """Return the rows of some shards as one table; every shard must have the manifest's types."""
    schema = _schema(manifest, columns)
    tables = [_read_shard(folder / shard.path, schema) for shard in shards]
    return pa.concat_tables(tables) if tables else schema.empty_table()


def iter_shard(
    folder: Path, manifest: ExamplesManifest, shard: Shard, columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """Yield a shard's rows in order, one table a row group, so that memory does not grow with them.

    Columns, types and errors are those of `read_shards`; a shard without rows yields nothing.
    """
    schema = _schema(manifest, columns)
    path = folder / shard.path
    with _shard_errors(path), pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=schema.names).select(schema.names)
            yield _require_schema(table, schema, path)


def _schema(manifest: ExamplesManifest, columns: Sequence[str] | None) -> pa.Schema:
    names = list(manifest.columns if columns is None else columns)
    for name in names:
        require_column(name, manifest.columns)
    return pa.schema([(name, ARROW_TYPES[manifest.columns[name]]) for name in names])


def _read_shard(path: Path, schema: pa.Schema) -> pa.Table:
    with _shard_errors(path):
        table = pq.read_table(path, columns=schema.names, partitioning=None).select(schema.names)
    return _require_schema(table, schema, path)


@contextmanager
def _shard_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException, KeyError) as error:
        raise DataError(
            f"shard {path.name} cannot be read: {error}", remedy="run ingest_examples again"
        ) from error


def _require_schema(table: pa.Table, schema: pa.Schema, path: Path) -> pa.Table:
    if not table.schema.equals(schema):
        raise DataError(
            f"shard {path.name} does not have the columns that its manifest names",
            remedy="run ingest_examples again",
            expected=str(schema),
            actual=str(table.schema),
        )
    return table


def require_column(name: str, known: Sequence[str] | Mapping[str, Any]) -> None:
    """Raise DataError for a column that is not among those known."""
    if name not in known:
        raise DataError(
            f"column {name} is missing",
            remedy=f"the examples have: {', '.join(known)}",
            expected=name,
            actual=list(known),
        )
