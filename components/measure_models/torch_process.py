"""A process of its own for the forms that PyTorch runs: `-m` this.

Why: no consumer has PyTorch and TensorFlow, with the threads of both, in one process; and it takes
five seconds to import, unless the executor forks the process from one that has done so.

Rules: the two talk over a socket, whoever began the process: BESIDE_VARIABLE is the file descriptor
of the stage's end where the executor did. It says "ready" once PyTorch is imported, and then waits,
so that nothing runs beside what the stage times itself; each line that it reads is a request, each
line that it writes an answer, with what it has used until then; it ends with the socket.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from components.core.boundary import in_our_terms
from components.core.errors import PlatformError, TandemError, error_from_dict
from components.core.quiet import QUIET
from components.core.resources import count_elsewhere, used_by_this_process
from components.core.runtimes import Inputs
from components.core.stage_identity import BESIDE_VARIABLE
from components.measure_models.timing import IMPORTED, Often, time_form

RUNTIME = "torch"
_READY = {"ready": True}


class TorchProcess:
    """The stage's end of the socket; `used` is what the process said last of what it took."""

    def __init__(self, connection: socket.socket, answers: TextIO) -> None:
        self._connection = connection
        self._answers = answers
        self.used: Mapping[str, float] = {"cpu_seconds": 0.0, "peak_memory_bytes": 0}

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
        with suppress(BrokenPipeError):  # the answer is none then
            _write(self._connection, request)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        try:
            line = self._answers.readline()
        except ConnectionResetError:
            line = ""
        if not line:
            raise PlatformError(
                "the process that times PyTorch's forms ended without an answer",
                remedy="look for memory that ran out, or for a crash in the log",
            )
        answer: dict[str, Any] = json.loads(line)
        self.used = answer.pop("used")
        if "error" in answer:
            raise error_from_dict(answer["error"])
        return answer


@contextmanager
def torch_process() -> Iterator[TorchProcess]:
    """Give a process that has imported PyTorch or begun to; it ends with the block."""
    given = os.environ.pop(BESIDE_VARIABLE, None)
    connected = _started() if given is None else socket.socket(fileno=int(given))
    with connected as connection, connection.makefile("r") as answers:
        process = TorchProcess(connection, answers)
        try:
            yield process
        finally:
            if given is not None:  # it is no child, whose time the system counts
                count_elsewhere(process.used)


@contextmanager
def _started() -> Iterator[socket.socket]:
    """Start the process, and give our end of its socket."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-P", "-m", __name__]
    with ours:
        with theirs:
            process = subprocess.Popen(command, stdin=theirs.fileno(), env={**QUIET, **os.environ})
        try:
            yield ours
        finally:
            process.kill()  # it holds nothing, and may still be importing
            process.wait()


def serve(connection: socket.socket) -> None:
    """Answer requests until the other end is closed."""
    gc.disable()  # imports leave next to no garbage: looking for it costs a tenth of their time
    import_module(IMPORTED[RUNTIME])
    gc.freeze()
    gc.enable()
    with suppress(BrokenPipeError, ConnectionResetError), connection.makefile("r") as requests:
        _write(connection, _READY | {"used": used_by_this_process()})
        for line in requests:
            answer = _timed(json.loads(line))
            _write(connection, answer | {"used": used_by_this_process()})


def _write(connection: socket.socket, value: Mapping[str, Any]) -> None:
    connection.sendall(json.dumps(value).encode() + b"\n")


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
    serve(socket.socket(fileno=0))
