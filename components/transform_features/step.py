"""Transform: fit one transform on the training split, apply it to every row, carry it to ONNX.

Rules:
1. deny unless a PASS exists: without a validation that passed, for these very examples and this
   schema, nothing is done;
2. the transform is fitted on the training split alone; where models get a SavedModel, columns that
   it cannot name are refused first: which a preprocessing_fn reads, nothing before can tell;
3. rows in are rows out, in their order, or the stage fails;
4. the ONNX form must give TFT's features on every evaluation row and on hand-made edge rows.

Equal examples and settings give equal preprocessing.json, preprocessing.onnx and features; TFT's
SavedModel itself does not repeat byte by byte.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ConfigDict, Field

from components.core.canonical import sha256_file
from components.core.data_settings import Beam, Source, Transform
from components.core.examples import ExamplesManifest
from components.core.features import FeatureSpec
from components.core.outcome import Outcome
from components.core.settings import Section
from components.core.signature_names import require_signature_names
from components.core.training_settings import Train
from components.core.validated import require_validated
from components.transform_features.fitted import FILE_NAME as FITTED_NAME
from components.transform_features.label_scale import label_scale
from components.transform_features.recipe import Fitted, Recipe, recipe_of
from components.transform_features.rows import require_values
from components.transform_features.stock_graph import graphs_named_in

if TYPE_CHECKING:
    from components.transform_features.materialize import Agreement


class TrainedForms(Section):
    """Of the settings of the training only the forms that a model gets."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    forms: tuple[str, ...] = Train().forms


class TransformSettings(Section):
    """The transform, its engine, and the schema that the examples were validated against.

    `train` says whether columns must have names that a SavedModel can have.
    """

    transform: Transform
    source: Source
    beam: Beam
    train: TrainedForms = TrainedForms()
    schema_text: str = Field(alias="schema")

    def user_modules(self) -> list[str]:
        """Return the module of the user's preprocessing_fn, for the cache key."""
        name = self.transform.preprocessing_fn
        return [name.partition(":")[0]] if name else []


def transform_features(
    *,
    settings: TransformSettings,
    examples: Path,
    validation: Path,
    transform_graph: Path,
    features: Path,
) -> Outcome:
    """Fit on the training split, transform every row, and prove the ONNX form equal."""
    from components.transform_features.application import SavedTransform
    from components.transform_features.materialize import Materializer
    from components.transform_features.parts import Parts

    require_validated(examples, validation, settings.schema_text)
    manifest = ExamplesManifest.read(examples)
    recipe = recipe_of(settings.transform, settings.source, manifest)
    if "saved_model" in settings.train.forms:
        require_signature_names(recipe.inputs)
    require_values(examples, manifest, recipe.inputs)
    with (
        recipe.naming_the_line(),
        tempfile.TemporaryDirectory(prefix=".parts-", dir=features) as parts,
    ):
        fitted = _fit(examples, recipe, transform_graph, Path(parts), settings.beam)
        weight = settings.transform.sample_weight
        writer = Materializer(examples, manifest, fitted, transform_graph, weight)
        saved = SavedTransform(transform_graph)
        writer.require_independent(saved)
        edges = writer.prove_edges(saved)
        made = Parts(Path(parts), manifest) if settings.beam.work == "all" else saved
        evaluation = writer.write(features, made)
    spec = _spec(fitted, manifest, weight, sha256_file(transform_graph / FITTED_NAME))
    if spec.task == "regression":
        spec = spec.model_copy(update={"scale": label_scale(examples, manifest)})
    spec.write(features)
    graphs = graphs_named_in(settings.user_modules())
    return _outcome(spec, evaluation, edges, graphs)


def _fit(examples: Path, recipe: Recipe, transform_graph: Path, parts: Path, beam: Beam) -> Fitted:
    """Analyze the training split; where Beam does all, the features of all rows go to `parts`."""
    from components.transform_features.analysis import analyze
    from components.transform_features.on_beam import transform_on_beam

    if beam.work == "all":
        transform_on_beam(examples, recipe.inputs, recipe.preprocess, transform_graph, parts, beam)
    else:
        analyze(examples, recipe.inputs, recipe.preprocess, transform_graph, beam)
    fitted = recipe.read_fitted(transform_graph)
    fitted.write(transform_graph)
    recipe.write_onnx(transform_graph, fitted)
    return fitted


def _spec(
    fitted: Fitted, manifest: ExamplesManifest, weight: str | None, sha256: str
) -> FeatureSpec:
    return FeatureSpec(
        dense=tuple(column.name for column in fitted.dense),
        ids=fitted.id_features,
        label=manifest.label,
        task=manifest.task,
        classes=manifest.classes,
        weight=weight,
        rows={split: manifest.rows_of(split) for split in ("train", "eval")},
        preprocessing_sha256=sha256,
    )


def _outcome(
    spec: FeatureSpec, evaluation: Agreement, edges: Agreement, graphs: list[str]
) -> Outcome:
    facts = {
        "rows_by_split": dict(spec.rows),
        "dense": list(spec.dense),
        "ids": [feature.model_dump() for feature in spec.ids],
        "preprocessing_sha256": spec.preprocessing_sha256,
        "onnx_max_abs_difference": evaluation.largest,
        "onnx_compared_rows": evaluation.rows,
        "onnx_compared_edge_rows": edges.rows,
    }
    if graphs:
        facts["stock_graphs"] = graphs
    if spec.weight is not None:
        facts["sample_weight"] = spec.weight
    return Outcome(facts=facts, metadata={"features": {"rows": sum(spec.rows.values())}})
