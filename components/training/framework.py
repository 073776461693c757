"""What a framework does for its trainer's stage, as an interface: all that differs between the two.

Rules: a model is the framework's own object and stays opaque to the course of the stage
(components.training.course); whatever the record says is decided there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from components.core.features import FeatureArrays, FeatureSpec
from components.core.model_settings import ModelFamily
from components.core.settings import FormName
from components.core.training_settings import Train
from components.training.checkpoints import Checkpoints
from components.training.fit import Fit
from components.training.heads import Head
from components.training.nodes.manifests import Manifest, Place
from components.training.parity import Predict
from components.training.processes import Command, Request
from components.training.proof import Written
from components.training.sealing import Preprocessing

Array = np.ndarray[Any, Any]
Build = Callable[[ModelFamily, Train], Any]


@dataclass(frozen=True)
class Exported:
    """A trained model as it is exported.

    `predict` is the framework's own prediction of (dense, ids), `onnx` the graph of features, and
    `forms` write what is asked for beside it.
    """

    predict: Predict
    onnx: Any
    forms: Sequence[Callable[[Path], Written]]


class Framework(Protocol):
    """What a framework does in its trainer's stage; a model is the framework's own object."""

    @property
    def name(self) -> Literal["pytorch", "tensorflow"]:
        """The framework's name."""
        ...

    @property
    def form(self) -> FormName:
        """The form of the framework itself, whose proof needs it."""
        ...

    @property
    def determinism(self) -> str:
        """What makes two runs equal, for the record."""
        ...

    def build(self, function: str, spec: FeatureSpec, family: ModelFamily, train: Train) -> Any:
        """Fix the machine and return the untrained model; SettingsError for one that is none."""
        ...

    def fit(
        self,
        model: Any,
        head: Head,
        arrays: FeatureArrays,
        train: Train,
        checkpoints: Checkpoints,
    ) -> Fit:
        """Train the model in place."""
        ...

    def commands(self, folder: Path, train: Train) -> Sequence[Command]:
        """Return what starts the processes of a training; none where this process trains."""
        ...

    def on_nodes(self, place: Place, train: Train) -> Sequence[Manifest]:
        """Return what a cluster runs the processes by, the job last; SettingsError if it cannot."""
        ...

    def join(self, folder: Path, request: Request) -> None:
        """Meet the other processes of a training, before anything else."""
        ...

    def lost_others(self, error: Exception) -> bool:
        """Say whether an error is that other processes of the training are gone."""
        ...

    def load(self, model: Any, weights: Mapping[str, Array]) -> None:
        """Set the weights that another process trained."""
        ...

    def exporting(self, model: Any, family: ModelFamily, train: Train, build: Build) -> Any:
        """Return the model to export, which computes in float32, with the trained weights."""
        ...

    def export(
        self,
        model: Any,
        spec: FeatureSpec,
        preprocessing: Preprocessing,
        train: Train,
        arrays: FeatureArrays,
    ) -> Exported:
        """Return the exports that the settings ask for; `arrays` are the rows that train."""
        ...

    def weights(self, model: Any) -> dict[str, Array]:
        """Return the weights by name."""
        ...

    def parameters(self, model: Any) -> int:
        """Return the number of trained parameters."""
        ...

    def threads(self, train: Train) -> int:
        """Return the threads that hold in this process."""
        ...
