"""The ONNX forms of 8-bit numbers: the matrix products of a model, its preprocessing as it is.

Rules: weights are rounded to 8 bits, and what they are multiplied with is too: `dynamic` by the
range of the batch at hand, so that a row's result depends on the rows beside it, `static` by the
range of all but a ten-thousandth of what calibration rows had, beyond which numbers are cut off
(the whole range, with its few extremes, cost the flights' models three times the AUC). Embeddings,
sums and the probability stay float32. Calibration rows are spread evenly over those that train.
Both factors are unsigned: of a signed and an unsigned one, processors without VNNI cut off the sum
of two products, and results turn on the processor (ONNX Runtime, "Quantize ONNX models").
The model is rounded before its preprocessing is put in front, which no rounding may touch.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from components.core.features import FeatureArrays
from components.core.settings import FormName
from components.training.composition import at_opset, compose_raw, feature_model, opset, write_onnx
from components.training.proof import Written
from components.training.sealing import Preprocessing

CALIBRATION_ROWS = 4096
PERCENTILE = 99.99
_ROWS_AT_ONCE = 256
_PRODUCTS = ["MatMul", "Gemm"]
Batch = dict[str, np.ndarray[Any, Any]]


def calibration_batches(arrays: FeatureArrays) -> Iterator[Batch]:
    """Yield the features of the calibration rows, as a model takes them.

    Batches are of one size: LiteRT's calibration takes the first one's for all.
    """
    size = min(arrays.rows, _ROWS_AT_ONCE)
    count = min(arrays.rows, CALIBRATION_ROWS) // size * size
    places = np.linspace(0, arrays.rows - 1, count).astype(np.int64)
    for start in range(0, count, size):
        part = places[start : start + size]
        yield {"dense": np.take(arrays.dense, part, 0), "ids": np.take(arrays.ids, part, 0)}


def write_int8(
    folder: Path,
    exported: Any,
    preprocessing: Preprocessing,
    forms: Sequence[str],
    arrays: FeatureArrays,
) -> list[Written]:
    """Write those ONNX forms of 8 bits that are among `forms`; `exported` takes features."""
    written = []
    for name, quantise in _FORMS.items():
        if name in forms:
            model = at_opset(feature_model(exported), preprocessing.opset)
            composed = compose_raw(preprocessing.model, _quantised(model, quantise, arrays))
            path = f"model.{name.removeprefix('onnx_').replace('_', '-')}.onnx"
            write_onnx(composed, folder / path)
            written.append(Written(name, path, "raw_rows", opset=opset(composed)))
    return written


Quantise = Callable[[Path, Path, FeatureArrays], None]


def _quantised(model: Any, quantise: Quantise, arrays: FeatureArrays) -> Any:
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given, prepared, made = (folder / f"{n}.onnx" for n in ("given", "prepared", "made"))
        onnx.save(model, given)
        # Names of dimensions differ from process to process; shapes by ONNX's own rules do not.
        quant_pre_process(given, prepared, skip_symbolic_shape=True, skip_optimization=True)
        quantise(prepared, made, arrays)
        return onnx.load(str(made))


def _dynamic(given: Path, made: Path, arrays: FeatureArrays) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    unsigned = QuantType.QUInt8
    quantize_dynamic(given, made, op_types_to_quantize=_PRODUCTS, weight_type=unsigned)


def _static(given: Path, made: Path, arrays: FeatureArrays) -> None:
    from onnxruntime import quantization

    unsigned = quantization.QuantType.QUInt8
    taken = {value.name for value in onnx.load(str(given)).graph.input}
    batches = calibration_batches(arrays)

    class Rows(quantization.CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> Batch | None:
            batch = next(batches, None)
            return batch and {name: batch[name] for name in taken}

    with redirect_stdout(sys.stderr):  # it tells how it goes on
        quantization.quantize_static(
            given,
            made,
            Rows(),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=_PRODUCTS,
            activation_type=unsigned,
            weight_type=unsigned,
            calibrate_method=quantization.CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": PERCENTILE},
        )


_FORMS: Mapping[FormName, Quantise] = {"onnx_int8_dynamic": _dynamic, "onnx_int8_static": _static}
