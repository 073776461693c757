"""The heads in PyTorch: loss and activation; components.training.heads says what they compute."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from components.training.heads import Head, check_head


def loss(
    head: Head,
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


def activation(head: Head, output: Tensor) -> Tensor:
    """Return probabilities or values: [batch], or [batch, C] of a multi_class head."""
    if head == "multi_class":
        return torch.softmax(output, dim=1)
    single = output.squeeze(1)
    return torch.sigmoid(single) if head == "binary" else single


def _losses(head: Head, output: Tensor, label: Tensor) -> Tensor:
    """Return each row's loss, [batch]."""
    if head == "multi_class":
        return functional.cross_entropy(output, label.long(), reduction="none")
    single = output.squeeze(1)
    if head == "binary":
        return functional.binary_cross_entropy_with_logits(single, label, reduction="none")
    return (label - single) ** 2
