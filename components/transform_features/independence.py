"""Require that a row has the same features whatever rows are beside it.

Why: a preprocessing_fn may take the mean of its batch, number its rows or draw at random; such a
feature is one thing in training and another in production, where a row comes alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from components.core.errors import SettingsError
from components.transform_features.application import SavedTransform, Transformed
from components.transform_features.parity import differences
from components.transform_features.recipe import Fitted

BATCHES = (1, 2, 4, 8, 16, 32)
ROWS = sum(BATCHES)


def require_independent(
    saved: SavedTransform, raw: Mapping[str, np.ndarray[Any, Any]], fitted: Fitted
) -> None:
    """Raise SettingsError where some rows, ROWS at most, have other features in small batches."""
    together = saved.apply(raw)
    parts, start = [], 0
    for size in BATCHES:
        part = {name: values[start : start + size] for name, values in raw.items()}
        parts.append(saved.apply(part))
        start += size
    alone = Transformed(
        np.concatenate([part.dense for part in parts]), np.concatenate([part.ids for part in parts])
    )
    found = differences(together, alone, fitted)
    if wrong := found.dense | found.ids:
        raise SettingsError(
            "the transform gives a row other features when other rows are beside it: "
            + ", ".join(wrong),
            remedy="use TFT's analyzers (tft.mean, tft.max), which look at every training row, for "
            "what depends on many rows, and nothing random",
            expected="no row",
            actual=wrong,
        )
