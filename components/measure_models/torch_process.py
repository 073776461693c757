"""A process of its own for the forms that PyTorch runs: `-m` this.

Why: no consumer has PyTorch and TensorFlow, with the threads of both, in one process; and it takes
three seconds to import, in part of which the stage reads its rows on another core.

Rules: it says "ready" once PyTorch is imported, and then waits, so that nothing runs beside what
the stage times itself; each line that it reads is a request, each line that it writes an answer;
it ends with its standard input. What a library prints goes to standard error.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from components.core.boundary import in_our_terms
from components.core.errors import PlatformError, TandemError, error_from_dict
from components.core.quiet import QUIET
from components.core.runtimes import Inputs
from components.measure_models.timing import IMPORTED, Often, time_form

RUNTIME = "torch"
_READY = {"ready": True}


class TorchProcess:
    """The stage's end of the process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Return once nothing of the process runs any more."""
        self._answer()

    def time_form(self, name: str, path: Path, inputs: Inputs, often: Often) -> dict[str, Any]:
        """Time a form as `timing.time_form` does, over there."""
        with tempfile.TemporaryDirectory() as folder:
            rows = Path(folder, "rows.npz")
            np.savez(rows, **inputs)  # type: ignore[arg-type] # its own option is not given
            request = {"name": name, "path": str(path), "rows": str(rows)}
            return self._ask(request | {"often": asdict(often)})

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        stream = self._process.stdin
        try:
            if stream is not None:
                stream.write(json.dumps(request) + "\n")
                stream.flush()
        except BrokenPipeError:
            pass  # the answer, which then is none, says with which exit code it ended
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            raise PlatformError(
                f"the timing by PyTorch ended without an answer, exit code {self._process.wait()}",
                remedy="look for memory that ran out, or for a crash in the log",
            )
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise error_from_dict(answer["error"])
        return answer


@contextmanager
def torch_process() -> Iterator[TorchProcess]:
    """Give a process that has begun to import PyTorch; it ends with the block."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**QUIET, **os.environ},
    )
    try:
        yield TorchProcess(process)
    finally:
        process.kill()  # it holds nothing, and may still be importing
        process.communicate()


def main() -> int:
    """Serve requests until standard input ends."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        gc.disable()  # imports leave next to no garbage: looking for it costs a tenth of their time
        import_module(IMPORTED[RUNTIME])
        gc.freeze()
        gc.enable()
        _write(answers, _READY)
        for line in sys.stdin:
            _write(answers, _timed(json.loads(line)))
    return 0


def _write(stream: Any, value: Mapping[str, Any]) -> None:
    stream.write(json.dumps(value) + "\n")
    stream.flush()


def _timed(request: Mapping[str, Any]) -> dict[str, Any]:
    with np.load(request["rows"]) as rows:
        inputs = {name: rows[name] for name in rows.files}
    often = Often(**request["often"])
    name = request["name"]
    try:
        with in_our_terms(f"timing the {name} form"):
            return time_form(name, Path(request["path"]), inputs, often)
    except TandemError as error:
        traceback.print_exc()
        return {"error": error.to_dict()}


if __name__ == "__main__":
    sys.exit(main())
