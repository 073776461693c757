"""A training in several processes on this machine: started, watched, and brought home.

    FOLDER/request.json         what each process trains
    FOLDER/fit.json             what the training came to, and
    FOLDER/weights.safetensors  its weights, by the first process
    FOLDER/error-N.json         why process N failed, where it knows

Rules: the processes end with the one that started them, however that ends (they watch their
standard input); where one fails, the others are ended, because they would wait for it for ever;
SIGTERM is handed on, and all of them stop at the same step. The folder is the caller's.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Any

import numpy as np
from pydantic import TypeAdapter
from safetensors.numpy import load_file

from components.core.artifacts import read_json, write_json
from components.core.errors import DataError, PlatformError, TandemError, error_from_dict
from components.core.model_settings import ModelFamily
from components.core.quiet import QUIET
from components.core.settings import Section
from components.core.training_settings import Train
from components.training.fit import Fit
from components.training.interruption import Interruption

REQUEST, FIT, WEIGHTS = "request.json", "fit.json", "weights.safetensors"
GRACE_SECONDS = 5.0
_POLL_SECONDS = 0.05
_OF_SIGNALS = 128  # a launcher tells a signal that ended a process as 128 more
AROUND = 75
"""The exit code of a process that lost the others, or a file: EX_TEMPFAIL of sysexits.h."""
Weights = Mapping[str, np.ndarray[Any, Any]]


class Request(Section):
    """What every process of a training is told."""

    function: str
    model: ModelFamily
    train: Train
    features: str
    checkpoints: str | None = None
    nodes: int = 1
    """Over which the processes are spread; with more than one the task beats (worker.py)."""


@dataclass(frozen=True)
class Command:
    """What starts one process, or several: arguments of this Python, and environment."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    held: Sequence[socket] = ()
    """What keeps the ports that the process will listen on; see ports.py."""


def train_in_processes(
    folder: Path, request: Request, commands: Sequence[Command]
) -> tuple[Fit, Weights]:
    """Start the processes, wait for their end, and return what the first of them brought.

    Raises what the first that failed failed with; PlatformError where SIGTERM came.
    """
    write_json(folder / REQUEST, request.model_dump(mode="json"))
    with Interruption() as interruption, ExitStack() as held:
        for command in commands:
            for port in command.held:
                held.enter_context(port)
        started = [_start(command, request.train.threads) for command in commands]
        try:
            codes = _wait(started, lambda: interruption.received)
        finally:
            _end(started)
        if interruption.received:
            raise stopped_by_signal()
    if any(codes):
        raise cause(folder, codes)
    return brought(folder)


def stopped_by_signal() -> PlatformError:
    """Return what a training is stopped with where SIGTERM came."""
    return PlatformError("training was stopped by SIGTERM", remedy="resume the run")


def brought(folder: Path) -> tuple[Fit, Weights]:
    """Return what the first process brought."""
    fit = TypeAdapter(Fit).validate_python(read_json(folder / FIT))
    return fit, load_file(folder / WEIGHTS)


def _start(command: Command, threads: int) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own: signals reach it from here only."""
    own = {"OMP_NUM_THREADS": str(threads), "PYTHONSAFEPATH": "1"}
    return subprocess.Popen(
        [sys.executable, "-P", *command.arguments],
        env={**QUIET, **os.environ, **own, **command.environment},
        stdin=subprocess.PIPE,
        start_new_session=True,
    )


def _wait(started: Sequence[subprocess.Popen[bytes]], stopped: Callable[[], bool]) -> list[int]:
    """Return the exit codes; hand SIGTERM on once, and wait no longer where one failed."""
    is_told = False
    while any(process.poll() is None for process in started):
        if any(process.poll() for process in started):
            break
        if stopped() and not is_told:
            is_told = True
            for process in started:
                process.terminate()
        time.sleep(_POLL_SECONDS)
    return [process.poll() or 0 for process in started]


def _end(started: Sequence[subprocess.Popen[bytes]]) -> None:
    """End what still runs: closing its standard input says so, and after a while it is killed."""
    for process in started:
        if process.stdin is not None:
            process.stdin.close()
    deadline = time.monotonic() + GRACE_SECONDS
    for process in started:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cause(folder: Path, codes: Sequence[int]) -> TandemError:
    """Return what the first process to fail said, or that it said nothing, by its exit code."""
    told = sorted(folder.glob("error-*.json"), key=lambda path: path.stat().st_mtime_ns)
    if told:
        return error_from_dict(read_json(told[0]))
    code = min((code for code in codes if code), key=telling)
    killer = _killer(code)
    if killer > 0:
        return PlatformError(
            f"a process of the training was ended by signal {killer}",
            remedy="look for lack of memory (dmesg): a smaller train.batch_size needs less",
        )
    if code == AROUND:
        return PlatformError(
            "a process of the training lost the others, or a file that they share",
            remedy="read the task's log, which has its traceback, and resume the run",
        )
    return DataError(
        f"a process of the training failed with exit code {code}",
        remedy="read the task's log, which has its traceback",
    )


def telling(code: int) -> int:
    """Return how little an exit code tells of the cause.

    Whoever is killed, or fails by itself, takes the others along: a job ends them by SIGTERM.
    """
    killer = _killer(code)
    if killer > 0:
        return 2 if killer == signal.SIGTERM else 0
    return 3 if code == AROUND else 1


def _killer(code: int) -> int:
    """Return the signal that an exit code tells of, 0 or less where there was none."""
    return -code if code < 0 else code - _OF_SIGNALS
