"""Convert a PyTorch bundle to ExecuTorch with XNNPACK, run it there, and compare: [BUNDLE].

Run by `make try-executorch`, in an environment that has ExecuTorch and what reads a bundle.

Rules: the .pte is made of the bundle's own .pt2; it is run by a process that never saw the bundle,
at each of BATCH_SIZES, on the features that the bundle's preprocessing makes; what differs from the
bundle's ONNX form by more than the contract's tolerance, or does not run, ends with 1. Nothing
here was ever run on a phone.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

import bundles
import numpy as np

from components.core.errors import PlatformError, TandemError

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "build" / "executorch" / "model.pte"
RUN = Path(__file__).with_name("executorch_run.py")
# They tell of accelerators that nobody asked for.
TALKATIVE = ("torchao", "torch.utils._pytree")
BOOKKEEPING = "getitem"


def main(arguments: list[str]) -> int:
    """Convert, run and compare; return 0, or 1 with one line of cause and remedy."""
    try:
        return _try(arguments)
    except TandemError as error:
        print(f"tandem: {error.message}; {error.remedy}", file=sys.stderr)
        return 1


def _try(arguments: list[str]) -> int:
    bundle = bundles.open_bundle(arguments)
    print(f"ExecuTorch {version('executorch')}, PyTorch {version('torch')}")
    print(f"{bundle.contract.family} of {bundle.folder}")
    delegated, others = convert(bundle)
    print(f"{delegated} operators delegated to XNNPACK; not delegated: {_counted(others)}")
    trial = bundles.Trial.of(bundle)
    outputs, seconds = run_fresh(MODEL, trial)
    sizes = f"{MODEL.stat().st_size} bytes (.pt2: {bundle.path(bundles.FORM).stat().st_size})"
    print(f"{MODEL.relative_to(ROOT)}: {sizes}, loaded in {1000 * seconds:.1f} ms")
    print(
        f"at most {bundles.LARGEST_BATCH} rows a call; {trial.features.rows} rows, "
        f"{trial.edges} of them edge rows"
    )
    return compare(trial, outputs, bundle.contract.form(bundles.FORM).parity.tolerance)


def convert(bundle: bundles.Bundle) -> tuple[int, dict[str, int]]:
    """Write MODEL; return how many operators XNNPACK has, and the others by name."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.simplefilter("ignore", FutureWarning)
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.devtools.backend_debug import get_delegation_info
    from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower

    # Its check takes the first part of a split for all of them and asks for their number, which
    # fixes the batch to the example's.
    unchecked = EdgeCompileConfig(_check_ir_validity=False)
    edge = to_edge_transform_and_lower(
        bundles.bounded(bundle), partitioner=[XnnpackPartitioner()], compile_config=unchecked
    )
    MODEL.parent.mkdir(parents=True, exist_ok=True)
    info = get_delegation_info(edge.exported_program().graph_module)
    MODEL.write_bytes(edge.to_executorch().buffer)
    by_operator = info.delegation_by_operator
    others = {n: found.non_delegated for n, found in by_operator.items() if found.non_delegated}
    others.pop(BOOKKEEPING, None)
    return sum(found.delegated for found in by_operator.values()), others


def run_fresh(model: Path, trial: bundles.Trial) -> tuple[dict[int, np.ndarray], float]:
    """Return what a fresh process gives at each batch size, and the seconds that loading took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "dense.npy", trial.features.dense)
        np.save(folder / "ids.npy", trial.features.ids)
        command = [sys.executable, RUN, model, folder, *map(str, bundles.BATCH_SIZES)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(done.stdout, done.stderr, sep="", file=sys.stderr)
            raise PlatformError(
                f"the .pte was converted but does not run, exit code {done.returncode}",
                remedy="the runtime's own message is above",
            )
        seconds = json.loads((folder / "load.json").read_text())["seconds"]
        return {size: np.load(folder / f"{size}.npy") for size in bundles.BATCH_SIZES}, seconds


def compare(trial: bundles.Trial, outputs: dict[int, np.ndarray], tolerance: float) -> int:
    """Print how far each output is from the ONNX form's; return 1 if one is over the tolerance."""
    code = 0
    for size, found in outputs.items():
        parity = trial.parity(found, size, tolerance)
        verdict = "within" if parity.holds else "NOT WITHIN"
        difference = f"{parity.max_abs_difference:.1e} from ONNX"
        print(f"batches of {size}: {difference}, {verdict} {tolerance}")
        code |= not parity.holds
    return code


def _counted(operators: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in sorted(operators.items())) or "none"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
