"""What a SavedModel says it takes and gives, read from its file without TensorFlow.

Why: importing TensorFlow takes seconds, and to refuse what does not fit nothing has to run.

Rule: only the fields that are read are described here, by their numbers, which protobuf gives to
no other field; the rest of the file is passed by.

Source: tensorflow/core/protobuf/saved_model.proto and meta_graph.proto,
tensorflow/core/framework/tensor_shape.proto and types.proto of 2.21.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from components.core.errors import SettingsError
from components.core.signature_names import keyword
from components.import_model.served_form import output_of, require_names
from components.import_model.signature import Signature

FILE = "saved_model.pb"
SIGNATURE = "serving_default"
EXAMPLES = "examples"  # what TFX's templates call the one input of serialised rows
TEXT = "string"
NUMBERS = ("float32", "float64")
_DTYPES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: TEXT, 9: "int64",
    10: "bool", 14: "bfloat16", 19: "float16", 22: "uint32", 23: "uint64"
}  # fmt: skip
# The fields of each message: name, number, its type of protobuf or its message, how many.
_FIELD = descriptor_pb2.FieldDescriptorProto
_ONE, _MANY = _FIELD.LABEL_OPTIONAL, _FIELD.LABEL_REPEATED
_FIELDS = {
    "SavedModel": (("meta_graphs", 2, "MetaGraph", _MANY),),
    "MetaGraph": (("signatures", 5, "NamedSignature", _MANY),),
    "NamedSignature": (("key", 1, "STRING", _ONE), ("value", 2, "Signature", _ONE)),
    "Signature": (("inputs", 1, "NamedTensor", _MANY), ("outputs", 2, "NamedTensor", _MANY)),
    "NamedTensor": (("key", 1, "STRING", _ONE), ("value", 2, "Tensor", _ONE)),
    "Tensor": (("dtype", 2, "INT32", _ONE), ("shape", 3, "Shape", _ONE)),
    "Shape": (("dim", 2, "Dim", _MANY), ("unknown_rank", 3, "BOOL", _ONE)),
    "Dim": (("size", 1, "INT64", _ONE),),
}


@dataclass(frozen=True)
class Taken:
    """An input of a SavedModel: its type, and its shape, in which -1 is any size."""

    dtype: str
    shape: tuple[int, ...] | None

    @property
    def is_column(self) -> bool:
        """Say whether it takes one value a row, as far as its shape tells."""
        return self.shape is None or len(self.shape) != 2 or self.shape[1] == 1


def saved_signature(path: Path, said: Signature | None) -> Signature:
    """Return the signature that is meant; SettingsError where the model has none that fits it."""
    found = _signatures(path)
    if SIGNATURE not in found:
        raise SettingsError(
            f"the SavedModel has no signature {SIGNATURE}",
            remedy="save it with one that takes columns and gives its output",
            expected=SIGNATURE,
            actual=sorted(found),
        )
    taken = {item.key: _taken(item.value) for item in found[SIGNATURE].inputs}
    own = said or _of_inputs(taken)
    _require_inputs(own, taken)
    output_of(sorted(item.key for item in found[SIGNATURE].outputs), own)
    return own


def _signatures(path: Path) -> dict[str, Any]:
    """Return the signatures by name; SettingsError for bytes that are no SavedModel."""
    saved = _message_type("SavedModel")()
    try:
        saved.ParseFromString((path / FILE).read_bytes())
    except DecodeError as error:
        raise SettingsError(
            f"{path.name} is no SavedModel: {FILE} cannot be read", remedy="save it again"
        ) from error
    return {item.key: item.value for graph in saved.meta_graphs for item in graph.signatures}


@functools.cache
def _message_type(name: str) -> Any:
    """Return a message that reads the fields above."""
    file = descriptor_pb2.FileDescriptorProto(name=f"tandem/{FILE}", package="tandem")
    for message, fields in _FIELDS.items():
        described = file.message_type.add(name=message)
        for field, number, kind, label in fields:
            added = described.field.add(name=field, number=number, label=label)
            if kind in _FIELDS:
                added.type, added.type_name = _FIELD.TYPE_MESSAGE, f".tandem.{kind}"
            else:
                added.type = _FIELD.Type.Value(f"TYPE_{kind}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tandem.{name}"))


def _taken(tensor: Any) -> Taken:
    shape = None if tensor.shape.unknown_rank else tuple(dim.size for dim in tensor.shape.dim)
    return Taken(_DTYPES.get(tensor.dtype, f"type {tensor.dtype}"), shape)


def _of_inputs(taken: Mapping[str, Taken]) -> Signature:
    """Return what a SavedModel itself says it takes; SettingsError where those are no columns."""
    for name, own in taken.items():
        if not own.is_column:
            raise SettingsError(
                f"the model's input {name} takes several columns, which it does not name",
                remedy=f"name them in a signature with matrix: {name} (--signature)",
            )
    if list(taken) == [EXAMPLES] and taken[EXAMPLES].dtype == TEXT:
        raise SettingsError(
            f"the model's {SIGNATURE} takes serialised tf.Examples, and rows are columns here",
            remedy=f"save it with a {SIGNATURE} that takes columns",
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
