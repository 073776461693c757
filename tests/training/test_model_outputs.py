"""What a model function's model must give for each row, by the task of the features."""

from __future__ import annotations

import numpy as np
import pytest
from every_family import SPECS

from components.core.errors import SettingsError
from components.training.model_check import require_outputs

SPEC = SPECS["dense and ids"]
SEVERAL = SPEC.model_copy(update={"task": "multi_class", "classes": ("a", "b", "c")})
NUMBER = SPEC.model_copy(update={"task": "regression"})


@pytest.mark.parametrize(("spec", "width"), [(SPEC, 1), (SEVERAL, 3), (NUMBER, 1)])
def test_a_model_gives_as_many_outputs_as_the_features_ask_for(spec, width) -> None:
    require_outputs(lambda dense, _: np.zeros((len(dense), width)), spec, "shop:build")


@pytest.mark.parametrize(
    ("spec", "width", "problem", "remedy"),
    [
        (SPEC, 3, r"gives \[2, 3\] for two rows, not a logit \[2, 1\]", "one logit"),
        (SEVERAL, 1, r"gives \[2, 1\] for two rows, not logits \[2, 3\]", "spec.outputs"),
        (NUMBER, 2, r"gives \[2, 2\] for two rows, not a value \[2, 1\]", "one number"),
    ],
)
def test_another_number_of_outputs_is_refused_with_what_is_wanted(
    spec, width, problem, remedy
) -> None:
    with pytest.raises(SettingsError, match=problem) as caught:
        require_outputs(lambda dense, _: np.zeros((len(dense), width)), spec, "shop:build")
    assert remedy in caught.value.remedy
