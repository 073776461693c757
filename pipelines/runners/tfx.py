"""The TFX runner: the compiled pipeline as a TFX pipeline, run by LocalDagRunner.

Why: a team that lives in TFX sees the same stages there, as components with TFX's artifact types,
and their lineage in ML Metadata, in one SQLite file for all runs of a home.

Rules: TFX decides the order, one stage after another, and keeps its store; everything else of a run
is the embedded executor's (local.py): its folder, its processes, its records, its signals. TFX goes
no further after a stage that did not end well; what was not begun is SKIPPED, and the exit task
runs whatever happened. TFX's log lies beside those of the stages. TFX is imported when asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.core.errors import PlatformError, SettingsError
from pipelines.loading import loading_quietly
from pipelines.runners.local import opened
from pipelines.runners.results import RunResult
from pipelines.runners.run_folder import disk_error

LOG_FILE = "tfx.log"
_NOT_BEGUN = "TFX begins no stage after one that did not end well"


def load() -> None:
    """Import TFX; raise PlatformError where it does not load."""
    try:
        with loading_quietly():
            from pipelines.runners import tfx_pipeline  # noqa: F401 - importing is what is wanted
    except ImportError as error:
        raise PlatformError(
            f"TFX does not load: {error}",
            remedy="run `make setup`, which installs it, or leave --runner tfx out",
        ) from error


def execute(
    ir: Path, folder: Path, arguments: Mapping[str, Any], *, store: Path, **options: Any
) -> RunResult:
    """Execute a compiled pipeline under TFX in a run folder; return what became of it.

    `store` is ML Metadata's SQLite file; `options` are those of `opened`. Raises what `opened`
    raises, and PlatformError where the store fails, once the run is closed.
    """
    if options.pop("done", None) is not None:
        raise SettingsError("TFX does not go on with a run", remedy="resume it without --runner")
    load()
    from pipelines.runners.tfx_pipeline import run

    with opened(ir, folder, arguments, **options) as execution, _logged(folder / "logs"):
        execution.open({})
        try:
            run(execution, store)
        finally:
            result = execution.close(_NOT_BEGUN)
    return result


@contextmanager
def _logged(folder: Path) -> Iterator[None]:
    """Have TFX's lines in a file of the run's logs, and not on the terminal."""
    path, absl = folder / LOG_FILE, logging.getLogger("absl")
    level, propagates = absl.level, absl.propagate
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise disk_error(path, error) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    absl.addHandler(handler)
    absl.setLevel(logging.INFO)
    absl.propagate = False
    try:
        yield
    finally:
        absl.removeHandler(handler)
        handler.close()
        absl.setLevel(level)
        absl.propagate = propagates
