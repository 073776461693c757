"""Prepare a run and launch it: from settings to a run folder with a sealed record.

Rules:
1. everything that can fail is tried before anything is written: see pipelines/preflight;
   preparing needs no place to write, so a plan can be made anywhere;
2. what changes outside the run (source files, the champion) becomes a digest in the arguments;
3. stages that the plan expects in the cache run without their framework; a wrong expectation
   costs an import and nothing else;
4. a resumed run uses what it recorded, and is refused where its code is no longer the same.
Nothing is printed here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.audit.client import Notary, connect
from components.audit.process import NotaryProcess
from components.core.artifacts import read_json, same_files, write_json, write_text
from components.core.cache import StageCache
from components.core.canonical import sha256_bytes
from components.core.errors import PlatformError, SettingsError, TandemError
from components.core.imports import recall, remember
from components.core.sources import SOURCES_VARIABLE, use_sources
from pipelines.champion import resolve
from pipelines.compiler import keep, kept_or_compiled
from pipelines.home import Home
from pipelines.identity import run_identity
from pipelines.loaded_settings import LoadedSettings
from pipelines.plan import TaskPlan, Verdict, code_of_run, plan_run
from pipelines.preflight.checks import check_before_run
from pipelines.preflight.machine import check_disk, check_packages
from pipelines.runners.ir import Pipeline, parse_pipeline
from pipelines.runners.local import execute
from pipelines.runners.preload import LIGHT, server_of
from pipelines.runners.results import RunResult, RunState, TaskEvent, TaskResult
from pipelines.runners.run_folder import finished_tasks, new_run_id
from pipelines.runners.servers import ForkServers
from pipelines.runs import RECORDS_FILE, RecordedRun
from pipelines.sources import pin_sources
from pipelines.start import (
    ARGUMENTS_FILE,
    IR_FILE,
    SETTINGS_FILE,
    Start,
    read_ir,
    read_start,
)

_LOG = logging.getLogger(__name__)


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


def prepare(loaded: LoadedSettings, settings_file: Path, home: Home, *, cache: bool) -> PreparedRun:
    """Check everything, compile, and plan a new run; write nothing."""
    settings, sources = loaded.settings, settings_file.resolve().parent
    use_sources(sources)
    check_before_run(loaded, sources)
    recall(home.cache)
    ir = kept_or_compiled(home.cache)
    pipeline = parse_pipeline(yaml.load(ir, Loader=yaml.CSafeLoader))
    sections = loaded.arguments()
    run_id, spans = new_run_id(), settings.window.spans()
    pinned = pin_sources(settings.source, sources, spans=spans, run_id=run_id)
    sections["source"] = pinned.model_dump(mode="json", exclude_none=True)
    identity = run_identity(
        run_id=run_id,
        name=settings.name,
        ir_sha256=sha256_bytes(ir.encode()),
        settings_sha256=loaded.sha256,
        cache=cache,
    )
    champion = resolve(settings.registry.model_name, home)
    arguments = {**sections, "run": identity, "champion": champion}
    return PreparedRun(
        folder=home.runs / identity["id"],
        ir=ir,
        pipeline=pipeline,
        arguments=arguments,
        plan=plan_run(pipeline, arguments, StageCache(home.cache), cache_on=cache),
        settings={"name": settings.name, **sections},
        start=Start.here(
            code_of_run(pipeline, arguments), settings_file.resolve(), loaded.overrides
        ),
    )


def prepare_resume(run: RecordedRun, home: Home) -> PreparedRun:
    """Return a recorded run again; raise SettingsError where its code has changed (rule 4)."""
    if run.result.state is RunState.SUCCEEDED:
        raise SettingsError(
            f"run {run.id} has finished: there is nothing to resume", remedy="start a new run"
        )
    check_packages()
    ir, start = read_ir(run.folder, run.identity.get("ir_sha256")), read_start(run.folder)
    use_sources(Path(start.sources))
    arguments = read_json(run.folder / ARGUMENTS_FILE)
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


def launch(
    prepared: PreparedRun,
    home: Home,
    notary: Notary,
    listener: Callable[[TaskEvent], None],
    servers: ForkServers | None = None,
) -> RunResult:
    """Create the run's folder and execute, with a notary that answers; return what became of it.

    `servers` are fork servers that were started while the run was being prepared.
    """
    _write_inputs(prepared, home)
    home.forget_checkpoints()  # with the notary held: no other run trains in this home
    result = execute(
        prepared.folder / IR_FILE,
        prepared.folder,
        prepared.arguments,
        environment=environment(prepared, home, notary.address),
        listener=listener,
        done=prepared.done,
        preload=prepared.preload,
        light=prepared.light,
        servers=servers,
    )
    keep_records(prepared.folder, notary)
    if result.state is RunState.SUCCEEDED:
        _remember_completed(prepared, home)
    return result


def _remember_completed(prepared: PreparedRun, home: Home) -> None:
    """Have later plans say what changed since this run; where that fails the run is as good."""
    try:
        StageCache(home.cache).complete(prepared.arguments["run"])
    except OSError as error:
        _LOG.warning("plans will not be compared with this run: %s", error)


@contextmanager
def answering_notary(home: Home) -> Iterator[Notary]:
    """Give the notary that TANDEM_NOTARY names, else one of the home's own while it is needed.

    Raises PlatformError where another run holds the home's, or there is no room for a run.
    """
    check_disk(home.folder)
    if (given := connect()) is not None:
        yield given
        return
    with NotaryProcess(home.folder) as process:
        yield Notary(process.address)


def keep_records(folder: Path, notary: Notary) -> None:
    """Write what the log says of the run beside the run, for its report; the log is the proof.

    Where that fails the run is as good as it was: one line of warning says so.
    """
    try:
        views = [view.to_dict() for view in notary.records(folder.name)]
        write_json(folder / RECORDS_FILE, {"records": views})
    except (OSError, TandemError) as error:
        _LOG.warning("the report will have no audit records, but the log has them: %s", error)


def environment(prepared: PreparedRun, home: Home, notary: str) -> dict[str, str]:
    """Return what every stage finds in its environment besides this process's own."""
    return {
        "TANDEM_HOME": str(home.folder),
        "TANDEM_CACHE": str(home.cache),
        "TANDEM_CHECKPOINTS": str(home.checkpoints),
        "TANDEM_NOTARY": notary,
        SOURCES_VARIABLE: prepared.start.sources,
    }


def _write_inputs(prepared: PreparedRun, home: Home) -> None:
    """Keep what the run starts from; a resumed run has it already."""
    if prepared.done is not None:
        return
    folder = prepared.folder
    try:
        write_text(folder / IR_FILE, prepared.ir)
        write_json(folder / SETTINGS_FILE, dict(prepared.settings))
        write_json(folder / ARGUMENTS_FILE, dict(prepared.arguments))
        prepared.start.write(folder)
        keep(home.cache, prepared.ir)
        remember(home.cache)
    except OSError as error:
        raise PlatformError(
            f"{folder} cannot be written: {error.strerror}", remedy="free disk space or use --home"
        ) from error
