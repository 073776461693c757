"""What kfp's Executor is given for a task: KFP's ExecutorInput, with plain local paths as URIs.

Rules: the same shape that kfp.local builds (a test compares what faces see); an artifact's metadata
goes from its producer to every consumer unchanged; `outputFile` lies beside the task's other files,
and an output's URI in the run's artifacts folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.runners.results import OutputRef, TaskResult
from pipelines.runners.tasks import Argument, Constant, Parameter, Port, Task


@dataclass(frozen=True)
class Given:
    """What a task takes: the values of its parameters, and where its inputs lie.

    A parameter without a value is left out, so that the face's own default holds.
    """

    values: Mapping[str, Any]
    inputs: Mapping[str, OutputRef]


def gathered(
    task: Task,
    arguments: Mapping[str, Any],
    results: Mapping[str, TaskResult],
    final_status: Mapping[str, Any],
) -> Given:
    """Return what a task takes whose producers have ended well."""
    inputs = {
        name: results[source.task].outputs[source.output] for name, source in task.artifacts.items()
    }
    return Given(parameter_values(task, arguments, final_status), inputs)


def parameter_values(
    task: Task, arguments: Mapping[str, Any], final_status: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the values of a task's parameters that have one."""
    values = {
        name: _value(parameter, arguments, final_status)
        for name, parameter in task.parameters.items()
    }
    return {name: value for name, value in values.items() if value is not None}


def output_place(task: str, output: str) -> str:
    """Return where an output lies in the run's folder."""
    return f"artifacts/{task}/{output}"


def executor_input(task: Task, folder: Path, taken: Given) -> dict[str, Any]:
    """Return the ExecutorInput of a task; `folder` is the run's, absolute."""
    return {
        "inputs": {
            "parameterValues": dict(taken.values),
            "artifacts": {
                name: _runtime_artifact(name, task.inputs[name], folder, output)
                for name, output in taken.inputs.items()
            },
        },
        "outputs": {
            "artifacts": {
                name: _runtime_artifact(
                    name, port, folder, OutputRef(output_place(task.name, name), "")
                )
                for name, port in task.outputs.items()
            },
            "outputFile": str(folder / "tasks" / task.name / "executor_output.json"),
        },
    }


def _value(
    parameter: Parameter, arguments: Mapping[str, Any], final_status: Mapping[str, Any]
) -> Any:
    if isinstance(parameter, Constant):
        return parameter.value
    if isinstance(parameter, Argument):
        return arguments[parameter.name]
    return {**final_status, "pipelineTaskName": parameter.producer}


def _runtime_artifact(name: str, port: Port, folder: Path, output: OutputRef) -> dict[str, Any]:
    return {
        "artifacts": [
            {
                "name": name,
                "type": {
                    "schemaTitle": port.schema_title,
                    "schemaVersion": port.schema_version,
                },
                "uri": str(folder / output.path),
                "metadata": dict(output.metadata),
            }
        ]
    }
