"""import_model: a model that was trained elsewhere becomes a bundle that can be measured.

Rules:
1. deny unless a PASS exists: the rows that it is proven on are those of a validation that passed;
2. what is copied is what was named when the run started, by its digest; nothing of it is loaded in
   this process, and a pickle is never loaded at all;
3. it is proven in a process of its own (proving.py): that it loads by its own runtime, gives
   what the task asks for on each of the first eval rows, and that model.onnx, which is served,
   gives as much;
4. the bundle holds the model as it was given, in SOURCE, whole, and the form that was proven here:
   other forms that a bundle of ours had are kept there too, and are no forms of this one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from components.core.artifacts import read_json, write_json
from components.core.bundle import Bundle, files_of
from components.core.candidates import IMPORTED
from components.core.canonical import sha256_file
from components.core.contract import Contract, Form, Input, Output
from components.core.errors import IntegrityError, PlatformError, SettingsError, error_from_dict
from components.core.examples import ExamplesManifest, read_split
from components.core.form_proof import Parity
from components.core.outcome import Outcome
from components.core.quiet import QUIET
from components.core.settings import Digest, Section
from components.core.validated import require_validated
from components.import_model.formats import Format, digest_of
from components.import_model.signature import Signature
from components.import_model.tfx_artifacts import artifacts_of

SPLIT = "eval"
ROWS_PROVEN = 2048
SECONDS = 600
SOURCE, SERVED = "source", "model.onnx"


class Given(Section):
    """The model as it is on this machine when the run starts."""

    name: str
    format: Format
    sha256: Digest
    signature: Signature | None = None
    artifacts: tuple[Digest, ...] = ()
    # Where this machine keeps it: neither recorded nor part of the cache key.
    path: str = Field(exclude=True)


class ImportSettings(Section):
    """The model, and the schema that the examples were validated against."""

    imported: Given
    schema_text: str = Field(alias="schema")


def import_model(
    *, settings: ImportSettings, examples: Path, validation: Path, imported_model: Path
) -> Outcome:
    """Write the bundle of a model; SettingsError for one that cannot be measured as it is."""
    require_validated(examples, validation, settings.schema_text)
    given = settings.imported
    source = _copied(given, imported_model / SOURCE)
    manifest = ExamplesManifest.read(examples)
    rows = read_split(examples, SPLIT).slice(0, ROWS_PROVEN)
    found = _proven(given, source, rows, manifest, imported_model / SERVED)
    output = Output.of(manifest.task, manifest.classes)
    contract = _contract(imported_model, found, output)
    contract.write(imported_model)
    Bundle.open(imported_model)
    facts = {
        "given": _said_of(given),
        "rows_by_split": {SPLIT: rows.num_rows},
        "parameters": contract.parameters,
        "weights_sha256": contract.weights_sha256,
        "max_abs_difference": found["parity"]["max_abs_difference"],
    }
    return Outcome(facts=facts, metadata={"imported_model": {"framework": IMPORTED}})


def _copied(given: Given, target: Path) -> Path:
    """Copy the model into the bundle and return where it lies; IntegrityError if it has changed."""
    origin = Path(given.path)
    target.mkdir()
    if origin.is_dir():
        shutil.copytree(origin, target / given.name)
    elif origin.is_file():
        shutil.copyfile(origin, target / given.name)
    copy = target / given.name
    actual = digest_of(copy) if copy.exists() else "nothing"
    if actual != given.sha256:
        raise IntegrityError(
            f"{given.name} is not what it was when the run started",
            remedy="let nothing write to it, and register it again",
            expected=given.sha256,
            actual=actual,
        )
    return copy


def _said_of(given: Given) -> dict[str, Any]:
    """Return the facts of what was given; of its artifacts those that are still what they were."""
    said = {"name": given.name, "format": given.format, "sha256": given.sha256}
    now = artifacts_of(Path(given.path))
    artifacts = [sha256 for sha256 in given.artifacts if sha256 in now]
    return said | ({"artifacts": artifacts} if artifacts else {})


def _proven(
    given: Given, source: Path, rows: pa.Table, manifest: ExamplesManifest, target: Path
) -> dict[str, Any]:
    """Return what a process of its own found; raise its error."""
    from components.import_model import proving

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pq.write_table(rows.drop_columns([manifest.label]), folder / proving.ROWS)
        request = {
            "format": given.format,
            "path": str(source),
            "signature": given.signature.model_dump() if given.signature else None,
            "columns": {k: v for k, v in manifest.columns.items() if k != manifest.label},
            "target": str(target),
            "output": Output.of(manifest.task, manifest.classes).model_dump(mode="json"),
            "deviation": _deviation(rows, manifest),
        }
        write_json(folder / proving.REQUEST, request)
        code = _run(folder)
        file = folder / proving.ANSWER
        answer: dict[str, Any] = read_json(file) if file.is_file() else {}
    if "error" in answer:
        raise error_from_dict(answer["error"])
    if not answer:
        raise SettingsError(
            f"{given.name} ended the process that ran it, exit code {code}",
            remedy="see the task's log; export the model again, or give it more memory",
            expected=0,
            actual=code,
        )
    return answer


def _deviation(rows: pa.Table, manifest: ExamplesManifest) -> float | None:
    """Return the standard deviation of a number's labels, which parity is in units of."""
    if manifest.task != "regression":
        return None
    labels = rows[manifest.label].combine_chunks().cast(pa.float64())
    return float(np.std(labels.to_numpy(zero_copy_only=False))) or 1.0


def _run(folder: Path) -> int:
    """Run the proof and return its exit code; SettingsError where it does not end."""
    from components.import_model import proving

    command = [sys.executable, "-P", "-m", proving.__name__, str(folder)]
    try:
        done = subprocess.run(command, env={**QUIET, **os.environ}, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise SettingsError(
            f"the model gave no answer for {ROWS_PROVEN} rows in {SECONDS} s",
            remedy="export a faster one",
        ) from error
    except OSError as error:
        raise PlatformError(
            f"no process can be started: {error.strerror}", remedy="free memory, then resume"
        ) from error
    return done.returncode


def _contract(folder: Path, found: dict[str, Any], output: Output) -> Contract:
    form = Form(
        name="onnx",
        path=SERVED,
        takes="raw_rows",
        opset=found["opset"],
        operators={name: tuple(names) for name, names in found["operators"].items()},
        parity=Parity.model_validate(found["parity"]),
    )
    return Contract(
        framework="imported",
        family="custom",
        inputs=tuple(Input.model_validate(column) for column in found["inputs"]),
        output=output,
        forms=(form,),
        files=files_of(folder),
        weights_sha256=sha256_file(folder / SERVED),
        parameters=found["parameters"],
    )
