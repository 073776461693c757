"""Prepare a run: everything that can fail is tried before anything is written.

Rules:
1. preparing needs no place to write, so a plan can be made anywhere; the checks are those of
   pipelines/preflight;
2. what changes outside the run (source files, the champion) becomes a digest in the arguments;
3. a resumed run uses what it recorded, and is refused where its code is no longer the same; it is
   the embedded executor that goes on with it, whatever began it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.core.artifacts import read_json, same_files
from components.core.cache import StageCache
from components.core.errors import SettingsError
from components.core.imports import recall
from components.core.sources import use_sources
from components.tfx_history.store import require_writable_schema
from pipelines.arguments import sections_and_identity
from pipelines.champion import resolve
from pipelines.compiler import IMPORTING, TRAINING, kept_or_compiled
from pipelines.home import Home
from pipelines.loaded_settings import LoadedSettings
from pipelines.plan import TaskPlan, Verdict, code_of_run, plan_run
from pipelines.preflight.checks import check_before_run, check_data
from pipelines.preflight.machine import check_packages
from pipelines.runners.ir import Pipeline, parse_pipeline
from pipelines.runners.preload import LIGHT, server_of
from pipelines.runners.results import RunState, TaskResult
from pipelines.runners.run_folder import finished_tasks
from pipelines.runs import RecordedRun
from pipelines.start import ARGUMENTS_FILE, SETTINGS_FILE, Start, read_ir, read_start

TFX = "tfx"


@dataclass(frozen=True)
class PreparedRun:
    """A run that can be launched; `folder` may not exist yet."""

    folder: Path
    ir: str
    pipeline: Pipeline
    arguments: Mapping[str, Any]
    plan: Sequence[TaskPlan]
    settings: Mapping[str, Any]
    start: Start
    dag: str = TRAINING
    done: Mapping[str, TaskResult] | None = None

    @property
    def tasks(self) -> list[str]:
        """The names of all tasks, the exit task last."""
        last = [self.pipeline.exit_task.name] if self.pipeline.exit_task else []
        return [*self.pipeline.tasks, *last]

    @property
    def light(self) -> set[str]:
        """The tasks expected in the cache."""
        return {plan.task for plan in self.plan if plan.verdict is Verdict.CACHED}

    @property
    def preload(self) -> list[str]:
        """The slow fork servers that the other tasks need, each once, in the order of need."""
        idle = {*self.light, *(self.done or {})}
        needed = [plan for plan in self.plan if plan.task not in idle]
        servers = dict.fromkeys(server_of(plan.stage) for plan in needed)
        return [name for name in servers if name != LIGHT]


def prepare(
    loaded: LoadedSettings,
    settings_file: Path,
    home: Home,
    *,
    cache: bool,
    orchestrator: str | None = None,
) -> PreparedRun:
    """Check everything, compile, and plan a new run; write nothing.

    `orchestrator` is what is to decide the order, where that is not the embedded executor.
    """
    sources = settings_file.resolve().parent
    use_sources(sources)
    check_before_run(loaded, sources)
    if orchestrator == TFX:
        require_writable_schema(home.metadata_file)
    return _planned(TRAINING, loaded, settings_file, home, cache=cache, orchestrator=orchestrator)


def prepare_import(
    model: Path,
    signature: Path | None,
    loaded: LoadedSettings,
    settings_file: Path,
    home: Home,
    *,
    cache: bool,
) -> PreparedRun:
    """Do what `prepare` does for the run of a model that was trained elsewhere."""
    from pipelines.preflight.imported import given_model

    sources = settings_file.resolve().parent
    use_sources(sources)
    given = given_model(model, signature, loaded)
    check_data(loaded, sources)
    said = given.model_dump(mode="json", exclude_none=True) | {"path": given.path}
    return _planned(IMPORTING, loaded, settings_file, home, cache=cache, imported=said)


def _planned(
    dag: str,
    loaded: LoadedSettings,
    settings_file: Path,
    home: Home,
    *,
    cache: bool,
    orchestrator: str | None = None,
    **more: Any,
) -> PreparedRun:
    """Compile a DAG and plan a run of it with the settings' sections that it takes."""
    settings, place = loaded.settings, settings_file.resolve()
    recall(home.cache)
    ir = kept_or_compiled(home.cache, dag)
    pipeline = parse_pipeline(yaml.load(ir, Loader=yaml.CSafeLoader))
    sections, identity = sections_and_identity(
        loaded, ir, pipeline.inputs, place.parent, cache=cache, orchestrator=orchestrator
    )
    sections |= more
    champion = resolve(settings.registry.model_name, home)
    arguments = {**sections, "run": identity, "champion": champion}
    return PreparedRun(
        folder=home.runs / identity["id"],
        ir=ir,
        pipeline=pipeline,
        arguments=arguments,
        plan=plan_run(pipeline, arguments, StageCache(home.cache), cache_on=cache),
        settings={"name": settings.name, **sections},
        start=Start.here(code_of_run(pipeline, arguments), place, loaded.overrides),
        dag=dag,
    )


def prepare_resume(run: RecordedRun, home: Home) -> PreparedRun:
    """Return a recorded run again; raise SettingsError where its code has changed (rule 3)."""
    if run.result.state is RunState.SUCCEEDED:
        raise SettingsError(
            f"run {run.id} has finished: there is nothing to resume", remedy="start a new run"
        )
    check_packages()
    ir, start = read_ir(run.folder, run.identity.get("ir_sha256")), read_start(run.folder)
    use_sources(Path(start.sources))
    arguments = read_json(run.folder / ARGUMENTS_FILE)
    arguments["run"].pop("orchestrator", None)
    pipeline = parse_pipeline(yaml.load(ir, Loader=yaml.CSafeLoader))
    code = code_of_run(pipeline, arguments)
    if differences := same_files(start.code, code):
        raise SettingsError(
            f"the code has changed since run {run.id} started: {', '.join(differences)}",
            remedy="restore that code, or start a new run",
        )
    cache_on = bool(arguments["run"]["cache"])
    return PreparedRun(
        folder=run.folder,
        ir=ir,
        pipeline=pipeline,
        arguments=arguments,
        plan=plan_run(pipeline, arguments, StageCache(home.cache), cache_on=cache_on),
        settings=read_json(run.folder / SETTINGS_FILE),
        start=start,
        done=finished_tasks(run.folder),
    )
