"""What a model's outputs mean, and how a batch's losses become one number, without a framework.

For outputs z [batch, C] and a label y [batch]:
    binary       C = 1    probability sigmoid(z)      loss: cross entropy of y in {0, 1}
    multi_class  C >= 2   probabilities softmax(z)    loss: cross entropy of y in {0 ... C - 1}
    regression   C = 1    the value z                 loss: (y - z)^2

Rules: a regression's model learns (y - mean) / deviation, with those of the training split, and
what is exported gives z * deviation + mean; a row weighs its sample weight times the weight of its
class, 1 where neither is given; the loss of a batch is sum(weight * loss) / sum(weight), so weights
of any scale give a mean. A batch whose weights are all zero has no mean: its loss is not a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.core.errors import SettingsError
from components.core.features import FeatureSpec, LabelScale
from components.core.task import Task

Array = np.ndarray[Any, Any]
# What is shown of validation rows beside the loss.
MEASURES: Mapping[Task, str] = {
    "binary": "accuracy",
    "multi_class": "accuracy",
    "regression": "mean absolute error",
}


@dataclass(frozen=True)
class Head:
    """A task with its number of outputs; `scale` is that of a regression's label."""

    task: Task = "binary"
    outputs: int = 1
    scale: LabelScale | None = None

    @classmethod
    def of(cls, spec: FeatureSpec) -> Head:
        """Return the head that the features' label asks for."""
        return cls(spec.task, spec.outputs, spec.scale)

    @property
    def classes(self) -> int | None:
        """Return the number of classes; None: the label is a number."""
        return {"binary": 2, "multi_class": self.outputs, "regression": None}[self.task]

    def learned(self, label: Array) -> Array:
        """Return labels [n] as a model learns them, float32."""
        if self.scale is None:
            return label
        return ((label - self.scale.mean) / self.scale.deviation).astype(np.float32)

    @property
    def unit(self) -> float:
        """Return what an error of 1 in what a model learns is in what it predicts."""
        return self.scale.deviation if self.scale else 1.0


BINARY = Head()


def check_head(head: Task, outputs: int, class_weights: int | None) -> None:
    """Raise SettingsError unless a head takes so many outputs and so many class weights."""
    if (head == "multi_class") != (outputs > 1):
        fits = "2 or more" if head == "multi_class" else "1"
        raise SettingsError(
            f"the {head} head takes {fits} outputs a row, not {outputs}",
            remedy="build the model with the head's number of outputs",
            expected=fits,
            actual=outputs,
        )
    classes = {"binary": 2, "multi_class": outputs, "regression": None}[head]
    if class_weights is not None and class_weights != classes:
        raise SettingsError(
            f"the {head} head of {classes or 'no'} classes got {class_weights} class weights",
            remedy="give one weight for each class, and none for a regression",
            expected=classes,
            actual=class_weights,
        )
