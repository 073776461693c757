"""What is timed, not how long it takes."""

from __future__ import annotations

import numpy as np

from components.evaluate_models.timing import WARM_UP, machine, time_model


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
    found = time_model(scorer, inputs, runs=20, batch_rows=8)
    single = [asked for asked in scorer.asked if len(asked) == 1]
    batch = [asked for asked in scorer.asked if len(asked) == 8]
    assert len(single) == 20 + WARM_UP
    assert len(batch) == 10 + WARM_UP
    assert len({asked[0] for asked in single}) == 20
    assert found["batch_rows"] == 8
    assert found["runs"] == {"one_row": 20, "batch": 10, "warm_up": WARM_UP}
    assert 0 < found["one_row_ms"]["p50"] <= found["one_row_ms"]["p95"]
    assert found["rows_per_second"] > 0


def test_fewer_rows_than_a_batch_are_a_smaller_batch():
    inputs = {"distance": np.arange(3, dtype=np.float32)}
    assert time_model(Counting(), inputs, runs=10, batch_rows=8)["batch_rows"] == 3


def test_the_machine_has_a_processor_and_cores():
    found = machine()
    assert found["cpu"]
    assert found["usable_cores"] >= 1
