"""The family of the mortgage use case, which users copy, is one function in both frameworks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.core.features import FeatureSpec, load_split
from components.core.model_settings import ModelFamily
from components.core.training_settings import Train
from components.training.functions import family_of, load_model_function
from pipelines.loaded_settings import load_settings
from pipelines.settings_file import find_settings

pytestmark = pytest.mark.slow


def test_both_scorecards_train_to_the_same_scores(small_features: Path) -> None:
    import torch

    from components.train_pytorch import training as on_pytorch
    from components.train_tensorflow import training as on_tensorflow

    family = load_settings(find_settings("mortgage")).settings.model
    spec, train = FeatureSpec.read(small_features), Train(epochs=4, learning_rate=0.05)
    arrays = load_split(small_features, "train")
    pytorch, tensorflow = (built(family, name, spec) for name in ("pytorch", "tensorflow"))
    on_pytorch.fit_model(pytorch, arrays, train)
    on_tensorflow.fit_model(tensorflow, arrays, train)
    with torch.no_grad():
        expected = pytorch(torch.tensor(arrays.dense), torch.tensor(arrays.ids)).numpy()
    actual = tensorflow({"dense": arrays.dense, "ids": arrays.ids})
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def built(family: ModelFamily, framework: Any, spec: FeatureSpec) -> Any:
    name = family.function(framework)
    assert family_of(name) == "scorecard"
    return load_model_function(name)(spec, family, 1)
