"""The stock pipeline of `make bench-tfx` does what the flights settings say, in its own words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from run import ROOT

from pipelines.loaded_settings import load_settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def arguments() -> dict[str, Any]:
    return load_settings(ROOT / "pipelines/examples/flights/settings.yaml").arguments()


def test_stock_computes_the_features_that_the_settings_declare(arguments: dict[str, Any]) -> None:
    import stock_flights

    features = arguments["transform"]["features"]
    kinds = dict.fromkeys(stock_flights.SCALED, "zscore")
    kinds |= dict.fromkeys(stock_flights.LOGGED, "log_zscore")
    kinds |= dict.fromkeys(stock_flights.CIRCLES, "cyclic")
    kinds |= dict.fromkeys(stock_flights.TEXTS, "vocabulary")
    assert kinds == {name: feature["kind"] for name, feature in features.items()}
    for name, period in stock_flights.CIRCLES.items():
        assert features[name]["period"] == period
    for name, top_k in stock_flights.TEXTS.items():
        assert features[name]["top_k"] == top_k


def test_stock_trains_as_the_settings_say(arguments: dict[str, Any]) -> None:
    import stock_flights

    train, model = arguments["train"], arguments["model"]
    assert (train["batch_size"], train["learning_rate"]) == (
        stock_flights.BATCH,
        stock_flights.RATE,
    )
    assert model["family"] == "wide_and_deep"
    assert tuple(model["hidden_units"]) == stock_flights.HIDDEN
    assert model["embedding_dim"] == stock_flights.EMBEDDING


def test_stocks_model_has_as_many_parameters_as_ours() -> None:
    import stock_flights

    from components.core.features import FeatureSpec, IdFeature
    from components.core.model_settings import ModelFamily
    from components.train_tensorflow.families.wide_and_deep import build_model

    sizes = {name: size + 3 for size, name in enumerate(stock_flights.IDS)}
    ids = tuple(IdFeature(name=name, size=size - 1) for name, size in sizes.items())
    rows = {"train": 1, "eval": 1}
    spec = FeatureSpec(dense=tuple(stock_flights.DENSE), ids=ids, label="late", rows=rows)
    ours = build_model(spec, ModelFamily(family="wide_and_deep"), seed=1)
    assert stock_flights.build_model(sizes).count_params() == ours.count_params()


def test_metrics_and_their_intervals_are_read_by_slice(tmp_path: Path) -> None:
    from tfx_numbers import metric_intervals, metric_numbers

    from components.core.tfma_protos import tfma_protos
    from components.core.tfrecord_frame import framed

    records = []
    for value, slices in ((0.5, ()), (0.25, (("origin", b"EWR"), ("month", 12)))):
        record = tfma_protos().metrics.MetricsForSlice()
        for column, of_slice in slices:
            kind = "bytes_value" if isinstance(of_slice, bytes) else "int64_value"
            record.slice_key.single_slice_keys.add(column=column, **{kind: of_slice})
        metric = record.metric_keys_and_values.add(key={"name": "auc"})
        metric.value.double_value.value = value
        if not slices:
            metric.confidence_interval.lower_bound.double_value.value = 0.4
            metric.confidence_interval.upper_bound.double_value.value = 0.6
        records.append(framed(record.SerializeToString()))
    (tmp_path / "metrics-00000-of-00001.tfrecord").write_bytes(b"".join(records))
    assert metric_numbers(tmp_path) == {"auc": {"all rows": 0.5, "month=12, origin=EWR": 0.25}}
    assert metric_intervals(tmp_path, "auc") == {"all rows": (0.4, 0.6)}
