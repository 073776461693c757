"""What a form is compared on: rows, and what the framework itself gave for each.

Rules: raw rows reach the edges of the preprocessing; features are those of the raw rows and, after
them, of every evaluation row, so that the small batches too meet the edges; both lie in a folder,
for a process that never saw the trainer; a value comes back as it was, an absent one included.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from components.core.artifacts import read_json, write_json
from components.core.features import FeatureArrays
from components.training.heads import BINARY, Head
from components.training.parity import Evaluated, Predict, predict_all, scale_of

Array = np.ndarray[Any, Any]
HEAD = "head.json"


@dataclass(frozen=True)
class Rows:
    """Inputs by name, the framework's own prediction of each row, and parity's scale of it."""

    inputs: Mapping[str, Array]
    expected: Array
    scale: Array


@dataclass(frozen=True)
class Evidence:
    """Raw rows and features, each with what the framework gave; `label` is of evaluation rows.

    `head` says what it gave. The features are those of the raw rows and, after them, of the
    evaluation rows.
    """

    raw: Rows
    features: Rows
    label: Array = field(default_factory=lambda: np.empty(0, np.float32))
    head: Head = BINARY

    @property
    def edges(self) -> Rows:
        """Return the features of the raw rows."""
        return self._part(slice(0, len(self.raw.expected)))

    @property
    def evaluation(self) -> Rows:
        """Return the features of the evaluation rows."""
        return self._part(slice(len(self.raw.expected), None))

    def _part(self, part: slice) -> Rows:
        inputs = {name: values[part] for name, values in self.features.inputs.items()}
        return Rows(inputs, self.features.expected[part], self.features.scale[part])

    @classmethod
    def of(
        cls,
        predict: Predict,
        evaluated: Evaluated,
        raw: Mapping[str, Array],
        edges: FeatureArrays,
        head: Head = BINARY,
    ) -> Evidence:
        """Predict the edge rows; `edges` are the features of the `raw` rows."""
        on_edges = predict_all(predict, edges)
        inputs = {
            "dense": np.concatenate([edges.dense, evaluated.arrays.dense]),
            "ids": np.concatenate([edges.ids, evaluated.arrays.ids]),
        }
        expected = np.concatenate([on_edges, evaluated.predictions])
        scale = scale_of(inputs["dense"])
        if head.task == "regression":
            scale = np.maximum(scale * head.unit, np.abs(expected))
        return cls(
            Rows(raw, on_edges, scale[: len(on_edges)]),
            Rows(inputs, expected, scale),
            evaluated.arrays.label,
            head,
        )

    def write(self, folder: Path) -> None:
        """Write the evidence into a folder.

        Raw rows are few, and JSON's numbers hold a float32 exactly; pyarrow would import pandas.
        """
        for name, values in self.features.inputs.items():
            np.save(folder / f"{name}.npy", values)
        np.save(folder / "features.npy", self.features.expected)
        np.save(folder / "scale.npy", self.features.scale)
        np.save(folder / "raw.npy", self.raw.expected)
        np.save(folder / "label.npy", self.label)
        write_json(folder / HEAD, TypeAdapter(Head).dump_python(self.head, mode="json"))
        raw = {name: values.tolist() for name, values in self.raw.inputs.items()}
        (folder / "raw.json").write_text(json.dumps(raw), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Evidence:
        """Read the evidence of a folder; features are mapped."""
        features = {name: np.load(folder / f"{name}.npy", "r") for name in ("dense", "ids")}
        raw = {
            name: np.array(values, object if isinstance(values[0], str) else np.float32)
            for name, values in json.loads((folder / "raw.json").read_bytes()).items()
        }
        on_edges, scale = (np.load(folder / f"{name}.npy") for name in ("raw", "scale"))
        return cls(
            Rows(raw, on_edges, scale[: len(on_edges)]),
            Rows(features, np.load(folder / "features.npy"), scale),
            np.load(folder / "label.npy"),
            TypeAdapter(Head).validate_python(read_json(folder / HEAD)),
        )
