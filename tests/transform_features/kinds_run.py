"""Made rows with every awkward value, and one transform of them that has every kind of feature."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.core.data_settings import Beam, Source, Transform
from components.core.examples import ExamplesManifest, Shard, SourceRows
from components.transform_features.declared import DeclaredFeatures, declare
from components.transform_features.fitted import FittedTransform, read_fitted

ROWS = 4000
SOURCE = Source.model_validate(
    {
        "table": {"location": "x"},
        "target": {"name": "late", "column": "delay", "above": 15},
        "dates": ["when"],
    }
)
COLUMNS: dict[str, Any] = {
    "amount": "float64",
    "code": "int64",
    "constant": "int64",
    "late": "int64",
    "rain": "float64",
    "place": "string",
    "when_day": "int64",
    "when_second": "int64",
    "word": "string",
}
PARTS = ["year_day", "month", "month_day", "weekday", "hour"]
EVERY_KIND: dict[str, Any] = {
    "amount": {"kind": "zscore", "missing_indicator": True},
    "amount_cycle": {"kind": "cyclic", "period": 7, "column": "amount"},
    "amount_decile": {"kind": "bucketize", "buckets": 10, "column": "amount"},
    "amount_log": {"kind": "log", "column": "amount"},
    "amount_log_scaled": {"kind": "log_zscore", "column": "amount", "missing_indicator": True},
    "amount_range": {"kind": "min_max", "column": "amount"},
    "constant": {"kind": "zscore"},
    "constant_half": {"kind": "bucketize", "buckets": 2, "column": "constant"},
    "constant_range": {"kind": "min_max", "column": "constant"},
    "code_hash": {"kind": "hashing", "buckets": 7, "column": "code"},
    "day_fifth": {"kind": "bucketize", "buckets": 5, "column": "when_day"},
    "day_half": {"kind": "bucketize", "buckets": 2, "column": "when_day"},
    "pair": {"kind": "cross", "buckets": 50, "columns": ["place", "word"]},
    "place": {"kind": "vocabulary"},
    "place_hash": {"kind": "hashing", "buckets": 1000, "column": "place"},
    "rain": {"kind": "bucketize", "buckets": 4},
    "when": {"kind": "date", "parts": PARTS},
    "word": {"kind": "vocabulary", "top_k": 5, "minimum_count": 3, "oov_buckets": 4},
    "word_all": {"kind": "vocabulary", "column": "word"},
    "word_often": {"kind": "vocabulary", "column": "word", "minimum_count": 30},
}


@dataclass(frozen=True)
class Kinds:
    """The rows as they lie in the examples, and what was fitted on them."""

    rows: pa.Table
    declared: DeclaredFeatures
    transform_graph: Path
    fitted: FittedTransform


def made_rows() -> pa.Table:
    """Return rows with missing values in every column, and dates of four centuries."""
    random = np.random.default_rng(7)
    amount = random.lognormal(2, 1, ROWS) - 3
    amount[::50], amount[1::500], amount[2::500] = np.nan, np.inf, -np.inf
    words = np.array(["b", "a", "\u00e9t\u00e9", "\u4e16\u754c", "\N{GRINNING FACE}", "two words"])
    word = random.choice(words, ROWS, p=[0.4, 0.3, 0.2, 0.07, 0.02, 0.01]).astype(object)
    word[:8] = ["rare", "a\nb", "", None, "tab\there", "rare", "a\r", "\0"]
    days = random.integers(-135_140, 157_200, ROWS)
    columns = {
        "amount": pa.array(amount),
        "code": pa.array(random.integers(0, 30, ROWS)),
        "constant": pa.array(np.full(ROWS, 7), mask=np.arange(ROWS) > 0),
        "late": pa.array(random.integers(0, 2, ROWS)),
        "place": pa.array(random.choice(["x", "y", "z"], ROWS), mask=random.random(ROWS) < 0.1),
        "rain": pa.array(np.where(random.random(ROWS) < 0.6, 0.0, amount)),
        "when_day": pa.array(days, mask=np.arange(ROWS) % 40 == 3),
        "when_second": pa.array(random.integers(0, 86_400, ROWS)),
        "word": pa.array(word, pa.string()),
    }
    return pa.table(columns)


def write_examples(folder: Path, rows: pa.Table) -> ExamplesManifest:
    """Write the rows as a training split of two row groups."""
    path = folder / "Split-train" / "all.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(rows, path, row_group_size=rows.num_rows // 2)
    shard = Shard(
        path="Split-train/all.parquet",
        split="train",
        span="all",
        rows=rows.num_rows,
        bytes=path.stat().st_size,
        sha256="0" * 64,
    )
    manifest = ExamplesManifest(
        columns=COLUMNS,
        label="late",
        splits={"train": ("all",), "eval": ()},
        shards=(shard,),
        source=SourceRows(files=(), rows=rows.num_rows),
        dropped=(),
        rows=rows.num_rows,
        card_sha256="0" * 64,
    )
    manifest.write(folder)
    return manifest


def fit(folder: Path, features: dict[str, Any], rows: pa.Table) -> Kinds:
    """Fit the features on the rows, and write both forms into `folder`/graph."""
    from components.transform_features.analysis import analyze
    from components.transform_features.graph import preprocessing_fn
    from components.transform_features.onnx_form import write_onnx

    examples, graph = folder / "examples", folder / "graph"
    graph.mkdir(parents=True)
    manifest = write_examples(examples, rows)
    declared = declare(Transform.model_validate({"features": features}), SOURCE, manifest)
    analyze(examples, declared.inputs, preprocessing_fn(declared), graph, Beam())
    fitted = read_fitted(graph, declared)
    write_onnx(graph, fitted)
    return Kinds(rows, declared, graph, fitted)
