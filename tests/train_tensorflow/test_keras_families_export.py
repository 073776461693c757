"""Each built-in family goes through the TensorFlow trainer's step: trained, exported, proven."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from every_family import VARIANTS

from components.core.bundle import Bundle, OnnxScorer
from components.train_tensorflow.step import TrainTensorflowSettings, train_tensorflow

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "name", ["wide_and_deep layer", "dcn_v2 parallel", "dcn_v2 low rank", "ft_transformer"]
)
def test_a_family_trains_and_every_form_of_it_is_proven(
    name: str, small_features: Path, tft_graph: Path, tmp_path: Path
) -> None:
    model = {**VARIANTS[name], "dropout": 0.1}
    outcome = train_tensorflow(
        settings=TrainTensorflowSettings.model_validate(
            {"model": model, "train": {"epochs": 2, "batch_size": 90, "learning_rate": 0.01}}
        ),
        features=small_features,
        transform_graph=tft_graph,
        tensorflow_model=tmp_path,
    )
    bundle = Bundle.open(tmp_path)
    assert bundle.contract.family == model["family"]
    # Eight batches an epoch, the last of ten rows; chance loses 0.69.
    assert outcome.facts["steps"] == 16
    assert outcome.facts["final_loss"] < 0.75
    assert all(form.parity.holds for form in bundle.contract.forms)
    assert {form.name for form in bundle.contract.forms} >= {"onnx", "saved_model"}
    scorer = OnnxScorer(bundle)
    for count in (1, 7):
        rows = {
            "delay": np.full(count, 3.0, np.float32),
            "hour": np.full(count, 4.0, np.float32),
            "carrier": np.full(count, "AA", object),
            "origin": np.full(count, "LGA", object),
        }
        assert scorer.score(rows).shape == (count,)
