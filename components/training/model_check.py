"""What a model function must return, looked at before any row is trained on.

Rules: both frameworks refuse the same with the same words: what is no model, what does not give
[rows, outputs], and what cannot take the largest id of a feature, which on a GPU TensorFlow would
pass over in silence. What fails in a line of the user's own is left to users_line.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from components.core.errors import SettingsError
from components.core.features import FeatureSpec
from components.core.task import Task
from components.training.users_line import came_through

Array = np.ndarray[Any, Any]
Call = Callable[[Array, Array], Any]
ROWS = 2


def require_model(model: Any, kind: type, name: str) -> None:
    """Raise SettingsError unless a model function returned the framework's kind of model."""
    if not isinstance(model, kind):
        raise SettingsError(
            f"the model function {name} returns {_called(model)}, not a {_qualified(kind)}",
            remedy="return the model that is to be trained",
            expected=_qualified(kind),
            actual=type(model).__name__,
        )


WANTED: Mapping[Task, tuple[str, str]] = {
    "binary": ("a logit", "return one logit for each row"),
    "multi_class": ("logits", "return a logit for each class: spec.outputs says how many"),
    "regression": ("a value", "return one number for each row"),
}


def require_outputs(call: Call, spec: FeatureSpec, name: str) -> None:
    """Raise SettingsError unless a model gives [rows, outputs] of (dense, ids), for any ids."""
    ids = np.zeros((ROWS, len(spec.ids)), np.int32)
    output = _called_with(call, spec, ids, name, "gives no output")
    shape = getattr(output, "shape", None)
    expected = [ROWS, spec.outputs]
    if shape is None or list(shape) != expected:
        found = _called(output) if shape is None else str(list(shape))
        wanted, remedy = WANTED[spec.task]
        raise SettingsError(
            f"the model of {name} gives {found} for two rows, not {wanted} {expected}",
            remedy=remedy,
            expected=expected,
            actual=found,
        )
    for place, feature in enumerate(spec.ids):
        largest = ids.copy()
        largest[:, place] = feature.buckets - 1
        what = f"does not take the ids of {feature.name}, which are 0 to {feature.buckets - 1}"
        _called_with(call, spec, largest, name, what)


def _called_with(call: Call, spec: FeatureSpec, ids: Array, name: str, what: str) -> Any:
    """Return the output of two rows; `what` says of the model that it failed on them."""
    try:
        return call(np.zeros((ROWS, len(spec.dense)), np.float32), ids)
    except Exception as error:  # whatever the user's model, or the framework under it, raises
        if came_through(error, name):
            raise
        lines = str(error).strip().splitlines() or ["no message"]
        raise SettingsError(
            f"the model of {name} {what}: {type(error).__name__}: {lines[0][:300]}",
            remedy="take dense [rows, features] and ids [rows, features] by these names, and give "
            "an embedding as many rows as its feature has buckets",
        ) from error


def _called(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def _qualified(kind: type) -> str:
    return f"{kind.__module__.partition('.')[0]} {kind.__name__}"
