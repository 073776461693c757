"""The user's preprocessing_fn, as TFT defines it: checked, and brought to `dense` and `ids`.

Rules:
1. it is given every column of the examples but the label, the leakage columns and what they were
   made of: float32 with NaN for a number that is missing or infinite, string with "" for a missing
   text, each [batch]; the columns that it reads are the inputs of the models;
2. it gives {feature: tensor} of rank 1 or [batch, 1]; floats are columns of `dense`, whole numbers
   of `ids`, both in the order of the features' names; anything else is refused. A float that is NaN
   or infinite in a row is 0 there, as a missing number is with declared features;
3. ids count from 0 to the largest of the training split; every other one, a negative one too (TFT's
   default for a text outside a vocabulary), becomes the one after the largest;
4. what it raises, when it is traced or when TensorFlow runs what it made, is a SettingsError with
   its own file and line.

This module imports TensorFlow and TFT: import it inside functions only.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform import impl_helper

from components.core.data_settings import Source
from components.core.errors import SettingsError
from components.core.examples import ExamplesManifest, InputType
from components.core.sources import named_folder, use_sources
from components.training.functions import load_function, module_of
from components.training.users_line import Line, is_users, naming_the_users_line

WHAT = "preprocessing_fn"
LARGEST_NODE = "fitted_largest_ids"
EVER_NODE = "fitted_ever_a_number"
Function = Callable[[dict[str, tf.Tensor]], Any]
_DTYPES = {"float32": tf.float32, "string": tf.string}


@dataclass(frozen=True)
class UserFunction:
    """A function, the columns that it reads, and its features, all sorted by name.

    `lines` are those that made the nodes of TFT's graph, kept when it was traced.
    """

    name: str
    inputs: dict[str, InputType]
    dense: tuple[str, ...]
    ids: tuple[str, ...]
    function: Function
    lines: dict[str, Line] = field(default_factory=dict, compare=False)

    def __reduce__(self) -> Any:
        folder = named_folder()
        found = (self.name, folder and str(folder), self.inputs, self.dense, self.ids)
        return _find_again, found

    def preprocess(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Return `dense` [batch, D] and `ids` [batch, K]; TFT traces this."""
        columns = {name: _known(raw[name]) for name in self.inputs}
        features = _call(self.name, self.function, columns)
        self.lines.update(_lines_of_nodes(module_of(self.name)))
        outputs = {}
        if self.dense:
            outputs["dense"] = _finite(_stack(features, self.dense, tf.float32))
        if self.ids:
            outputs["ids"] = _bounded(_stack(features, self.ids, tf.int64))
        return outputs

    def naming_its_line(self) -> AbstractContextManager[None]:
        """Name the line of what fails when TensorFlow runs the graph on rows (rule 4)."""
        return naming_the_users_line(self.name, WHAT, on_rows=True, lines_of_nodes=self.lines)


def _lines_of_nodes(module: str) -> Iterator[tuple[str, Line]]:
    """Yield the nodes of the graph that is being traced with the user's line that made each."""
    for node in tf.compat.v1.get_default_graph().get_operations():
        for frame in reversed(node.traceback):
            if is_users(frame.filename, module):
                yield node.name, Line(frame.filename, frame.lineno)
                break


def _find_again(
    name: str,
    folder: str | None,
    inputs: dict[str, InputType],
    dense: tuple[str, ...],
    ids: tuple[str, ...],
) -> UserFunction:
    """Return the function in a worker of the engine: TFT traces it there once more."""
    if folder:
        use_sources(Path(folder))
    return UserFunction(name, inputs, dense, ids, load_function(name, WHAT, "transform"))


