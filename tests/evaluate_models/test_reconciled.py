"""The evaluation's own gates, on rows that came together rightly and on rows that did not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from components.core.errors import DataError, GateError
from components.evaluate_models.predicted import PREDICTION, column_of
from components.evaluate_models.reconciled import reconciled
from components.evaluate_models.target import Target

LABELS = [0, 1, 1, 0, 1]
GIVEN = {
    "binary": [0.1, 0.9, 0.8, 0.2, 0.7],
    "multi_class": [[0.9, 0.1], [0.2, 0.8], [0.0, 1.0], [1.0, 0.0], [0.5, 0.5]],
    "regression": [0.1, -3.0, 7.0, 0.2, 1e9],
}
WRONG = {"binary": 1.01, "multi_class": [0.9, 0.2], "regression": float("inf")}


def predicted(task, *, wrong=None, rows=5):
    """Return rows predicted by two models; the second one's prediction of row `wrong` is none."""
    table = pa.table({"late": LABELS[:rows]})
    for model in ("pytorch", "tensorflow"):
        given = list(GIVEN[task][:rows])
        if wrong is not None and model == "tensorflow":
            given[wrong] = WRONG[task]
        table = table.append_column(PREDICTION + model, column_of(np.asarray(given)))
    return table


def target(task):
    return Target("late", task, ("no", "yes") if task == "multi_class" else ())


@pytest.mark.parametrize("task", GIVEN)
def test_every_model_has_a_prediction_of_every_row_and_the_labels_differ(task):
    gates = reconciled(predicted(task), target(task), 5)
    assert [(g.name, g.value, g.operator, g.threshold, g.n) for g in gates[:2]] == [
        ("pytorch predicted_rows", 5, "==", 5, 5),
        ("tensorflow predicted_rows", 5, "==", 5, 5),
    ]
    assert (gates[2].name, gates[2].operator, gates[2].threshold) == ("label_outcomes", ">=", 2)
    assert all(gate.passed for gate in gates)


@pytest.mark.parametrize("task", GIVEN)
def test_a_prediction_that_is_none_stops_with_all_gates(task):
    with pytest.raises(GateError, match="tensorflow predicted_rows: 4, and it must") as stopped:
        reconciled(predicted(task, wrong=3), target(task), 5)
    assert [gate["passed"] for gate in stopped.value.gates] == [True, False, True]


def test_a_row_that_was_lost_stops_with_all_gates():
    with pytest.raises(GateError, match="pytorch predicted_rows: 4, and it must") as stopped:
        reconciled(predicted("binary", rows=4), target("binary"), 5)
    assert [gate["passed"] for gate in stopped.value.gates] == [False, False, True]


def test_labels_that_cannot_be_measured_are_the_datas_error():
    table = predicted("binary").set_column(0, "late", pa.array([1] * 5))
    with pytest.raises(DataError, match="label late"):
        reconciled(table, target("binary"), 5)
