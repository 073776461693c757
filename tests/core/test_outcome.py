"""Gates: one judgement for the record and the effect."""

import pytest

from components.core.outcome import Gate


@pytest.mark.parametrize(
    ("operator", "value", "passed"),
    [(">=", 0.7, True), (">=", 0.69, False), ("<=", 0.7, True), ("<=", 0.71, False)],
)
def test_a_gate_compares_value_and_threshold(operator, value, passed):
    gate = Gate("quality", "auc", value, operator, 0.7)
    assert gate.passed is passed
    assert gate.to_dict()["passed"] is passed


@pytest.mark.parametrize("operator", [">=", "<=", "=="])
def test_not_a_number_passes_no_gate(operator):
    assert not Gate("quality", "auc", float("nan"), operator, 0.7).passed


def test_a_gate_is_written_without_what_it_does_not_have():
    written = Gate("rows", "rows", 10, ">=", 5, n=10, interval=(8.0, 12.0)).to_dict()
    assert written["interval"] == [8.0, 12.0]
    assert "baseline" not in written
