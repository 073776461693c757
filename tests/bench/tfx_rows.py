"""Row by row what stock TFX made of the flights: features, and predictions of its model.

Rules: stock's rows are those of CsvExampleGen, in the order that Beam left them in; ours are put
into that order by a key that names each flight, of which there is one each. Features of rows come
from stock's saved transform; what Transform wrote to disk has no key, so that of it each column is
held, sorted, against those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from stock_place import SIGNATURE, folder_of

from components.core.examples import ExamplesManifest, read_split
from components.core.features import FeatureSpec, load_split
from components.core.settings import Evaluate
from components.evaluate_models.evaluation import Rows, evaluate
from components.evaluate_models.slices import partitions
from components.evaluate_models.target import Target
from components.evaluate_models.tfma_config import eval_config
from components.evaluate_models.tfma_results import write_results

KEY = ("month", "day", "carrier", "flight", "origin", "dest", "sched_dep_time", "tailnum")
BATCH = 20_000
Columns = dict[str, npt.NDArray[Any]]


def features_of_both(run: Path, place: Path, split: str) -> tuple[Columns, Columns]:
    """Return our features and stock's of a split, by name, in stock's order of rows."""
    import tensorflow_transform as tft

    transform = tft.TFTransformOutput(str(folder_of(place, "Transform", "transform_graph")))
    layer, spec = transform.transform_features_layer(), transform.raw_feature_spec()
    parts, keys = [], []
    for raw in _parsed(place, split, spec):
        parts.append({name: value.numpy().ravel() for name, value in layer(raw).items()})
        keys.append(_key({name: raw[name].numpy().ravel() for name in KEY}))
    stock = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    paired = order(_our_key(run, split), np.concatenate(keys))
    return {name: column[paired] for name, column in our_features(run, split).items()}, stock


def our_features(run: Path, split: str) -> Columns:
    """Return our features of a split by name, the label among them."""
    folder = run / "artifacts/transform-features/features"
    spec, arrays = FeatureSpec.read(folder), load_split(folder, split)
    dense = {name: arrays.dense[:, place] for place, name in enumerate(spec.dense)}
    ids = {id_.name: arrays.ids[:, place] for place, id_ in enumerate(spec.ids)}
    return dense | ids | {spec.label: arrays.label}


def written_features(place: Path, split: str) -> Columns:
    """Return what stock's Transform wrote of a split, by name, in whatever order."""
    import tensorflow as tf
    import tensorflow_transform as tft

    transform = tft.TFTransformOutput(str(folder_of(place, "Transform", "transform_graph")))
    files = _files(folder_of(place, "Transform", "transformed_examples") / f"Split-{split}")
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").batch(BATCH)
    spec = transform.transformed_feature_spec()
    parts = [tf.io.parse_example(batch, spec) for batch in records]
    return {name: np.concatenate([p[name].numpy().ravel() for p in parts]) for name in spec}


def measured_by_ours(run: Path, place: Path, arguments: Mapping[str, Any], folder: Path) -> None:
    """Measure stock's model, on stock's eval rows, by our evaluator; write TFMA's files."""
    import tensorflow as tf

    model = tf.saved_model.load(str(folder_of(place, "Trainer", "model") / "Format-Serving"))
    predict = model.signatures[SIGNATURE]
    options = Evaluate.model_validate(arguments["evaluate"])
    target = Target.of(ExamplesManifest.read(run / "artifacts/ingest-examples/examples"))
    names = sorted({target.label, *(name for slice_ in options.slices for name in slice_)})
    rows, scores = [], []
    for examples in _serialized(place, "eval"):
        scores.append(predict(examples=examples)["probability"].numpy().astype(np.float64))
        rows.append(_table(examples, names))
    table = pa.concat_tables(rows)
    of_model = Rows(target.labels(table), {"stock": np.concatenate(scores)})
    slices = partitions(table, options.slices, options.minimum_slice_rows)
    models, _ = evaluate(of_model, slices, options.confidence, options.thresholds)
    config = eval_config(target, slices, options.thresholds)
    write_results(folder, config, slices, of_model, "stock", models["stock"])


def _table(examples: Any, names: list[str]) -> pa.Table:
    """Return columns of serialized examples, texts and whole numbers, each with a value."""
    import tensorflow as tf

    first = tf.train.Example.FromString(examples[0].numpy()).features.feature
    texts = {name for name in names if first[name].WhichOneof("kind") == "bytes_list"}
    kinds = {name: tf.string if name in texts else tf.int64 for name in names}
    spec = {name: tf.io.FixedLenFeature([], kind) for name, kind in kinds.items()}
    parsed = {name: v.numpy() for name, v in tf.io.parse_example(examples, spec).items()}
    return pa.table(
        {
            name: pa.array([v.decode() for v in parsed[name]]) if name in texts else parsed[name]
            for name in names
        }
    )


def _parsed(place: Path, split: str, spec: Any) -> Iterator[Any]:
    import tensorflow as tf

    for batch in _serialized(place, split):
        yield tf.io.parse_example(batch, spec)


def _serialized(place: Path, split: str) -> Iterator[Any]:
    import tensorflow as tf

    files = _files(folder_of(place, "CsvExampleGen", "examples") / f"Split-{split}")
    yield from tf.data.TFRecordDataset(files, compression_type="GZIP").batch(BATCH)


def _files(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.glob("*.gz"))


def _our_key(run: Path, split: str) -> npt.NDArray[np.str_]:
    table = read_split(run / "artifacts/ingest-examples/examples", split).select(KEY)
    return _key({name: table[name].to_numpy() for name in KEY})


def _key(columns: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.str_]:
    """Return one text a row."""
    texts = [
        [v.decode() if isinstance(v, bytes) else str(v) for v in columns[name]] for name in KEY
    ]
    return np.array(["|".join(parts) for parts in zip(*texts, strict=True)])


def order(ours: npt.NDArray[np.str_], stock: npt.NDArray[np.str_]) -> npt.NDArray[np.intp]:
    """Return for each of stock's rows the place of the same flight in ours."""
    sorted_places = np.argsort(ours, kind="stable")
    places = sorted_places[np.searchsorted(ours[sorted_places], stock).clip(max=len(ours) - 1)]
    unique = len(np.unique(ours)) == len(ours) == len(np.unique(stock)) == len(stock)
    if not unique or not np.array_equal(ours[places], stock):
        raise ValueError("the rows of both are not the same flights, one each")
    return places
