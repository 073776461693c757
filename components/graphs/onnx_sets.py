"""The sets of operators of the ONNX that is written here, by domain and version.

Rule: a model of what is ONNX's alone asks for nothing else; where a node is of ONNX Runtime's own
set, which is in every build of it, the model says so.
"""

from __future__ import annotations

from collections.abc import Iterable

import onnx
from onnx import helper

OPSET, ML_OPSET = 18, 3
ML_DOMAIN, MICROSOFT = "ai.onnx.ml", "com.microsoft"


def sets_of(nodes: Iterable[onnx.NodeProto]) -> list[onnx.OperatorSetIdProto]:
    """Return the sets that a model of these nodes imports."""
    versions = {"": OPSET, ML_DOMAIN: ML_OPSET}
    if any(node.domain == MICROSOFT for node in nodes):
        versions[MICROSOFT] = 1
    return [helper.make_opsetid(domain, version) for domain, version in versions.items()]
