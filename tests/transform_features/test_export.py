"""Features as TFRecords: what TensorFlow and TFX read back is what the trainers map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.core.errors import SettingsError
from components.core.features import FeatureArrays, FeatureSpec, IdFeature, load_split, write_split
from components.transform_features.tfrecord_export import export_features

ROWS = {"train": 23, "eval": 5}
SPEC = FeatureSpec(
    dense=("distance", "hour_sin"),
    ids=(IdFeature(name="origin", size=3), IdFeature(name="cross", size=8, further=0)),
    label="late",
    rows=ROWS,
    weight="seats",
)


def features(folder: Path, spec: FeatureSpec = SPEC) -> Path:
    random = np.random.default_rng(7)
    folder.mkdir()
    for split, rows in spec.rows.items():
        arrays = FeatureArrays(
            random.normal(size=(rows, len(spec.dense))).astype(np.float32),
            random.integers(0, 4, (rows, len(spec.ids))).astype(np.int32),
            random.integers(0, 2, rows).astype(np.float32),
            random.random(rows).astype(np.float32),
        )
        write_split(folder, split, arrays)
    spec.write(folder)
    return folder


def schema_of(folder: Path) -> schema_pb2.Schema:
    return text_format.Parse((folder / "schema.pbtxt").read_text(), schema_pb2.Schema())


def files_of(folder: Path, split: str) -> list[str]:
    return sorted(str(path) for path in (folder / f"Split-{split}").iterdir())


def require_same(found: dict[str, Any], arrays: FeatureArrays) -> None:
    names = [*SPEC.dense, *(feature.name for feature in SPEC.ids), SPEC.label, "seats"]
    columns = [*arrays.dense.T, *arrays.ids.T, arrays.label, arrays.weight]
    assert sorted(found) == sorted(names)
    for name, column in zip(names, columns, strict=True):
        np.testing.assert_array_equal(np.asarray(found[name]).ravel(), column)


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "eval"])
def test_tf_data_reads_every_row_in_order_by_the_schema(tmp_path: Path, split: str) -> None:
    import tensorflow as tf
    from tensorflow_transform.tf_metadata import schema_utils

    exported = tmp_path / "exported"
    source = features(tmp_path / "features")
    assert export_features(source, exported, rows_per_file=10) == ROWS

    spec = schema_utils.schema_as_feature_spec(schema_of(exported)).feature_spec
    files = files_of(exported, split)
    rows = tf.data.TFRecordDataset(files, compression_type="GZIP").batch(100)
    (batch,) = rows.map(lambda texts: tf.io.parse_example(texts, spec))

    assert len(files) == {"train": 3, "eval": 1}[split]
    require_same({name: value.numpy() for name, value in batch.items()}, load_split(source, split))
    assert batch["origin"].dtype == tf.int64 and batch["late"].dtype == tf.float32


@pytest.mark.slow
def test_tfx_reads_it_as_its_own_components_do(tmp_path: Path) -> None:
    import tensorflow as tf
    from tfx_bsl.tfxio import dataset_options, tf_example_record

    exported = tmp_path / "exported"
    source = features(tmp_path / "features")
    export_features(source, exported, rows_per_file=10)

    reader = tf_example_record.TFExampleRecord(
        file_pattern=files_of(exported, "train"), schema=schema_of(exported)
    )
    options = dataset_options.TensorFlowDatasetOptions(batch_size=23, shuffle=False, num_epochs=1)
    (batch,) = reader.TensorFlowDataset(options)

    dense = {
        name: tf.sparse.to_dense(value) if isinstance(value, tf.SparseTensor) else value
        for name, value in batch.items()
    }
    require_same({n: value.numpy() for n, value in dense.items()}, load_split(source, "train"))


@pytest.mark.slow
def test_the_schema_names_the_ids_that_a_model_must_know(tmp_path: Path) -> None:
    export_features(features(tmp_path / "features"), tmp_path / "exported")

    by_name = {feature.name: feature for feature in schema_of(tmp_path / "exported").feature}
    domains = {n: f.int_domain.max for n, f in by_name.items() if f.HasField("int_domain")}
    assert domains == {"origin": 3, "cross": 7}
    assert by_name["distance"].type == schema_pb2.FLOAT


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(SettingsError, match="is there already"):
        export_features(features(tmp_path / "features"), tmp_path)


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    spec = SPEC.model_copy(update={"dense": ("distance", "origin")})

    with pytest.raises(SettingsError, match="two of origin"):
        export_features(features(tmp_path / "features", spec), tmp_path / "exported")
