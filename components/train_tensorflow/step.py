"""train_tensorflow: train the Keras model on the features and export its bundle.

Rules: PyTorch is never imported here; rows, batches, first weights and the optimiser's steps are
those of train_pytorch; nothing is written that was not proven. It does not measure quality:
evaluate_models does, from the bundle alone.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from components.core.outcome import Outcome
from components.core.settings import ModelFamily, Section, Train


class TrainTensorflowSettings(Section):
    """What training depends on."""

    model: ModelFamily
    train: Train

    def user_modules(self) -> list[str]:
        """Return the module of the model function, for the cache key."""
        return [self.model.function("tensorflow").partition(":")[0]]


def train_tensorflow(
    *,
    settings: TrainTensorflowSettings,
    features: Path,
    transform_graph: Path,
    tensorflow_model: Path,
    checkpoints: Path | None = None,
) -> Outcome:
    """Write the bundle and its contract.json.

    model.onnx and saved_model take raw rows, model.tflite takes features, which
    preprocessing.onnx makes.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    from components.core.features import FeatureSpec, load_split
    from components.train_tensorflow import export, precision, training
    from components.train_tensorflow.litert import write_litert
    from components.train_tensorflow.saved_model import write_saved_model
    from components.training.checkpoints import Checkpoints
    from components.training.fitting import Fit
    from components.training.functions import MODEL_FUNCTION, family_of, load_model_function
    from components.training.parity import Evaluated
    from components.training.proof import Prover
    from components.training.sealing import Preprocessing, Trained, outcome, seal, write_raw_onnx
    from components.training.search import tuned
    from components.training.users_line import naming_the_users_line

    name, arrays = settings.model.function("tensorflow"), load_split(features, "train")
    proof = Prover("saved_model")
    spec, preprocessing = FeatureSpec.read(features), Preprocessing.read(transform_graph)

    def build(family: ModelFamily, train: Train) -> Any:
        training.fix_machine(train)
        with naming_the_users_line(name, MODEL_FUNCTION), precision.policy(train.precision):
            model = load_model_function(name)(spec, family, train.seed)
            export.check_model(model, spec, name)
        return model

    def fitted(model: Any, train: Train, kept: Path | None = None) -> Fit:
        with naming_the_users_line(name, MODEL_FUNCTION, on_rows=True):
            return training.fit_model(model, arrays, train, Checkpoints(kept, train))

    found = tuned(settings.model, settings.train, lambda *given: fitted(build(*given), given[1]))
    train, trained_model = found.train, build(found.model, found.train)
    done = fitted(trained_model, train, checkpoints)
    model = precision.in_float32(trained_model, found.model, train, build)
    with naming_the_users_line(name, MODEL_FUNCTION, on_rows=True):
        scored = export.scored(model, spec)
        predict, exported = export.predictor(scored), export.to_onnx(scored, spec)
        evaluated = Evaluated.by(predict, load_split(features, "eval"))
        written = [write_raw_onnx(tensorflow_model, exported, preprocessing)]
        if "saved_model" in train.forms:
            written.append(write_saved_model(tensorflow_model, scored, preprocessing))
        if "litert" in train.forms:
            written.append(write_litert(tensorflow_model, scored, spec))
        evidence = preprocessing.evidence(predict, evaluated)
    forms = proof.prove(tensorflow_model, written, evidence)
    trained = Trained(
        framework="tensorflow",
        family=family_of(name),
        spec=spec,
        weights=training.weight_arrays(model),
        parameters=training.parameter_count(model),
        fit=done,
        search=found.facts,
        evaluated_rows=len(evaluated.predictions),
    )
    contract = seal(tensorflow_model, trained, preprocessing, forms)
    threads = training.threads_in_use()
    return outcome("tensorflow_model", trained, contract, train, threads, training.DETERMINISM)
