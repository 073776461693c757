"""The process of one task: it runs the face that was compiled, by kfp's own Executor.

Rules: the source comes out of the IR and is loaded from a file, as in KFP's container; everything
it prints goes to the task's log; what it did is one file, result.json or error.json, written
before the process ends. A TandemError is reported as it is; anything else a face raises is a
DataError with its traceback in the log, so it is not tried again. A disk that takes no file is
told by the exit status alone.

A stage may have a process beside its own (preload.BESIDE), with a socket between the two, whose
file descriptor comes with the request: that process runs `serve` of a module with it, and the
stage finds the number of its end in BESIDE_VARIABLE.
"""

from __future__ import annotations

import atexit
import errno
import io
import json
import logging
import os
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from components.core.artifacts import write_json
from components.core.errors import DataError, PlatformError, TandemError
from components.core.stage_identity import BESIDE_VARIABLE
from pipelines.runners.run_folder import artifact_digest, disk_error

PROGRAM = "ephemeral_component"
EXIT_UNWRITTEN = 74  # EX_IOERR of sysexits.h: neither result nor error could be written
_DISK_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})


def run(request: Mapping[str, Any], beside: int | None = None) -> int:
    """Run one task, or the process beside it, and return the exit status of this process.

    `request` holds folder (the task's own), log, function, and environment, and `serve` where this
    is the process beside; `beside` is the socket to the other one. OSError where not even the cause
    of a failure can be written.
    """
    if "serve" in request:
        return _serve(request, beside)
    folder = Path(request["folder"])
    try:
        _begin(request)
        if beside is not None:
            os.environ[BESIDE_VARIABLE] = str(beside)
        outputs = _execute(folder, str(request["function"]))
        _finish()
        write_json(folder / "result.json", {"outputs": outputs})
    except BaseException as error:  # noqa: BLE001 - the very top of the task's process
        return _report(folder, _as_tandem_error(error))
    return 0


def _serve(request: Mapping[str, Any], connection: int | None) -> int:
    """Serve the stage at the other end; what goes wrong is in the task's log, and ends it."""
    try:
        _begin(request)
        if connection is None:
            raise PlatformError("no socket came along", remedy="raise the limit of open files")
        import_module(request["serve"]).serve(socket.socket(fileno=connection))
        _finish()
    except BaseException:  # noqa: BLE001 - the very top of the process
        traceback.print_exc()
        return 1
    return 0


def _begin(request: Mapping[str, Any]) -> None:
    _redirect(Path(request["log"]))
    os.environ.update(request["environment"])
    tempfile.tempdir = None  # the server may have looked it up; TMPDIR is the task's
    atexit._clear()


def _redirect(log: Path) -> None:
    """Append both output streams to the log; an earlier attempt's lines stay."""
    try:
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as error:
        raise disk_error(log, error) from error
    for stream in (1, 2):
        os.dup2(target, stream)
    os.close(target)
    for text in (sys.stdout, sys.stderr):
        if isinstance(text, io.TextIOWrapper):
            text.reconfigure(line_buffering=True, errors="backslashreplace")
    logging.basicConfig(
        stream=sys.stdout,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        force=True,
    )


def _execute(folder: Path, function: str) -> dict[str, dict[str, Any]]:
    """Run the face and return its outputs: where they lie, their digests and their metadata."""
    from kfp.dsl.executor import Executor
    from kfp.dsl.utils import load_module

    module = load_module(module_name=PROGRAM, module_directory=str(folder))
    executor_input = json.loads((folder / "executor_input.json").read_bytes())
    Executor(executor_input, getattr(module, function)).execute()
    written = json.loads(Path(executor_input["outputs"]["outputFile"]).read_bytes())
    return {
        name: _describe(name, artifact["artifacts"][0])
        for name, artifact in written.get("artifacts", {}).items()
    }


def _describe(name: str, artifact: Mapping[str, Any]) -> dict[str, Any]:
    """Return an output as its consumers get it.

    run_stage has hashed the folder already and says so in the metadata.
    """
    path = Path(artifact.get("custom_path") or artifact["uri"])
    if not path.exists():
        raise DataError(f"the output {name} was not written", remedy="fix the component")
    metadata = artifact.get("metadata") or {}
    return {
        "path": str(path),
        "sha256": metadata.get("sha256") or artifact_digest(path),
        "metadata": metadata,
    }


def _finish() -> None:
    """End what the face left: threads it started, handlers it registered, lines not yet written.

    The server's own handlers and the interpreter's teardown are left out: they are the server's.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()


def _as_tandem_error(error: BaseException) -> TandemError:
    if isinstance(error, TandemError):
        return error
    if isinstance(error, OSError) and error.errno in _DISK_ERRNOS:
        return disk_error(Path(error.filename or "the task's log or result"), error)
    if isinstance(error, MemoryError):
        return PlatformError("the task ran out of memory", remedy="use more memory or less data")
    lines = str(error).strip().splitlines()
    return DataError(
        f"{type(error).__name__}: {lines[0][:300] if lines else 'no message'}",
        remedy="read the task's log, which has the traceback",
    )


def _report(folder: Path, error: TandemError) -> int:
    """Write the cause; called while the original exception is being handled."""
    write_json(folder / "error.json", error.to_dict())
    with suppress(OSError):  # the log may be what could not be written
        traceback.print_exc()
        sys.stderr.flush()
    return error.exit_code
