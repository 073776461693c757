"""The stock pipeline of `make bench-tfx` does what the flights settings say, in its own words."""

from __future__ import annotations

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
