"""How many rows each stage of both sides took, counted in what was written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stock_place import folder_of
from tfx_numbers import SPLITS, metric_numbers, read_statistics

from components.core.artifacts import read_json
from components.core.examples import ExamplesManifest
from components.core.features import FeatureSpec


def rows_of_ours(run: Path, arguments: Mapping[str, Any]) -> dict[str, int]:
    """Return rows by stage; a trainer takes each row once an epoch."""
    artifacts = run / "artifacts"
    features = FeatureSpec.read(artifacts / "transform-features/features").rows
    trained = features["train"] * int(arguments["train"]["epochs"])
    return {
        "ingest-examples": ExamplesManifest.read(artifacts / "ingest-examples/examples").rows,
        "validate-examples": _counted(artifacts / "validate-examples/statistics"),
        "transform-features": sum(features.values()),
        "train-pytorch": trained,
        "train-tensorflow": trained,
        "evaluate-models": read_json(artifacts / "evaluate-models/evaluation/evaluation.json")[
            "rows"
        ],
    }


def rows_of_stock(place: Path, steps: int) -> dict[str, int]:
    """Return rows by component; the trainer takes whole batches."""
    from stock_flights import BATCH

    metrics = metric_numbers(folder_of(place, "Evaluator", "evaluation"))
    return {
        "CsvExampleGen": _records(folder_of(place, "CsvExampleGen", "examples")),
        "StatisticsGen": _counted(folder_of(place, "StatisticsGen", "statistics")),
        "Transform": _records(folder_of(place, "Transform", "transformed_examples")),
        "Trainer": steps * BATCH,
        "Evaluator": int(metrics["example_count"]["all rows"]),
    }


def _counted(folder: Path) -> int:
    """Return the rows that statistics say they are of."""
    return sum(read_statistics(folder, split).datasets[0].num_examples for split in SPLITS)


def _records(folder: Path) -> int:
    """Return the records in an Examples artifact."""
    import tensorflow as tf

    files = sorted(str(path) for path in folder.glob("Split-*/*.gz"))
    records = tf.data.TFRecordDataset(files, compression_type="GZIP")
    return int(records.reduce(0, lambda count, _: count + 1).numpy())
