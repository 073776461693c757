"""The stages as TFX components, derived from the compiled pipeline: none is written by hand.

Rules: a node's id is the task's name, so that ML Metadata and run.json speak of the same; every
parameter is an execution property, as JSON, so that the store has what a stage was given; the
artifacts lie where the run's folder has them, which TFX calls external: it neither makes nor
removes their folders. The exit task is no node, because TFX has none that runs whatever happened.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.dsl.components.common.importer import Importer
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.core.artifacts import write_text
from components.core.canonical import sha256_bytes
from pipelines.runners.executor_input import output_place, parameter_values
from pipelines.runners.ir import Pipeline
from pipelines.runners.tasks import Argument, Task
from pipelines.runners.tfx_executor import StageExecutor
from pipelines.runners.tfx_types import SCHEMA, SCHEMA_FILE, in_camel_case, type_name

Channels = Mapping[str, BaseChannel]


def components(pipeline: Pipeline, arguments: Mapping[str, Any], folder: Path) -> list[BaseNode]:
    """Return a node for each task of a pipeline, and one that imports its schema.

    `folder` is the run's, absolute. Raises OSError where it does not take the schema.
    """
    nodes: dict[str, BaseNode] = {}
    if any(map(_takes_schema, pipeline.tasks.values())):
        nodes[SCHEMA] = _imported_schema(str(arguments[SCHEMA]), folder / SCHEMA)
    for name, task in pipeline.tasks.items():
        nodes[name] = _component(task, nodes, arguments, folder)
    return list(nodes.values())


@functools.cache
def artifact_type(port: str) -> type[Artifact]:
    """Return the class of a port's artifacts."""
    name = type_name(port)
    standard: type[Artifact] | None = getattr(standard_artifacts, name, None)
    return standard or type(name, (Artifact,), {"TYPE_NAME": name})


def _takes_schema(task: Task) -> bool:
    return task.parameters.get(SCHEMA) == Argument(SCHEMA)


def _imported_schema(text: str, folder: Path) -> BaseNode:
    folder.mkdir(exist_ok=True)
    write_text(folder / SCHEMA_FILE, text)
    return Importer(
        source_uri=str(folder),
        artifact_type=artifact_type(SCHEMA),
        custom_properties={"sha256": sha256_bytes(text.encode())},
    ).with_id(SCHEMA)


def _component(
    task: Task, nodes: Mapping[str, BaseNode], arguments: Mapping[str, Any], folder: Path
) -> BaseComponent:
    """Return a task as a component, wired to the nodes of those before it."""
    values = parameter_values(task, arguments, {})
    inputs = {
        port: nodes[source.task].outputs[source.output] for port, source in task.artifacts.items()
    }
    if _takes_schema(task):
        del values[SCHEMA]
        inputs[SCHEMA] = nodes[SCHEMA].outputs["result"]
    properties = {name: json.dumps(value, sort_keys=True) for name, value in values.items()}
    outputs = {port: Channel(artifact_type(port)) for port in task.outputs}
    kind = _kind(task, properties, inputs, outputs)
    component = kind(kind.SPEC_CLASS(**properties, **inputs, **outputs)).with_id(task.name)
    for before in sorted(task.after):
        component.add_upstream_node(nodes[before])
    for port, channel in component.outputs.items():
        channel.set_external([str(folder / output_place(task.name, port))])
    return component


def _kind(
    task: Task, properties: Collection[str], inputs: Channels, outputs: Channels
) -> type[BaseComponent]:
    """Return the class of a task's component: its specification, and the one executor of all.

    An input is of its producer's type.
    """
    name = in_camel_case(task.stage)
    specification = {
        "PARAMETERS": {key: ExecutionParameter(type=str) for key in properties},
        "INPUTS": _channels(inputs),
        "OUTPUTS": _channels(outputs),
    }
    parts = {
        "__module__": __name__,
        "SPEC_CLASS": type(f"{name}Spec", (ComponentSpec,), specification),
        "EXECUTOR_SPEC": ExecutorClassSpec(StageExecutor),
    }
    return type(name, (BaseComponent,), parts)


def _channels(ports: Channels) -> dict[str, ChannelParameter]:
    return {port: ChannelParameter(type=channel.type) for port, channel in ports.items()}
