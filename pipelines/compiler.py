"""Compile a DAG to KFP's intermediate representation, the single source of what runs.

Rules: the same code gives the same bytes; KFP's own cache is off in every task, because it would
skip the stage and its record (the wrapper in components/stage.py has the cache that writes one).
Images, accelerators and secrets are added by the cluster's runner, not here.

Importing kfp and compiling take half a second, so a state folder's cache keeps what was compiled
last of each, with the digest of the code and the lock it was compiled from and one of its own
bytes: where either differs it is compiled anew.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

from components.core.artifacts import read_json, write_json, write_text
from components.core.canonical import sha256_bytes, sha256_value
from components.core.code import environment, module_digests
from components.core.errors import DataError, SettingsError

KEPT_FILE = "compiled.json"
TRAINING, IMPORTING = "training", "importing"


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


def kept_or_compiled(cache: Path, dag: str = TRAINING) -> str:
    """Return a compiled DAG: what the cache's folder keeps, where nothing has changed since."""
    kept = _kept(cache, dag)
    return compiled(dag) if kept is None else kept


def keep(cache: Path, ir: str, dag: str = TRAINING) -> None:
    """Keep a DAG as it is now compiled; OSError where the folder does not take it."""
    if _kept(cache, dag) != ir:
        kept = {"made_from": _made_from(), "sha256": sha256_bytes(ir.encode()), "ir": ir}
        write_json(_kept_file(cache, dag), kept)


def _kept_file(cache: Path, dag: str) -> Path:
    return cache / (KEPT_FILE if dag == TRAINING else f"{dag}.{KEPT_FILE}")


def _kept(cache: Path, dag: str) -> str | None:
    """Return what is kept if it is whole and still holds."""
    try:
        kept = read_json(_kept_file(cache, dag))
        ir = str(kept["ir"])
        holds = kept["made_from"] == _made_from() and kept["sha256"] == sha256_bytes(ir.encode())
    except (DataError, OSError, KeyError, TypeError):
        return None
    return ir if holds else None


@functools.cache
def _made_from() -> str:
    """Return the digest of all that the compiled bytes depend on, as this process found it."""
    lock = environment()["lock_sha256"]
    return sha256_value({"modules": module_digests([__name__]), "lock_sha256": lock})


def compiled(dag: str = TRAINING) -> str:
    """Return the compiled DAG of that name as YAML."""
    from kfp.compiler import Compiler

    from pipelines import training

    pipeline = getattr(training, dag)
    _turn_caching_off(pipeline.pipeline_spec)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pipeline.yaml")
        Compiler().compile(pipeline, str(path))
        return path.read_text(encoding="utf-8")


def _turn_caching_off(spec: Any) -> None:
    """Clear the cache option of every task of a PipelineSpec, in place."""
    for dag in (spec.root.dag, *(component.dag for component in spec.components.values())):
        for task in dag.tasks.values():
            if task.HasField("caching_options"):  # the exit handler has none
                task.caching_options.enable_cache = False
