"""What a model loses when a column is shuffled, missing or new, on models whose use is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from components.evaluate_models.ranking import auc, auc_difference
from components.evaluate_models.robustness import (
    ROWS,
    SEED,
    by_auc,
    by_task,
    chosen_rows,
    robustness,
    shifted,
    unseen,
)

Z = 1.959964
WEIGHTS = {"a": 2.0, "b": -2.0}


def _rows(rows=2000):
    generator = np.random.default_rng(23)
    kind = generator.choice(["a", "b"], rows).astype(object)
    inputs = {
        "distance": generator.normal(size=rows).astype(np.float32),
        "noise": generator.normal(size=rows).astype(np.float32),
        "kind": kind,
    }
    logit = inputs["distance"] + np.array([WEIGHTS[k] for k in kind])
    return inputs, generator.random(rows) < 1 / (1 + np.exp(-logit))


def _score(inputs):
    """Score by distance and kind; noise is not looked at, what is missing or new counts as zero."""
    weights = np.array([WEIGHTS.get(kind, 0.0) for kind in inputs["kind"]])
    return 1 / (1 + np.exp(-(np.nan_to_num(inputs["distance"]) + weights)))


@pytest.fixture(scope="module")
def found():
    inputs, positive = _rows()
    return robustness(_score, inputs, by_auc(positive, Z))


def test_a_column_that_the_model_does_not_use_costs_exactly_nothing(found):
    noise = found["columns"]["noise"]
    assert [noise["permuted"][part] for part in ("value", "lower", "upper")] == [0, 0, 0]
    assert noise["missing"] == found["auc"]
    assert noise["unseen"] is None


def test_the_column_that_decides_costs_most_with_an_interval_above_zero(found):
    kind, distance = (found["columns"][name]["permuted"] for name in ("kind", "distance"))
    assert kind["lower"] > distance["upper"]
    assert distance["lower"] > 0
    assert kind["method"] == "delong_paired"


def test_shifted_is_the_auc_that_is_left(found):
    inputs, positive = _rows()
    swapped = np.where(inputs["kind"] == "a", "b", "a").astype(object)
    left = auc(positive, _score({**inputs, "kind": swapped}), Z)
    assert found["columns"]["kind"]["shifted"] == left.to_dict()
    assert found["columns"]["kind"]["shifted"]["value"] < 0.5
    assert found["columns"]["noise"]["shifted"] == found["auc"]


def test_a_shift_leaves_out_what_is_missing():
    texts = np.array(["b", "", "a", "c", "a"], dtype=object)
    assert shifted(texts).tolist() == ["c", "", "b", "a", "b"]
    numbers = shifted(np.array([1, np.nan, 3], dtype=np.float32))
    assert numbers.dtype == np.float32
    assert np.array_equal(numbers, np.array([2, np.nan, 4], dtype=np.float32), equal_nan=True)
    assert shifted(np.array(["", ""], dtype=object)).tolist() == ["", ""]
    assert np.isnan(shifted(np.array([np.nan], dtype=np.float32))).all()


def test_missing_and_unseen_are_the_auc_that_is_left(found):
    inputs, positive = _rows()
    left = auc(positive, _score({**inputs, "kind": np.full(2000, "", dtype=object)}), Z)
    for part in ("missing", "unseen"):
        assert found["columns"]["kind"][part] == left.to_dict()
    assert found["columns"]["distance"]["missing"]["value"] < found["auc"]["value"]


def test_permuted_is_the_paired_loss_of_one_seeded_shuffle(found):
    inputs, positive = _rows()
    order = np.random.default_rng(SEED).permutation(2000)
    shuffled = _score({**inputs, "distance": inputs["distance"][order]})
    expected = auc_difference(positive, _score(inputs), shuffled, Z).to_dict()
    assert found["columns"]["distance"]["permuted"] == expected


def test_the_same_rows_lose_the_same(found):
    inputs, positive = _rows()
    assert robustness(_score, inputs, by_auc(positive, Z)) == found


def test_an_unseen_text_is_one_that_no_row_has():
    assert unseen(np.array(["unseen", "unseen_", "b"], dtype=object)) == "unseen__"


def test_a_model_that_gives_no_number_without_a_column_has_null_there():
    inputs, positive = _rows()
    found = robustness(lambda given: given["distance"].astype(float), inputs, by_auc(positive, Z))
    assert found["columns"]["distance"]["missing"] is None
    assert found["columns"]["kind"]["missing"] is not None


@pytest.mark.parametrize("task", ["binary", "multi_class", "regression"])
def test_a_model_that_gives_no_number_of_shuffled_values_has_null_there(task):
    inputs, positive = _rows()
    inputs["noise"] = inputs["distance"].copy()

    def together(given):
        """Give no number where two columns differ that never do."""
        found = np.where(given["noise"] == given["distance"], _score(given), np.nan)
        return np.stack([1 - found, found], axis=1) if task == "multi_class" else found

    found = robustness(together, inputs, by_task(task, positive.astype(float), Z))
    assert found["columns"]["distance"]["permuted"] is None
    assert found["columns"]["kind"]["permuted"]["lower"] > 0


def _onnx_without_entries_for_new_texts() -> Any:
    """Return the session of WEIGHTS[kind] + distance, which looks a new text up out of bounds."""
    tensors = [
        helper.make_tensor("weights", TensorProto.FLOAT, [2], list(WEIGHTS.values())),
    ]
    nodes = [
        helper.make_node(
            "LabelEncoder", ["kind"], ["entry"], domain="ai.onnx.ml",
            keys_strings=list(WEIGHTS), values_int64s=[0, 1], default_int64=7,
        ),
        helper.make_node("Gather", ["weights", "entry"], ["weight"]),
        helper.make_node("Add", ["weight", "distance"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["probability"]),
    ]  # fmt: skip
    inputs = [
        helper.make_tensor_value_info("distance", TensorProto.FLOAT, ["rows"]),
        helper.make_tensor_value_info("kind", TensorProto.STRING, ["rows"]),
    ]
    output = helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["rows"])
    graph = helper.make_graph(nodes, "made", inputs, [output], tensors)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 2)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def test_a_model_whose_runtime_refuses_a_text_has_null_there_and_numbers_elsewhere():
    inputs, positive = _rows()
    del inputs["noise"]
    session = _onnx_without_entries_for_new_texts()
    found = robustness(lambda given: session.run(None, given)[0], inputs, by_auc(positive, Z))
    assert found["columns"]["kind"]["missing"] is None
    assert found["columns"]["kind"]["unseen"] is None
    assert found["columns"]["kind"]["permuted"]["lower"] > 0
    assert found["columns"]["distance"]["permuted"]["lower"] > 0


def test_an_error_that_is_not_the_runtimes_is_not_swallowed():
    def broken(given):
        if not given["kind"][0]:
            raise KeyError("kind")
        return _score(given)

    inputs, positive = _rows()
    with pytest.raises(KeyError):
        robustness(broken, inputs, by_auc(positive, Z))


def test_no_more_rows_are_looked_at_than_are_said_each_once_and_in_order():
    chosen = chosen_rows(3 * ROWS)
    assert len(chosen) == ROWS
    assert (np.diff(chosen) > 0).all()
    assert chosen[-1] > 2 * ROWS
    assert chosen_rows(7).tolist() == list(range(7))


def test_of_a_number_and_of_several_classes_the_loss_that_shuffling_adds_is_measured():
    inputs, positive = _rows()
    values = _score(inputs)
    number = by_task("regression", values, Z)
    of_number = robustness(_score, inputs, number)
    assert of_number["mean_squared_error"]["value"] == 0
    lost = of_number["columns"]["kind"]["permuted"]
    assert lost["lower"] > 0
    assert lost["method"] == "normal_paired"
    assert of_number["columns"]["kind"]["missing"]["value"] > 0
    assert of_number["columns"]["noise"]["permuted"]["value"] == 0

    def of_classes(given):
        return np.stack([1 - _score(given), _score(given)], axis=1)

    several = robustness(of_classes, inputs, by_task("multi_class", positive.astype(float), Z))
    assert several["log_loss"]["value"] > 0
    assert several["columns"]["kind"]["permuted"]["lower"] > 0
    assert several["columns"]["noise"]["missing"] == several["log_loss"]
