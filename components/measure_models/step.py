"""measure_models: how fast and how large every form of each candidate is.

Reads nothing but the bundles and the first untransformed rows of the eval split. The pipeline runs
it by itself, after the evaluation, so that nothing is beside what is timed. Its `measurements` do
not repeat, and they do not depend on the champion: a run against another one takes them from the
cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from components.core.artifacts import write_json
from components.core.bundle import Bundle
from components.core.candidates import CANDIDATES
from components.core.examples import ExamplesManifest, Split
from components.core.outcome import Gate, Outcome
from components.core.raw_inputs import raw_inputs
from components.core.row_groups import take_rows
from components.core.settings import Evaluate, Section
from components.measure_models.forms import beside, time_forms
from components.measure_models.timing import THREADS, Often, machine

MEASUREMENTS_FILE = "measurements.json"
SPLIT: Split = "eval"


def _timing(evaluate: Any) -> Any:
    """Leave of the evaluation's settings those that timing depends on: others repeat no timing."""
    given = Evaluate.model_validate(evaluate)
    return {name: getattr(given, name) for name in Timing.model_fields}


class Timing(Section):
    """How often is timed."""

    batch_rows: int
    latency_runs: int
    confidence: float


class MeasureSettings(Section):
    """What measure_models depends on, of the section `evaluate`."""

    evaluate: Annotated[Timing, BeforeValidator(_timing)]


def measure_models(
    *,
    settings: MeasureSettings,
    examples: Path,
    measurements: Path,
    pytorch_model: Path | None = None,
    tensorflow_model: Path | None = None,
    imported_model: Path | None = None,
) -> Outcome:
    """Write measurements.json: speed and size of each form of every model that is given.

    Raises IntegrityError for a bundle that is not what it should be, DataError for a form that its
    runtime does not run.
    """
    given = zip(CANDIDATES, (pytorch_model, tensorflow_model, imported_model), strict=True)
    bundles = {name: Bundle.open(folder) for name, folder in given if folder}
    options = settings.evaluate
    often = Often(options.latency_runs, options.batch_rows, options.confidence)
    with beside(*bundles.values()) as process:
        rows = _first_rows(examples, max(often.runs, often.batch_rows))
        if process is not None:
            process.wait_until_ready()
        timed = {
            name: time_forms(bundle, raw_inputs(rows, bundle.contract.input_types), often, process)
            for name, bundle in bundles.items()
        }
    write_json(measurements / MEASUREMENTS_FILE, _document(timed))
    sizes = {
        model: {name: form["size_bytes"] for name, form in forms.items()}
        for model, forms in timed.items()
    }
    return Outcome(facts={"size_bytes": sizes}, gates=tuple(_proofs(bundles)))


def _proofs(bundles: Mapping[str, Bundle]) -> Iterator[Gate]:
    """Yield what each form's proof compared: a bundle with one that does not hold is not opened."""
    for model, bundle in bundles.items():
        for form in bundle.contract.forms:
            yield from form.gates(model)


def _first_rows(examples: Path, wanted: int) -> Any:
    """Return as many of the first rows of the eval split as there are, at most those wanted."""
    import numpy as np

    manifest = ExamplesManifest.read(examples)
    rows = np.arange(min(manifest.rows_of(SPLIT), wanted))
    return take_rows(examples, manifest, SPLIT, rows)


def _document(timed: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return measurements.json."""
    names = {name for forms in timed.values() for name in forms}
    return {
        "version": 1,
        "threads": THREADS,
        "machine": machine(names),
        "models": {model: {"forms": forms} for model, forms in timed.items()},
    }
