"""Schemas of made-up rows: what a review says of them, and what a run stops at."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from components.core.canonical import sha256_file
from components.core.data_settings import Beam, Checks
from components.core.errors import GateError
from components.core.examples import ARROW_TYPES, ExamplesManifest, Shard, SourceRows

if TYPE_CHECKING:
    from pipelines.schema_life.window_data import WindowData

_CHECKS = {"minimum_rows": 1, "minimum_class_share": 0.0}


def examples_of(folder: Path, splits: Mapping[str, pa.Table], label: str = "flag") -> Path:
    """Write examples of one span."""
    names = {kind: name for name, kind in ARROW_TYPES.items()}
    columns: dict[str, str] = {}
    shards = []
    for split, rows in splits.items():
        path = folder / f"Split-{split}" / "all.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(rows, path, row_group_size=4)
        named = {"split": split, "span": "all", "rows": rows.num_rows}
        file = {"path": path.relative_to(folder).as_posix(), "bytes": path.stat().st_size}
        shards.append(Shard.model_validate(named | file | {"sha256": sha256_file(path)}))
        columns |= {field.name: names[field.type] for field in rows.schema}
    total = sum(shard.rows for shard in shards)
    ExamplesManifest.model_validate(
        {
            "columns": columns,
            "label": label,
            "splits": {split: ("all",) for split in ("train", "eval")},
            "shards": shards,
            "source": SourceRows(files=(), rows=total),
            "dropped": (),
            "rows": total,
            "card_sha256": "0" * 64,
        }
    ).write(folder)
    return folder


def window_of(
    splits: Mapping[str, pa.Table], label: str = "flag", listed: int | None = None
) -> WindowData:
    """Return what the rows of splits hold; they stay on the disk as long as the process runs."""
    from pipelines.schema_life.window_data import read_window

    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return read_window(examples_of(Path(folder.name), splits, label), Beam(), listed)


def schema_of(examples: Path) -> str:
    """Return the text of the schema inferred of examples, ranges and all."""
    from pipelines import schema_text
    from pipelines.schema_life import change
    from pipelines.schema_life.window_data import read_window

    data = read_window(examples, Beam())
    return schema_text.write(change.with_ranges(change.infer(data), data))


def stopping_differences(examples: Path, schema: str) -> set[str]:
    """Return what a review says would stop a run, as gates are named."""
    from components.validate_examples.schema import parse_schema
    from pipelines.schema_life.difference import differences
    from pipelines.schema_life.window_data import read_window

    found = differences(read_window(examples, Beam()), parse_schema(schema), Checks())
    return {f"schema:{one.feature}:{one.what}" for one in found if one.stops}


def failing_gates(examples: Path, schema: str) -> set[str]:
    """Return the gates that stop a run on the examples."""
    from components.validate_examples.step import ValidateSettings, validate_examples

    source = {
        "table": {"location": "rows.csv"},
        "target": {"name": "flag", "column": "outcome", "above": 1},
        "spans": {"unit": "none"},
        "splits": {"by": "hash", "column": "count"},
    }
    made = ValidateSettings.model_validate(
        {
            "schema": schema,
            "checks": _CHECKS,
            "transform": {"features": {"amount": {"kind": "zscore"}}},
            "source": source,
        }
    )
    with tempfile.TemporaryDirectory() as temporary:
        folders = {name: Path(temporary) / name for name in ("statistics", "validation")}
        for folder in folders.values():
            folder.mkdir()
        try:
            validate_examples(settings=made, examples=examples, **folders)
        except GateError as error:
            return {gate["name"] for gate in error.gates if not gate["passed"]}
    return set()
