"""evaluate_models: measure every candidate, and the champion, as a consumer would.

Reads nothing but the bundles and the untransformed rows of the eval split: quality is that of
model.onnx, the form that is served; the trainers' own numbers are not looked at. Writes
`evaluation` (evaluation.json, and TFMA results in a folder for each model), which repeats for the
same bundles, and `measurements`, which does not. It judges nothing: gates are decide_release's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
from pydantic import BeforeValidator

from components.core.artifacts import write_json
from components.core.candidates import CHAMPION, IMPORTED, TRAINED
from components.core.data_settings import Beam
from components.core.examples import ExamplesManifest, raw_inputs
from components.core.measures import measures_of
from components.core.outcome import Outcome
from components.core.settings import Evaluate, Section
from components.core.slice_keys import OVERALL
from components.evaluate_models.candidates import (
    Champion,
    Measurable,
    open_candidate,
    open_champion,
)
from components.evaluate_models.eval_rows import SPLIT, eval_rows
from components.evaluate_models.forms import beside, time_forms, time_served
from components.evaluate_models.quality import evaluate_quality
from components.evaluate_models.target import Target
from components.evaluate_models.timing import THREADS, Often, machine
from components.evaluate_models.torch_process import TorchProcess

MEASUREMENTS_FILE = "measurements.json"


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
    measurements: Path,
    pytorch_model: Path | None = None,
    tensorflow_model: Path | None = None,
    imported_model: Path | None = None,
) -> Outcome:
    """Measure quality by slice, and speed and size, of every model that is given.

    Raises IntegrityError for a bundle that is not what it should be, DataError for rows or
    predictions that cannot be measured, SettingsError for a column that cannot be sliced by.
    """
    given = zip(
        (*TRAINED, IMPORTED), (pytorch_model, tensorflow_model, imported_model), strict=True
    )
    models = [open_candidate(name, folder, THREADS) for name, folder in given if folder]
    with beside(*(model.bundle for model in models)) as process:
        manifest = ExamplesManifest.read(examples)
        if settings.champion:
            output = models[0].bundle.contract.output
            champion = open_champion(settings.champion, THREADS, manifest.columns, output)
            models.append(champion)
        target = Target.of(manifest)
        rows = eval_rows(models, examples, manifest, settings.evaluate, settings.beam)
        quality = evaluate_quality(models, rows, target, settings.evaluate, evaluation)
        speed = _measure(models, rows.first, settings.evaluate, measurements, process)
    return Outcome(facts=_facts(quality, speed))


def _measure(
    models: Sequence[Measurable],
    first: pa.Table,
    options: Evaluate,
    measurements: Path,
    process: TorchProcess | None,
) -> dict[str, Any]:
    """Write and return measurements.json; nothing runs beside what is timed."""
    if process is not None:
        process.wait_until_ready()
    often = Often(options.latency_runs, options.batch_rows, options.confidence)
    timed = {}
    for model in models:
        inputs = raw_inputs(first, model.bundle.contract.input_types)
        forms = (
            time_served(model.bundle, inputs, often)  # others are nobody's choice any more
            if model.name == CHAMPION
            else time_forms(model.bundle, inputs, often, process)
        )
        timed[model.name] = {"forms": forms}
    names = {name for model in timed.values() for name in model["forms"]}
    speed = {"version": 1, "threads": THREADS, "machine": machine(names), "models": timed}
    write_json(measurements / MEASUREMENTS_FILE, speed)
    return speed


def _facts(quality: Mapping[str, Any], speed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the overall numbers for the record."""
    names = ("n", *measures_of(quality).shown)
    overall = {
        model: {name: part["slices"][OVERALL][name] for name in names}
        for model, part in quality["models"].items()
    }
    sizes = {
        model: {name: form["size_bytes"] for name, form in timed["forms"].items()}
        for model, timed in speed["models"].items()
    }
    return {
        "rows_by_split": {SPLIT: quality["rows"]},
        "overall": overall,
        "comparison": quality["comparison"],
        "size_bytes": sizes,
    }
