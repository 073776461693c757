"""Load a bundle as MLflow serves it. This file travels with each registered version, as its code.

Rules: it stands alone, and needs numpy, pandas and onnxruntime only; nothing of a bundle is loaded
before every file was held against contract.json; rows are taken as `tandem models predict` takes
them, and given as it gives them: a missing text is "", a missing number NaN, and one thread makes
the numbers repeat.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

CONTRACT = "contract.json"
FORM = "onnx"
ROWS_AT_ONCE = 65_536


def _load_pyfunc(data_path: str) -> ServedModel:
    """Return the model of a bundle's folder: MLflow calls this by its name."""
    return ServedModel(Path(data_path))


class ServedModel:
    """Gives the prediction of each row of a DataFrame."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        contract = json.loads((folder / CONTRACT).read_bytes())
        _require_files(folder, contract["files"])
        (path,) = [form["path"] for form in contract["forms"] if form["name"] == FORM]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._inputs = {column["name"]: column["dtype"] for column in contract["inputs"]}
        self._output = contract["output"]["name"]
        self._classes = contract["output"].get("classes", [])
        self._session = onnxruntime.InferenceSession(
            str(folder / path), options, providers=["CPUExecutionProvider"]
        )

    def predict(self, rows: Any) -> Any:
        """Return a DataFrame of the predictions, in the rows' order and index.

        It has one column; of several classes one for each probability, and the name of the first
        that has the highest.
        """
        import pandas as pd

        parts = [
            self._score(rows.iloc[start : start + ROWS_AT_ONCE])
            for start in range(0, len(rows), ROWS_AT_ONCE)
        ]
        nothing = np.empty((0, len(self._classes)) if self._classes else 0, dtype=np.float32)
        scores = np.concatenate(parts) if parts else nothing
        if not self._classes:
            return pd.DataFrame({self._output: scores}, index=rows.index)
        columns = {f"probability_{name}": scores[:, n] for n, name in enumerate(self._classes)}
        columns["class"] = np.array(self._classes, dtype=object)[scores.argmax(axis=1)]
        return pd.DataFrame(columns, index=rows.index)

    def _score(self, rows: Any) -> Any:
        given = {name: _values(rows[name], dtype) for name, dtype in self._inputs.items()}
        return self._session.run([self._output], given)[0]


def _values(column: Any, dtype: str) -> Any:
    if dtype == "string":
        return column.astype(object).where(column.notna(), "").to_numpy(dtype=object)
    return column.to_numpy(dtype=np.float32, na_value=np.nan)


def _require_files(folder: Path, expected: dict[str, str]) -> None:
    """Raise ValueError unless the folder holds the files of the contract and no others."""
    actual = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path != folder / CONTRACT
    }
    differing = sorted(
        name for name in expected.keys() | actual.keys() if expected.get(name) != actual.get(name)
    )
    if differing:
        raise ValueError(
            f"the bundle differs from its contract: {', '.join(differing)}. "
            "Run `tandem models reconcile`, and find out who changed the stored files."
        )
