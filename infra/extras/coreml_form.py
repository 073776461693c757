"""Convert a PyTorch bundle to Core ML and read what was written: [BUNDLE].

Run by `make try-coreml`, in an environment that has coremltools and what reads a bundle.

Rules: the .mlpackage is made of the bundle's own .pt2, in float32; it must take the features and
give the probability by the names and types of the contract, else it ends with 1. Core ML runs on
macOS alone: nothing that was converted here was ever run.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import bundles

from components.core.contract import Contract
from components.core.errors import IntegrityError, TandemError

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "build" / "coreml" / "model.mlpackage"
# What it says at import is of macOS and of scikit-learn.
TALKATIVE = "coremltools"
Takes = dict[str, tuple[str | int, ...]]


def main(arguments: list[str]) -> int:
    """Convert and check; return 0, or 1 with one line of cause and remedy."""
    try:
        bundle = bundles.open_bundle(arguments)
        print(f"coremltools {version('coremltools')}, PyTorch {version('torch')}")
        print(f"{bundle.contract.family} of {bundle.folder}")
        convert(bundle)
        found, opset, operators = written()
        require(found, bundle.contract)
    except TandemError as error:
        print(f"tandem: {error.message}; {error.remedy}", file=sys.stderr)
        return 1
    size = sum(file.stat().st_size for file in MODEL.rglob("*") if file.is_file())
    print(f"{MODEL.relative_to(ROOT)}: {size} bytes, at most {bundles.LARGEST_BATCH} rows a call")
    print("; ".join(f"{name}: {' '.join(map(str, kind))}" for name, kind in found.items()))
    print(f"operators of {opset}: {', '.join(operators)}")
    print("converted and never run: Core ML runs on macOS alone")
    return 0


def convert(bundle: bundles.Bundle) -> None:
    """Write MODEL, for 1 to LARGEST_BATCH rows."""
    import numpy as np

    tools = _coremltools()
    model = tools.convert(
        bundles.bounded(bundle).run_decompositions({}),
        convert_to="mlprogram",
        # The default, float16, is coarser than the contract's tolerance.
        compute_precision=tools.precision.FLOAT32,
        outputs=[tools.TensorType(name=bundle.contract.output.name, dtype=np.float32)],
        skip_model_load=True,
    )
    MODEL.parent.mkdir(parents=True, exist_ok=True)
    model.save(str(MODEL))


def written() -> tuple[Takes, str, list[str]]:
    """Return what MODEL takes and gives, its set of operators, and those it has, from its file."""
    tools = _coremltools()
    specification = tools.models.MLModel(str(MODEL), skip_model_load=True).get_spec()
    kinds = tools.proto.FeatureTypes_pb2.ArrayFeatureType.ArrayDataType
    found = {}
    for value in (*specification.description.input, *specification.description.output):
        array = value.type.multiArrayType
        # Only inputs have a shape.
        found[value.name] = (kinds.Name(array.dataType), *array.shape[1:])
    program = specification.mlProgram.functions["main"]
    operators = program.block_specializations[program.opset].operations
    return found, program.opset, sorted({operator.type for operator in operators})


def require(found: Takes, contract: Contract) -> None:
    """Raise IntegrityError unless names, types and columns are the contract's."""
    expected: Takes = {
        "dense": ("FLOAT32", len(contract.features.dense)),
        "ids": ("INT32", len(contract.features.ids)),
        contract.output.name: ("FLOAT32",),
    }
    if found != expected:
        raise IntegrityError(
            f"the .mlpackage takes and gives {found}, not {expected}",
            remedy="report it with the version of coremltools",
            expected=expected,
            actual=found,
        )


def _coremltools() -> Any:
    os.environ["TQDM_DISABLE"] = "1"
    logging.getLogger(TALKATIVE).setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore", FutureWarning)
    import coremltools

    return coremltools


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
