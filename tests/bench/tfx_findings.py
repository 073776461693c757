"""Everything that both pipelines found about the same flights, compared.

Statistics and features are the same computation on both sides. Anomalies are compared under both
schemas, because stock's infers one from the data and ours is reviewed. Metrics are compared twice:
of the two Keras models, which were trained on the same rows in another order, and of stock's model
as each side's evaluator measures it, which leaves the evaluators alone to differ.

This module imports TFDV and TensorFlow: call it when everything is measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import text_format
from stock_place import folder_of
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList as Statistics
from tfx_compared import Compared, compare, compare_columns
from tfx_numbers import (
    SPLITS,
    Named,
    anomaly_names,
    metric_intervals,
    metric_numbers,
    read_anomalies,
    read_statistics,
    statistics_numbers,
)
from tfx_rows import features_of_both, measured_by_ours, written_features

# Stock's numbers are float32 in tf.Example, ours float64: seven digits.
TOLERANCE = 1e-6
INTERVAL = "auc_exact"
GAPS_MISSING = "reviewed, a list of no values taken as missing"
KERAS = "artifacts/evaluate-models/evaluation/tensorflow"


@dataclass(frozen=True)
class OfModels:
    """A metric over all rows: stock's Keras model and ours, and how far slices are apart."""

    stock: float
    ours: float
    by_slice: Compared


@dataclass(frozen=True)
class Findings:
    """What the page says of the numbers.

    `anomalies` are by schema and split what ours and what stock's statistics show. `inside` counts
    the slices whose AUC of stock's model lies in the interval of our Keras model's, of `slices`.
    """

    statistics: list[Compared]
    anomalies: dict[tuple[str, str], tuple[dict[str, str], dict[str, str]]]
    features: list[Compared]
    written: list[Compared]
    models: dict[str, OfModels]
    evaluators: list[Compared]
    inside: int
    slices: int


def find(run: Path, place: Path, arguments: Mapping[str, Any], scratch: Path) -> Findings:
    """Compare one of our runs with one of stock's."""
    features, written = [], []
    for split in SPLITS:
        ours, stock = features_of_both(run, place, split)
        features.append(compare_columns(ours, stock, TOLERANCE))
        kept = written_features(place, split)
        written.append(compare_columns(in_order(stock), in_order(kept), TOLERANCE))
    measured_by_ours(run, place, arguments, scratch)
    same_model = metric_numbers(scratch)
    every_slice = metric_numbers(folder_of(place, "Evaluator", "evaluation"))
    stock_metrics = of_slices(every_slice, same_model["example_count"])
    inside, slices = within(metric_intervals(run / KERAS, INTERVAL), same_model[INTERVAL])
    return Findings(
        statistics=statistics(run, place),
        anomalies=anomalies(run, place, arguments),
        features=joined(features),
        written=joined(written),
        models=of_models(metric_numbers(run / KERAS), stock_metrics),
        evaluators=of_names(same_model, stock_metrics, list(stock_metrics)),
        inside=inside,
        slices=slices,
    )


def statistics(run: Path, place: Path) -> list[Compared]:
    """Compare the statistics of both splits, one result a field."""
    ours: Named = {}
    stock: Named = {}
    places = (
        (ours, run / "artifacts/validate-examples/statistics"),
        (stock, folder_of(place, "StatisticsGen", "statistics")),
    )
    for found, folder in places:
        for split in SPLITS:
            for field, values in statistics_numbers(read_statistics(folder, split)).items():
                named = {f"{split} {name}".strip(): value for name, value in values.items()}
                found.setdefault(field, {}).update(named)
    return of_names(ours, stock, sorted({*ours, *stock}))


def of_names(ours: Named, stock: Named, names: list[str]) -> list[Compared]:
    """Compare the values under each of these names."""
    return [compare(n, ours.get(n, {}), stock.get(n, {}), TOLERANCE) for n in names]


def anomalies(
    run: Path, place: Path, arguments: Mapping[str, Any]
) -> dict[tuple[str, str], tuple[dict[str, str], dict[str, str]]]:
    """Return what each schema says against each side's statistics.

    Where a side itself has held its statistics against that schema, its own file is taken.
    """
    import tensorflow_data_validation as tfdv

    inferred = tfdv.load_schema_text(str(folder_of(place, "SchemaGen", "schema") / "schema.pbtxt"))
    reviewed = text_format.Parse(arguments["schema"], schema_pb2.Schema())
    folders = {
        "ours": run / "artifacts/validate-examples/statistics",
        "stock": folder_of(place, "StatisticsGen", "statistics"),
    }
    own = {
        ("reviewed", "ours"): run / "artifacts/validate-examples/validation",
        ("inferred", "stock"): folder_of(place, "ExampleValidator", "anomalies"),
    }

    def of_side(kind: str, side: str, split: str) -> dict[str, str]:
        if file := own.get((kind, side)):
            return anomaly_names(read_anomalies(file, split))
        read = read_statistics(folders[side], split)
        if kind == GAPS_MISSING:
            read = with_gaps_missing(read)
        if kind == "inferred":
            return anomaly_names(tfdv.validate_statistics(read, inferred))
        return anomaly_names(tfdv.validate_statistics(read, reviewed, environment="training"))

    return {
        (kind, split): (of_side(kind, "ours", split), of_side(kind, "stock", split))
        for kind in ("inferred", "reviewed", GAPS_MISSING)
        for split in SPLITS
    }


def with_gaps_missing(read: Statistics) -> Statistics:
    """Return statistics in which a row with a list of no values lacks the value, as in ours.

    For columns of one value a row: CsvExampleGen writes such a list where a CSV has nothing.
    """
    counted = Statistics()
    counted.CopyFrom(read)
    for feature in counted.datasets[0].features:
        common = getattr(feature, feature.WhichOneof("stats")).common_stats
        gaps = common.num_non_missing - common.tot_num_values
        common.num_non_missing -= gaps
        common.num_missing += gaps
        if gaps:
            common.min_num_values = min(1, common.tot_num_values)
    return counted


def in_order(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return each column sorted by itself."""
    return {name: np.sort(column) for name, column in columns.items()}


def joined(by_split: list[list[Compared]]) -> list[Compared]:
    """Return one result for what was compared split by split."""
    return [
        Compared(
            what=parts[0].what,
            values=sum(part.values for part in parts),
            tolerance=parts[0].tolerance,
            differing=tuple(name for part in parts for name in part.differing),
            largest=max(part.largest for part in parts),
            where=max(parts, key=lambda part: part.largest).where,
        )
        for parts in zip(*by_split, strict=True)
    ]


def of_slices(metrics: Named, slices: Iterable[str]) -> Named:
    """Return the metrics of these slices: ours leaves out those of few rows, TFMA none."""
    chosen = set(slices)
    return {
        name: {at: value for at, value in values.items() if at in chosen}
        for name, values in metrics.items()
    }


def of_models(ours: Named, stock: Named) -> dict[str, OfModels]:
    """Compare the two Keras models metric by metric."""
    whole = "all rows"
    return {
        name: OfModels(
            stock=float(values[whole]),
            ours=float(ours[name][whole]),
            by_slice=compare(name, ours[name], values, TOLERANCE),
        )
        for name, values in stock.items()
    }


def within(
    intervals: Mapping[str, tuple[float, float]], values: Mapping[str, Any]
) -> tuple[int, int]:
    """Return how many values lie in the interval of their name, of how many that have one."""
    named = [(intervals[name], float(values[name])) for name in intervals if name in values]
    return sum(low <= value <= high for (low, high), value in named), len(named)
