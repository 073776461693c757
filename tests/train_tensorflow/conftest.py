"""A real TFT graph for the hand-written preprocessing.onnx that both trainers' tests share."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from components.core.examples import InputType

FITTED = {"delay": (6.0, 40.0), "hour": (12.0, 5.0)}
INPUTS: dict[str, InputType] = {
    "delay": "float32",
    "hour": "float32",
    "carrier": "string",
    "origin": "string",
}
CARRIERS = ["AA"] * 3 + ["B6"] * 2 + ["UA"]


def raw_rows() -> dict[str, np.ndarray]:
    return {
        "delay": np.ones(6, np.float32),
        "hour": np.ones(6, np.float32),
        "carrier": np.array(CARRIERS, object),
        "origin": np.array(["JFK"] * 4 + ["LGA"] * 2, object),
    }


@pytest.fixture(scope="session")
def tft_graph(small_transform_graph: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TFT's output folder, fitted on a few rows, beside the files of the hand-written graph."""
    import apache_beam as beam
    import tensorflow as tf
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    from components.transform_features.beam_rows import adapter_config, record_batch

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

    folder = tmp_path_factory.mktemp("tft") / "transform_graph"
    temporary = str(tmp_path_factory.mktemp("beam"))
    with tft_beam.Context(temp_dir=temporary), beam.Pipeline(runner=FnApiRunner()) as pipeline:
        # Record batches, as the stage: rows as dictionaries make the interpreter crash at its end.
        rows = pipeline | beam.Create([record_batch(raw_rows(), INPUTS)], reshuffle=False)
        fitted = (rows, adapter_config(INPUTS)) | tft_beam.AnalyzeDataset(preprocess)
        _ = fitted | tft_beam.WriteTransformFn(str(folder))
    for name in ("preprocessing.json", "preprocessing.onnx"):
        shutil.copy(small_transform_graph / name, folder / name)
    return folder
