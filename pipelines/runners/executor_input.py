"""What kfp's Executor is given for a task: KFP's ExecutorInput, with plain local paths as URIs.

Rules: the same shape that kfp.local builds (a test compares what faces see); an artifact's metadata
goes from its producer to every consumer unchanged; `outputFile` lies beside the task's other files,
and an output's URI in the run's artifacts folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.runners.results import OutputRef, TaskResult
from pipelines.runners.tasks import Argument, Constant, Parameter, Port, Task


def executor_input(
    task: Task,
    folder: Path,
    arguments: Mapping[str, Any],
    results: Mapping[str, TaskResult],
    final_status: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the ExecutorInput of a task whose producers have ended well.

    `folder` is the run's, absolute; a parameter without a value is left out, so that the face's
    own default holds.
    """
    values = {
        name: _value(parameter, arguments, final_status)
        for name, parameter in task.parameters.items()
    }
    artifacts = {
        name: _runtime_artifact(
            name, task.inputs[name], folder, results[source.task].outputs[source.output]
        )
        for name, source in task.artifacts.items()
    }
    return {
        "inputs": {
            "parameterValues": {k: value for k, value in values.items() if value is not None},
            "artifacts": artifacts,
        },
        "outputs": {
            "artifacts": {
                name: _runtime_artifact(
                    name, port, folder, OutputRef(f"artifacts/{task.name}/{name}", "")
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