def find_function(name: str, source: Source, manifest: ExamplesManifest) -> UserFunction:
    """Return the function after tracing it once; SettingsError for what cannot be used."""
    function = load_function(name, WHAT, "transform")
    columns = _Columns()
    features: dict[str, tf.Tensor] = {}

    def trace(raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        columns.update(raw)
        features.update(_call(name, function, columns))
        return features

    inputs = _given(source, manifest)
    specs = {column: tf.TensorSpec([None], _DTYPES[kind]) for column, kind in inputs.items()}
    with tempfile.TemporaryDirectory() as scratch:
        impl_helper.trace_preprocessing_function(trace, specs, False, base_temp_dir=scratch)
    floats = {feature: value.dtype.is_floating for feature, value in sorted(features.items())}
    return UserFunction(
        name=name,
        inputs={column: inputs[column] for column in sorted(columns.read)},
        dense=tuple(feature for feature, is_float in floats.items() if is_float),
        ids=tuple(feature for feature, is_float in floats.items() if not is_float),
        function=function,
    )


def _given(source: Source, manifest: ExamplesManifest) -> dict[str, InputType]:
    """Return the columns that the function may read (rule 1).

    `dense` and `ids` are names of the transform's outputs, which no input of a model may have.
    """
    later = {*source.leakage, source.target.column, manifest.label}
    later |= {f"{date}_{part}" for date in later for part in ("day", "second")}
    types = manifest.input_types()
    return {name: types[name] for name in sorted(types) if name not in {*later, "dense", "ids"}}


class _Columns(dict[str, Any]):
    """The columns, and which of them were read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        self.read.add(name)
        return value

    def __iter__(self) -> Iterator[str]:
        # Overridden so that dict(columns) and {**columns} read through __getitem__.
        return super().__iter__()

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self.keys() else default

    def pop(self, name: str, *default: Any) -> Any:
        self.read |= {name} & self.keys()
        return super().pop(name, *default)

    def items(self) -> Any:
        self.read.update(self.keys())
        return super().items()

    def values(self) -> Any:
        self.read.update(self.keys())
        return super().values()

    def copy(self) -> dict[str, Any]:
        return dict(self.items())


def _call(name: str, function: Function, columns: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Return the function's features after checking them (rules 2 and 4)."""
    with naming_the_users_line(name, WHAT):
        features = function(columns)
    if not isinstance(features, dict) or not features:
        raise _refused(name, "returns no {feature: tensor}", "return a dictionary of tensors")
    for feature, value in features.items():
        if not isinstance(value, tf.Tensor):
            kind = type(value).__name__
            raise _refused(name, f"gives {feature} as {kind}", "return dense tensors")
        if not (value.dtype.is_floating or value.dtype.is_integer):
            remedy = "cast it to float32 for a number, or look it up or hash it for an id"
            raise _refused(name, f"gives {feature} as {value.dtype.name}", remedy)
        if value.shape.rank != 1 and value.shape.as_list()[1:] != [1]:
            remedy = "give one value a row: of rank 1, or [batch, 1]; several are several features"
            raise _refused(name, f"gives {feature} of shape {value.shape}", remedy)
    return features


def _refused(name: str, how: str, remedy: str) -> SettingsError:
    return SettingsError(f"{WHAT} {name} {how}", remedy=remedy)


def _stack(features: Mapping[str, tf.Tensor], names: tuple[str, ...], dtype: Any) -> tf.Tensor:
    columns = [tf.cast(tf.reshape(features[name], [-1]), dtype) for name in names]
    return tf.stack(columns, axis=1)


def _known(values: tf.Tensor) -> tf.Tensor:
    """Return a column with NaN for what is no number (rule 1)."""
    if not values.dtype.is_floating:
        return values
    return tf.where(tf.math.is_finite(values), values, tf.constant(math.nan, values.dtype))


def _finite(dense: tf.Tensor) -> tf.Tensor:
    """Return 0 for what is no number (rule 2); the name lets be read which features ever are one.

    The sum takes the flags into the graph, or they would not be there to read.
    """
    finite = tf.math.is_finite(dense)
    ever = tft.max(tf.cast(finite, tf.int64), reduce_instance_dims=False)
    ever = tf.identity(ever, name=EVER_NODE)
    zeros = tf.cast(ever - ever, tf.float32)
    return tf.where(finite, dense, tf.zeros_like(dense) + zeros)


def _bounded(ids: tf.Tensor) -> tf.Tensor:
    """Return the ids by rule 3; the name lets the largest be read back."""
    largest = tf.identity(tft.max(ids, reduce_instance_dims=False), name=LARGEST_NODE)
    largest = tf.maximum(largest, tf.constant(-1, tf.int64))
    return tf.where((ids >= 0) & (ids <= largest), ids, largest + 1)
