"""Labels and predictions that cannot be measured are refused, for each task."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from components.core.errors import DataError
from components.evaluate_models.target import Target

TWO = Target("late")
SEVERAL = Target("cut", "multi_class", ("a", "b", "c"))
NUMBER = Target("price", "regression")


def _labels(target, values):
    return target.labels(pa.table({target.label: pa.array(values)}))


@pytest.mark.parametrize(
    ("target", "values"),
    [
        (TWO, [0, 1, 1, 0]),
        (SEVERAL, [0, 2, 2, 0, 1]),
        (SEVERAL, [0, 2, 2, 0]),
        (NUMBER, [1.5, -2.0, 0.0]),
        (NUMBER, [3, 4, 4]),
    ],
)
def test_labels_of_the_task_are_numbers(target, values):
    assert _labels(target, values).tolist() == [float(value) for value in values]


@pytest.mark.parametrize(
    ("target", "values", "said"),
    [
        (TWO, [0, 1, 1], "must hold 0 and 1, each twice"),
        (TWO, [0, 0, 1, 1, 2, 2], "must hold 0 and 1, each twice"),
        (TWO, [0, 0, 1, 1, None], "must hold 0 and 1, each twice"),
        (SEVERAL, [0, 0, 1, 1, 3], "must hold 0 to 2, two of them at least twice"),
        (SEVERAL, [1, 1, 1, 0], "must hold 0 to 2, two of them at least twice"),
        (SEVERAL, [0, 0, 1, 1, None], "must hold 0 to 2"),
        (SEVERAL, [0, 0, 1, 1, 0.5], "must hold 0 to 2"),
        (NUMBER, [1.0, None, 2.0], "must be a number in every row"),
        (NUMBER, [1.0, float("inf"), 2.0], "must be a number in every row"),
        (NUMBER, [1.0, 1.0], "not the same one in all"),
    ],
)
def test_labels_that_cannot_be_measured_are_refused(target, values, said):
    with pytest.raises(DataError, match=said):
        _labels(target, values)


@pytest.mark.parametrize(
    ("target", "predictions", "said"),
    [
        (TWO, np.full((2, 2), 0.5), r"shape \(2, 2\) for 2 rows"),
        (TWO, [0.5, 1.5], "1 of 2 predictions that are no probabilities"),
        (SEVERAL, np.full((2, 2), 0.5), r"shape \(2, 2\) for 2 rows"),
        (SEVERAL, [[0.2, 0.3, 0.5], [0.2, 0.3, 0.4]], "1 of 2 predictions that are no prob"),
        (SEVERAL, [[0.2, 0.3, 0.5], [1.2, -0.1, -0.1]], "1 of 2 predictions that are no prob"),
        (NUMBER, [[1.0], [2.0]], r"shape \(2, 1\) for 2 rows"),
        (NUMBER, [1.0, float("nan")], "1 of 2 predictions that are no numbers"),
    ],
)
def test_predictions_that_the_task_does_not_ask_for_are_refused(target, predictions, said):
    with pytest.raises(DataError, match=said):
        target.checked("pytorch", predictions, 2)


def test_predictions_that_the_task_asks_for_are_taken_in_double_precision():
    of_several = target_of_float32 = np.array([[0.25, 0.25, 0.5]], dtype=np.float32)
    assert SEVERAL.checked("pytorch", target_of_float32, 1).tolist() == of_several.tolist()
    assert NUMBER.checked("pytorch", np.float32([-3.5]), 1).dtype == np.float64
