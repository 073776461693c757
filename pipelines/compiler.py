"""Compile a DAG to KFP's intermediate representation, the single source of what runs.

Rules: the same code gives the same bytes; KFP's own cache is off in every task, because it would
skip the stage and its record (the wrapper in components/stage.py has the cache that writes one).
Images, accelerators and secrets are a target's (target.py), and added while the DAG is built
(placement.py); no bucket is in what is compiled, it is given when a run is submitted.

Importing kfp and compiling take half a second, so a state folder's cache keeps what was compiled
last of each, with the digest of the code and the lock it was compiled from and one of its own
bytes: where either differs it is compiled anew.
"""

from __future__ import annotations

import functools
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from components.core.artifacts import read_json, write_json, write_text
from components.core.canonical import sha256_bytes, sha256_value
from components.core.code import environment, module_digests
from components.core.errors import DataError, SettingsError
from pipelines.placement import placed_on
from pipelines.target import Target

KEPT_FILE = "compiled.json"
_BUILDING = threading.Lock()
"""kfp builds one DAG at a time in a process."""
TRAINING, IMPORTING, LAUNCHING = "training", "importing", "launching"


def write_compiled(path: Path, text: str) -> None:
    """Write a compiled DAG to a file, whole or not at all."""
    try:
        write_text(path, text)
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written: {error.strerror}", remedy="name another file"
        ) from error


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


def compiled(dag: str = TRAINING, target: Target | None = None) -> str:
    """Return the compiled DAG of that name as YAML; a cluster's has a second, Kubernetes part."""
    return _written(_built(dag, target))


def manifests(dag: str, target: Target, namespace: str) -> str:
    """Return the DAG as KFP's own Kubernetes objects: a Pipeline and a PipelineVersion.

    The version is named by the digest of what is compiled, so that each is another object.
    """
    from kfp.compiler.compiler_utils import KubernetesManifestOptions

    pipeline = _built(dag, target)
    version = f"{pipeline.name}-{sha256_bytes(_written(pipeline).encode())[:12]}"
    options = KubernetesManifestOptions(
        pipeline_name=pipeline.name,
        pipeline_version_name=version,
        namespace=namespace,
        include_pipeline_manifest=True,
    )
    return _written(pipeline, kubernetes_manifest_format=True, kubernetes_manifest_options=options)


def _built(dag: str, target: Target | None) -> Any:
    """Return the DAG as kfp has it, built anew for a target.

    A thread of its own builds it: kfp's setters look up the source of all their callers, which
    takes ten times as long below a notebook's or a test's.
    """
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(_built_here, dag, target).result()


def _built_here(dag: str, target: Target | None) -> Any:
    from kfp import dsl

    from pipelines import launching, training

    pipeline = getattr(launching if dag == LAUNCHING else training, dag)
    if target is not None and target.images is not None:
        named = dsl.pipeline(name=pipeline.name, description=pipeline.description)
        with _BUILDING, placed_on(target):
            pipeline = named(pipeline.pipeline_func)
    _turn_caching_off(pipeline.pipeline_spec)
    return pipeline


def _written(pipeline: Any, **form: Any) -> str:
    from kfp.compiler import Compiler

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pipeline.yaml")
        Compiler().compile(pipeline, str(path), **form)
        return path.read_text(encoding="utf-8")


def _turn_caching_off(spec: Any) -> None:
    """Clear the cache option of every task of a PipelineSpec, in place."""
    for dag in (spec.root.dag, *(component.dag for component in spec.components.values())):
        for task in dag.tasks.values():
            if task.HasField("caching_options"):  # the exit handler has none
                task.caching_options.enable_cache = False
