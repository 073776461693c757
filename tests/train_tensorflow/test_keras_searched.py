"""train_tensorflow with a search: trials in the record, and a bundle by the best of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.core.bundle import Bundle
from components.train_tensorflow.step import TrainTensorflowSettings, train_tensorflow

pytestmark = pytest.mark.slow
SEARCH = {
    "trials": 3,
    "parameters": {
        "train.learning_rate": {"low": 1e-4, "high": 0.1, "log": True},
        "model.hidden_units": {"one_of": [[4], [16, 8]]},
    },
}
TRAIN = {"epochs": 1, "batch_size": 100, "validation_share": 0.25, "search": SEARCH}


def test_the_best_trial_is_trained_and_all_are_recorded(
    small_features: Path, tft_graph: Path, tmp_path: Path
) -> None:
    outcome = train_tensorflow(
        settings=TrainTensorflowSettings.model_validate(
            {"model": {"family": "wide_and_deep"}, "train": TRAIN}
        ),
        features=small_features,
        transform_graph=tft_graph,
        tensorflow_model=tmp_path,
    )
    search = outcome.facts["search"]
    losses = [trial["validation_loss"] for trial in search["trials"]]
    assert len(set(losses)) == 3
    # The same seed, rows and settings give the trial's own model again.
    assert outcome.facts["validation_loss"] == min(losses)
    assert losses[search["best_trial"] - 1] == min(losses)
    best = search["trials"][search["best_trial"] - 1]["values"]
    assert best.items() <= outcome.facts["trained_with"].items()
    assert outcome.facts["family"] == "wide_and_deep"
    assert Bundle.open(tmp_path).contract.parameters == outcome.facts["parameters"]
