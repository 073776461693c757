"""train_tensorflow in 16 bits and compiled: a proven bundle, and a record that says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.core.bundle import Bundle
from components.train_tensorflow.step import TrainTensorflowSettings, train_tensorflow

pytestmark = pytest.mark.slow
MODEL = {"family": "ft_transformer", "token_dim": 16, "attention_heads": 2, "blocks": 1}
TRAIN = {"epochs": 1, "batch_size": 100, "device": "cpu", "precision": "bf16", "compile": True}


def test_a_training_in_bf16_and_compiled_gives_a_proven_bundle(
    small_features: Path, tft_graph: Path, tmp_path: Path
) -> None:
    outcome = train_tensorflow(
        settings=TrainTensorflowSettings.model_validate({"model": MODEL, "train": TRAIN}),
        features=small_features,
        transform_graph=tft_graph,
        tensorflow_model=tmp_path,
    )
    contract = Bundle.open(tmp_path).contract
    assert all(form.parity.max_abs_difference < 1e-5 for form in contract.forms)
    facts = {name: outcome.facts[name] for name in ("device", "precision", "steps")}
    assert facts == {"device": "cpu", "precision": "bf16", "steps": 7}
    assert 0 < outcome.facts["compiled_difference"] < 0.1
