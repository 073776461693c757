"""The course of a trainer's stage, the same for both: search, train, export, prove, seal.

Rules: a framework does only what needs it (Framework); what a record says, which rows are seen and
what may be sealed is decided here, once for both. Nothing is written that was not proven. Quality
is not measured here: evaluate_models does, from the bundle alone.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from components.core.contract import OUTPUTS
from components.core.features import FeatureArrays, FeatureSpec, load_split
from components.core.model_settings import ModelFamily
from components.core.outcome import Outcome
from components.core.resources import Stopwatch
from components.core.training_nodes import TrainingNodes, nodes_here
from components.core.training_settings import Train
from components.training.checkpoints import Checkpoints
from components.training.cost import write_cost
from components.training.fit import Fit
from components.training.framework import Framework
from components.training.functions import MODEL_FUNCTION, family_of
from components.training.heads import Head
from components.training.int8 import write_int8
from components.training.parity import Evaluated
from components.training.processes import Request, train_in_processes
from components.training.proof import Prover
from components.training.sealing import Preprocessing, Trained, outcome, seal, write_raw_onnx
from components.training.search import tuned
from components.training.users_line import naming_the_users_line


@dataclass(frozen=True)
class Course:
    """One stage under way: a framework, a model function, and the features."""

    framework: Framework
    function: str
    spec: FeatureSpec
    features: Path
    arrays: FeatureArrays

    @classmethod
    def on(cls, framework: Framework, function: str, features: Path) -> Course:
        """Open the features for the model function's training."""
        arrays = load_split(features, "train")
        return cls(framework, function, FeatureSpec.read(features), features, arrays)

    @property
    def head(self) -> Head:
        """What the model's outputs mean."""
        return Head.of(self.spec)

    def run(
        self,
        model: ModelFamily,
        train: Train,
        *,
        transform_graph: Path,
        bundle: Path,
        cost: Path | None,
        checkpoints: Path | None,
    ) -> Outcome:
        """Write the bundle of the trained model, and what it cost; return what the record says."""
        framework, preprocessing = self.framework, Preprocessing.read(transform_graph)
        preprocessing.require_made(self.spec)
        proof = Prover(framework.form)
        watch = Stopwatch()
        found = tuned(model, train, self._trial)
        family, train = found.model, found.train
        fitted, done = self.trained(family, train, checkpoints)
        if cost is not None:
            write_cost(cost, framework.name, watch, done)
        ready = framework.exporting(fitted, family, here(train), self.build)
        with naming_the_users_line(self.function, MODEL_FUNCTION, on_rows=True):
            exported = framework.export(ready, self.spec, preprocessing, train, self.arrays)
            evaluated = Evaluated.by(exported.predict, load_split(self.features, "eval"))
            graph, output = exported.onnx, OUTPUTS[self.spec.task]
            written = [write_raw_onnx(bundle, graph, preprocessing, output)]
            written += [write(bundle) for write in exported.forms]
            written += write_int8(bundle, graph, preprocessing, train.forms, self.arrays)
            evidence = preprocessing.evidence(exported.predict, evaluated, self.head)
        forms = proof.prove(bundle, written, evidence)
        trained = Trained(
            framework=framework.name,
            family=family_of(self.function),
            spec=self.spec,
            weights=framework.weights(ready),
            parameters=framework.parameters(ready),
            fit=done,
            search=found.facts,
            evaluated_rows=len(evaluated.predictions),
        )
        contract = seal(bundle, trained, preprocessing, forms)
        threads = framework.threads(train)
        port = f"{framework.name}_model"
        return outcome(port, trained, contract, train, threads, framework.determinism)

    def build(self, family: ModelFamily, train: Train) -> Any:
        """Return the untrained model."""
        with naming_the_users_line(self.function, MODEL_FUNCTION):
            return self.framework.build(self.function, self.spec, family, train)

    def fit(self, model: Any, train: Train, kept: Path | None) -> Fit:
        """Train the model in place, in this process; checkpoints are kept in that folder."""
        with naming_the_users_line(self.function, MODEL_FUNCTION, on_rows=True):
            checkpoints = Checkpoints(kept, train)
            return self.framework.fit(model, self.head, self.arrays, train, checkpoints)

    def trained(
        self, family: ModelFamily, train: Train, kept: Path | None = None
    ) -> tuple[Any, Fit]:
        """Return the trained model and what its training came to, in however many processes."""
        model = self.build(family, here(train))
        request = Request(
            function=self.function,
            model=family,
            train=train,
            features=str(self.features),
            checkpoints=str(kept) if kept else None,
        )
        if (nodes := nodes_of(train)) is not None:
            from components.training.nodes.training import train_on_nodes

            made = partial(self.framework.on_nodes, train=train)
            done, weights = train_on_nodes(request, nodes, made)
            self.framework.load(model, weights)
            return model, done
        with tempfile.TemporaryDirectory(prefix="tandem-") as name:
            commands = self.framework.commands(Path(name), train)
            if not commands:
                return model, self.fit(model, train, kept)
            done, weights = train_in_processes(Path(name), request, commands)
        self.framework.load(model, weights)
        return model, done

    def _trial(self, family: ModelFamily, train: Train) -> Fit:
        return self.trained(family, train)[1]


def nodes_of(train: Train) -> TrainingNodes | None:
    """Return the nodes that a training's processes are spread over; None where they are here."""
    return nodes_here() if train.processes > 1 else None


def here(train: Train) -> Train:
    """Return the settings by which this process builds and exports.

    Where others train, on devices of their own, it needs a CPU alone.
    """
    if nodes_of(train) is None:
        return train
    return train.model_copy(update={"processes": 1, "parallel": "replicated", "device": "cpu"})
