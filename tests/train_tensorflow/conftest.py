"""A real TFT graph for the hand-written preprocessing.onnx that both trainers' tests share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

FITTED = {"delay": (6.0, 40.0), "hour": (12.0, 5.0)}
ROWS = [
    {"delay": 1.0, "hour": 2.0, "carrier": carrier, "origin": origin}
    for carrier, times in (("AA", 3), ("B6", 2), ("UA", 1))
    for origin in ("JFK", "JFK", "LGA")
    for _ in range(times)
]


@pytest.fixture(scope="session")
def tft_graph(small_transform_graph: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TFT's output folder, fitted on a few rows, beside the files of the hand-written graph."""
    import apache_beam as beam
    import tensorflow as tf
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam
    from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

    def preprocess(raw: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        dense = []
        for name, (mean, deviation) in FITTED.items():
            known = tf.where(tf.math.is_finite(raw[name]), raw[name], mean)
            dense.append((known - mean) / deviation)
        ids = [
            tft.compute_and_apply_vocabulary(raw[name], num_oov_buckets=1, vocab_filename=name)
            for name in ("carrier", "origin")
        ]
        return {"dense": tf.stack(dense, axis=1), "ids": tf.stack(ids, axis=1)}

    columns = {name: tf.io.FixedLenFeature([], tf.float32) for name in FITTED}
    columns |= {name: tf.io.FixedLenFeature([], tf.string) for name in ("carrier", "origin")}
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(columns))
    folder = tmp_path_factory.mktemp("tft") / "transform_graph"
    runner = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
    temporary = str(tmp_path_factory.mktemp("beam"))
    with beam.Pipeline(runner=runner) as pipeline, tft_beam.Context(temp_dir=temporary):
        rows = pipeline | beam.Create(ROWS)
        fitted = (rows, metadata) | tft_beam.AnalyzeDataset(preprocess)
        _ = fitted | tft_beam.WriteTransformFn(str(folder))
    for name in ("preprocessing.json", "preprocessing.onnx"):
        shutil.copy(small_transform_graph / name, folder / name)
    return folder
