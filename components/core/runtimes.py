"""Run any form of a bundle in its own runtime: arrays by name in, one prediction a row out.

Why: a proof, a measurement and a prediction must call a form in one and the same way.

Rules: a runtime is imported only when its form is opened; threads are fixed; a form is called with
the inputs that it has and no others. `saved_model` is its signature of columns; that of serialised
tf.Examples stands beside it in `open_saved_model`. A form whose operators LiteRT lacks is a
SettingsError that names them; one that asks for other names, or gives not one output by a name of
a contract, is an IntegrityError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from components.core.bundle import open_onnx
from components.core.contract import OUTPUTS
from components.core.errors import IntegrityError, SettingsError
from components.core.operators import litert_operators
from components.core.signature_names import keyword

SIGNATURE = "serving_default"
EXAMPLES_SIGNATURE = "serving_examples"
RUNTIMES: Mapping[str, str] = {
    "onnx": "onnxruntime",
    "torch_export": "torch",
    "saved_model": "tensorflow",
    "litert": "ai-edge-litert",
    "onnx_int8_dynamic": "onnxruntime",
    "onnx_int8_static": "onnxruntime",
    "litert_int8": "ai-edge-litert",
}
Array = np.ndarray[Any, Any]
Inputs = Mapping[str, Array]
Score = Callable[[Inputs], Array]


def open_form(name: str, path: Path, threads: int = 1) -> Score:
    """Load a form and return the function that it computes."""
    return _OPENERS[name](path, threads)


def _onnx(path: Path, threads: int) -> Score:
    return onnx_score(open_onnx(path, threads))


def onnx_score(session: Any) -> Score:
    """Return the function that a session computes."""
    taken = [value.name for value in session.get_inputs()]
    output = _output("onnx", [value.name for value in session.get_outputs()])

    def score(inputs: Inputs) -> Array:
        return np.asarray(session.run([output], _named("onnx", taken, inputs))[0])

    return score


def _torch_export(path: Path, threads: int) -> Score:
    import torch

    torch.set_num_threads(threads)
    module = torch.export.load(path).module()

    def score(inputs: Inputs) -> Array:
        with torch.no_grad():
            dense, ids = (torch.tensor(inputs[name]) for name in ("dense", "ids"))
            return np.asarray(module(dense, ids).numpy())

    return score


def _saved_model(path: Path, threads: int) -> Score:
    return open_saved_model(path, threads)[SIGNATURE]


def open_saved_model(path: Path, threads: int = 1) -> dict[str, Score]:
    """Return the function of each signature by its name; the model is loaded once."""
    import tensorflow as tf

    _fix_threads(tf, threads)
    loaded = tf.saved_model.load(str(path))
    _require("saved_model", "has", (SIGNATURE, EXAMPLES_SIGNATURE), loaded.signatures)

    def call(name: str, tensors: Inputs) -> Array:
        given = loaded.signatures[name](**{key: tf.constant(v) for key, v in tensors.items()})
        return np.asarray(given[_output("saved_model", given)].numpy())

    taken = list(loaded.signatures[SIGNATURE].structured_input_signature[1])

    def of_columns(rows: Inputs) -> Array:
        by_keyword = {keyword(column): values for column, values in rows.items()}
        return call(SIGNATURE, _named("saved_model", taken, by_keyword))

    return {
        SIGNATURE: of_columns,
        EXAMPLES_SIGNATURE: lambda rows: call(
            EXAMPLES_SIGNATURE, {"examples": serialised_examples(rows)}
        ),
    }


def _fix_threads(tf: Any, threads: int) -> None:
    """Fix TensorFlow's threads, which it takes once; a process that has used it keeps its own."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        return


def serialised_examples(inputs: Inputs) -> Array:
    """Return rows as serialised tf.Examples, [rows]; a missing value is left out of its row."""
    import tensorflow as tf

    rows = []
    for values in zip(*inputs.values(), strict=True):
        example = tf.train.Example()
        for name, value in zip(inputs, values, strict=True):
            if isinstance(value, str):
                if value:
                    example.features.feature[name].bytes_list.value.append(value.encode())
            elif not np.isnan(value):
                example.features.feature[name].float_list.value.append(float(value))
        rows.append(example.SerializeToString(deterministic=True))
    return np.array(rows, dtype=object)


def _litert(path: Path, threads: int) -> Score:
    from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-untyped]

    try:
        interpreter = Interpreter(str(path), num_threads=threads)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise _lacking(path) from error
    _require("litert", "has", [SIGNATURE], interpreter.get_signature_list())
    runner = interpreter.get_signature_runner(SIGNATURE)
    taken = list(runner.get_input_details())
    output = _output("litert", runner.get_output_details())

    def score(inputs: Inputs) -> Array:
        try:
            return np.asarray(runner(**_named("litert", taken, inputs))[output])
        except (RuntimeError, ValueError) as error:  # an operator may be looked for at the call
            raise _lacking(path) from error

    return score


def _named(form: str, taken: Iterable[str], inputs: Inputs) -> dict[str, Array]:
    """Return the inputs that a form takes."""
    taken = list(taken)
    _require(form, "is called with", taken, inputs)
    return {name: inputs[name] for name in taken}


def _output(form: str, given: Iterable[str]) -> str:
    """Return the name of a form's only output; IntegrityError where it is none of a contract's."""
    names = list(given)
    if len(names) != 1 or names[0] not in OUTPUTS.values():
        raise IntegrityError(
            f"the {form} form gives {', '.join(names) or 'nothing'}, not one of "
            f"{', '.join(OUTPUTS.values())}",
            remedy="export the model again; a form's names are those of its contract",
            expected=list(OUTPUTS.values()),
            actual=names,
        )
    return names[0]


def _require(form: str, what: str, expected: Iterable[str], actual: Iterable[str]) -> None:
    """Raise IntegrityError where a name is lacking; `what` is the verb before the actual ones."""
    expected, actual = list(expected), list(actual)
    lacking = [name for name in expected if name not in actual]
    if lacking:
        raise IntegrityError(
            f"the {form} form {what} {', '.join(actual) or 'nothing'}, not {', '.join(lacking)}",
            remedy="export the model again; a form's names are those of its contract",
            expected=expected,
            actual=actual,
        )


def _lacking(path: Path) -> SettingsError:
    """Return the error of a form that LiteRT cannot run, with the operators it lacks."""
    found = litert_operators(path)
    lacking = [*found.get("flex", ()), *found.get("custom", ())]
    return SettingsError(
        f"the litert form was converted but does not run: LiteRT lacks {', '.join(lacking)}"
        if lacking
        else "the litert form was converted but LiteRT does not run it",
        remedy="keep the model to operators that LiteRT has (a recurrent layer: unroll=True), "
        "or leave litert out of train.forms",
        expected="LiteRT's built-in operators",
        actual=lacking,
    )


_OPENERS: Mapping[str, Callable[[Path, int], Score]] = {
    "onnx": _onnx,
    "torch_export": _torch_export,
    "saved_model": _saved_model,
    "litert": _litert,
    "onnx_int8_dynamic": _onnx,
    "onnx_int8_static": _onnx,
    "litert_int8": _litert,
}
