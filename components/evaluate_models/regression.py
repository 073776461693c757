"""The metrics of one model of a number on one slice: what each is, and its interval.

| metric                         | value                                         | interval        |
|--------------------------------|-----------------------------------------------|-----------------|
| mean_squared_error             | mean of (prediction - label)^2                | normal          |
| root_mean_squared_error        | its root, in the label's unit                 | root of normal  |
| mean_absolute_error            | mean of |prediction - label|                  | normal          |
| mean_absolute_percentage_error | mean of 100 |prediction - label| / |label|    | normal          |
| mean_error                     | mean of prediction - label: the bias          | normal          |
| r2                             | 1 - squared errors / those of the mean label  | delta method    |
| calibration                    | mean prediction / mean label                  | delta method    |

A metric that a slice does not define (a percentage of the label 0, as in TFMA; a share of no
variance; a mean of one row) is None. What is in the label's unit, or its square, is rounded to as
many digits as it has where labels vary by 1: errors of small labels are not none.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from components.evaluate_models.intervals import (
    DIGITS,
    Floats,
    Measured,
    mean,
    paired,
    ratio,
    to_dicts,
)

ROOT = "root_of_normal"


def squared_errors(labels: Floats, values: Floats) -> Floats:
    """Return each row's squared error."""
    return (values - labels) ** 2


def measure(labels: Floats, values: Floats, z: float) -> dict[str, Any]:
    """Return one slice's part of evaluation.json; labels and values are [rows]."""
    errors = values - labels
    squares = mean(errors**2, z, 0.0)
    found = {
        "mean_squared_error": in_square(squares, labels),
        "root_mean_squared_error": _in_unit(_root(squares), labels),
        "mean_absolute_error": _in_unit(mean(abs(errors), z, 0.0), labels),
        "mean_absolute_percentage_error": _percentage(labels, errors, z),
        "mean_error": _in_unit(mean(errors, z), labels),
        "r2": _r2(labels, errors, z),
        "calibration": ratio(values, labels, z, -math.inf),
    }
    return {
        "n": len(labels),
        "mean_label": round(float(labels.mean()), digits(labels)),
        "mean_prediction": round(float(values.mean()), digits(labels)),
        **to_dicts(found),
    }


def differences(labels: Floats, first: Floats, second: Floats, z: float) -> dict[str, Any]:
    """Return first minus second of the errors of two models on the same rows."""
    one, two = first - labels, second - labels
    found = {
        "mean_squared_error_difference": in_square(paired(one**2, two**2, z), labels),
        "mean_absolute_error_difference": _in_unit(paired(abs(one), abs(two), z), labels),
    }
    return to_dicts(found)


def digits(labels: Floats, power: int = 1) -> int:
    """Return to how many decimals a value in that power of the labels' unit is rounded."""
    scale = float(labels.std()) or abs(float(labels.mean()))
    return DIGITS + power * max(0, math.ceil(-math.log10(scale))) if scale else DIGITS


def in_square(found: Measured | None, labels: Floats) -> Measured | None:
    """Return a value in the square of the labels' unit, to be rounded to its digits."""
    return replace(found, digits=digits(labels, 2)) if found else None


def _in_unit(found: Measured | None, labels: Floats) -> Measured | None:
    return replace(found, digits=digits(labels)) if found else None


def _root(squares: Measured | None) -> Measured | None:
    """Return the root of a value and of its bounds, none of which is below zero."""
    if squares is None:
        return None
    value, lower, upper = map(math.sqrt, (squares.value, squares.lower, squares.upper))
    return Measured(value, lower, upper, ROOT)


def _percentage(labels: Floats, errors: Floats, z: float) -> Measured | None:
    return mean(100 * abs(errors / labels), z, 0.0) if labels.all() else None


def _r2(labels: Floats, errors: Floats, z: float) -> Measured | None:
    """Return the coefficient of determination.

    The error is that of the ratio of both means: that the mean label is estimated too adds nothing
    of first order, since the squared distances are smallest there.
    """
    spread = (labels - labels.mean()) ** 2
    lost = ratio(errors**2, spread, z)
    if lost is None:
        return None
    return Measured(1 - lost.value, 1 - lost.upper, 1 - lost.lower, lost.method)
