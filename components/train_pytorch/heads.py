"""The heads in PyTorch: loss and prediction; components.training.heads says what they compute."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from components.core.task import Task
from components.training.heads import Head, check_head
from components.training.quality import HALF


def loss(
    head: Task,
    output: Tensor,
    label: Tensor,
    sample_weights: Tensor | None = None,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Return the weighted mean of the rows' losses.

    `output` is [batch, C], `label` and `sample_weights` are [batch], `class_weights` is one for
    each class. Raises SettingsError where they do not fit the head.
    """
    check_head(head, output.shape[1], None if class_weights is None else len(class_weights))
    losses = _losses(head, output, label)
    weights = sample_weights
    if class_weights is not None:
        of_class = class_weights[label.long()]
        weights = of_class if weights is None else weights * of_class
    return losses.mean() if weights is None else (weights * losses).sum() / weights.sum()


def prediction(head: Head, output: Tensor) -> Tensor:
    """Return what a row is predicted to be, in the label's own scale: [batch] or [batch, C]."""
    if head.task == "multi_class":
        return torch.softmax(output, dim=1)
    if head.task == "binary":
        return torch.sigmoid(output).squeeze(1)
    single = output.squeeze(1)
    return single if head.scale is None else single * head.scale.deviation + head.scale.mean


def measure(head: Task, output: Tensor, label: Tensor) -> Tensor:
    """Return the mean over rows of what MEASURES names."""
    if head == "multi_class":
        return (output.argmax(dim=1) == label.long()).float().mean()
    single = output.squeeze(1)
    if head == "binary":
        return ((single > 0) == (label > HALF)).float().mean()
    return (label - single).abs().mean()


def _losses(head: Task, output: Tensor, label: Tensor) -> Tensor:
    """Return each row's loss, [batch]."""
    if head == "multi_class":
        return functional.cross_entropy(output, label.long(), reduction="none")
    single = output.squeeze(1)
    if head == "binary":
        return functional.binary_cross_entropy_with_logits(single, label, reduction="none")
    return (label - single) ** 2
