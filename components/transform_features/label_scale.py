"""Mean and standard deviation of a label that is a number, over the training split.

Why: a model learns the label in standard deviations from its mean, as it takes its features; what
it is trained and exported with must be one and the same scale in both frameworks.

Rules: they are of the labels as a model sees them, float32, summed in float64 shard by shard; the
deviation is that of the population.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from components.core.errors import DataError
from components.core.examples import ExamplesManifest, iter_shard
from components.core.features import LabelScale


def label_scale(examples: Path, manifest: ExamplesManifest) -> LabelScale:
    """Return the scale; raise DataError where float32 cannot tell the labels apart."""
    rows = manifest.rows_of("train")
    mean = sum(float(part.sum()) for part in _labels(examples, manifest)) / rows
    squares = sum(float(((part - mean) ** 2).sum()) for part in _labels(examples, manifest))
    deviation = float(np.sqrt(squares / rows))
    if deviation == 0:
        raise DataError(
            f"the label {manifest.label} is one and the same float32 in every training row",
            remedy="subtract in the source what its values have in common",
            expected="numbers that a float32 tells apart",
        )
    return LabelScale(mean=mean, deviation=deviation)


def _labels(examples: Path, manifest: ExamplesManifest) -> Iterator[np.ndarray[Any, Any]]:
    for shard in manifest.shards_of("train"):
        for table in iter_shard(examples, manifest, shard, [manifest.label]):
            label = np.asarray(table[manifest.label].to_numpy(), dtype=np.float32)
            yield label.astype(np.float64)
