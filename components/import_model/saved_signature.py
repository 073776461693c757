"""What a SavedModel says it takes and gives, read from its file without TensorFlow.

Why: importing TensorFlow takes seconds, and to refuse what does not fit nothing has to run.

Rule: a model whose one input is serialised tf.Examples takes the features that it parses of them;
which of these it uses shows only when it is opened (parsed_examples.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.core.errors import SettingsError
from components.core.signature_names import keyword
from components.import_model.saved_graph import parsed_features, read_graphs
from components.import_model.served_form import output_of, require_names
from components.import_model.signature import GIVEN_BY, Signature

SIGNATURE = "serving_default"
EXAMPLES = "examples"  # what TFX's templates call the one input of serialised rows
TEXT = "string"
NUMBERS = ("float32", "float64")
_DTYPES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: TEXT, 9: "int64",
    10: "bool", 14: "bfloat16", 19: "float16", 22: "uint32", 23: "uint64"
}  # fmt: skip


@dataclass(frozen=True)
class Taken:
    """An input of a SavedModel: its type, and its shape, in which -1 is any size."""

    dtype: str
    shape: tuple[int, ...] | None

    @property
    def is_column(self) -> bool:
        """Say whether it takes one value a row, as far as its shape tells."""
        return self.shape is None or len(self.shape) != 2 or self.shape[1] == 1


@dataclass(frozen=True)
class Saved:
    """What a SavedModel takes; `parses`: serialised tf.Examples, and of their features some."""

    signature: Signature
    parses: bool = False


def saved_signature(path: Path, said: Signature | None) -> Saved:
    """Return the signature that is meant; SettingsError where the model has none that fits it."""
    graphs = read_graphs(path)
    found = {item.key: (graph, item.value) for graph in graphs for item in graph.signatures}
    if SIGNATURE not in found:
        raise SettingsError(
            f"the SavedModel has no signature {SIGNATURE}",
            remedy="save it with one that takes columns and gives its output",
            expected=SIGNATURE,
            actual=sorted(found),
        )
    graph, own = found[SIGNATURE]
    taken = {item.key: _taken(item.value) for item in own.inputs}
    features = _features(graph, own, taken)
    if features is None:
        meant = said or _of_inputs(taken)
        _require_inputs(meant, taken)
    else:
        meant = _of_features(features, said)
    output_of(sorted(item.key for item in own.outputs), meant)
    return Saved(meant, parses=features is not None)


def _features(graph: Any, own: Any, taken: Mapping[str, Taken]) -> dict[str, str] | None:
    """Return what the model's one input of texts is parsed into; None where it is a column."""
    if len(taken) != 1 or next(iter(taken.values())).dtype != TEXT:
        return None
    return parsed_features(graph, own.inputs[0].value.name.partition(":")[0])


def _of_features(features: Mapping[str, str], said: Signature | None) -> Signature:
    """Return the columns of a model of tf.Examples: all that it parses, or those that are said."""
    kinds = {name: TEXT if kind == TEXT else "float32" for name, kind in sorted(features.items())}
    if said is None:
        inputs = [{"name": name, "dtype": kind} for name, kind in kinds.items()]
        return Signature.model_validate({"inputs": inputs})
    for column in said.inputs:
        if said.matrix or kinds.get(column.name) != column.dtype:
            raise SettingsError(
                f"the signature says {said.matrix or column.name}, and the model parses "
                f"{', '.join(f'{name} {kind}' for name, kind in kinds.items())} of tf.Examples",
                remedy=f"name columns that it parses, without a matrix; or give none ({GIVEN_BY})",
                expected=kinds,
                actual=said.model_dump(mode="json"),
            )
    return said


def _taken(tensor: Any) -> Taken:
    shape = None if tensor.shape.unknown_rank else tuple(dim.size for dim in tensor.shape.dim)
    return Taken(_DTYPES.get(tensor.dtype, f"type {tensor.dtype}"), shape)


def _of_inputs(taken: Mapping[str, Taken]) -> Signature:
    """Return what a SavedModel itself says it takes; SettingsError where those are no columns."""
    for name, own in taken.items():
        if not own.is_column:
            raise SettingsError(
                f"the model's input {name} takes several columns, which it does not name",
                remedy=f"name them in a signature with matrix: {name} ({GIVEN_BY})",
            )
    if list(taken) == [EXAMPLES] and taken[EXAMPLES].dtype == TEXT:
        raise SettingsError(
            f"the model's {SIGNATURE} takes serialised tf.Examples, and does not parse all of "
            "them at once",
            remedy=f"save it with a {SIGNATURE} that calls tf.io.parse_example once, or takes "
            "columns",
        )
    kinds = {n: TEXT if own.dtype == TEXT else "float32" for n, own in sorted(taken.items())}
    return Signature.model_validate(
        {"inputs": [{"name": name, "dtype": kind} for name, kind in kinds.items()]}
    )


def _require_inputs(signature: Signature, taken: Mapping[str, Taken]) -> None:
    """Raise SettingsError unless the model has these inputs and no others, of the types said."""
    names = [signature.matrix] if signature.matrix else [keyword(c.name) for c in signature.inputs]
    require_names(names, taken)
    dtypes = {column.dtype for column in signature.inputs}
    for name, own in taken.items():
        if own.dtype not in (*NUMBERS, TEXT):
            raise SettingsError(
                f"the model's input {name} is {own.dtype}, which has no missing value",
                remedy="export it with inputs of float32, float64 or string",
                expected=[*NUMBERS, TEXT],
                actual=own.dtype,
            )
        said = dtypes if signature.matrix else _said(signature, name)
        if (own.dtype == TEXT) != (said == {TEXT}):
            raise SettingsError(
                f"the signature says {name} is {', '.join(said)}, and the model takes {own.dtype}",
                remedy="correct the signature, or export the model again",
                expected=own.dtype,
                actual=sorted(said),
            )


def _said(signature: Signature, name: str) -> set[str]:
    return {column.dtype for column in signature.inputs if keyword(column.name) == name}
