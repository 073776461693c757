"""What a run would do before it does it: which stages are cached, and what changed for the rest.

Rules:
1. the cache key is computed by the code that the stages themselves use, so the two cannot differ;
2. a stage whose inputs are made again is "open": it is cached after all if they come out the same;
3. what changed is told against the use case's last run that completed, and only where none has
   against the last attempt that came as far.
Nothing is run and nothing is written; the steps' modules are imported, what they train with isn't.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import import_module
from typing import Any

from components.core.artifacts import ArtifactRef
from components.core.cache import StageCache
from components.core.code import environment, module_digests
from components.core.stage_identity import (
    UNCACHED,
    Stage,
    Step,
    parse_parameters,
    step_modules,
)
from pipelines.runners.ir import Pipeline
from pipelines.runners.tasks import Argument, Constant, Task


class Verdict(StrEnum):
    """What would become of a stage."""

    CACHED = "cached"
    RUN = "run"
    OPEN = "open"


@dataclass(frozen=True)
class TaskPlan:
    """One stage's part of the plan; `changed` holds one line for each part of the key."""

    task: str
    stage: str
    verdict: Verdict
    why: str
    changed: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as a JSON object."""
        return asdict(self) | {"verdict": str(self.verdict), "changed": list(self.changed)}


def plan_run(
    pipeline: Pipeline, arguments: Mapping[str, Any], cache: StageCache, *, cache_on: bool = True
) -> list[TaskPlan]:
    """Return the plan of every task, in an order that respects dependencies."""
    known: dict[tuple[str, str], str] = {}
    plans = []
    for task in pipeline.tasks.values():
        plans.append(_plan_task(task, arguments, cache, known, cache_on))
    if pipeline.exit_task:
        plans.append(_always(pipeline.exit_task))
    return plans


def _plan_task(
    task: Task,
    arguments: Mapping[str, Any],
    cache: StageCache,
    known: dict[tuple[str, str], str],
    cache_on: bool,
) -> TaskPlan:
    """Plan one task, and add the digests of a hit's outputs to what is known."""
    if task.stage in UNCACHED:
        return _always(task)
    inputs = {
        name: known[(source.task, source.output)]
        for name, source in task.artifacts.items()
        if (source.task, source.output) in known
    }
    waiting = sorted(task.artifacts.keys() - inputs.keys())
    stage = prospective_stage(task, arguments, inputs)
    asks = cache_on and stage.repeats and not waiting
    entry = cache.entry(stage.key) if asks else None
    if entry is not None and entry.keys() == task.outputs.keys():
        known |= {(task.name, name): out["metadata"]["sha256"] for name, out in entry.items()}
        return TaskPlan(task.name, task.stage, Verdict.CACHED, "nothing changed")
    if not stage.repeats:
        return TaskPlan(task.name, task.stage, Verdict.RUN, "it depends on the day")
    if not cache_on:
        return TaskPlan(task.name, task.stage, Verdict.RUN, "the cache is off")
    before = cache.latest_parts(str(arguments["run"]["name"]), task.stage)
    changed = () if before is None else tuple(changes(before, stage.parts))
    verdict = Verdict.OPEN if waiting else Verdict.RUN
    return TaskPlan(task.name, task.stage, verdict, _why(before, changed, waiting), changed)


def _always(task: Task) -> TaskPlan:
    return TaskPlan(task.name, task.stage, Verdict.RUN, "always runs")


def _why(before: Mapping[str, Any] | None, changed: tuple[str, ...], waiting: list[str]) -> str:
    """Return the reason in a few words."""
    if before is None:
        return "never run here"
    reasons = sorted({line.partition(" ")[0] for line in changed})
    if waiting:
        again = f"{', '.join(waiting)} made again"
        return "; ".join([f"{', '.join(reasons)} changed", again] if reasons else [again])
    return f"{', '.join(reasons)} changed" if reasons else "its stored outputs are gone or damaged"


def prospective_stage(task: Task, arguments: Mapping[str, Any], inputs: Mapping[str, str]) -> Stage:
    """Return the stage as run_stage will see it, with the inputs' digests that are known."""
    step = load_step(task.stage)
    settings = parse_parameters(step, stage_parameters(task, arguments))
    refs = {name: ArtifactRef(name, sha256) for name, sha256 in inputs.items()}
    modules = module_digests(step_modules(step, settings))
    return Stage(task.stage, arguments["run"], settings, refs, modules)


def load_step(stage: str) -> Step:
    """Import a stage's step function by its name, which is its folder's too."""
    step: Step = getattr(import_module(f"components.{stage}.step"), stage)
    return step


def stage_parameters(task: Task, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that the task's face gets, without the run's identity."""
    values: dict[str, Any] = {}
    for name, parameter in task.parameters.items():
        if isinstance(parameter, Argument) and parameter.name != "run":
            values[name] = arguments[parameter.name]
        elif isinstance(parameter, Constant):
            values[name] = parameter.value
    return values


def code_of_run(pipeline: Pipeline, arguments: Mapping[str, Any]) -> dict[str, str]:
    """Return {module: sha256} of all the code that a run's stages go through, and of the lock."""
    found = module_digests(["components.stage"])
    found["the lock file"] = environment()["lock_sha256"]
    tasks = [*pipeline.tasks.values(), *filter(None, [pipeline.exit_task])]
    for task in tasks:
        if task.stage in UNCACHED:
            found |= module_digests([f"components.{task.stage}.step"])
        else:
            found |= prospective_stage(task, arguments, {}).modules
    return dict(sorted(found.items()))


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield one line for each difference of two keys' parts; inputs not known yet are left out."""
    old, new = before.get("settings", {}), now["settings"]
    for key, was, value in _different(old, new):
        yield f"settings {key}: {_short(was)} -> {_short(value)}"
    for name, sha256 in now["inputs"].items():
        if before.get("inputs", {}).get(name) != sha256:
            yield f"inputs {name}"
    modules = before.get("modules", {})
    for name in sorted(modules.keys() | now["modules"].keys()):
        if modules.get(name) != now["modules"].get(name):
            yield f"code {name}"
    if before.get("lock_sha256") != now["lock_sha256"]:
        yield "lock file"


def _different(old: Any, new: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (dotted key, old, new) of every difference below two JSON values."""
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        old, new = dict(enumerate(old)), dict(enumerate(new))
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted(old.keys() | new.keys()):
            below = f"{key}.{name}" if key else str(name)
            yield from _different(old.get(name), new.get(name), below)
    elif old != new:
        yield key, old, new


def _short(value: Any) -> str:
    text = "absent" if value is None else str(value).replace("\n", " ")
    return text if len(text) <= 40 else f"{text[:37]}..."
