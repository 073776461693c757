"""Write examples as Parquet shards, one for each span; equal rows give equal bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.core.canonical import sha256_file
from components.core.examples import Shard, Split
from components.core.settings import Window
from components.ingest_examples.rows import span_code

# A later stage reads one row group at a time.
ROW_GROUP_ROWS = 131_072
SPLITS: tuple[Split, ...] = ("train", "eval")


def split_of(span: str, window: Window) -> Split:
    """Return the split of a span: the last one is evaluated on, all others are trained on."""
    return "eval" if span == window.last else "train"


def write_shards(
    folder: Path, rows: pa.Table, spans: np.ndarray[Any, Any], window: Window
) -> tuple[Shard, ...]:
    """Write each span's rows in their order and return what was written."""
    shards = []
    for span in window.spans():
        part = rows.filter(pa.array(spans == span_code(span))).combine_chunks()
        shards.append(_write(folder, part, span, split_of(span, window)))
    return tuple(shards)


def _write(folder: Path, rows: pa.Table, span: str, split: Split) -> Shard:
    path = Path(f"Split-{split}", f"{span}.parquet")
    target = folder / path
    target.parent.mkdir(exist_ok=True)
    pq.write_table(rows, target, row_group_size=ROW_GROUP_ROWS, compression="zstd")
    return Shard(
        path=path.as_posix(),
        split=split,
        span=span,
        rows=rows.num_rows,
        bytes=target.stat().st_size,
        sha256=sha256_file(target),
    )
