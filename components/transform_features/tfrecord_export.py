"""Features as gzip TFRecords of tf.Example, with a schema beside them: an export for TFX users.

Rules: the layout is that of TFX's Examples artifact, `Split-<split>/data_tfrecord-*.gz` with
`schema.pbtxt` beside the splits; every column of `dense` and `ids` is a feature of its own name
with one value a row, floats and int64, and so are the label and the weight; rows keep their order.
Bytes do not repeat, because a tf.Example is a map, which protobuf writes in no fixed order. The
folder must be new or empty.

TensorFlow is imported inside functions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components.core.artifacts import write_text
from components.core.errors import SettingsError
from components.core.features import FeatureArrays, FeatureSpec, load_split
from components.core.tf_examples import FILE, ROWS_AT_ONCE, as_lists, split_folder, write_file

ROWS_PER_FILE = 100_000
SCHEMA_NAME = "schema.pbtxt"


def export_features(
    features: Path, folder: Path, rows_per_file: int = ROWS_PER_FILE
) -> dict[str, int]:
    """Write a features artifact's splits and schema into `folder`; return rows by split.

    Raises SettingsError for a folder that holds something, and for two columns of one name.
    """
    spec = FeatureSpec.read(features)
    _require_exportable(spec, folder)
    folder.mkdir(parents=True, exist_ok=True)
    schema = _schema(spec)
    for split in spec.rows:
        arrays = load_split(features, split)
        of_split = split_folder(folder, split)
        files = max(1, -(-arrays.rows // rows_per_file))
        for number in range(files):
            path = of_split / FILE.format(number=number, files=files)
            part = slice(number * rows_per_file, (number + 1) * rows_per_file)
            write_file(path, _batches(spec, _part(arrays, part)), schema)
    from google.protobuf import text_format

    write_text(folder / SCHEMA_NAME, text_format.MessageToString(schema))
    return {str(split): rows for split, rows in spec.rows.items()}


def _require_exportable(spec: FeatureSpec, folder: Path) -> None:
    weight = [] if spec.weight is None else [spec.weight]
    names = Counter([*spec.dense, *(f.name for f in spec.ids), spec.label, *weight])
    if twice := [name for name, count in names.items() if count > 1]:
        raise SettingsError(
            f"a tf.Example has one feature of a name, but there are two of {', '.join(twice)}",
            remedy="rename one of them in transform",
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingsError(
            f"{folder} is there already", remedy="name a new folder, or an empty one"
        )


def _schema(spec: FeatureSpec) -> Any:
    """Return the tf.Metadata schema: every feature has one value in every row."""
    from tensorflow_metadata.proto.v0 import schema_pb2

    schema = schema_pb2.Schema()

    def add(name: str, kind: int) -> Any:
        feature = schema.feature.add(name=name, type=kind)
        feature.presence.min_fraction, feature.presence.min_count = 1.0, 1
        feature.shape.dim.add(size=1)
        return feature

    for name in spec.dense:
        add(name, schema_pb2.FLOAT)
    for ids in spec.ids:
        domain = add(ids.name, schema_pb2.INT).int_domain
        domain.name, domain.min, domain.max, domain.is_categorical = (
            ids.name, 0, ids.buckets - 1, True
        )  # fmt: skip
    for single in filter(None, (spec.label, spec.weight)):
        add(single, schema_pb2.FLOAT)
    return schema


def _part(arrays: FeatureArrays, part: slice) -> FeatureArrays:
    weight = None if arrays.weight is None else arrays.weight[part]
    return FeatureArrays(arrays.dense[part], arrays.ids[part], arrays.label[part], weight)


def _batches(spec: FeatureSpec, arrays: FeatureArrays) -> Iterator[pa.RecordBatch]:
    for start in range(0, arrays.rows, ROWS_AT_ONCE):
        yield _record_batch(spec, _part(arrays, slice(start, start + ROWS_AT_ONCE)))


def _record_batch(spec: FeatureSpec, arrays: FeatureArrays) -> pa.RecordBatch:
    columns: dict[str, pa.Array] = {
        **{name: _lists(arrays.dense[:, i]) for i, name in enumerate(spec.dense)},
        **{f.name: _lists(arrays.ids[:, i].astype(np.int64)) for i, f in enumerate(spec.ids)},
        spec.label: _lists(arrays.label),
    }
    if spec.weight is not None and arrays.weight is not None:
        columns[spec.weight] = _lists(arrays.weight)
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _lists(values: np.ndarray[Any, Any]) -> pa.ListArray:
    return as_lists(pa.array(np.ascontiguousarray(values)))
