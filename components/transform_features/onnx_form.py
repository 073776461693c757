"""The transform as ONNX, assembled from the fitted values: raw rows in, `dense` and `ids` out.

Why: a PyTorch model takes raw rows in production with no TensorFlow beside it. Converters leave
TFT's table lookups as ops that onnxruntime refuses, so the graph is built from the same declared
features instead, and the stage compares it with TFT's own output before it may pass.

Rules: opset 18 and ai.onnx.ml 3; every input is rank 1, [batch], named as its column; the same
formulas as graph.py, in float64, rounded once; equal fitted values give equal bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from components.transform_features.fitted import (
    CyclicColumn,
    FittedTransform,
    IdColumn,
    ScaledColumn,
)

FILE_NAME = "preprocessing.onnx"
OPSET = 18
ML_OPSET = 3
IR_VERSION = 9
_TYPES = {"float32": TensorProto.FLOAT, "string": TensorProto.STRING}


def write_onnx(folder: Path, fitted: FittedTransform) -> Path:
    """Write preprocessing.onnx and return its path."""
    path = folder / FILE_NAME
    path.write_bytes(build(fitted).SerializeToString(deterministic=True))
    return path


def build(fitted: FittedTransform) -> onnx.ModelProto:
    """Return the checked model of the fitted transform."""
    graph = _Graph()
    if fitted.dense:
        graph.dense(fitted.dense)
    if fitted.ids:
        graph.ids(fitted.ids)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "preprocessing",
            [
                helper.make_tensor_value_info(i.name, _TYPES[i.dtype], ["batch"])
                for i in fitted.inputs
            ],
            graph.outputs,
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)],
        ir_version=IR_VERSION,
        producer_name="tandem",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


class _Graph:
    """The nodes, constants and outputs so far; tensors are named by what they hold."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self._axis = self.constant("axis_columns", np.array([1], np.int64))

    def add(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add one node with one output and return the output's name."""
        name = f"tandem.{output}" if output not in ("dense", "ids") else output
        domain = attributes.pop("domain", "")
        self.nodes.append(
            helper.make_node(op, inputs, [name], name=name, domain=domain, **attributes)
        )
        return name

    def constant(self, name: str, value: np.ndarray[Any, Any]) -> str:
        """Add one constant and return its name."""
        self.constants.append(numpy_helper.from_array(value, f"tandem.{name}"))
        return f"tandem.{name}"

    def column(self, name: str, source: str) -> str:
        """Return a rank-1 tensor as a column [batch, 1]."""
        return self.add("Unsqueeze", [source, self._axis], f"column.{name}")

    def stack(self, columns: Sequence[str], name: str) -> tuple[str, str]:
        """Return columns as float64 [batch, n], and where they hold no value."""
        parts = [self.column(column, column) for column in columns]
        narrow = self.add("Concat", parts, f"{name}.raw", axis=1)
        x = self.add("Cast", [narrow], f"{name}.x", to=TensorProto.DOUBLE)
        nan = self.add("IsNaN", [x], f"{name}.nan")
        infinite = self.add("IsInf", [x], f"{name}.infinite")
        return x, self.add("Or", [nan, infinite], f"{name}.missing")

    def dense(self, columns: Sequence[ScaledColumn | CyclicColumn]) -> None:
        """Compute the columns kind by kind, as graph.py does, then put them in order."""
        scaled = [c for c in columns if isinstance(c, ScaledColumn)]
        waves = [c for c in columns if isinstance(c, CyclicColumn)]
        sines = [c for c in waves if c.kind == "sin"]
        cosines = [c for c in waves if c.kind == "cos"]
        parts = [self.scale(scaled)] if scaled else []
        parts += self.circle(sines)
        joined = self.add("Concat", parts, "dense.computed", axis=1)
        names = [c.name for c in scaled] + [c.name for c in (*sines, *cosines)]
        order = np.array([names.index(c.name) for c in columns], np.int64)
        places = self.constant("dense.order", order)
        ordered = self.add("Gather", [joined, places], "dense.ordered", axis=1)
        self.add("Cast", [ordered], "dense", to=TensorProto.FLOAT)
        self._output("dense", TensorProto.FLOAT, len(columns))

    def scale(self, columns: Sequence[ScaledColumn]) -> str:
        """(x - mean) / divisor of x or of log(1 + max(x, 0)); 0 where there is no value."""
        x, missing = self.stack([c.name for c in columns], "scaled")
        zero = self.constant("scaled.zero", np.array(0.0))
        one = self.constant("scaled.one", np.array(1.0))
        positive = self.add("Max", [x, zero], "scaled.positive")
        shifted = self.add("Add", [positive, one], "scaled.shifted")
        logged = self.add("Log", [shifted], "scaled.logged")
        is_logged = np.array([c.kind == "log_zscore" for c in columns])
        choice = self.constant("scaled.is_logged", is_logged)
        x = self.add("Where", [choice, logged, x], "scaled.value")
        means = self.constant("scaled.mean", np.array([c.mean for c in columns]))
        divisors = self.constant("scaled.divisor", np.array([c.divisor for c in columns]))
        centred = self.add("Sub", [x, means], "scaled.centred")
        scaled = self.add("Div", [centred, divisors], "scaled.scaled")
        return self.add("Where", [missing, zero, scaled], "scaled")

    def circle(self, columns: Sequence[CyclicColumn]) -> list[str]:
        """Sine and cosine of 2 pi (x fmod period) / period; 0 where there is no value."""
        if not columns:
            return []
        x, missing = self.stack([c.column for c in columns], "cyclic")
        zero = self.constant("cyclic.zero", np.array(0.0))
        full = self.constant("cyclic.full", np.array(2.0 * math.pi))
        periods = self.constant("cyclic.period", np.array([c.period for c in columns]))
        remainder = self.add("Mod", [x, periods], "cyclic.remainder", fmod=1)
        turns = self.add("Div", [remainder, periods], "cyclic.turns")
        angle = self.add("Mul", [turns, full], "cyclic.angle")
        waves = [self.add(op, [angle], f"cyclic.{op.lower()}.raw") for op in ("Sin", "Cos")]
        return [
            self.add("Where", [missing, zero, wave], f"{wave.removeprefix('tandem.')}.known")
            for wave in waves
        ]

    def ids(self, columns: Sequence[IdColumn]) -> None:
        """Look every text up; what is not there gets the id after the last."""
        found = []
        for column in columns:
            ids = self.add(
                "LabelEncoder",
                [column.name],
                f"ids.{column.name}",
                domain="ai.onnx.ml",
                keys_strings=list(column.vocabulary),
                values_int64s=list(range(column.size)),
                default_int64=column.size,
            )
            found.append(self.column(f"ids.{column.name}", ids))
        self.add("Concat", found, "ids", axis=1)
        self._output("ids", TensorProto.INT64, len(columns))

    def _output(self, name: str, kind: int, width: int) -> None:
        self.outputs.append(helper.make_tensor_value_info(name, kind, ["batch", width]))
