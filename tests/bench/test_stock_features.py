"""Stock's preprocessing_fn, fitted by TFT, gives the features of our transform, row by row.

`make bench-tfx` compares all rows of a year under stock's whole pipeline. Here TFT alone is fitted
on the small run's rows, and a few thousand of them are compared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prepared_run import PreparedRun
from tfx_rows import Columns, our_features

from components.core.examples import read_split
from components.ingest_examples.tfrecord_export import export_examples

pytestmark = pytest.mark.slow
ROWS = 4000
# Beside float64, float32 shows most where a mean is large beside its deviation, as a year's is.
TOLERANCE = {"plane_year": 1e-4}
OTHERS = 5e-6
_KINDS = {"int64": "int64", "double": "float32", "string": "string"}  # of a tf.Example


@pytest.fixture(scope="module")
def of_stock(small_run: PreparedRun, tmp_path_factory: pytest.TempPathFactory) -> Columns:
    """Return the first rows' features, by a transform that TFT fitted on all rows of the split."""
    import tensorflow as tf
    import tensorflow_transform as tft

    folder, place = tmp_path_factory.mktemp("rows"), tmp_path_factory.mktemp("transform")
    examples = small_run.output("ingest_examples", "examples")
    export_examples(examples, folder)
    types = read_split(examples, "train").schema
    spec = {f.name: tf.io.VarLenFeature(tf.as_dtype(_KINDS[str(f.type)])) for f in types}
    fit(folder / "Split-train", place, spec)
    transform = tft.TFTransformOutput(str(place))
    files = sorted(str(path) for path in (folder / "Split-train").iterdir())
    records = next(iter(tf.data.TFRecordDataset(files, compression_type="GZIP").batch(ROWS)))
    made = transform.transform_features_layer()(tf.io.parse_example(records, spec))
    return {name: _dense(tf, values).ravel() for name, values in made.items()}


def _dense(tf: Any, values: Any) -> Any:
    return (tf.sparse.to_dense(values) if isinstance(values, tf.SparseTensor) else values).numpy()


def fit(rows: Path, place: Path, spec: dict[str, Any]) -> None:
    """Have TFT fit stock's preprocessing_fn on a split, and write its transform graph."""
    import apache_beam as beam
    import stock_flights
    import tensorflow_transform.beam as tft_beam
    from tensorflow_transform.tf_metadata.schema_utils import schema_from_feature_spec
    from tfx_bsl.public import tfxio

    source = tfxio.TFExampleRecord(str(rows / "*.gz"), schema=schema_from_feature_spec(spec))
    with beam.Pipeline() as pipeline, tft_beam.Context(temp_dir=str(place / "temporary")):
        raw = pipeline | source.BeamSource()
        analyse = tft_beam.AnalyzeDataset(stock_flights.preprocessing_fn)
        transform_fn = (raw, source.TensorAdapterConfig()) | analyse
        _ = transform_fn | tft_beam.WriteTransformFn(str(place))


def test_every_feature_of_every_row_is_ours(small_run: PreparedRun, of_stock: Columns) -> None:
    ours = our_features(small_run.folder, "train")
    assert ours.keys() == of_stock.keys()
    for name, stock in of_stock.items():
        found = ours[name][:ROWS]
        assert len(found) == len(stock) == ROWS
        if np.issubdtype(found.dtype, np.floating) and stock.dtype.kind == "f":
            tolerance = TOLERANCE.get(name, OTHERS)
            np.testing.assert_allclose(found, stock, tolerance, tolerance, err_msg=name)
        else:
            np.testing.assert_array_equal(found, stock, err_msg=name)
        assert len(np.unique(found)) > 1 or name.startswith("month")
