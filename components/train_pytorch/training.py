"""One training step in PyTorch, and what makes two runs equal.

Rules: threads are fixed; only deterministic algorithms; Adam's constants are those of
`components.training.adam`, so that the TensorFlow trainer takes equal steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from components.core.features import FeatureArrays
from components.core.settings import Train
from components.training import adam
from components.training.fitting import Fit, fit

DETERMINISM = "torch.use_deterministic_algorithms"


def fix_machine(train: Train) -> None:
    """Fix this process's threads, seed and algorithms."""
    torch.set_num_threads(train.threads)
    torch.manual_seed(train.seed)
    torch.use_deterministic_algorithms(True)
    # Filling fresh memory finds reads of it; this model has none, and filling costs time.
    torch.utils.deterministic.fill_uninitialized_memory = False


def fit_model(model: nn.Module, arrays: FeatureArrays, train: Train) -> Fit:
    """Train the model in place."""
    optimiser = torch.optim.Adam(
        model.parameters(),
        lr=train.learning_rate,
        betas=(adam.BETA_1, adam.BETA_2),
        eps=adam.EPSILON,
        fused=True,
    )
    model.train()

    def step(batch: FeatureArrays) -> float:
        optimiser.zero_grad(set_to_none=True)
        logit = model(torch.from_numpy(batch.dense), torch.from_numpy(batch.ids))
        loss = nn.functional.binary_cross_entropy_with_logits(
            logit.squeeze(1), torch.from_numpy(batch.label)
        )
        loss.backward()
        optimiser.step()
        return float(loss.item())

    done = fit(step, arrays, train)
    model.eval()
    return done


def weight_arrays(model: nn.Module) -> dict[str, np.ndarray[Any, Any]]:
    """Return the model's parameters and buffers by name."""
    return {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}


def parameter_count(model: nn.Module) -> int:
    """Return the number of trained parameters."""
    return sum(parameter.numel() for parameter in model.parameters())
