"""The records of TFMA's files, and the same as TFMA's own converters write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def metrics(folder: Path) -> list[bytes]:
    """Return the records of a metrics file."""
    return _records(folder / "metrics-00000-of-00001.tfrecord")


def plots(folder: Path) -> list[bytes]:
    """Return the records of a plots file."""
    return _records(folder / "plots-00000-of-00001.tfrecord")


def metrics_by_tfma(folder: Path) -> list[bytes]:
    """Read each record as TFMA's keys and values, and convert it as TFMA does."""
    from tensorflow_model_analysis.metrics.metric_types import MetricKey
    from tensorflow_model_analysis.proto.metrics_for_slice_pb2 import MetricsForSlice
    from tensorflow_model_analysis.writers import metrics_plots_and_validations_writer as writer

    converted = []
    for record in metrics(folder):
        found = MetricsForSlice.FromString(record)
        values = {
            MetricKey.from_proto(item.key): _value(item) for item in found.metric_keys_and_values
        }
        given = (_slice_key(found), values)
        converted.append(writer.convert_slice_metrics_to_proto(given, None))
    return [proto.SerializeToString(deterministic=True) for proto in converted]


def plots_by_tfma(folder: Path) -> list[bytes]:
    """Read each record as TFMA's plots, and convert it as TFMA does."""
    from tensorflow_model_analysis.metrics.metric_types import PlotKey
    from tensorflow_model_analysis.proto.metrics_for_slice_pb2 import PlotsForSlice
    from tensorflow_model_analysis.writers import metrics_plots_and_validations_writer as writer

    converted = []
    for record in plots(folder):
        found = PlotsForSlice.FromString(record)
        (item,) = found.plot_keys_and_values
        ((field, value),) = item.value.ListFields()
        name = item.key.name or {"calibration_histogram_buckets": "calibration_plot"}[field.name]
        given = (_slice_key(found), {PlotKey(name=name): value})
        converted.append(writer.convert_slice_plots_to_proto(given, None))
    return [proto.SerializeToString(deterministic=True) for proto in converted]


def _records(path: Path) -> list[bytes]:
    import tensorflow as tf

    return [item.numpy() for item in tf.data.TFRecordDataset(str(path))]


def _slice_key(found: Any) -> tuple[tuple[str, Any], ...]:
    from tensorflow_model_analysis.slicer.slicer_lib import deserialize_slice_key

    return deserialize_slice_key(found.slice_key)


def _value(item: Any) -> Any:
    from tensorflow_model_analysis.proto.metrics_for_slice_pb2 import BoundedValue

    value = item.value.double_value
    if not item.HasField("confidence_interval"):
        return value.value
    bounds = item.confidence_interval
    return BoundedValue(
        value=value,
        lower_bound=bounds.lower_bound.double_value,
        upper_bound=bounds.upper_bound.double_value,
    )
