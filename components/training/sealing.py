"""The last act of a trainer: the raw ONNX form, the contract, and what the record says.

Rules: nothing is sealed unless each epoch took, and the evaluation predicted, every row of the
features; the contract is written last and names every file; the bundle is then opened as a
consumer would open it. A digest of weights covers names, types, shapes and values, nothing of a
file format.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx

from components.core.artifacts import read_json
from components.core.bundle import Bundle, OnnxScorer, files_of, open_onnx
from components.core.canonical import canonical_json, sha256_file
from components.core.contract import OUTPUTS, Contract, FeatureInputs, Form, Input, Output
from components.core.errors import DataError, IntegrityError
from components.core.examples import InputType
from components.core.features import FeatureArrays, FeatureSpec
from components.core.outcome import Outcome
from components.core.training_settings import Train
from components.training.composition import (
    compose_raw,
    feature_model,
    opset,
    raw_input_types,
    write_onnx,
)
from components.training.evidence import Evidence
from components.training.fit import Fit
from components.training.heads import BINARY, Head
from components.training.parity import Evaluated, Predict, edge_rows, features_of
from components.training.proof import Written

PREPROCESSING = "preprocessing.onnx"
FITTED = "preprocessing.json"
MODEL = "model.onnx"
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Preprocessing:
    """The part of a transform graph that a bundle carries."""

    folder: Path
    model: Any
    inputs: Mapping[str, InputType]

    @classmethod
    def read(cls, transform_graph: Path) -> Preprocessing:
        """Read preprocessing.onnx and the raw inputs that it takes; DataError where it is gone."""
        for name in (PREPROCESSING, FITTED):
            if not (transform_graph / name).is_file():
                raise DataError(
                    f"the transform graph has no {name}", remedy="run transform_features again"
                )
        model = onnx.load(str(transform_graph / PREPROCESSING))
        return cls(transform_graph, model, raw_input_types(model))

    def require_made(self, features: FeatureSpec) -> None:
        """Raise DataError unless these fitted values made the features."""
        if features.preprocessing_sha256 != self.sha256:
            raise DataError(
                "the features were not made by this transform graph",
                remedy="train on the features and the graph of one transform_features",
                expected=self.sha256,
                actual=features.preprocessing_sha256,
            )

    @property
    def opset(self) -> int:
        """Return the opset that the model has to be exported with."""
        return opset(self.model)

    @property
    def sha256(self) -> str:
        """Return the digest of the fitted values."""
        return sha256_file(self.folder / FITTED)

    def edge_rows(self) -> dict[str, Array]:
        """Return raw rows that reach the edges of what was fitted."""
        fitted = read_json(self.folder / FITTED)
        words = {c.get("column", c["name"]): c.get("vocabulary", ()) for c in fitted["ids"]}
        return edge_rows(self.inputs, words)

    def features(self, rows: Mapping[str, Array]) -> FeatureArrays:
        """Return the features of raw rows."""
        return features_of(open_onnx(self.folder / PREPROCESSING), rows)

    def evidence(self, predict: Predict, evaluated: Evaluated, head: Head = BINARY) -> Evidence:
        """Return what forms are compared on; `predict` is the framework's own (dense, ids)."""
        rows = self.edge_rows()
        return Evidence.of(predict, evaluated, rows, self.features(rows), head)


def write_raw_onnx(
    folder: Path,
    exported: Any,
    preprocessing: Preprocessing,
    output: str = OUTPUTS["binary"],
) -> Written:
    """Compose and write the ONNX form, and beside it the preprocessing alone.

    Whoever uses a form that takes features makes them with the latter.
    """
    composed = compose_raw(preprocessing.model, feature_model(exported, output))
    write_onnx(composed, folder / MODEL)
    shutil.copyfile(preprocessing.folder / PREPROCESSING, folder / PREPROCESSING)
    return Written("onnx", MODEL, "raw_rows", opset=opset(composed))


def weights_sha256(weights: Mapping[str, Array]) -> str:
    """Return the digest of weights by name: names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, array in sorted(weights.items()):
        header = canonical_json([name, array.dtype.str, list(array.shape)])
        digest.update(len(header).to_bytes(8, "big") + header)
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Trained:
    """What a trainer knows of its model when all forms are written."""

    framework: Literal["pytorch", "tensorflow"]
    family: str
    spec: FeatureSpec
    weights: Mapping[str, Array]
    parameters: int
    fit: Fit
    evaluated_rows: int
    search: Mapping[str, Any] = field(default_factory=dict)


def seal(
    folder: Path, trained: Trained, preprocessing: Preprocessing, forms: tuple[Form, ...]
) -> Contract:
    """Write the contract, then open the bundle and score a row as a consumer would.

    Raises IntegrityError where a row of the features was left out.
    """
    _require_every_row(trained)
    contract = Contract(
        framework=trained.framework,
        family=trained.family,
        inputs=tuple(Input(name=n, dtype=d) for n, d in preprocessing.inputs.items()),
        output=Output.of(trained.spec.task, trained.spec.classes),
        features=FeatureInputs(dense=trained.spec.dense, ids=trained.spec.ids),
        forms=forms,
        files=files_of(folder),
        transform_sha256=preprocessing.sha256,
        weights_sha256=weights_sha256(trained.weights),
        parameters=trained.parameters,
        preprocessing=PREPROCESSING,
    )
    contract.write(folder)
    OnnxScorer(Bundle.open(folder)).score(preprocessing.edge_rows())
    return contract


def _require_every_row(trained: Trained) -> None:
    """Raise IntegrityError unless training and evaluation saw the rows that the features have."""
    train, evaluation = trained.spec.rows["train"], trained.spec.rows["eval"]
    train -= trained.fit.validation_rows
    counted = {
        "an epoch trained on": [(train, rows) for rows in trained.fit.epoch_rows],
        "the evaluation predicted": [(evaluation, trained.evaluated_rows)],
    }
    for what, pairs in counted.items():
        for expected, actual in pairs:
            if expected != actual:
                raise IntegrityError(
                    f"{what} {actual} of the features' {expected} rows",
                    remedy="report it with the settings; no model may be built on part of the rows",
                    expected=expected,
                    actual=actual,
                )


def outcome(
    port: str, trained: Trained, contract: Contract, train: Train, threads: int, determinism: str
) -> Outcome:
    """Return what the record says of the training."""
    facts = {
        "rows_by_split": {"train": trained.fit.epoch_rows[-1], "eval": trained.evaluated_rows},
        **trained.fit.facts(train),
        **trained.search,
        "family": trained.family,
        "parameters": contract.parameters,
        "weights_sha256": contract.weights_sha256,
        "seed": train.seed,
        "threads": threads,
        "determinism": determinism,
    }
    return Outcome(facts=facts, metadata={port: {"framework": trained.framework}})
