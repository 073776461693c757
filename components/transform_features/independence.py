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


def require_independent(
    saved: SavedTransform, raw: Mapping[str, np.ndarray[Any, Any]], fitted: Fitted
) -> None:
    """Raise SettingsError where rows have other features in small batches than all together.

    Those looked at again are spread over all: neighbours of a span may be alike.
    """
    together = saved.apply(raw)
    count = len(next(iter(raw.values())))
    places = np.unique(np.linspace(0, count - 1, sum(BATCHES)).astype(np.int64))
    parts = [
        saved.apply({name: values[part] for name, values in raw.items()})
        for part in np.split(places, np.cumsum(BATCHES)[:-1])
        if len(part)
    ]
    alone = Transformed(
        np.concatenate([part.dense for part in parts]), np.concatenate([part.ids for part in parts])
    )
    again = Transformed(together.dense[places], together.ids[places])
    found = differences(again, alone, fitted)
    if wrong := found.dense | found.ids:
        raise SettingsError(
            "the transform gives a row other features when other rows are beside it: "
            + ", ".join(wrong),
            remedy="use TFT's analyzers (tft.mean, tft.max), which look at every training row, for "
            "what depends on many rows, and nothing random",
            expected="no row",
            actual=wrong,
        )
