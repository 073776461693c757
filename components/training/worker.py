"""One process of a training in several; components.training.processes starts it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from components.core.artifacts import read_json, write_json
from components.core.errors import TandemError
from components.training.course import Course, Framework
from components.training.interruption import Interruption
from components.training.processes import FIT, REQUEST, WEIGHTS, Request


def work(folder: Path, framework: Framework, rank: int) -> None:
    """Be the process of that number: obey the request.

    Raises SystemExit where it cannot, and says why in the folder.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with _saying_why(folder, rank):
        request = Request.model_validate(read_json(folder / REQUEST))
        framework.join(folder, request.train)
        course = Course.on(framework, request.function, Path(request.features))
        model = course.build(request.model, request.train)
        # SIGTERM is to end this process once it has said at which step it stopped.
        with Interruption(), _saying_why(folder, rank):
            _train(folder, course, model, request, rank)


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


def _end_with_parent() -> None:
    """End this process when the one that started it is gone: its standard input then ends."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)
