"""A process that never saw anything else proves an imported model: `-m` this, FOLDER.

The folder holds request.json ({"format", "path", "signature", "columns", "target"}) and real rows,
rows.parquet; what was found is written beside them as answer.json: what the contract says of the
form that is served, which lies at `target` then, or {"error"}.

Rules: the model is loaded by its own runtime and asked for every row at once; the served form, from
its file, is asked for the same rows at each of BATCH_SIZES, and must give the same. Whatever a
model raises comes back as one error of the caller's, whose model it is; once it has seen rows its
words go to the log alone, because they may quote one.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from components.core.artifacts import read_json, write_json
from components.core.bundle import open_onnx
from components.core.contract import Output
from components.core.errors import SettingsError, TandemError
from components.core.form_proof import Parity
from components.core.operators import operators_of
from components.core.raw_inputs import batches, raw_inputs
from components.core.runtimes import onnx_score
from components.core.words import nearest
from components.import_model.originals import Original, open_original
from components.import_model.served_form import served_form
from components.import_model.served_output import (
    chosen,
    require_output,
    require_shape,
    require_values,
)
from components.import_model.signature import Signature
from components.training.composition import opset, write_onnx

REQUEST, ANSWER, ROWS = "request.json", "answer.json", "rows.parquet"
BATCH_SIZES = (1, 7, 1024)
SMALL_CALLS = 16
TOLERANCE = 1e-5
Array = np.ndarray[Any, Any]


def main(arguments: list[str]) -> int:
    """Prove a model; the exit code is that of the error, which is written."""
    folder, saw_rows = Path(arguments[0]), False
    try:
        request = read_json(folder / REQUEST)
        original = _opened(request)
        saw_rows = True
        answer = _proven(original, request, folder / ROWS)
    except Exception as error:  # noqa: BLE001 - the very top of a process for others' models
        traceback.print_exc()
        known = error if isinstance(error, TandemError) else _unrunnable(error, saw_rows=saw_rows)
        write_json(folder / ANSWER, {"error": known.to_dict()})
        return known.exit_code
    write_json(folder / ANSWER, answer)
    return 0


def _opened(request: Mapping[str, Any]) -> Original:
    """Load the model, and hold what it takes against the columns that there are."""
    said = request["signature"]
    signature = Signature.model_validate(said) if said else None
    original = open_original(request["format"], Path(request["path"]), signature)
    _require_columns(original.signature, request["columns"])
    if original.output is not None:
        require_output(original.output, Output.model_validate(request["output"]))
    return original


def _proven(original: Original, request: Mapping[str, Any], rows: Path) -> dict[str, Any]:
    """Write the served form and return what the contract says of it."""
    target, output = Path(request["target"]), Output.model_validate(request["output"])
    types = {column.name: column.dtype for column in original.signature.inputs}
    inputs = raw_inputs(pq.read_table(rows), types)
    expected = original.score(inputs)
    _write_served(original, expected, target, output)
    served = chosen(expected, original.signature, output)
    require_values(served, output)
    return {
        "inputs": [column.model_dump() for column in original.signature.inputs],
        "opset": opset(original.onnx) if _has_opset(original.onnx) else None,
        "operators": operators_of("onnx", target),
        "parameters": _parameters(original.onnx),
        "parity": _parity(target, inputs, served, _scale(served, request)).model_dump(mode="json"),
    }


def _has_opset(model: Any) -> bool:
    return any(entry.domain in {"", "ai.onnx"} for entry in model.opset_import)


def _parameters(model: Any) -> int:
    return sum(int(np.prod(weight.dims)) for weight in model.graph.initializer)


def _require_columns(signature: Signature, columns: Mapping[str, str]) -> None:
    """Raise SettingsError for an input that the examples do not have, or of another type."""
    for column in signature.inputs:
        actual = columns.get(column.name)
        if actual is None:
            raise SettingsError(
                f"the model takes {column.name}, which the examples do not have"
                f"{nearest(column.name, columns)}",
                remedy=f"the examples have: {', '.join(sorted(columns))} (the label is none)",
                expected=column.name,
                actual=sorted(columns),
            )
        if column.dtype == "float32" and actual == "string":
            raise SettingsError(
                f"the model takes {column.name} as {column.dtype}, and the examples hold {actual}",
                remedy="correct the signature, or export the model with an input of that type",
                expected=column.dtype,
                actual=actual,
            )


def _scale(served: Array, request: Mapping[str, Any]) -> Array:
    """Return in which units each output is compared (`components.core.contract.Parity`)."""
    deviation = request["deviation"]
    return np.ones(1) if deviation is None else np.maximum(deviation, abs(served))


def _write_served(original: Original, expected: Array, target: Path, output: Output) -> None:
    if original.served:
        target.write_bytes(original.onnx.SerializeToString(deterministic=True))
        return
    columns = require_shape(expected, output)
    write_onnx(served_form(original.onnx, original.signature, columns, output), target)


def _parity(target: Path, inputs: Mapping[str, Array], expected: Array, scale: Array) -> Parity:
    """Return how far the served form is from the model, at the worst size of batch."""
    score, worst = onnx_score(open_onnx(target)), 0.0
    for size in BATCH_SIZES:
        rows = len(expected) if size == BATCH_SIZES[-1] else min(len(expected), size * SMALL_CALLS)
        given = {name: values[:rows] for name, values in inputs.items()}
        actual = np.concatenate([score(part) for part in batches(given, size)])
        if actual.shape != expected[:rows].shape:
            raise SettingsError(
                f"the model gives {list(actual.shape)} for {rows} rows at batches of {size}",
                remedy="export it for batches of any size, one output a row",
            )
        apart = np.abs(actual - expected[:rows].astype(np.float64)) / scale[:rows]
        worst = max(worst, float(np.max(apart)))
    parity = Parity(
        rows=len(expected),
        batch_sizes=BATCH_SIZES,
        max_abs_difference=worst,
        tolerance=TOLERANCE,
    )
    if not parity.holds:
        raise SettingsError(
            f"the model gives other outputs in other batches, or is not carried to ONNX: "
            f"they differ by {worst:g}",
            remedy="export it in its state of inference, so that a row's output is its own",
            expected=TOLERANCE,
            actual=worst,
        )
    return parity


def _unrunnable(error: Exception, *, saw_rows: bool) -> SettingsError:
    """Return what a runtime raised as the caller's, without words that may quote a row."""
    lines = [] if saw_rows else str(error).strip().splitlines()
    words = f": {lines[0][:300]}" if lines else ""
    return SettingsError(
        f"the model does not run: {type(error).__name__}{words}",
        remedy="export it again with operators that onnxruntime has, for batches of any size; "
        "the task's log has the traceback",
    )


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # runtimes take their time to tear down
