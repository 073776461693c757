"""What counts as a weight of a Keras model."""

from __future__ import annotations

import pytest
from every_family import FAMILIES, SPECS, on, rows_of

from components.train_tensorflow.training import weight_arrays
from components.training.sealing import weights_sha256

pytestmark = pytest.mark.slow


def test_drawing_random_numbers_changes_no_weight() -> None:
    family = FAMILIES["wide_and_deep layer"].model_copy(update={"dropout": 0.5})
    spec = SPECS["ids only"]
    model = on("tensorflow", family)[0](spec, family, 3)
    before = weights_sha256(weight_arrays(model))
    dense, ids = rows_of(spec, 20)
    first, second = (model({"dense": dense, "ids": ids}, training=True).numpy() for _ in range(2))
    assert (first != second).any()
    assert weights_sha256(weight_arrays(model)) == before
