"""Statistics, anomalies and metrics as named numbers, read from the files that TFX's formats name.

Both sides write the same formats (TFMD's protos, TFMA's records), so that one reader reads both.
What is exact in TFDV's statistics and what is an estimate of its sketches is told apart by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from components.core.tfma_protos import tfma_protos

SPLITS = ("train", "eval")
Named = dict[str, dict[str, float | int | str]]
"""Values by field or metric, then by place."""


def read_statistics(folder: Path, split: str) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Return the statistics of a split of an ExampleStatistics artifact, ours or stock's."""
    data = (folder / f"Split-{split}" / "FeatureStats.pb").read_bytes()
    return statistics_pb2.DatasetFeatureStatisticsList.FromString(data)


def read_anomalies(folder: Path, split: str) -> anomalies_pb2.Anomalies:
    """Return the anomalies of a split of an ExampleAnomalies artifact, ours or stock's."""
    data = (folder / f"Split-{split}" / "SchemaDiff.pb").read_bytes()
    return anomalies_pb2.Anomalies.FromString(data)


def statistics_numbers(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> Named:
    """Return {field: {column: value}} of all rows together."""
    (dataset,) = statistics.datasets
    found: Named = {"rows": {"": dataset.num_examples}}
    for feature in dataset.features:
        column = feature.path.step[0]
        for field, value in _of_feature(feature):
            name, _, part = field.partition("/")
            found.setdefault(name, {})[f"{column} {part}".strip()] = value
    return found


def _of_feature(feature: Any) -> Iterator[tuple[str, float | int | str]]:
    yield "type", statistics_pb2.FeatureNameStatistics.Type.Name(feature.type)
    numeric = feature.WhichOneof("stats") == "num_stats"
    stats = feature.num_stats if numeric else feature.string_stats
    common = stats.common_stats
    for name in ("num_non_missing", "num_missing", "tot_num_values"):
        yield name, getattr(common, name)
    if numeric:
        for name in ("mean", "std_dev", "num_zeros", "min", "max"):
            yield name, getattr(stats, name)
        yield "median (estimate)", stats.median
        for histogram in stats.histograms:
            kind = statistics_pb2.Histogram.HistogramType.Name(histogram.type).lower()
            for number, bucket in enumerate(histogram.buckets):
                yield f"{kind} histogram (estimate)/{number} to", bucket.high_value
                yield f"{kind} histogram (estimate)/{number} rows", bucket.sample_count
        return
    yield "unique", stats.unique
    yield "avg_length", stats.avg_length
    for top in stats.top_values:
        yield f"top values/{top.value}", top.frequency
    for bucket in stats.rank_histogram.buckets:
        yield f"rank histogram/{bucket.low_rank} {bucket.label}", bucket.sample_count


def anomaly_names(anomalies: anomalies_pb2.Anomalies) -> dict[str, str]:
    """Return {column: the kinds of its anomalies}; the dataset's own are those of no column."""
    found = {column: _kinds(info.reason) for column, info in sorted(anomalies.anomaly_info.items())}
    if anomalies.HasField("dataset_anomaly_info"):
        found[""] = _kinds(anomalies.dataset_anomaly_info.reason)
    return found


def _kinds(reasons: Iterable[Any]) -> str:
    names = {anomalies_pb2.AnomalyInfo.Type.Name(reason.type) for reason in reasons}
    return ", ".join(sorted(names))


def metric_numbers(folder: Path) -> Named:
    """Return {metric: {slice: value}} of a folder of TFMA's results with one model."""
    found: Named = {}
    for of_slice in _records(folder):
        at = slice_name(of_slice.slice_key)
        for item in of_slice.metric_keys_and_values:
            if item.value.HasField("double_value"):
                found.setdefault(item.key.name, {})[at] = item.value.double_value.value
    return found


def metric_intervals(folder: Path, metric: str) -> dict[str, tuple[float, float]]:
    """Return the bounds of a metric by slice, where the results have them."""
    found: dict[str, tuple[float, float]] = {}
    for of_slice in _records(folder):
        for item in of_slice.metric_keys_and_values:
            if item.key.name == metric and item.HasField("confidence_interval"):
                bounds = item.confidence_interval
                found[slice_name(of_slice.slice_key)] = (
                    bounds.lower_bound.double_value.value,
                    bounds.upper_bound.double_value.value,
                )
    return found


def slice_name(key: Any) -> str:
    """Return a slice as columns and values, sorted; the whole has none."""
    parts = []
    for one in key.single_slice_keys:
        value = getattr(one, one.WhichOneof("kind"))
        text = value.decode() if isinstance(value, bytes) else str(value)
        parts.append(f"{one.column}={text}")
    return ", ".join(sorted(parts)) or "all rows"


def _records(folder: Path) -> Iterator[Any]:
    import tensorflow as tf

    path = folder / "metrics-00000-of-00001.tfrecord"
    for record in tf.data.TFRecordDataset(str(path)):
        yield tfma_protos().metrics.MetricsForSlice.FromString(record.numpy())
