"""The forms of a PyTorch model: an ONNX graph of features and a torch.export program.

Rules: both come from one traced program; what the tracer keeps of source files and call stacks is
removed before it is saved, so that the bytes depend on the model only.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from components.core.features import FeatureSpec
from components.train_pytorch import heads
from components.training.heads import BINARY, Head
from components.training.model_check import require_model, require_outputs
from components.training.parity import Array, Predict
from components.training.proof import Written

PROGRAM = "model.pt2"
OLDEST_OPSET = 18
# They tell each rewriting of the graph, which would bury the epochs in the task's log.
TALKATIVE = ("onnxscript", "onnx_ir")
TRACES = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node")


class Scored(nn.Module):  # type: ignore[misc]
    """A model of features with its outputs turned into a prediction."""

    def __init__(self, model: nn.Module, head: Head = BINARY) -> None:
        super().__init__()
        self.model, self.head = model, head

    def forward(self, dense: Tensor, ids: Tensor) -> Tensor:
        """Return the prediction."""
        return heads.prediction(self.head, self.model(dense, ids))


def check_model(model: Any, spec: FeatureSpec, name: str) -> None:
    """Raise SettingsError unless the model is one, and gives [batch, outputs] for a batch."""
    require_model(model, nn.Module, name)

    def call(dense: Array, ids: Array) -> Any:
        with torch.no_grad():
            return model(torch.from_numpy(dense), torch.from_numpy(ids))

    require_outputs(call, spec, name)


def predictor(model: nn.Module, head: Head = BINARY) -> Predict:
    """Return the framework's own prediction as a function of (dense, ids)."""
    scored = Scored(model, head).eval()

    def predict(dense: Array, ids: Array) -> Array:
        with torch.no_grad():
            return np.asarray(scored(torch.tensor(dense), torch.tensor(ids)).numpy())

    return predict


def trace(model: nn.Module, spec: FeatureSpec) -> Any:
    """Return the traced program of features, for any number of rows, without its traces."""
    batch = {0: torch.export.Dim("batch")}
    program = torch.export.export(
        Scored(model, Head.of(spec)).eval(), _sample(spec), dynamic_shapes=(batch, batch)
    )
    for node in program.graph.nodes:
        for key in TRACES:
            node.meta.pop(key, None)
    return program


def to_onnx(program: Any, opset: int) -> Any:
    """Return the program as an ONNX model of the opset, or of the oldest that torch writes."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    exported = torch.onnx.export(
        program,
        input_names=["dense", "ids"],
        dynamo=True,
        external_data=False,
        opset_version=max(opset, OLDEST_OPSET),
        verbose=False,
    )
    return exported.model_proto


def write_program(folder: Path, program: Any) -> Written:
    """Save the program."""
    torch.export.save(program, folder / PROGRAM)
    return Written("torch_export", PROGRAM, "features")


def _sample(spec: FeatureSpec) -> tuple[Tensor, Tensor]:
    """Return two rows: one would be specialised away by the tracer."""
    return torch.zeros(2, len(spec.dense)), torch.zeros(2, len(spec.ids), dtype=torch.int32)
