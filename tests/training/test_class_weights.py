"""What a row counts by its class."""

from __future__ import annotations

import numpy as np
import pytest

from components.core.errors import DataError, SettingsError
from components.core.training_settings import Train
from components.training.class_weights import class_weights

LABEL = np.array([0, 1, 1, 1], np.float32)


def test_balanced_classes_weigh_the_same_and_a_row_1_on_average() -> None:
    weights = class_weights(Train(class_weights="balanced"), LABEL)
    assert weights is not None
    assert weights == pytest.approx([2.0, 2 / 3])
    assert weights[LABEL.astype(int)].mean() == pytest.approx(1.0)


def test_given_weights_are_taken_and_none_are_none() -> None:
    assert class_weights(Train(class_weights=[1, 4]), LABEL) == pytest.approx([1, 4])
    assert class_weights(Train(), LABEL) is None


def test_weights_for_another_number_of_classes_are_refused() -> None:
    with pytest.raises(SettingsError, match="has 3 numbers for 2 classes"):
        class_weights(Train(class_weights=[1, 2, 3]), LABEL)


def test_a_class_without_rows_cannot_be_balanced() -> None:
    with pytest.raises(DataError, match="class 1 has no training row"):
        class_weights(Train(class_weights="balanced"), np.zeros(3, np.float32))


def test_labels_that_are_no_classes_have_no_weights() -> None:
    with pytest.raises(SettingsError, match="labels are not classes"):
        class_weights(Train(class_weights="balanced"), np.array([0.5], np.float32))


def test_a_class_that_only_other_rows_have_is_weighed_and_a_number_has_no_classes() -> None:
    assert class_weights(Train(class_weights=[1, 4, 2]), LABEL, 3) == pytest.approx([1, 4, 2])
    with pytest.raises(DataError, match="class 2 has no training row"):
        class_weights(Train(class_weights="balanced"), LABEL, 3)
    with pytest.raises(SettingsError, match="the labels are not classes"):
        class_weights(Train(class_weights="balanced"), LABEL, None)
