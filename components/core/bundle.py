"""A model bundle: a folder of exported forms and the contract that says what they are.

Why: whoever evaluates, registers or serves a model needs neither framework nor this project's
trainers, only the contract and one runtime.

Rules:
1. contract.json obeys schemas/model_contract.schema.json, which is closed;
2. every file of the bundle is named in it with its digest; an extra, missing or changed file is an
   IntegrityError, and so is a form whose proof exceeds its tolerance;
3. nothing of a bundle is loaded before both hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components.core.artifacts import manifest, same_files, tree_digest
from components.core.contract import CONTRACT_NAME, Contract
from components.core.errors import IntegrityError
from components.core.raw_inputs import batches, raw_inputs

PROBABILITY = "probability"
ROWS_AT_ONCE = 65_536
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Bundle:
    """A bundle whose contract and bytes were checked."""

    folder: Path
    contract: Contract

    @classmethod
    def open(cls, folder: Path) -> Bundle:
        """Check the contract and every file, then return the bundle; IntegrityError otherwise."""
        contract = Contract.read(folder)
        differences = same_files(contract.files, files_of(folder))
        if differences:
            raise IntegrityError(
                f"the {contract.framework} bundle differs from its contract: {differences[0]}",
                remedy="find out who changed it; train and export the model again",
                expected="the files that contract.json names",
                actual=differences,
            )
        return cls(folder, contract)

    @property
    def sha256(self) -> str:
        """Return the digest of the whole bundle, as its artifact has it."""
        return tree_digest(self.folder)

    def path(self, form: str) -> Path:
        """Return where a form lies."""
        return self.folder / self.contract.form(form).path

    def size_bytes(self, form: str) -> int:
        """Return the bytes of a form's file, or of all files in its folder."""
        path = self.path(form)
        files = [path] if path.is_file() else path.rglob("*")
        return sum(file.stat().st_size for file in files if file.is_file())


def files_of(folder: Path) -> dict[str, str]:
    """Return {path: sha256} of every file of a bundle but its contract."""
    return {path: digest for path, digest in manifest(folder).items() if path != CONTRACT_NAME}


def open_onnx(model: Path, threads: int = 1) -> Any:
    """Return an onnxruntime session on the CPU with a fixed number of threads."""
    import onnxruntime

    options = session_options(threads)
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def session_options(threads: int) -> Any:
    """Return onnxruntime's options for a fixed number of threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return options


class OnnxScorer:
    """Scores raw rows with a bundle's ONNX form and nothing else."""

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        self._inputs, self._output = bundle.contract.input_types, bundle.contract.output
        self._session = open_onnx(bundle.path("onnx"), threads)

    def predict(self, table: pa.Table) -> Array:
        """Return what the contract says is given for each row: float32 [n] or [n, classes]."""
        return self.score(raw_inputs(table, self._inputs))

    def score(self, inputs: Mapping[str, Array]) -> Array:
        """Return the same of raw inputs as `raw_inputs` gives them."""
        name, classes = self._output.name, self._output.classes
        parts = [self._session.run([name], part)[0] for part in batches(inputs, ROWS_AT_ONCE)]
        nothing = np.empty((0, len(classes)) if classes else 0, dtype=np.float32)
        return np.concatenate(parts) if parts else nothing
