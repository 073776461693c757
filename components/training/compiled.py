"""A compiled step is used only where it computes what the step does that was not compiled.

Compared are a batch's output and the gradient of all weights, without dropout, by the length of the
difference in units of the length of what it should be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from components.core.errors import SettingsError
from components.core.features import FeatureArrays
from components.core.training_settings import Precision
from components.training.heads import BINARY, Head

Array = np.ndarray[Any, Any]
_ROWS = 256
# Eager execution in 16 bits is the rougher of the two: it rounds every intermediate number, while a
# compiler keeps some in float32. FT-Transformer's gradient in bf16 is 0.07 from the one in fp32.
TOLERANCES: Mapping[Precision, float] = {"fp32": 1e-4, "fp16": 0.05, "bf16": 0.2}


def compared_rows(arrays: FeatureArrays, head: Head = BINARY) -> FeatureArrays:
    """Return copies of the rows that both are compared on, with labels as a model learns them."""
    dense, ids, label = (p[:_ROWS].copy() for p in (arrays.dense, arrays.ids, arrays.label))
    return FeatureArrays(dense, ids, head.learned(label))


def compiled_difference(
    eager: Mapping[str, Array], compiled: Mapping[str, Array], precision: Precision
) -> float:
    """Return the largest relative difference; raise SettingsError where it is too large.

    Both hold `output` [batch, C] and `gradient`, that of all weights in one row.
    """
    found = {name: _relative(array, compiled[name]) for name, array in eager.items()}
    worst = max(found, key=lambda name: found[name])
    tolerance = TOLERANCES[precision]
    if not found[worst] <= tolerance:
        raise SettingsError(
            f"the compiled model computes another {worst}: it differs by {found[worst]:.3g}",
            remedy="set train.compile=false, or find what the compiler changes in the model",
            expected=f"at most {tolerance:g} of its length",
            actual=found[worst],
        )
    return found[worst]


def _relative(expected: Array, actual: Array) -> float:
    """Return the length of the difference in units of the expected length."""
    length = float(np.linalg.norm(expected))
    difference = float(np.linalg.norm(expected - actual))
    return difference / length if length else difference
