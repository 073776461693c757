"""Every built-in family in the variants that its settings allow, for the tests of both trainers."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from components.core.features import FeatureSpec, IdFeature
from components.core.model_settings import ModelFamily
from components.training.families.weights import Weights

IDS = (IdFeature(name="carrier", size=3), IdFeature(name="origin", size=2))
SPECS = {
    "dense and ids": FeatureSpec(dense=("a", "b"), ids=IDS, label="late", rows={}),
    "dense only": FeatureSpec(dense=("a", "b"), ids=(), label="late", rows={}),
    "ids only": FeatureSpec(dense=(), ids=IDS, label="late", rows={}),
}
DEEP: dict[str, Any] = {"hidden_units": (16, 8), "embedding_dim": 4}
TOKENS: dict[str, Any] = {"token_dim": 12, "attention_heads": 3}
VARIANTS: dict[str, dict[str, Any]] = {
    "wide_and_deep": {"family": "wide_and_deep", **DEEP},
    "wide_and_deep layer": {"family": "wide_and_deep", "normalisation": "layer", **DEEP},
    "wide_and_deep batch": {"family": "wide_and_deep", "normalisation": "batch", **DEEP},
    "wide_and_deep without hidden layers": {"family": "wide_and_deep", "hidden_units": ()},
    "dcn_v2 stacked": {"family": "dcn_v2", **DEEP},
    "dcn_v2 parallel": {"family": "dcn_v2", "structure": "parallel", "cross_layers": 3, **DEEP},
    "dcn_v2 low rank": {"family": "dcn_v2", "cross_rank": 2, "normalisation": "batch", **DEEP},
    "ft_transformer": {"family": "ft_transformer", "blocks": 3, **TOKENS},
    "ft_transformer of one block": {"family": "ft_transformer", "blocks": 1, **TOKENS},
}
FAMILIES = {name: ModelFamily.model_validate(values) for name, values in VARIANTS.items()}


def framework_free(family: ModelFamily) -> Any:
    """Return the family's module without a framework."""
    return import_module(f"components.training.families.{family.family}")


def weights_of(family: ModelFamily, spec: FeatureSpec) -> Weights:
    """Return the family's weights in their order."""
    weights: Weights = framework_free(family).weights(spec, family)
    return weights


def on(framework: str, family: ModelFamily) -> tuple[Any, Any]:
    """Return a framework's build_model of the family, and its shared layers."""
    package = f"components.train_{framework}.families"
    build = import_module(f"{package}.{family.family}").build_model
    return build, import_module(f"{package}.layers")


def drawn(family: ModelFamily, spec: FeatureSpec) -> dict[str, np.ndarray]:
    """Return weights none of which is where it starts, variances positive."""
    random = np.random.default_rng(4)
    return {
        name: (
            np.abs(random.standard_normal(weight.shape)) + 0.5
            if name.endswith("variance")
            else random.standard_normal(weight.shape) / 3
        ).astype(np.float32)
        for name, weight in weights_of(family, spec).items()
    }


def rows_of(spec: FeatureSpec, rows: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return dense and ids; the first row has the first id of each feature, the last the last."""
    random = np.random.default_rng(seed)
    dense = random.standard_normal((rows, len(spec.dense))).astype(np.float32)
    ids = np.zeros((rows, len(spec.ids)), np.int32)
    for place, feature in enumerate(spec.ids):
        ids[:, place] = random.integers(0, feature.buckets, rows)
        ids[0, place] = 0
        ids[-1, place] = feature.buckets - 1
    return dense, ids
