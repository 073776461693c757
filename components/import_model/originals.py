"""A model as its maker exported it, run by its own runtime: columns in, its own output out.

Why: what is served is made from it, and must give what it gives.

Rules: a runtime is imported only when a model of its format is opened; nothing here unpickles; a
model is asked for one batch at a time, whatever it was exported for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.core.bundle import Bundle, open_onnx
from components.core.contract import Output
from components.import_model.formats import Format
from components.import_model.served_form import declared_signature, output_of, read_onnx
from components.import_model.signature import Signature, contract_signature

Array = np.ndarray[Any, Any]
Columns = Mapping[str, Array]
Score = Callable[[Columns], Array]


@dataclass(frozen=True)
class Original:
    """A model as it was given: its ONNX, what it takes, and its output of columns.

    `score` gives its own output; `served` says that the ONNX is one that takes raw rows and gives
    what is served already, and `output` what that is.
    """

    onnx: Any
    signature: Signature
    score: Score
    served: bool = False
    output: Output | None = None


def open_original(kind: Format, path: Path, signature: Signature | None) -> Original:
    """Load a model; SettingsError for one that cannot be read or does not say what it takes."""
    return _OPENERS[kind](path, signature)


def _bundle(path: Path, signature: Signature | None) -> Original:
    bundle = Bundle.open(path)
    own = contract_signature(bundle.contract, signature)
    model = read_onnx(bundle.path("onnx"))
    session, output = open_onnx(bundle.path("onnx")), bundle.contract.output

    def score(columns: Columns) -> Array:
        return np.asarray(session.run([output.name], dict(columns))[0])

    return Original(model, own, score, served=True, output=output)


def _onnx(path: Path, signature: Signature | None) -> Original:
    model = read_onnx(path)
    own = declared_signature(model, signature)
    session = open_onnx(path)
    output = output_of([value.name for value in session.get_outputs()], own)
    taken = {value.name: value for value in session.get_inputs()}

    def score(columns: Columns) -> Array:
        given = _stacked(own, columns) if own.matrix else dict(columns)
        shaped = {name: _as_taken(taken[name], values) for name, values in given.items()}
        return np.asarray(session.run([output], shaped)[0])

    return Original(model, own, score)


def _stacked(signature: Signature, columns: Columns) -> dict[str, Array]:
    """Return all columns side by side, by the name of the one input."""
    return {str(signature.matrix): np.stack([columns[c.name] for c in signature.inputs], axis=1)}


def _as_taken(value: Any, values: Array) -> Array:
    """Return values in the type and the rank that a session's input has."""
    kinds = {"tensor(double)": np.float64, "tensor(float)": np.float32}
    values = values.astype(kinds[value.type]) if value.type in kinds else values
    return values.reshape(-1, 1) if values.ndim < len(value.shape) else values


def _of_tensorflow(path: Path, signature: Signature | None) -> Original:
    from components.import_model.of_frameworks import open_saved_model

    return open_saved_model(path, signature)


def _of_torch(path: Path, signature: Signature | None) -> Original:
    from components.import_model.of_frameworks import open_torch_export

    return open_torch_export(path, signature)


_OPENERS: Mapping[Format, Callable[[Path, Signature | None], Original]] = {
    "bundle": _bundle,
    "onnx": _onnx,
    "saved_model": _of_tensorflow,
    "torch_export": _of_torch,
}
