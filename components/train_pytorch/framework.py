"""PyTorch in the course of a trainer's stage; components.training.course says what each part is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from components.core.features import FeatureArrays, FeatureSpec
from components.core.model_settings import ModelFamily
from components.core.settings import FormName
from components.core.training_settings import Train
from components.train_pytorch import export, training
from components.training.checkpoints import Checkpoints
from components.training.fit import Fit
from components.training.framework import Build, Exported
from components.training.functions import load_model_function
from components.training.group import ALONE, Group
from components.training.heads import Head
from components.training.nodes.manifests import Manifest, Place
from components.training.processes import Command, Request
from components.training.sealing import Preprocessing

Array = np.ndarray[Any, Any]


class PyTorch:
    """The framework; `group` is the process's, once it has joined one."""

    name: Literal["pytorch"] = "pytorch"
    form: FormName = "torch_export"
    determinism = training.DETERMINISM

    def __init__(self) -> None:
        self._group: Group = ALONE

    def build(
        self, function: str, spec: FeatureSpec, family: ModelFamily, train: Train
    ) -> nn.Module:
        """Fix the machine and return the untrained model."""
        training.fix_machine(train)
        made = load_model_function(function)(spec, family, train.seed)
        export.check_model(made, spec, function)
        model: nn.Module = made
        return model

    def fit(
        self,
        model: nn.Module,
        head: Head,
        arrays: FeatureArrays,
        train: Train,
        checkpoints: Checkpoints,
    ) -> Fit:
        """Train the model in place."""
        return training.fit_model(model, arrays, train, checkpoints, self._group, head)

    def commands(self, folder: Path, train: Train) -> Sequence[Command]:
        """Return torchrun, which starts the processes; none for one."""
        if train.processes == 1:
            return []
        from components.train_pytorch.parallel import torchrun

        return [torchrun(folder, train.processes)]

    def on_nodes(self, place: Place, train: Train) -> Sequence[Manifest]:
        """Return the TrainJob whose nodes run torchrun."""
        from components.train_pytorch.parallel import on_nodes

        return [on_nodes(place, train.processes)]

    def join(self, folder: Path, request: Request) -> None:
        """Meet the processes that torchrun started."""
        from components.train_pytorch.parallel import join

        self._group = join(folder, training.fix_machine(request.train), request.nodes)

    def lost_others(self, error: Exception) -> bool:
        """Say whether gloo, NCCL or the store of their addresses lost the other processes."""
        from torch.distributed import DistError

        told_by_gloo = isinstance(error, RuntimeError) and "/gloo/" in str(error)
        return isinstance(error, DistError) or told_by_gloo

    def load(self, model: nn.Module, weights: Mapping[str, Array]) -> None:
        """Set the parameters and buffers."""
        model.load_state_dict({name: torch.from_numpy(part) for name, part in weights.items()})
        model.eval()

    def exporting(
        self, model: nn.Module, family: ModelFamily, train: Train, build: Build
    ) -> nn.Module:
        """Return the model: outside autocast it computes in float32."""
        return model

    def export(
        self,
        model: nn.Module,
        spec: FeatureSpec,
        preprocessing: Preprocessing,
        train: Train,
        arrays: FeatureArrays,
    ) -> Exported:
        """Return the traced program as ONNX and, where it is asked for, as .pt2."""
        program = export.trace(model, spec)
        forms = [partial(export.write_program, program=program)]
        return Exported(
            predict=export.predictor(model, Head.of(spec)),
            onnx=export.to_onnx(program, preprocessing.opset),
            forms=forms if "torch_export" in train.forms else [],
        )

    def weights(self, model: nn.Module) -> dict[str, Array]:
        """Return the parameters and buffers by name."""
        return training.weight_arrays(model)

    def parameters(self, model: nn.Module) -> int:
        """Return the number of trained parameters."""
        return training.parameter_count(model)

    def threads(self, train: Train) -> int:
        """Return the threads, which PyTorch takes from the settings."""
        return train.threads
