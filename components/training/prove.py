"""One process of the proof, which never saw the trainer: `-m` this, FOLDER PROCESS.

The folder holds request.json ({"processes": {PROCESS: [{name, path}]}, "threads"}) and the evidence
(components/training/evidence.py). What was found is written beside it as PROCESS.json: {"forms"} or
{"error"}; a process that ends in the midst leaves {"proving"} with the form's name.

Rules: a form is loaded from its file, by its own runtime, and called at each of BATCH_SIZES; what
it gives is compared row by row with what the framework gave; the ONNX form is run whole, on raw
rows, and from its features on; the SavedModel by both of its signatures; the rows that are counted
are those of the form as it is. Whatever a form raises comes back as one error that names the form;
one that is not proven is the caller's, whose model function it carries.
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
from components.core.bundle import Parity
from components.core.errors import IntegrityError, SettingsError, TandemError
from components.core.operators import operators_of
from components.core.runtimes import RUNTIMES, Score, open_form, open_saved_model
from components.training.evidence import Evidence, Rows
from components.training.parity import prove

BATCH_SIZES = (1, 7, 1024)
# Calls of the small sizes; the largest goes through every row.
SMALL_CALLS = 16
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
    """Return the operators and the parity of one form."""
    parities = [
        _compare(name, score, rows) for score, rows in _cases(name, path, evidence, threads)
    ]
    parity = Parity(
        rows=parities[0].rows,
        batch_sizes=BATCH_SIZES,
        max_abs_difference=max(part.max_abs_difference for part in parities),
        tolerance=parities[0].tolerance,
    )
    return {"operators": operators_of(name, path), "parity": parity.model_dump(mode="json")}


def _cases(name: str, path: Path, evidence: Evidence, threads: int) -> Iterator[tuple[Score, Rows]]:
    """Yield each way to call a form, and the rows that it is called with."""
    if name == "onnx":
        from components.training.composition import open_features_part

        yield open_form(name, path, threads), evidence.raw
        yield open_features_part(path, threads), evidence.features
    elif name == "saved_model":
        for score in open_saved_model(path, threads).values():
            yield score, evidence.raw
    else:
        yield open_form(name, path, threads), evidence.features


def _compare(name: str, score: Score, given: Rows) -> Parity:
    """Return the largest difference over all batch sizes; SettingsError over the tolerance."""
    inputs, expected, found = given.inputs, given.expected, []
    for size in BATCH_SIZES:
        rows = len(expected) if size == BATCH_SIZES[-1] else min(len(expected), size * SMALL_CALLS)
        parts = [
            score({key: values[start : min(start + size, rows)] for key, values in inputs.items()})
            for start in range(0, rows, size)
        ]
        actual, when = np.concatenate(parts), f" at batches of {size}"
        found.append(prove(name, expected[:rows], actual, when, given.scale[:rows]))
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
        remedy="keep the model function to operators that every form carries, "
        "or leave the form out of train.forms",
    )


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # nothing is left to do, and runtimes take their time to tear down
