"""What a model's own output must be for the task of the use case, and what is served of it.

Rules: of a class of two it is the probability of a 1, [rows], [rows, 1] or the chosen column of
[rows, 2]; of several a probability for each class, [rows, classes], in the order of the target's
classes, of sum 1; of a number the value, [rows] or [rows, 1]. Whatever is nothing of the kind on
real rows is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from components.core.contract import Output
from components.core.errors import SettingsError
from components.import_model.signature import Signature

# Float32 probabilities of a hundred classes add up to 1 within this.
SUM_TOLERANCE = 1e-4
Array = np.ndarray[Any, Any]


def require_output(given: Output, output: Output) -> None:
    """Raise SettingsError where a contract says that a model gives something else."""
    if given != output:
        raise SettingsError(
            f"the bundle gives {_told(given)}, and the use case asks for {_told(output)}",
            remedy="name the use case that it was trained for (-s)",
            expected=output.model_dump(mode="json"),
            actual=given.model_dump(mode="json"),
        )


def _told(output: Output) -> str:
    return f"{output.name} of {', '.join(output.classes)}" if output.classes else output.name


def require_shape(found: Array, output: Output) -> int:
    """Return how many columns a model's own output has, 0 for [rows]; SettingsError for others."""
    columns = found.shape[1] if found.ndim == 2 and found.shape[1] != 1 else 0
    wanted, remedy = {
        "binary": ((0, 2), "the probability of a 1: [rows], [rows, 1] or [rows, 2]"),
        "multi_class": (
            (len(output.classes),),
            f"a probability for each of {', '.join(output.classes)}: [rows, {len(output.classes)}]",
        ),
        "regression": ((0,), "the number: [rows] or [rows, 1]"),
    }[output.task]
    if found.ndim > 2 or columns not in wanted:
        raise SettingsError(
            f"the model's output has shape {list(found.shape)} for {len(found)} rows",
            remedy=f"export {remedy}",
            expected=["rows", wanted[-1] or 1],
            actual=list(found.shape),
        )
    return columns


def chosen(found: Array, signature: Signature, output: Output) -> Array:
    """Return what is served of a model's own output: [rows], of several classes [rows, classes]."""
    if output.task == "multi_class":
        return found
    if found.ndim == 2 and found.shape[1] == 2:
        return np.asarray(found[:, signature.positive])
    return found.reshape(-1)


def require_values(found: Array, output: Output) -> None:
    """Raise SettingsError unless what is served is what the task asks for, in every row."""
    wrong = int((~_right(found, output)).sum())
    if wrong and output.task == "regression":
        raise SettingsError(
            f"{wrong} of the model's {len(found)} outputs are no numbers",
            remedy="export a model that gives a finite number of rows with missing values too",
            expected="finite numbers",
            actual=wrong,
        )
    if wrong:
        summed = ", and a row's add up to 1" if output.task == "multi_class" else ""
        raise SettingsError(
            f"{wrong} of the model's {len(found)} outputs are no probabilities",
            remedy="export the probability (a logit needs its sigmoid or softmax"
            f"{summed}), of rows with missing values too",
            expected=[0, 1],
            actual=wrong,
        )


def _right(found: Array, output: Output) -> Array:
    """Say of each row whether its output is what the task asks for."""
    if output.task == "regression":
        return np.asarray(np.isfinite(found))
    within = (found >= 0) & (found <= 1)
    if output.task == "binary":
        return np.asarray(within)
    return np.asarray(within.all(axis=1) & (abs(found.sum(axis=1) - 1) <= SUM_TOLERANCE))
