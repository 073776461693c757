"""The operators of each form, by the set that they belong to: what a runtime must have to run it.

Rules: they are read from the file as it was written, functions and graphs inside included; a set
is named as its runtime names it (an ONNX domain, `aten`, LiteRT's `builtin`, `flex` and `custom`,
`tensorflow`); names are sorted, each once.
"""

from __future__ import annotations

import json
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

Operators = dict[str, tuple[str, ...]]
DEFAULT_DOMAIN = "ai.onnx"
_FLEX = "Flex"
_TORCH = "torch.ops."


def operators_of(form: str, path: Path) -> Operators:
    """Return the operators of a form."""
    return _READERS[form](path)


def litert_operators(path: Path) -> Operators:
    """Return LiteRT's operators: of its own, of TensorFlow (flex) and of others (custom)."""
    from ai_edge_litert import (  # type: ignore[import-untyped]
        schema_py_generated as schema,
    )

    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    codes = [model.OperatorCodes(place) for place in range(model.OperatorCodesLength())]

    def pairs() -> Iterator[tuple[str, str]]:
        for code in codes:
            custom = (code.CustomCode() or b"").decode()
            number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
            kind = "flex" if custom.startswith(_FLEX) else "custom" if custom else "builtin"
            yield kind, custom or names[number]

    return _sorted(pairs())


def _onnx(path: Path) -> Operators:
    import onnx

    model = onnx.load(str(path))
    bodies = [model.graph.node, *(function.node for function in model.functions)]
    return _sorted(pair for body in bodies for pair in _nodes(body))


def _nodes(nodes: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        yield node.domain or DEFAULT_DOMAIN, node.op_type
        for graph in inner_graphs(node):
            yield from _nodes(graph.node)


def inner_graphs(node: Any) -> list[Any]:
    """Return the graphs inside an ONNX node: the branches of an If, the body of a Loop."""
    return [
        graph
        for attribute in node.attribute
        for graph in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]
    ]


def _torch_export(path: Path) -> Operators:
    """Read the archive's JSON: loading the program a second time costs more than running it."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith("/models/model.json")]
        programs = [json.loads(archive.read(name)) for name in names]
    targets = [target for program in programs for target in _targets(program["graph_module"])]
    return _sorted((group, name) for group, _, name in (t.partition(".") for t in targets))


def _targets(part: Any) -> Iterator[str]:
    """Yield the operators that a part of a serialised program calls, at any depth.

    The rest are sums of sizes, which Python does.
    """
    values = part if isinstance(part, list) else []
    if isinstance(part, dict):
        values = list(part.values())
        target = part.get("target")
        if isinstance(target, str) and target.startswith(_TORCH):
            yield target.removeprefix(_TORCH)
    for value in values:
        yield from _targets(value)


def _saved_model(path: Path) -> Operators:
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    graphs = [meta.graph_def for meta in saved.meta_graphs]
    bodies = [graph.node for graph in graphs]
    bodies += [function.node_def for graph in graphs for function in graph.library.function]
    return _sorted(("tensorflow", node.op) for body in bodies for node in body)


def _sorted(pairs: Iterable[tuple[str, str]]) -> Operators:
    found: dict[str, set[str]] = defaultdict(set)
    for group, name in pairs:
        found[group].add(name)
    return {group: tuple(sorted(found[group])) for group in sorted(found)}


_READERS: Mapping[str, Callable[[Path], Operators]] = {
    "onnx": _onnx,
    "torch_export": _torch_export,
    "saved_model": _saved_model,
    "litert": litert_operators,
    "onnx_int8_dynamic": _onnx,
    "onnx_int8_static": _onnx,
    "litert_int8": litert_operators,
}
