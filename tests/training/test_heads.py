"""A head's loss is the weighted mean that its formula says, in both frameworks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from components.core.errors import SettingsError
from components.core.task import Task
from components.training.heads import check_head

ROWS = 9
RANDOM = np.random.default_rng(8)
OUTPUTS: dict[Task, np.ndarray] = {
    "binary": RANDOM.standard_normal((ROWS, 1)).astype(np.float32),
    "multi_class": RANDOM.standard_normal((ROWS, 3)).astype(np.float32),
    "regression": RANDOM.standard_normal((ROWS, 1)).astype(np.float32),
}
LABELS: dict[Task, np.ndarray] = {
    "binary": RANDOM.integers(0, 2, ROWS).astype(np.float32),
    "multi_class": RANDOM.integers(0, 3, ROWS).astype(np.float32),
    "regression": RANDOM.standard_normal(ROWS).astype(np.float32),
}
CLASS_WEIGHTS: dict[Task, np.ndarray | None] = {
    "binary": np.array([0.5, 3.0], np.float32),
    "multi_class": np.array([1.0, 0.25, 4.0], np.float32),
    "regression": None,
}
SAMPLE_WEIGHTS = RANDOM.uniform(0, 2, ROWS).astype(np.float32)


def losses(head: Task) -> np.ndarray:
    """Return each row's loss by the formula of components.training.heads, in numpy."""
    output, label = OUTPUTS[head].astype(np.float64), LABELS[head]
    if head == "regression":
        return (label - output[:, 0]) ** 2
    if head == "binary":
        output = np.concatenate([np.zeros_like(output), output], axis=1)
    shares = np.exp(output) / np.exp(output).sum(axis=1, keepdims=True)
    return -np.log(shares[np.arange(ROWS), label.astype(int)])


def weights(head: Task, sample: bool, classes: bool) -> np.ndarray:
    of_class = CLASS_WEIGHTS[head]
    found = SAMPLE_WEIGHTS if sample else np.ones(ROWS)
    if classes and of_class is not None:
        found = found * of_class[LABELS[head].astype(int)]
    return found


def in_pytorch(head: Task, *arrays: Any) -> float:
    import torch

    from components.train_pytorch import heads

    return float(heads.loss(head, *(None if a is None else torch.from_numpy(a) for a in arrays)))


def in_tensorflow(head: Task, *arrays: Any) -> float:
    import tensorflow as tf

    from components.train_tensorflow import heads

    traced = tf.function(heads.loss)
    return float(traced(head, *(None if a is None else tf.constant(a) for a in arrays)))


@pytest.mark.slow
@pytest.mark.parametrize("classes", [False, True])
@pytest.mark.parametrize("sample", [False, True])
@pytest.mark.parametrize("head", OUTPUTS)
def test_a_loss_is_the_weighted_mean_of_its_formula(
    head: Task, sample: bool, classes: bool
) -> None:
    weighed = weights(head, sample, classes)
    expected = (weighed * losses(head)).sum() / weighed.sum()
    arrays = (
        OUTPUTS[head],
        LABELS[head],
        SAMPLE_WEIGHTS if sample else None,
        CLASS_WEIGHTS[head] if classes else None,
    )
    assert in_pytorch(head, *arrays) == pytest.approx(expected, abs=1e-6)
    assert in_tensorflow(head, *arrays) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("head", "outputs", "class_weights", "problem"),
    [
        ("binary", 2, None, "the binary head takes 1 outputs a row, not 2"),
        ("regression", 3, None, "the regression head takes 1 outputs a row, not 3"),
        ("multi_class", 1, None, "the multi_class head takes 2 or more outputs a row, not 1"),
        ("binary", 1, 3, "the binary head of 2 classes got 3 class weights"),
        ("multi_class", 4, 2, "the multi_class head of 4 classes got 2 class weights"),
        ("regression", 1, 1, "the regression head of no classes got 1 class weights"),
    ],
)
def test_outputs_and_class_weights_must_fit_the_head(
    head: Task, outputs: int, class_weights: int | None, problem: str
) -> None:
    with pytest.raises(SettingsError, match=problem):
        check_head(head, outputs, class_weights)
