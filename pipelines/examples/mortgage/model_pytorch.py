"""A family of one's own in PyTorch: a scorecard, the same function as model_tensorflow.

Copy both modules for a model of your own. `build_model` is what the settings name; it gets the
features' names and sizes, the settings' `model` section, and the seed. FAMILY is for the contract.
"""

from __future__ import annotations

from torch import Tensor, nn

from components.core.features import FeatureSpec
from components.core.model_settings import ModelFamily

FAMILY = "scorecard"


class Scorecard(nn.Module):  # type: ignore[misc]
    """Points for each dense feature and for each id of an id feature, added up to a logit."""

    def __init__(self, spec: FeatureSpec) -> None:
        super().__init__()
        self.dense = nn.Linear(len(spec.dense), 1)
        self.ids = nn.ModuleList(nn.Embedding(feature.buckets, 1) for feature in spec.ids)
        for weights in self.parameters():
            nn.init.zeros_(weights)

    def forward(self, dense: Tensor, ids: Tensor) -> Tensor:
        """Return the logit, [batch, 1], of dense float32 [batch, D] and ids int32 [batch, K]."""
        logit = self.dense(dense)
        for place, points in enumerate(self.ids):
            logit = logit + points(ids[:, place])
        return logit


def build_model(spec: FeatureSpec, family: ModelFamily, seed: int) -> Scorecard:
    """Return the model; it starts at zero, so the seed and the hyper-parameters are not used."""
    return Scorecard(spec)
