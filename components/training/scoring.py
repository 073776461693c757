"""Predictions of any form of a bundle, from raw rows, as production asks for them.

Rules: a form that takes features gets them from the bundle's own preprocessing.onnx; rows are
scored a batch at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from components.core.bundle import Bundle
from components.core.errors import SettingsError
from components.core.raw_inputs import raw_inputs
from components.core.runtimes import open_form
from components.core.words import nearest
from components.reading.model_rows import rows_of
from components.training.parity import preprocessing_of


def scored(bundle: Bundle, form: str, file: Path) -> Iterator[Any]:
    """Return the prediction of each row of a file in order, some rows at a time.

    The form is opened at once and the file when the first rows are asked for.
    """
    score, inputs = scorer(bundle, form), bundle.contract.input_types
    return (score(raw_inputs(rows, inputs)) for rows in rows_of(file, inputs))


def scorer(bundle: Bundle, name: str) -> Callable[[Mapping[str, Any]], Any]:
    """Return what a form makes of raw rows; SettingsError where the bundle does not have it."""
    names = [form.name for form in bundle.contract.forms]
    if name not in names:
        raise SettingsError(
            f"the bundle has no form {name}{nearest(name, names)}",
            remedy=f"name one of: {', '.join(names)}",
        )
    score = open_form(name, bundle.path(name))
    if bundle.contract.form(name).takes == "raw_rows":
        return score
    features = preprocessing_of(bundle)
    return lambda rows: score(features(rows))
