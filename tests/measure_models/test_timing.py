"""What is timed, not how long it takes."""

from __future__ import annotations

import numpy as np

from components.core.quantiles import least_count
from components.measure_models.timing import WARM_UP, Often, machine, time_calls


class Counting:
    """A scorer that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[float]] = []

    def score(self, inputs):
        self.asked.append(inputs["distance"].tolist())
        return np.zeros(len(inputs["distance"]))


def test_single_rows_rotate_and_warm_up_does_not_count():
    scorer = Counting()
    inputs = {"distance": np.arange(30, dtype=np.float32)}
    found = time_calls(scorer.score, inputs, Often(20, 8))
    single = [asked for asked in scorer.asked if len(asked) == 1]
    batch = [asked for asked in scorer.asked if len(asked) == 8]
    assert len(single) == 20 + WARM_UP
    assert len(batch) == 10 + WARM_UP
    assert len({asked[0] for asked in single}) == 20
    assert found["batch_rows"] == 8
    assert found["runs"] == {"one_row": 20, "batch": 10, "warm_up": WARM_UP}
    one_row = found["one_row_ms"]
    assert 0 < one_row["p50"] <= one_row["p95"] <= one_row["p99"]
    assert found["rows_per_second"] > 0
    bounds = found["intervals"]
    assert bounds["p50_ms"][0] <= one_row["p50"] <= bounds["p50_ms"][1]
    assert bounds["p95_ms"][0] <= one_row["p95"]
    assert bounds["p95_ms"][1] is None, "20 calls do not bound it"
    assert bounds["rows_per_second"][0] <= found["rows_per_second"]
    assert found["rows_per_second"] <= bounds["rows_per_second"][1]


def test_enough_calls_bound_every_percentile():
    inputs = {"distance": np.arange(3, dtype=np.float32)}
    calls = least_count(0.99, 0.95)
    bounds = time_calls(Counting().score, inputs, Often(calls, 8))["intervals"]
    assert all(lower <= upper for lower, upper in bounds.values())
    fewer = time_calls(Counting().score, inputs, Often(calls - 1, 8))["intervals"]
    assert fewer["p99_ms"][1] is None


def test_fewer_rows_than_a_batch_are_a_smaller_batch():
    inputs = {"distance": np.arange(3, dtype=np.float32)}
    found = time_calls(Counting().score, inputs, Often(10, 8))
    assert found["batch_rows"] == 3


def test_the_machine_has_a_processor_and_cores():
    found = machine(["onnx", "torch_export"])
    assert found["cpu"]
    assert found["usable_cores"] >= 1


def test_the_machine_names_the_runtimes_of_the_forms_that_were_timed():
    found = machine(["onnx", "torch_export", "onnx"])
    assert {"onnxruntime", "torch"} <= found.keys()
    assert "tensorflow" not in found
