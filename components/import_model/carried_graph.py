"""A frozen graph of a SavedModel as ONNX, or refused with what stands in the way.

This module imports TensorFlow: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.core.errors import SettingsError
from components.graphs.graph_onnx import converted, lacking
from components.graphs.graph_ops import Tables

OUTPUT = "output"


def carried(graph_def: Any, tables: Tables, inputs: Mapping[str, str], output: str) -> Any:
    """Return the ONNX of a graph, `inputs` being {tensor: name}; its output is called OUTPUT.

    Raises SettingsError naming the operations that ONNX does not have.
    """
    model = converted(graph_def, tables, inputs, {output: OUTPUT})
    if unknown := lacking(model):
        raise SettingsError(
            f"the SavedModel cannot be carried to ONNX, which is served: it has no "
            f"{', '.join(unknown)}",
            remedy="export the model as ONNX, or without these operations",
            actual=unknown,
        )
    return model
