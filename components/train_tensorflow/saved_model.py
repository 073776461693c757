"""The SavedModel form: raw rows in, through the transform's own graph, a prediction out.

Why: it carries the very graph that was fitted, not a translation of it; comparing it with the ONNX
preprocessing proves that the two agree.

Rules: serving_default has one input of rank 1 for each column, as every form that takes raw rows,
named as the column (components/core/signature_names.py says which names that leaves out);
serving_examples takes the same rows as serialised tf.Examples; the graph is loaded by TensorFlow
alone (importing tensorflow_transform would cost seconds).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow.core.protobuf import fingerprint_pb2

from components.core.contract import OUTPUTS
from components.core.errors import DataError, IntegrityError
from components.core.examples import InputType
from components.core.runtimes import EXAMPLES_SIGNATURE, SIGNATURE
from components.core.signature_names import require_signature_names
from components.training.proof import Written
from components.training.sealing import Preprocessing

SAVED_MODEL = "saved_model"
TRANSFORM = "transform_fn"
_MISSING = {"float32": math.nan, "string": ""}
TYPES = {"float32": tf.float32, "string": tf.string}


class RawRows(tf.Module):  # type: ignore[misc]
    """The transform's graph and the model behind it, by the variables that it has.

    The model itself is not saved with them: Keras' signatures of each of its parts would be traced.
    """

    def __init__(
        self, transform: Any, scored: keras.Model, inputs: Mapping[str, InputType], output: str
    ) -> None:
        super().__init__()
        self._inputs, self._output = dict(inputs), output
        self.transform = transform
        self.weights = [variable.value for variable in scored.variables]
        self._score: Callable[[Any], Any] = lambda features: scored(features, training=False)

    def prediction(self, *values: Any) -> dict[str, Any]:
        """Return {output: float32} of all inputs, each of rank 1; to be traced.

        They come by their places: TensorFlow changes keywords that are not names in Python.
        """
        features = self.transform.transform_fn(dict(zip(self._inputs, values, strict=True)))
        rows = tf.shape(values[0])[0]
        inputs = {
            name: tf.cast(features[name], kind) if name in features else tf.zeros([rows, 0], kind)
            for name, kind in (("dense", tf.float32), ("ids", tf.int32))
        }
        return {self._output: self._score(inputs)}

    def of_examples(self, examples: Any) -> dict[str, Any]:
        """Return the same of serialised tf.Examples, [batch]; to be traced.

        Numbers are float_lists and texts bytes_lists; a feature that is left out is missing.
        """
        features = {
            name: tf.io.FixedLenFeature([], TYPES[dtype], default_value=_MISSING[dtype])
            for name, dtype in self._inputs.items()
        }
        parsed = tf.io.parse_example(examples, features)
        return self.prediction(*(parsed[name] for name in self._inputs))


def write_saved_model(
    folder: Path,
    scored: keras.Model,
    preprocessing: Preprocessing,
    output: str = OUTPUTS["binary"],
) -> Written:
    """Save the model behind the transform's graph, with a signature of columns and of examples."""
    module = RawRows(_load_transform(preprocessing), scored, preprocessing.inputs, output)
    columns = column_specs(preprocessing.inputs)
    of_columns = tf.function(module.prediction, autograph=False).get_concrete_function(*columns)
    of_examples = tf.function(module.of_examples, autograph=False).get_concrete_function(
        examples=tf.TensorSpec([None], tf.string, name="examples")
    )
    path = folder / SAVED_MODEL
    signatures = {SIGNATURE: of_columns, EXAMPLES_SIGNATURE: of_examples}
    tf.saved_model.save(module, str(path), signatures=signatures)
    _drop_run_id(path / "fingerprint.pb")
    return Written("saved_model", SAVED_MODEL, "raw_rows")


def column_specs(inputs: Mapping[str, str]) -> list[tf.TensorSpec]:
    """Return the signature's inputs; SettingsError for a name that none can have."""
    require_signature_names(inputs)
    return [tf.TensorSpec([None], TYPES[dtype], name=name) for name, dtype in inputs.items()]


def _drop_run_id(path: Path) -> None:
    """Drop the random id of a fingerprint; its checksums stay. All other bytes repeat."""
    fingerprint = fingerprint_pb2.FingerprintDef.FromString(path.read_bytes())
    fingerprint.ClearField("uuid")
    path.write_bytes(fingerprint.SerializeToString(deterministic=True))


def _load_transform(preprocessing: Preprocessing) -> Any:
    """Return the fitted graph; raise IntegrityError unless it takes the columns of the ONNX one.

    Raises DataError where a file of it, such as a vocabulary, is gone.
    """
    try:
        transform = tf.saved_model.load(str(preprocessing.folder / TRANSFORM))
    except (OSError, tf.errors.NotFoundError) as error:
        raise DataError(
            f"the transform graph's {TRANSFORM} cannot be read, or one of its vocabularies",
            remedy="run transform_features again",
        ) from error
    (columns,), _ = transform.transform_fn.structured_input_signature
    actual = {name: (spec.dtype.name, spec.shape.rank) for name, spec in columns.items()}
    expected = {name: (dtype, 1) for name, dtype in preprocessing.inputs.items()}
    if actual != expected:
        raise IntegrityError(
            "transform_fn and preprocessing.onnx do not take the same columns",
            remedy="run transform_features again",
            expected=expected,
            actual=actual,
        )
    return transform
