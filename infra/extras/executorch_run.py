"""Run a .pte in ExecuTorch's own runtime: MODEL FOLDER SIZES, in a process of its own.

FOLDER holds dense.npy and ids.npy; what the program gives for all rows at batches of a size is
written beside them as SIZE.npy, and load.json says how long loading took, in seconds. It knows
nothing of the bundle or of what made the program.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from executorch.runtime import Runtime


def main(arguments: list[str]) -> int:
    """Load the program once and run it at each size; 0, or the runtime's exception."""
    model, folder, sizes = Path(arguments[0]), Path(arguments[1]), arguments[2:]
    inputs = [torch.from_numpy(np.load(folder / f"{name}.npy")) for name in ("dense", "ids")]
    runtime = Runtime.get()
    started = time.perf_counter()
    # The program and what it was loaded from have to live as long as the method.
    program = runtime.load_program(model)
    method = program.load_method("forward")
    seconds = time.perf_counter() - started
    for size in sizes:
        batches = zip(*(rows.split(int(size)) for rows in inputs), strict=True)
        # A batch's output lies in the method's own memory until the next one.
        found = [method.execute(list(batch))[0].detach().numpy().copy() for batch in batches]
        np.save(folder / f"{size}.npy", np.concatenate(found))
    (folder / "load.json").write_text(json.dumps({"seconds": seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
