"""One process of a training in several; components.training.processes starts it."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file

from components.core.artifacts import read_json, write_json
from components.core.errors import TandemError
from components.core.gpus import GpuMeter, started_meter
from components.core.resources import used_by_this_process
from components.training.course import Course
from components.training.framework import Framework
from components.training.interruption import Interruption
from components.training.processes import AROUND, FIT, REQUEST, WEIGHTS, Request

BEAT, USED = "beat", "used-{}.json"
"""Of nodes: what the task that waits for them writes again and again, and what a process took."""
BEAT_SECONDS = 5.0
PATIENCE_SECONDS = 120.0


def work(folder: Path, framework: Framework, rank: int) -> None:
    """Be the process of that number: obey the request.

    Raises SystemExit where it cannot, and says why in the folder. What lies around it, a lost
    process or a volume, ends this one by a code that says so.
    """
    try:
        _work(folder, framework, rank)
    except Exception as error:
        if not isinstance(error, OSError | SafetensorError) and not framework.lost_others(error):
            raise
        traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(AROUND)  # gloo's threads may abort a process that ends in order


def _work(folder: Path, framework: Framework, rank: int) -> None:
    with _saying_why(folder, rank):
        request = Request.model_validate(read_json(folder / REQUEST))
    if request.nodes == 1:
        threading.Thread(target=_end_with_parent, daemon=True).start()
        _obey(folder, framework, rank, request)
        return
    threading.Thread(target=_end_without_beat, args=[folder], daemon=True).start()
    # The first process of a node speaks for its GPUs, which all of them see.
    meter = started_meter() if os.environ.get("LOCAL_RANK", "0") == "0" else None
    with _counted(folder / USED.format(rank), meter) as count:
        _obey(folder, framework, rank, request, count)


def _obey(
    folder: Path,
    framework: Framework,
    rank: int,
    request: Request,
    count: Callable[[], None] = lambda: None,
) -> None:
    with _saying_why(folder, rank):
        framework.join(folder, request)
        course = Course.on(framework, request.function, Path(request.features))
        model = course.build(request.model, request.train)
        # SIGTERM is to end this process once it has said at which step it stopped.
        with Interruption(), ExitStack() as last, _saying_why(folder, rank):
            last.callback(count)
            _train(folder, course, model, request, rank)


@contextmanager
def _counted(path: Path, meter: GpuMeter | None) -> Iterator[Callable[[], None]]:
    """Write what the process took when it ends; yield what does so where a signal ends it."""

    def count() -> None:
        write_json(path, used_by_this_process(meter))

    try:
        yield count
    finally:
        count()


def _train(folder: Path, course: Course, model: Any, request: Request, rank: int) -> None:
    kept = Path(request.checkpoints) if request.checkpoints else None
    fit = course.fit(model, request.train, kept)
    weights = course.framework.weights(model)  # to which every process may give its share
    if rank == 0:
        arrays = {name: np.ascontiguousarray(array) for name, array in weights.items()}
        save_file(arrays, folder / WEIGHTS)
        write_json(folder / FIT, asdict(fit))


@contextmanager
def _saying_why(folder: Path, rank: int) -> Iterator[None]:
    try:
        yield
    except TandemError as error:
        write_json(folder / f"error-{rank}.json", error.to_dict())
        raise SystemExit(1) from error


def _end_without_beat(folder: Path) -> None:
    """End this process when the task that asked for it has not been heard of for long."""
    last, heard = "", time.monotonic()
    while time.monotonic() - heard < PATIENCE_SECONDS:
        time.sleep(BEAT_SECONDS)
        with contextlib.suppress(OSError):
            if (beat := (folder / BEAT).read_text()) != last:
                last, heard = beat, time.monotonic()
    os._exit(AROUND)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone: its standard input then ends."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)
