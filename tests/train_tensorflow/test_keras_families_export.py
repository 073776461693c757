"""Each built-in family goes through the TensorFlow trainer's step: trained, exported, proven."""

from __future__ import annotations

from pathlib import Path

import pytest
from proven_family import assert_proven, settings_of

from components.train_tensorflow.step import TrainTensorflowSettings, train_tensorflow

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "name", ["wide_and_deep layer", "dcn_v2 parallel", "dcn_v2 low rank", "ft_transformer"]
)
def test_a_family_trains_and_every_form_of_it_is_proven(
    name: str, small_features: Path, tft_graph: Path, tmp_path: Path
) -> None:
    outcome = train_tensorflow(
        settings=TrainTensorflowSettings.model_validate(settings_of(name)),
        features=small_features,
        transform_graph=tft_graph,
        tensorflow_model=tmp_path,
    )
    assert_proven(name, outcome, tmp_path, "saved_model", "litert")
