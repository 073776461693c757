"""One task of the compiled pipeline, and the command that kfp compiles for it.

Rules: see ir.py. A lightweight component is recognised by its whole command, word for word: what
is run here is the function's source out of that command, so any other command would be skipped in
silence. The reference is the text that kfp 2.17 compiles; a test compares it with the installed
kfp.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NoReturn

from components.core.errors import SettingsError
from pipelines.runners.tasks import (
    Argument,
    Constant,
    FinalStatus,
    OutputOf,
    Parameter,
    Port,
    Retry,
    Task,
)

LIGHTWEIGHT_SCRIPT = (
    "program_path=$(mktemp -d)\n\n"
    'printf "%s" "$0" > "$program_path/ephemeral_component.py"\n'
    "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main"
    "                         --component_module_path"
    '                         "$program_path/ephemeral_component.py"'
    '                         "$@"\n'
)
_COMMAND = ["sh", "-ec", LIGHTWEIGHT_SCRIPT]
_ARGUMENTS = ["--executor_input", "{{$}}", "--function_to_execute"]
_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "STRUCT": lambda value: isinstance(value, dict),
    "LIST": lambda value: isinstance(value, list),
    "STRING": lambda value: isinstance(value, str),
    "BOOLEAN": lambda value: isinstance(value, bool),
    "NUMBER_INTEGER": lambda value: _is_number(value) and float(value).is_integer(),
    "NUMBER_DOUBLE": lambda value: _is_number(value),
}
_REMEDY = "write it as a lightweight Python component of the one DAG, or run it under Kubeflow"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def fits(declared: str, value: Any) -> bool:
    """Say whether a JSON value is of an IR type; an unknown type takes no value."""
    return declared in _TYPES and _TYPES[declared](value)


def as_declared(declared: str, value: Any) -> Any:
    """Return the value; the IR writes the integer 3 as 3.0, which a face must not see."""
    return int(value) if declared == "NUMBER_INTEGER" else value


def refuse(task: str, what: str) -> NoReturn:
    """Raise SettingsError for a task that the embedded executor cannot run."""
    raise SettingsError(f"task {task} {what}: not supported by the local runner", remedy=_REMEDY)


def refuse_unknown(task: str, spec: Mapping[str, Any], known: Collection[str]) -> None:
    """Refuse every key that is not known, the way a new feature of KFP would appear."""
    unknown = sorted(spec.keys() - set(known))
    if unknown:
        refuse(task, f"uses {', '.join(unknown)}")


def parse_task(
    spec: Mapping[str, Any],
    name: str,
    task: Mapping[str, Any],
    *,
    outer: Mapping[str, Any] | None = None,
    exit_of: str = "",
) -> Task:
    """Return one task.

    `outer` holds the exit handler's own parameters, for a task inside it; `exit_of` is the exit
    handler's name, for the exit task.
    """
    known = {"taskInfo", "componentRef", "cachingOptions", "dependentTasks", "inputs"}
    refuse_unknown(name, task, known | {"triggerPolicy" if exit_of else "retryPolicy"})
    refuse_unknown(name, task.get("inputs", {}), {"parameters", "artifacts"})
    component = spec["components"][task["componentRef"]["name"]]
    refuse_unknown(name, component, {"executorLabel", "inputDefinitions", "outputDefinitions"})
    definitions = component.get("inputDefinitions", {})
    outputs = component.get("outputDefinitions", {})
    refuse_unknown(name, outputs, {"artifacts"})
    executor = spec["deploymentSpec"]["executors"][component["executorLabel"]]
    stage, source, environment = _program(name, executor)
    inputs = task.get("inputs", {})
    return Task(
        name=name,
        stage=stage,
        source=source,
        parameters=_parameters(
            name, definitions.get("parameters", {}), inputs.get("parameters", {}), outer, exit_of
        ),
        artifacts={
            key: _artifact(name, value) for key, value in inputs.get("artifacts", {}).items()
        },
        inputs=_ports(name, definitions.get("artifacts", {})),
        outputs=_ports(name, outputs.get("artifacts", {})),
        after=frozenset(task.get("dependentTasks", [])) - {exit_of},
        retry=_retry(task.get("retryPolicy", {})),
        environment=environment,
    )


def _program(name: str, executor: Mapping[str, Any]) -> tuple[str, str, dict[str, str]]:
    """Return the function's name, its source and the environment that the container declares."""
    refuse_unknown(name, executor, {"container"})
    container = executor["container"]
    refuse_unknown(name, container, {"image", "command", "args", "env", "resources"})
    command, arguments = container.get("command", []), container.get("args", [])
    if len(command) != 4 or command[:3] != _COMMAND:
        refuse(name, "does not have the command of a lightweight Python component")
    if len(arguments) != 4 or arguments[:3] != _ARGUMENTS:
        refuse(name, "does not have the arguments of a lightweight Python component")
    environment = {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}
    return arguments[3], command[3], environment


