"""Each built-in family goes through the PyTorch trainer's own step: trained, exported, proven."""

from __future__ import annotations

from pathlib import Path

import pytest
from every_family import VARIANTS
from proven_family import assert_proven, settings_of

from components.train_pytorch.step import TrainPytorchSettings, train_pytorch

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", VARIANTS)
def test_a_family_trains_and_every_form_of_it_is_proven(
    name: str, small_features: Path, small_transform_graph: Path, tmp_path: Path
) -> None:
    outcome = train_pytorch(
        settings=TrainPytorchSettings.model_validate(settings_of(name)),
        features=small_features,
        transform_graph=small_transform_graph,
        pytorch_model=tmp_path,
    )
    assert_proven(name, outcome, tmp_path, "torch_export")
