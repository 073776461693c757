"""Made-up examples, a few hundred rows in small row groups, and their schema."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from components.core.canonical import sha256_file
from components.core.examples import ARROW_TYPES, ExamplesManifest, Shard, SourceRows

SMALL_SCHEMA = """
feature { name: "amount" type: FLOAT presence { min_fraction: 1.0 min_count: 1 } }
feature { name: "kind" type: BYTES domain: "kind" presence { min_fraction: 1.0 min_count: 1 } }
feature { name: "late" type: INT int_domain { min: 0 max: 1 } presence { min_fraction: 1.0 } }
feature { name: "number" type: INT presence { min_fraction: 1.0 min_count: 1 } }
string_domain { name: "kind" value: "a" value: "b" value: "c" }
"""


def small_rows(count: int, start: int = 0, **columns: list[Any]) -> pa.Table:
    """Return made-up rows, no two the same; every fourth is late."""
    numbers = range(start, start + count)
    made: dict[str, list[Any]] = {
        "amount": [float(n % 10) for n in numbers],
        "kind": ["abc"[n % 3] for n in numbers],
        "late": [int(n % 4 == 0) for n in numbers],
        "number": list(numbers),
    }
    types = {"amount": pa.float64(), "kind": pa.string(), "late": pa.int64(), "number": pa.int64()}
    return pa.table({name: pa.array(columns.get(name, made[name]), types[name]) for name in made})


def write_examples(
    folder: Path,
    shards: Mapping[tuple[str, str], pa.Table],
    group_rows: int = 64,
    **of_label: Any,
) -> Path:
    """Write examples of shards {(split, span): rows} with small row groups.

    `of_label` are the manifest's `task` and `classes`.
    """
    written = []
    for (split, span), rows in shards.items():
        path = folder / f"Split-{split}" / f"{span}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, path, row_group_size=group_rows)
        written.append(
            Shard(
                path=path.relative_to(folder).as_posix(),
                split=split,  # type: ignore[arg-type]
                span=span,
                rows=rows.num_rows,
                bytes=path.stat().st_size,
                sha256=sha256_file(path),
            )
        )
    names = {kind: name for name, kind in ARROW_TYPES.items()}
    total = sum(shard.rows for shard in written)
    ExamplesManifest(
        columns={field.name: names[field.type] for field in rows.schema},
        label="late",
        **of_label,
        splits={
            split: tuple(sorted(s.span for s in written if s.split == split))
            for split in ("train", "eval")
        },
        shards=tuple(written),
        source=SourceRows(files=(), rows=total),
        dropped=(),
        rows=total,
        card_sha256="0" * 64,
    ).write(folder)
    return folder
