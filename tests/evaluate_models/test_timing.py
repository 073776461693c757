"""What is timed, not how long it takes."""

from __future__ import annotations

import numpy as np

from components.evaluate_models.timing import WARM_UP, machine, time_calls


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
    found = time_calls(scorer.score, inputs, runs=20, batch_rows=8)
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


def test_fewer_rows_than_a_batch_are_a_smaller_batch():
    inputs = {"distance": np.arange(3, dtype=np.float32)}
    found = time_calls(Counting().score, inputs, runs=10, batch_rows=8)
    assert found["batch_rows"] == 3


def test_the_machine_has_a_processor_and_cores():
    found = machine(["onnx", "torch_export"])
    assert found["cpu"]
    assert found["usable_cores"] >= 1


def test_the_machine_names_the_runtimes_of_the_forms_that_were_timed():
    found = machine(["onnx", "torch_export", "onnx"])
    assert {"onnxruntime", "torch"} <= found.keys()
    assert "tensorflow" not in found
