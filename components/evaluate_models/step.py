"""evaluate_models: measure every candidate, and the champion, as a consumer would.

Reads nothing but the bundles and the untransformed rows of the eval split: quality is that of
model.onnx, the form that is served; the trainers' own numbers are not looked at. Writes
`evaluation` (evaluation.json, and TFMA results in a folder for each model), which repeats for the
same bundles. It times nothing (measure_models does); of the models it judges nothing
(decide_release does), of its own work that all rows were measured (reconciled.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from components.core.candidates import CANDIDATES
from components.core.data_settings import Beam
from components.core.examples import ExamplesManifest
from components.core.measures import measures_of
from components.core.outcome import Outcome
from components.core.settings import Evaluate, Section
from components.core.slice_keys import OVERALL
from components.evaluate_models.candidates import (
    Champion,
    Measurable,
    at_hand,
    open_candidate,
    open_champion,
)
from components.evaluate_models.eval_rows import SPLIT, eval_rows
from components.evaluate_models.quality import evaluate_quality
from components.evaluate_models.reconciled import reconciled
from components.evaluate_models.target import Target


class EvaluateSettings(Section):
    """What evaluate_models depends on; {} is no champion."""

    evaluate: Evaluate
    beam: Beam = Beam()
    champion: Annotated[Champion | None, BeforeValidator(lambda value: value or None)] = None


def evaluate_models(
    *,
    settings: EvaluateSettings,
    examples: Path,
    evaluation: Path,
    pytorch_model: Path | None = None,
    tensorflow_model: Path | None = None,
    imported_model: Path | None = None,
) -> Outcome:
    """Measure the quality of every model that is given, by slice.

    Raises IntegrityError for a bundle that is not what it should be, DataError for rows or
    predictions that cannot be measured, SettingsError for a column that cannot be sliced by.
    """
    given = zip(CANDIDATES, (pytorch_model, tensorflow_model, imported_model), strict=True)
    models = [open_candidate(name, folder) for name, folder in given if folder]
    with at_hand(settings.champion) as champion:
        return _evaluated(settings, models, champion, examples, evaluation)


def _evaluated(
    settings: EvaluateSettings,
    models: list[Measurable],
    champion: Champion | None,
    examples: Path,
    evaluation: Path,
) -> Outcome:
    """Measure the candidates, and the champion where there is one."""
    manifest = ExamplesManifest.read(examples)
    if champion:
        output = models[0].bundle.contract.output
        models.append(open_champion(champion, manifest.columns, output))
    target = Target.of(manifest)
    rows = eval_rows(models, examples, manifest, settings.evaluate, settings.beam)
    gates = reconciled(rows.predicted, target, manifest.rows_of(SPLIT))
    quality = evaluate_quality(models, rows, target, settings.evaluate, evaluation)
    return Outcome(facts=_facts(quality), gates=gates)


def _facts(quality: Mapping[str, Any]) -> dict[str, Any]:
    """Return the overall numbers for the record."""
    names = ("n", *measures_of(quality).shown)
    overall = {
        model: {name: part["slices"][OVERALL][name] for name in names}
        for model, part in quality["models"].items()
    }
    return {
        "rows_by_split": {SPLIT: quality["rows"]},
        "overall": overall,
        "comparison": quality["comparison"],
    }
