"""train_pytorch: train the PyTorch model on the features and export its bundle.

Rules: TensorFlow is never imported here; rows, batches, first weights and the optimiser's steps
are those of train_tensorflow; nothing is written that was not proven. It does not measure quality:
evaluate_models does, from the bundle alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from components.core.outcome import Outcome
from components.core.settings import ModelFamily, Section, Train


class TrainPytorchSettings(Section):
    """What training depends on."""

    model: ModelFamily
    train: Train

    def user_modules(self) -> list[str]:
        """Return the module of the model function, for the cache key."""
        return [self.model.function("pytorch").partition(":")[0]]


def train_pytorch(
    *,
    settings: TrainPytorchSettings,
    features: Path,
    transform_graph: Path,
    pytorch_model: Path,
    checkpoints: Path | None = None,
) -> Outcome:
    """Write the bundle and its contract.json.

    model.onnx takes raw rows, model.pt2 features, which preprocessing.onnx makes.
    """
    from components.core.features import FeatureSpec, load_split
    from components.train_pytorch import export, training
    from components.training.checkpoints import Checkpoints
    from components.training.fitting import Fit
    from components.training.functions import MODEL_FUNCTION, family_of, load_model_function
    from components.training.parity import Evaluated
    from components.training.proof import Prover
    from components.training.sealing import Preprocessing, Trained, outcome, seal, write_raw_onnx
    from components.training.search import tuned
    from components.training.users_line import naming_the_users_line

    name, arrays = settings.model.function("pytorch"), load_split(features, "train")
    proof = Prover("torch_export")
    spec, preprocessing = FeatureSpec.read(features), Preprocessing.read(transform_graph)

    def build(family: ModelFamily, train: Train) -> Any:
        training.fix_machine(train)
        with naming_the_users_line(name, MODEL_FUNCTION):
            model = load_model_function(name)(spec, family, train.seed)
            export.check_model(model, spec, name)
        return model

    def fitted(model: Any, train: Train, kept: Path | None = None) -> Fit:
        with naming_the_users_line(name, MODEL_FUNCTION, on_rows=True):
            return training.fit_model(model, arrays, train, Checkpoints(kept, train))

    found = tuned(settings.model, settings.train, lambda *given: fitted(build(*given), given[1]))
    train, model = found.train, build(found.model, found.train)
    done = fitted(model, train, checkpoints)
    with naming_the_users_line(name, MODEL_FUNCTION, on_rows=True):
        program, predict = export.trace(model, spec), export.predictor(model)
        evaluated = Evaluated.by(predict, load_split(features, "eval"))
        exported = export.to_onnx(program, preprocessing.opset)
        written = [write_raw_onnx(pytorch_model, exported, preprocessing)]
        if "torch_export" in train.forms:
            written.append(export.write_program(pytorch_model, program))
        evidence = preprocessing.evidence(predict, evaluated)
    forms = proof.prove(pytorch_model, written, evidence)
    trained = Trained(
        framework="pytorch",
        family=family_of(name),
        spec=spec,
        weights=training.weight_arrays(model),
        parameters=training.parameter_count(model),
        fit=done,
        search=found.facts,
        evaluated_rows=len(evaluated.predictions),
    )
    contract = seal(pytorch_model, trained, preprocessing, forms)
    return outcome("pytorch_model", trained, contract, train, train.threads, training.DETERMINISM)
