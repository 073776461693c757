"""One process of the proof, which never saw the trainer: `-m` this, FOLDER PROCESS.

The folder holds request.json ({"processes": {PROCESS: [{name, path}]}, "threads"}) and the evidence
(components/training/evidence.py). What was found is written beside it as PROCESS.json: {"forms"} or
{"error"}; a process that ends in the midst leaves {"proving"} with the form's name.

Rules: a form is loaded from its file, by its own runtime, and called at each of BATCH_SIZES; what
it gives is compared row by row with what the framework gave; the ONNX form is run whole, on raw
rows, and from its features on; the SavedModel by both of its signatures; the rows that are counted
are those of the form as it is. Whatever a form raises comes back as one error that names the form;
one that is not proven is the caller's, whose model function it carries. A form of 8 bits is held to
what components/training/quality.py asks for, not to single differences.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from components.core.artifacts import read_json, write_json
from components.core.errors import IntegrityError, SettingsError, TandemError
from components.core.form_proof import AnyQuality, Parity
from components.core.operators import operators_of
from components.core.runtimes import RUNTIMES, Score, open_form, open_saved_model
from components.training.evidence import Evidence, Rows
from components.training.parity import ALONE, CARRIED, prove
from components.training.quality import (
    require_agreement,
    require_predictions,
    require_quality,
    worst,
)

BATCH_SIZES = (1, 7, 1024)
# Calls of the small sizes; the largest goes through every row.
SMALL_CALLS = 16
# Of forms of 8 bits: an AUC or an accuracy of fewer rows is luck.
QUALITY_CALLS = 8192
INT8 = ("onnx_int8_dynamic", "onnx_int8_static", "litert_int8")
REQUEST = "request.json"


def main(arguments: list[str]) -> int:
    """Prove the forms of one process; the exit code is that of the error, which is written."""
    folder, process = Path(arguments[0]), arguments[1]
    request, answer = read_json(folder / REQUEST), folder / f"{process}.json"
    evidence, found = Evidence.read(folder), {}
    for form in request["processes"][process]:
        name = form["name"]
        write_json(answer, {"proving": name})
        try:
            found[name] = _prove(name, Path(form["path"]), evidence, request["threads"])
        except Exception as error:  # noqa: BLE001 - the very top of a process for users' operators
            traceback.print_exc()
            known = _of_the_caller(name, error)
            write_json(answer, {"error": known.to_dict()})
            return known.exit_code
    write_json(answer, {"forms": found})
    return 0


def _prove(name: str, path: Path, evidence: Evidence, threads: int) -> dict[str, Any]:
    """Return the operators and the proof of one form."""
    if name in INT8:
        quality = _quality(name, path, evidence, threads).model_dump(mode="json")
        return {"operators": operators_of(name, path), "quality": quality}
    parities = []
    for score, rows in _cases(name, path, evidence, threads):
        raw = rows is evidence.raw  # the ONNX form's part behind the features is proven by then
        parities.append(_compare(name, score, rows, raw=raw))
    parity = Parity(
        rows=parities[-1].rows,
        batch_sizes=BATCH_SIZES,
        max_abs_difference=max(part.max_abs_difference for part in parities),
        tolerance=parities[-1].tolerance,
    )
    return {"operators": operators_of(name, path), "parity": parity.model_dump(mode="json")}


def _cases(name: str, path: Path, evidence: Evidence, threads: int) -> Iterator[tuple[Score, Rows]]:
    """Yield each way to call a form, and the rows that it is called with."""
    if name == "onnx":
        from components.training.composition import open_features_part

        whole = open_form(name, path, threads)
        yield open_features_part(path, threads), evidence.features
        yield whole, evidence.raw
    elif name == "saved_model":
        for score in open_saved_model(path, threads).values():
            yield score, evidence.raw
    else:
        yield open_form(name, path, threads), evidence.features


def _quality(name: str, path: Path, evidence: Evidence, threads: int) -> AnyQuality:
    """Return the worst that a form of 8 bits gives at any size of batch.

    A form of raw rows is judged by its part behind the preprocessing, which is float32 and must
    hand over what the features are: on raw rows it and the part say the same.
    """
    head = evidence.head
    whole, given = open_form(name, path, threads), evidence.edges
    of_features = whole
    if RUNTIMES[name] == RUNTIMES["onnx"]:
        from components.training.composition import open_features_part

        given, of_features = evidence.raw, open_features_part(path, threads)
    found = []
    for size in BATCH_SIZES:
        on_edges = _in_batches(whole, given, size, SMALL_CALLS)
        require_predictions(name, given.expected[: len(on_edges)], on_edges, size, head)
        part = _in_batches(of_features, evidence.edges, size, SMALL_CALLS)
        require_agreement(name, part, on_edges, size, head)
        actual = _in_batches(of_features, evidence.evaluation, size, QUALITY_CALLS)
        expected, label = (a[: len(actual)] for a in (evidence.evaluation.expected, evidence.label))
        found.append(require_quality(name, expected, actual, label, size, head))
    return worst(found)


def _in_batches(score: Score, given: Rows, size: int, calls: int) -> Any:
    """Return what a form gives of the first rows; of all, where batches are of the largest size."""
    rows = len(given.expected)
    rows = rows if size == BATCH_SIZES[-1] else min(rows, size * calls)
    parts = [
        score(
            {key: values[start : min(start + size, rows)] for key, values in given.inputs.items()}
        )
        for start in range(0, rows, size)
    ]
    return np.concatenate(parts)


def _compare(name: str, score: Score, given: Rows, *, raw: bool) -> Parity:
    """Return the largest difference over all batch sizes; SettingsError over the tolerance."""
    found = []
    for size in BATCH_SIZES:
        actual = _in_batches(score, given, size, SMALL_CALLS)
        when = f"{' on raw rows' if raw else ''} at batches of {size}"
        expected, scale = given.expected[: len(actual)], given.scale[: len(actual)]
        remedy = f"{CARRIED}; {ALONE}" if raw else CARRIED
        found.append(prove(name, expected, actual, when, scale, remedy))
    most = max(parity.max_abs_difference for parity in found)
    return found[-1].model_copy(update={"max_abs_difference": most})


def _of_the_caller(name: str, error: Exception) -> TandemError:
    if isinstance(error, IntegrityError):
        told = {"expected": error.expected, "actual": error.actual}
        return SettingsError(error.message, remedy=error.remedy, **told)
    return error if isinstance(error, TandemError) else _unrunnable(name, error)


def _unrunnable(name: str, error: Exception) -> SettingsError:
    lines = str(error).strip().splitlines()
    cause = lines[0][:300] if lines else "no message"
    return SettingsError(
        f"the {name} form was converted but does not run in {RUNTIMES[name]}: "
        f"{type(error).__name__}: {cause}",
        remedy=CARRIED,
    )


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # nothing is left to do, and runtimes take their time to tear down
