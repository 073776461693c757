"""Transform: fit one transform on the training split, apply it to every row, carry it to ONNX.

Rules:
1. deny unless a PASS exists: without a validation that passed, for these very examples and this
   schema, nothing is done;
2. the transform is fitted on the training split alone;
3. rows in are rows out, in their order, or the stage fails;
4. the ONNX form must give TFT's features on every evaluation row and on hand-made edge rows.

Equal examples and settings give equal preprocessing.json, preprocessing.onnx and features; TFT's
SavedModel itself does not repeat byte by byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from components.core.artifacts import read_json, tree_digest
from components.core.canonical import sha256_bytes, sha256_file
from components.core.errors import DataError, GateError, IntegrityError
from components.core.examples import ExamplesManifest, Split, raw_inputs, read_split
from components.core.features import FeatureArrays, FeatureSpec, IdFeature, write_split
from components.core.outcome import Outcome
from components.core.settings import Section, Source, Transform
from components.transform_features.declared import DeclaredFeatures, declare
from components.transform_features.fitted import FILE_NAME as FITTED_NAME
from components.transform_features.fitted import FittedTransform, read_fitted

SPLITS: tuple[Split, ...] = ("train", "eval")


@dataclass(frozen=True)
class RawRows:
    """A split's raw inputs {name: [rows]} and its label [rows] float32."""

    raw: Mapping[str, np.ndarray[Any, Any]]
    label: np.ndarray[Any, Any]


class TransformSettings(Section):
    """The declared features, and the schema that the examples were validated against."""

    transform: Transform
    source: Source
    schema_text: str = Field(alias="schema")


def transform_features(
    *,
    settings: TransformSettings,
    examples: Path,
    validation: Path,
    transform_graph: Path,
    features: Path,
) -> Outcome:
    """Fit on the training split, transform every row, and prove the ONNX form equal."""
    require_validated(examples, validation, settings.schema_text)
    manifest = ExamplesManifest.read(examples)
    declared = declare(settings.transform, settings.source, manifest)
    rows = {split: _read(examples, split, declared, manifest.label) for split in SPLITS}
    _require_values(rows["train"], declared)
    fitted = _fit(examples, declared, transform_graph)
    difference = _apply(rows, declared, fitted, transform_graph, features)
    spec = _spec(fitted, manifest)
    spec.write(features)
    return _outcome(spec, transform_graph, difference)


def require_validated(examples: Path, validation: Path, schema_text: str) -> None:
    """Raise unless the validation passed for exactly these examples and this schema (rule 1)."""
    verdict = read_json(validation / "validation.json")
    if not isinstance(verdict, dict) or verdict.get("passed") is not True:
        raise GateError(
            "the examples have no validation that passed",
            remedy="correct the data or the schema, then run validate_examples again",
            gates=verdict.get("gates", ()) if isinstance(verdict, dict) else (),
        )
    actual = {
        "examples_sha256": tree_digest(examples),
        "schema_sha256": sha256_bytes(schema_text.encode("utf-8")),
    }
    for name, digest in actual.items():
        if verdict.get(name) != digest:
            raise IntegrityError(
                f"the validation is of another {name.removesuffix('_sha256')}",
                remedy="validate these examples against this schema",
                expected=verdict.get(name),
                actual=digest,
            )


def _read(examples: Path, split: str, declared: DeclaredFeatures, label: str) -> RawRows:
    table = read_split(examples, split, [*declared.inputs, label])
    return RawRows(
        raw=raw_inputs(table, declared.inputs),
        label=np.asarray(table[label].to_numpy(), dtype=np.float32),
    )


def _require_values(train: RawRows, declared: DeclaredFeatures) -> None:
    """Raise DataError for a feature without a single value to fit on."""
    for name, kind in declared.inputs.items():
        values = train.raw[name]
        known = values != "" if kind == "string" else np.isfinite(values)
        if not known.any():
            raise DataError(
                f"feature {name} has no value in the training split",
                remedy="remove it from transform.features, or choose another window",
            )


def _fit(examples: Path, declared: DeclaredFeatures, transform_graph: Path) -> FittedTransform:
    from components.transform_features.analysis import analyze
    from components.transform_features.onnx_form import write_onnx

    analyze(examples, declared, transform_graph)
    fitted = read_fitted(transform_graph, declared)
    fitted.write(transform_graph)
    write_onnx(transform_graph, fitted)
    return fitted


def _apply(
    rows: Mapping[Split, RawRows],
    declared: DeclaredFeatures,
    fitted: FittedTransform,
    transform_graph: Path,
    features: Path,
) -> float:
    """Write the features of both splits; return the largest difference of the ONNX form."""
    from components.transform_features import onnx_form, parity
    from components.transform_features.application import SavedTransform

    saved = SavedTransform(transform_graph, declared)
    path = transform_graph / onnx_form.FILE_NAME
    edges = parity.edge_rows(fitted)
    parity.require_same(saved.apply(edges), parity.run_onnx(path, edges), fitted)
    differences = []
    for split, part in rows.items():
        made = saved.apply(part.raw)
        if split == "eval":
            carried = parity.run_onnx(path, part.raw)
            differences.append(parity.require_same(made, carried, fitted))
        _reconcile(split, len(made.dense), len(part.label))
        write_split(
            features, split, FeatureArrays(made.dense, made.ids.astype(np.int32), part.label)
        )
    return max(differences)


def _reconcile(split: str, made: int, given: int) -> None:
    if made != given:
        raise IntegrityError(
            f"the transform made {made} rows of {given} in split {split}",
            remedy="report it with the settings",
            expected=given,
            actual=made,
        )


def _spec(fitted: FittedTransform, manifest: ExamplesManifest) -> FeatureSpec:
    return FeatureSpec(
        dense=tuple(column.name for column in fitted.dense),
        ids=tuple(IdFeature(name=column.name, size=column.size) for column in fitted.ids),
        label=manifest.label,
        rows={split: manifest.rows_of(split) for split in SPLITS},
    )


def _outcome(spec: FeatureSpec, transform_graph: Path, difference: float) -> Outcome:
    facts = {
        "rows_by_split": dict(spec.rows),
        "dense": list(spec.dense),
        "ids": [feature.model_dump() for feature in spec.ids],
        "preprocessing_sha256": sha256_file(transform_graph / FITTED_NAME),
        "onnx_max_abs_difference": difference,
        "onnx_compared_rows": spec.rows["eval"],
    }
    return Outcome(facts=facts, metadata={"features": {"rows": sum(spec.rows.values())}})