def _parameters(
    name: str,
    definitions: Mapping[str, Any],
    given: Mapping[str, Any],
    outer: Mapping[str, Any] | None,
    exit_of: str,
) -> dict[str, Parameter]:
    """Return where each parameter comes from; one that is not given has its default."""
    found: dict[str, Parameter] = {}
    for key, definition in definitions.items():
        if key in given:
            found[key] = _parameter(name, definition, given[key], outer, exit_of)
        elif "defaultValue" in definition:
            found[key] = _constant(name, definition, definition["defaultValue"])
    if given.keys() - definitions.keys():
        refuse(name, "puts one parameter into the text of another")
    return found


def _parameter(
    name: str,
    definition: Mapping[str, Any],
    value: Mapping[str, Any],
    outer: Mapping[str, Any] | None,
    exit_of: str,
) -> Parameter:
    """Return where a parameter comes from, seen from the pipeline's own inputs."""
    known = {"componentInputParameter", "runtimeValue"}
    refuse_unknown(name, value, known | ({"taskFinalStatus"} if exit_of else set()))
    if "taskFinalStatus" in value:
        return FinalStatus(value["taskFinalStatus"]["producerTask"])
    if "runtimeValue" in value:
        refuse_unknown(name, value["runtimeValue"], {"constant"})
        return _constant(name, definition, value["runtimeValue"]["constant"])
    key = value["componentInputParameter"]
    return Argument(key) if outer is None else _parameter(name, definition, outer[key], None, "")


def _constant(name: str, definition: Mapping[str, Any], value: Any) -> Constant:
    if "{{$" in str(value):
        refuse(name, "puts a placeholder into a constant")
    return Constant(as_declared(definition["parameterType"], value))


def _artifact(name: str, value: Mapping[str, Any]) -> OutputOf:
    refuse_unknown(name, value, {"taskOutputArtifact"})
    source = value["taskOutputArtifact"]
    return OutputOf(source["producerTask"], source["outputArtifactKey"])


def _ports(name: str, definitions: Mapping[str, Any]) -> dict[str, Port]:
    for definition in definitions.values():
        refuse_unknown(name, definition, {"artifactType", "isOptional", "description"})
    return {
        key: Port(d["artifactType"]["schemaTitle"], d["artifactType"]["schemaVersion"])
        for key, d in definitions.items()
    }


def _retry(policy: Mapping[str, Any]) -> Retry:
    default = Retry()
    return Retry(
        count=int(policy.get("maxRetryCount", default.count)),
        seconds=_seconds(policy.get("backoffDuration", "0s")),
        factor=float(policy.get("backoffFactor", default.factor)),
        longest=_seconds(policy.get("backoffMaxDuration", "3600s")),
    )


def _seconds(text: str) -> float:
    """Return the seconds of a protobuf duration such as `1.5s`."""
    return float(text.removesuffix("s"))
