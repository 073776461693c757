"""What a model's outputs mean, and how a batch's losses become one number, without a framework.

For outputs z [batch, C] and a label y [batch]:
    binary       C = 1    probability sigmoid(z)      loss: cross entropy of y in {0, 1}
    multi_class  C >= 2   probabilities softmax(z)    loss: cross entropy of y in {0 ... C - 1}
    regression   C = 1    the value z                 loss: (y - z)^2

Rules: a row weighs its sample weight times the weight of its class, 1 where neither is given; the
loss of a batch is sum(weight * loss) / sum(weight), so weights of any scale give a mean. A batch
whose weights are all zero has no mean: its loss is not a number. The pipeline itself offers binary
only (ModelFamily.head); the others are for a trainer of one's own.
"""

from __future__ import annotations

from typing import Literal

from components.core.errors import SettingsError

Head = Literal["binary", "multi_class", "regression"]


def check_head(head: Head, outputs: int, class_weights: int | None) -> None:
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
