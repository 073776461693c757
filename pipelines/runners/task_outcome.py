"""What a task's process left when it ended: its outputs, or the error that stopped it.

Rules: the process's own word counts where it could give one; a process that was killed, or whose
disk took no file, is the operator's matter (PlatformError); one that ended by itself without a word
is not tried again (DataError).
"""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.core.errors import DataError, PlatformError, TandemError, error_from_dict
from pipelines.runners.ended import Ended, Lost
from pipelines.runners.results import OutputRef
from pipelines.runners.task_process import EXIT_UNWRITTEN

_MEMORY_REMEDY = (
    "look for lack of memory (dmesg): ask for less (train.batch_size, the model's size, a smaller "
    "window) or give more, then resume the run"
)


def task_outcome(folder: Path, news: Ended | Lost, log: str) -> dict[str, OutputRef] | TandemError:
    """Return the outputs of a task, or why there are none; `folder` is the run's."""
    if isinstance(news, Lost):
        return PlatformError(f"{news.task} ended because {news.cause}", remedy=_MEMORY_REMEDY)
    if news.status < 0:
        name = signal.Signals(-news.status).name
        return PlatformError(f"{news.task} was killed by {name}", remedy=_MEMORY_REMEDY)
    if news.status == EXIT_UNWRITTEN:
        return PlatformError(
            f"{news.task} could write neither its result nor its error",
            remedy="free disk space, then resume the run",
        )
    error = folder / "tasks" / news.task / "error.json"
    if error.is_file():
        return error_from_dict(json.loads(error.read_bytes()))
    result = folder / "tasks" / news.task / "result.json"
    if news.status != 0 or not result.is_file():
        return DataError(
            f"{news.task} ended by itself with status {news.status}", remedy=f"read {log}"
        )
    return _outputs(folder, news.task, json.loads(result.read_bytes())["outputs"])


def _outputs(
    folder: Path, task: str, written: Mapping[str, Mapping[str, Any]]
) -> dict[str, OutputRef] | TandemError:
    """Return the outputs by paths relative to the run's folder, which none may lie outside of."""
    outputs = {}
    for name, output in written.items():
        path = Path(output["path"])
        if not path.is_relative_to(folder):
            return DataError(
                f"{task} wrote {name} to {path}, outside the run's folder",
                remedy="write to the path that the port gives",
            )
        relative = path.relative_to(folder).as_posix()
        outputs[name] = OutputRef(relative, output["sha256"], output["metadata"])
    return outputs
