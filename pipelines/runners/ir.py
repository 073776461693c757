"""The compiled pipeline (KFP's IR) as frozen values, and nothing that cannot be run here.

Rules: what is read is what kfp 2.17 compiles for lightweight Python components, in one DAG, with
or without one exit handler around it. Whatever else the IR may hold (conditions, loops, importers,
nested pipelines, container components, packages installed at run time, output parameters) is
refused with the task's name, never guessed at: a key that is not known here is refused too.
`resources` of a container and KFP's own caching options have no meaning on one machine and are
read over. Parameters and dependencies that cross the exit handler are resolved here, so a Task
needs no outer DAG. This module imports no kfp: parsing costs a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.core.errors import SettingsError
from pipelines.runners.ir_tasks import (
    as_declared,
    fits,
    parse_task,
    refuse,
    refuse_unknown,
)
from pipelines.runners.tasks import Task

SCHEMA_VERSION = "2.1.0"
_EXIT_TRIGGER = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}


@dataclass(frozen=True)
class Input:
    """A parameter of the pipeline: its IR type, and its default where it has one."""

    type: str
    required: bool
    default: Any = None


@dataclass(frozen=True)
class Pipeline:
    """A pipeline that can be run here; `tasks` are in an order that respects dependencies.

    `handler` is the exit handler's name, by which the exit task knows the others.
    """

    name: str
    inputs: Mapping[str, Input]
    tasks: Mapping[str, Task]
    exit_task: Task | None = None
    handler: str = ""


def read_pipeline(path: Path) -> Pipeline:
    """Read a compiled pipeline; raise SettingsError for what cannot be run here."""
    try:
        documents = list(yaml.load_all(path.read_bytes(), Loader=yaml.CSafeLoader))
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read: {error.strerror}", remedy="compile the pipeline again"
        ) from error
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not YAML: {error}", remedy="compile it again") from error
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise SettingsError(
            f"{path} holds {len(documents)} documents; one pipeline specification is expected",
            remedy="compile without the settings for Kubernetes (the second, platform document)",
        )
    try:
        return parse_pipeline(documents[0])
    except (KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"{path} is not a pipeline that kfp compiled: {type(error).__name__} {error}",
            remedy="compile it again",
        ) from error


def parse_pipeline(spec: Mapping[str, Any]) -> Pipeline:
    """Return the pipeline that a compiled specification describes."""
    if spec.get("schemaVersion") != SCHEMA_VERSION:
        raise SettingsError(
            f"the pipeline has schema version {spec.get('schemaVersion')}, not {SCHEMA_VERSION}",
            remedy="compile it with the kfp of this environment",
        )
    root = spec["root"]
    tasks: Mapping[str, Any] = root["dag"]["tasks"]
    if "outputs" in root["dag"] or "outputDefinitions" in root:
        refuse("root", "gives outputs of the pipeline")
    inputs = {
        name: Input(
            str(definition["parameterType"]),
            "defaultValue" not in definition and not definition.get("isOptional", False),
            definition.get("defaultValue"),
        )
        for name, definition in root.get("inputDefinitions", {}).get("parameters", {}).items()
    }
    body, exit_task, handler = _body(spec, tasks)
    name = str(spec["pipelineInfo"]["name"])
    return Pipeline(name, inputs, _in_order(body), exit_task, handler)


def _body(
    spec: Mapping[str, Any], tasks: Mapping[str, Any]
) -> tuple[dict[str, Task], Task | None, str]:
    """Return the tasks, the exit task and the exit handler's name, of the root's tasks."""
    exits = [name for name, task in tasks.items() if task.get("triggerPolicy") == _EXIT_TRIGGER]
    nested = [name for name, task in tasks.items() if "dag" in _component(spec, name, task)]
    if not nested:
        return {name: parse_task(spec, name, task) for name, task in tasks.items()}, None, ""
    if len(nested) != 1 or len(exits) != 1 or len(tasks) != 2 or exits == nested:
        refuse(nested[0], "is a DAG of its own that is not the one exit handler around all tasks")
    handler, exit_name = nested[0], exits[0]
    if tasks[exit_name].get("dependentTasks") != [handler]:
        refuse(exit_name, f"is not the exit task of {handler} alone")
    inner = _handler_dag(spec, handler, tasks[handler])
    outer = tasks[handler].get("inputs", {}).get("parameters", {})
    body = {name: parse_task(spec, name, task, outer=outer) for name, task in inner.items()}
    return body, parse_task(spec, exit_name, tasks[exit_name], exit_of=handler), handler


def _component(spec: Mapping[str, Any], name: str, task: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        component: Mapping[str, Any] = spec["components"][task["componentRef"]["name"]]
    except KeyError:
        refuse(name, "names no component")
    return component


def _handler_dag(
    spec: Mapping[str, Any], name: str, task: Mapping[str, Any]
) -> Mapping[str, Mapping[str, Any]]:
    """Return the tasks inside the exit handler, refusing conditions, loops and outputs."""
    refuse_unknown(name, task, {"taskInfo", "componentRef", "inputs", "cachingOptions"})
    refuse_unknown(name, task.get("inputs", {}), {"parameters"})
    component = _component(spec, name, task)
    refuse_unknown(name, component, {"dag", "inputDefinitions"})
    refuse_unknown(name, component["dag"], {"tasks"})
    inner: Mapping[str, Mapping[str, Any]] = component["dag"]["tasks"]
    for inner_name, inner_task in inner.items():
        if "dag" in _component(spec, inner_name, inner_task):
            refuse(inner_name, "is a DAG inside the exit handler (a condition, loop or pipeline)")
    return inner


def _in_order(tasks: Mapping[str, Task]) -> dict[str, Task]:
    """Return the tasks sorted so that each comes after those it depends on."""
    ordered: dict[str, Task] = {}
    while len(ordered) < len(tasks):
        ready = [n for n, t in tasks.items() if n not in ordered and t.after <= ordered.keys()]
        if not ready:
            refuse(next(n for n in tasks if n not in ordered), "waits for a task that never ends")
        ordered |= {name: tasks[name] for name in sorted(ready)}
    return ordered


def bind_arguments(pipeline: Pipeline, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a value for every input of the pipeline, defaults included.

    Raises SettingsError for an argument that is unknown, missing or of another type.
    """
    for name in arguments:
        if name not in pipeline.inputs:
            raise SettingsError(
                f"{pipeline.name} has no input named {name}",
                remedy=f"its inputs are {', '.join(pipeline.inputs)}",
            )
    return {
        name: _bind(f"the input {name} of {pipeline.name}", declared, name in arguments, value)
        for name, declared in pipeline.inputs.items()
        for value in [arguments.get(name, declared.default)]
    }


def _bind(what: str, declared: Input, given: bool, value: Any) -> Any:
    if not given and declared.required:
        raise SettingsError(f"{what} is missing", remedy=f"give it ({declared.type})")
    if value is None and not declared.required:
        return None
    if not fits(declared.type, value):
        raise SettingsError(
            f"{what} is not of type {declared.type}",
            remedy=f"give a value of type {declared.type}",
            expected=declared.type,
            actual=type(value).__name__,
        )
    return as_declared(declared.type, value)
