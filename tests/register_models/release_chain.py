"""Runs whose stages go through run_stage with small steps, so that their records are real."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tiny_bundles
from made_evaluations import around, model
from stage_ports import FolderPort

from components.core.artifacts import read_json, tree_digest, write_json
from components.core.outcome import Outcome
from components.core.settings import Section
from components.decide_release.step import decide_release
from components.register_models.step import register_models
from components.stage import run_stage

REGISTRY = {"model_name": "flights", "experiment": "tandem"}
POLICY = {"gates": [{"metric": "auc", "operator": ">=", "threshold": 0.7}]}


TRAINED: dict[str, Any] = {
    "epochs": 2,
    "epoch_losses": [0.5, 0.25],
    "validation_losses": [0.75, 0.5],
    "final_loss": 0.25,
    "device": "cpu",
    "family": "wide_and_deep",
    "trained_with": {"train.learning_rate": 0.01, "train.batch_size": 64},
    "weights_sha256": "2" * 64,
}
SEARCHED: dict[str, Any] = {
    "best_trial": 2,
    "trials": [
        {"values": {"train.learning_rate": 0.1}, "failed": "the loss is nan"},
        {"values": {"train.learning_rate": 0.01}, "validation_loss": 0.5},
    ],
}


CARD = {
    "origin": "An authority | and another",
    "collection": "All departures",
    "licence": "CC0-1.0",
    "purpose": "# Tell of <late> flights",
    "personal_data": {"present": True, "categories": ["names of builders"]},
    "known_gaps": ["One year only"],
}
WINDOW = {"first": "2013-01", "last": "2013-02"}
INGESTED: dict[str, Any] = {
    "rows": 3000,
    "rows_by_split": {"train": 2000, "eval": 1000},
    "splits": {"train": ["2013-01"], "eval": ["2013-02"]},
    "source": {
        "files": [{"location": "flights.csv", "sha256": "3" * 64, "bytes": 9}],
        "rows": 3001,
    },
    "dropped": [{"reason": "cancelled", "rows": 1}],
    "card_sha256": "4" * 64,
}


SIZES = {"pytorch": {"onnx": 100}, "tensorflow": {"onnx": 100, "litert": 90}}


class Nothing(Section):
    """No settings."""


class Ingested(Section):
    """What a model card says of the data."""

    card: dict[str, Any]
    window: dict[str, str]


def ingest_examples(*, settings: Ingested, examples: Path) -> Outcome:
    write_json(examples / "rows.json", [1, 2, 3])
    return Outcome(facts=INGESTED)


def validate_examples(*, settings: Nothing, examples: Path, validation: Path) -> Outcome:
    write_json(validation / "validation.json", {"passed": True})
    return Outcome()


def transform_features(
    *, settings: Nothing, examples: Path, validation: Path, features: Path
) -> Outcome:
    write_json(features / "features.json", {})
    return Outcome()


def train_pytorch(*, settings: Nothing, features: Path, pytorch_model: Path) -> Outcome:
    tiny_bundles.write_bundle(pytorch_model, "pytorch")
    return Outcome(facts=TRAINED | {"search": SEARCHED})


def train_tensorflow(*, settings: Nothing, features: Path, tensorflow_model: Path) -> Outcome:
    tiny_bundles.write_bundle(tensorflow_model, "tensorflow", 0.9, -0.6)
    return Outcome(facts=TRAINED)


def import_model(
    *, settings: Nothing, examples: Path, validation: Path, imported_model: Path
) -> Outcome:
    tiny_bundles.write_bundle(imported_model, "imported")
    return Outcome(facts={"weights_sha256": "2" * 64})


def evaluate_imported(
    *,
    settings: Nothing,
    examples: Path,
    imported_model: Path,
    evaluation: Path,
) -> Outcome:
    """Write an evaluation of the one real bundle with made numbers."""
    measured = model() | {"bundle_sha256": tree_digest(imported_model)}
    alone = {f"{name}_difference": None for name in ("auc", "log_loss")}
    made = {"models": {"imported": measured}, "comparison": alone}
    write_json(evaluation / "evaluation.json", made)
    return Outcome()


evaluate_imported.__name__ = "evaluate_models"


def measure_imported(
    *, settings: Nothing, examples: Path, imported_model: Path, measurements: Path
) -> Outcome:
    """Write made measurements of the one bundle."""
    speed = {"one_row_ms": {"p50": 0.1}, "rows_per_second": 10.0, "size_bytes": 100}
    forms = {"imported": {"forms": {"onnx": speed}}}
    write_json(measurements / "measurements.json", {"models": forms})
    return Outcome(facts={"size_bytes": {"imported": {"onnx": 100}}})


measure_imported.__name__ = "measure_models"


class Made(Section):
    """The AUC that the made evaluation gives TensorFlow."""

    tensorflow_auc: float


def evaluate_models(
    *,
    settings: Made,
    examples: Path,
    pytorch_model: Path,
    tensorflow_model: Path,
    evaluation: Path,
) -> Outcome:
    """Write an evaluation of the real bundles with made numbers."""
    models = {"pytorch": model(), "tensorflow": model(settings.tensorflow_auc)}
    models["pytorch"]["bundle_sha256"] = tree_digest(pytorch_model)
    models["tensorflow"]["bundle_sha256"] = tree_digest(tensorflow_model)
    comparison = {f"{name}_difference": around(0.02, 0.01) for name in ("auc", "log_loss")}
    write_json(evaluation / "evaluation.json", {"models": models, "comparison": comparison})
    return Outcome()


def measure_models(
    *,
    settings: Nothing,
    examples: Path,
    pytorch_model: Path,
    tensorflow_model: Path,
    measurements: Path,
) -> Outcome:
    """Write made measurements."""
    speed = {"one_row_ms": {"p50": 0.1}, "rows_per_second": 10.0, "size_bytes": 100}
    forms = {"forms": {"onnx": speed}}
    write_json(
        measurements / "measurements.json", {"models": {"pytorch": forms, "tensorflow": forms}}
    )
    return Outcome(facts={"size_bytes": SIZES})


class Chain:
    """One run: `ports` holds its artifacts."""

    def __init__(
        self,
        folder: Path,
        run_id: str = "run-1",
        *,
        cache: bool = False,
        decide: Callable[..., Outcome] = decide_release,
    ) -> None:
        self.folder = folder / run_id
        self.decide = decide
        self.run = {
            "id": run_id,
            "name": "flights",
            "trigger": "manual",
            "actor": "someone",
            "code": {"commit": "c" * 40, "dirty": False},
            "ir_sha256": "1" * 64,
            "settings_sha256": "2" * 64,
            "cache": cache,
        }
        self.ports: dict[str, FolderPort] = {}

    def stage(
        self,
        step: Callable[..., Outcome],
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        """Run one stage as its face does."""
        made = {name: FolderPort(str(self.folder / step.__name__ / name)) for name in outputs}
        run_stage(
            step,
            run=self.run,
            parameters=parameters or {},
            inputs={name: self.ports[name] for name in inputs},
            outputs=made,
        )
        self.ports |= made

    def until_decision(
        self,
        tensorflow_auc: float = 0.74,
        *,
        validated: bool = True,
        last_span: str = "2013-02",
        tensorflow_step: Callable[..., Outcome] = train_tensorflow,
    ) -> Chain:
        """Run everything before registration."""
        data = {"card": CARD, "window": {**WINDOW, "last": last_span}}
        self.stage(ingest_examples, (), ("examples",), data)
        if validated:
            self.stage(validate_examples, ("examples",), ("validation",))
        else:
            self.stage(skip_validation, ("examples",), ("validation",))
        self.stage(transform_features, ("examples", "validation"), ("features",))
        self.stage(train_pytorch, ("features",), ("pytorch_model",))
        self.stage(tensorflow_step, ("features",), ("tensorflow_model",))
        measured = ("examples", "pytorch_model", "tensorflow_model")
        made = {"tensorflow_auc": tensorflow_auc}
        self.stage(evaluate_models, measured, ("evaluation",), made)
        self.stage(measure_models, measured, ("measurements",))
        inputs = ("evaluation", "measurements")
        self.stage(self.decide, inputs, ("decision",), {"policy": POLICY})
        return self

    def until_decision_of_an_import(self, last_span: str = "2013-02") -> Chain:
        """Run everything before the registration of a model from elsewhere."""
        data = {"card": CARD, "window": {**WINDOW, "last": last_span}}
        self.stage(ingest_examples, (), ("examples",), data)
        self.stage(validate_examples, ("examples",), ("validation",))
        self.stage(import_model, ("examples", "validation"), ("imported_model",))
        inputs = ("examples", "imported_model")
        self.stage(evaluate_imported, inputs, ("evaluation",))
        self.stage(measure_imported, inputs, ("measurements",))
        measured = ("evaluation", "measurements")
        self.stage(decide_release, measured, ("decision",), {"policy": POLICY})
        return self

    def register(self, step: Callable[..., Outcome] = register_models) -> dict[str, Any]:
        """Run register_models and return registration.json."""
        models = (f"{name}_model" for name in ("pytorch", "tensorflow", "imported"))
        inputs = (*(name for name in models if name in self.ports), "evaluation", "decision")
        parameters = {"run": self.run, "registry": REGISTRY}
        self.stage(step, inputs, ("registration",), parameters)
        found: dict[str, Any] = read_json(self.path("registration") / "registration.json")
        return found

    def path(self, name: str) -> Path:
        """Return where an artifact lies."""
        return Path(self.ports[name].path)


def skip_validation(*, settings: Nothing, examples: Path, validation: Path) -> Outcome:
    """A stage that is not validate_examples, in its place."""
    write_json(validation / "validation.json", {"passed": True})
    return Outcome()


def train_swapped(*, settings: Nothing, features: Path, tensorflow_model: Path) -> Outcome:
    """A trainer that puts the other framework's bundle into its port."""
    tiny_bundles.write_bundle(tensorflow_model, "pytorch")
    return Outcome()


train_swapped.__name__ = "train_tensorflow"
