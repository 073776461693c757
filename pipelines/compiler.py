"""Compile the DAG to KFP's intermediate representation, the single source of what runs.

Rules: the same code gives the same bytes; KFP's own cache is off in every task, because it would
skip the stage and its record (the wrapper in components/stage.py has the cache that writes one).
Images, accelerators and secrets are added by the cluster's runner, not here.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from components.core.artifacts import write_text
from components.core.errors import SettingsError


def write_compiled(target: Path) -> str:
    """Write the compiled DAG to a file, whole or not at all, and return it."""
    text = compiled()
    try:
        write_text(target, text)
    except OSError as error:
        raise SettingsError(
            f"{target} cannot be written: {error.strerror}", remedy="name another file"
        ) from error
    return text


def compiled() -> str:
    """Return the compiled DAG as YAML."""
    from kfp.compiler import Compiler

    from pipelines.training import training

    _turn_caching_off(training.pipeline_spec)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pipeline.yaml")
        Compiler().compile(training, str(path))
        return path.read_text(encoding="utf-8")


def _turn_caching_off(spec: Any) -> None:
    """Clear the cache option of every task of a PipelineSpec, in place."""
    for dag in (spec.root.dag, *(component.dag for component in spec.components.values())):
        for task in dag.tasks.values():
            if task.HasField("caching_options"):  # the exit handler has none
                task.caching_options.enable_cache = False
