"""The LiteRT form of a Keras model: features in, a prediction out, for any number of rows.

Rules: variables become constants, since LiteRT gives no word where it starts them from nothing
(what comes out is then wrong, not an error); operators that LiteRT lacks are kept as TensorFlow's
(Flex), so that the proof can name them all instead of the converter the first; bytes repeat.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.lite.python.convert_phase import ConverterError

from components.core.contract import OUTPUTS
from components.core.errors import SettingsError
from components.core.features import FeatureArrays, FeatureSpec
from components.core.runtimes import SIGNATURE
from components.training.int8 import calibration_batches
from components.training.proof import Written

LITERT = "model.tflite"
LITERT_INT8 = "model.int8.tflite"
_NEITHER = re.compile(r"'([\w.]+)' op is neither")


def write_litert(folder: Path, scored: keras.Model, spec: FeatureSpec) -> Written:
    """Convert the model and write it."""
    (folder / LITERT).write_bytes(to_litert(scored, spec))
    return Written("litert", LITERT, "features")


def write_litert_int8(
    folder: Path, scored: keras.Model, spec: FeatureSpec, arrays: FeatureArrays
) -> Written:
    """Convert the model to 8 bits, by the ranges of training rows, and write it."""
    (folder / LITERT_INT8).write_bytes(to_litert(scored, spec, arrays))
    return Written("litert_int8", LITERT_INT8, "features")


def to_litert(
    scored: keras.Model, spec: FeatureSpec, calibration: FeatureArrays | None = None
) -> bytes:
    """Return the flat buffer of the model with its signature.

    With rows for `calibration`, weights and what they are multiplied with are of 8 bits where
    LiteRT has the operator so; inputs and output stay as they are.
    """
    signature = {
        "dense": tf.TensorSpec([None, len(spec.dense)], tf.float32, name="dense"),
        "ids": tf.TensorSpec([None, len(spec.ids)], tf.int32, name="ids"),
    }

    def prediction(dense: Any, ids: Any) -> dict[str, Any]:
        return {OUTPUTS[spec.task]: scored({"dense": dense, "ids": ids}, training=False)}

    module = tf.Module()
    module.weights = [variable.value for variable in scored.variables]
    call = tf.function(prediction, autograph=False).get_concrete_function(**signature)
    with tempfile.TemporaryDirectory() as beside:
        tf.saved_model.save(module, beside, signatures={SIGNATURE: call})
        _plain_sums(Path(beside, "saved_model.pb"))
        converter = tf.lite.TFLiteConverter.from_saved_model(beside)
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS,
            tf.lite.OpsSet.SELECT_TF_OPS,
        ]
        converter._experimental_lower_tensor_list_ops = False
        if calibration is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: (
                (SIGNATURE, batch) for batch in calibration_batches(calibration)
            )
        return _converted(converter)


def _converted(converter: Any) -> bytes:
    """Return the flat buffer; SettingsError for what is an operator of neither set."""
    try:
        return bytes(converter.convert())
    except ConverterError as error:
        text = str(error)
        lacking = sorted(set(_NEITHER.findall(text)))
        cause = f"LiteRT lacks {', '.join(lacking)}" if lacking else text.strip().splitlines()[0]
        raise SettingsError(
            f"the model cannot be converted to litert: {cause[:300]}",
            remedy="keep the model function to operators that every form carries, "
            "or leave litert out of train.forms",
            expected="LiteRT's operators, or TensorFlow's that LiteRT can name",
            actual=lacking,
        ) from error


def _plain_sums(path: Path) -> None:
    """Make a BiasAdd of whole numbers a sum: Keras adds rows so, and LiteRT has it of floats.

    In a function a value is named by its operator's own output: `output` of BiasAdd, `z` of AddV2.
    """
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for graph in (meta.graph_def for meta in saved.meta_graphs):
        _replace(graph.node)
        for function in graph.library.function:
            names = {f"{n}:output:0": f"{n}:z:0" for n in _replace(function.node_def)}
            for node in function.node_def:
                node.input[:] = [names.get(name, name) for name in node.input]
            for key, name in function.ret.items():
                function.ret[key] = names.get(name, name)
    path.write_bytes(saved.SerializeToString(deterministic=True))


def _replace(nodes: Any) -> list[str]:
    """Replace the operator in place; return the names of the nodes that had it."""
    found = [n for n in nodes if n.op == "BiasAdd" and tf.as_dtype(n.attr["T"].type).is_integer]
    for node in found:
        node.op = "AddV2"
        if "data_format" in node.attr:  # a default is not written
            del node.attr["data_format"]
    return [node.name for node in found]
