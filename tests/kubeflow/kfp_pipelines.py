"""Pipelines as the API server takes them: the IR checked, and a run's parameters against it.

Taken from backend/src/apiserver/template/v2_template.go: NewV2SpecTemplate (one PipelineSpec, at
most one PlatformSpec, schema 2.1.0, a name in lower case, a root) and validatePipelineJobInputs
(required parameters are there and of their type, others are refused).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb
from kfp_wire import Refusal

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_TYPES = pb.ParameterType.ParameterTypeEnum
_KINDS: Mapping[int, type | tuple[type, ...]] = {
    _TYPES.NUMBER_DOUBLE: (int, float),
    _TYPES.NUMBER_INTEGER: (int, float),
    _TYPES.STRING: str,
    _TYPES.BOOLEAN: bool,
    _TYPES.LIST: list,
    _TYPES.STRUCT: dict,
    _TYPES.TASK_FINAL_STATUS: dict,
}


def checked_spec(text: str) -> dict[str, Any]:
    """Return the documents of a package: {pipeline_spec, platform_spec}, or the one spec alone."""
    try:
        documents = [one for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one]
    except yaml.YAMLError as error:
        raise Refusal(
            400, f"invalid pipeline spec: unable to decode yaml document: {error}"
        ) from None
    platforms = [one for one in documents if isinstance(one, dict) and "platforms" in one]
    specs = [one for one in documents if one not in platforms]
    if len(specs) != 1 or len(platforms) > 1:
        raise Refusal(400, "invalid pipeline spec: one pipeline spec and one platform spec at most")
    _message(platforms[0] if platforms else {}, pb.PlatformSpec())
    _check(_message(specs[0], pb.PipelineSpec()))
    if platforms:
        return {"pipeline_spec": specs[0], "platform_spec": platforms[0]}
    return dict(specs[0])


def _message(value: Any, kind: Any) -> Any:
    try:
        return json_format.ParseDict(value, kind)
    except (json_format.ParseError, TypeError, AttributeError) as error:
        raise Refusal(400, f"invalid v2 pipeline spec: {error}") from None


def _check(spec: pb.PipelineSpec) -> None:
    if spec.schema_version != "2.1.0":
        raise Refusal(400, "KFP only supports schema version 2.1.0")
    if not spec.pipeline_info.name or not _NAME.search(spec.pipeline_info.name):
        raise Refusal(400, "invalid v2 pipeline spec: name should consist of lower case letters")
    if not spec.HasField("root"):
        raise Refusal(400, "invalid v2 pipeline spec: root component is empty")


def tasks_of(spec: Mapping[str, Any]) -> list[str]:
    """Return the names of the tasks that have pods, of every DAG of a pipeline."""
    spec = spec.get("pipeline_spec", spec)
    dags = [spec["root"], *(one for one in spec["components"].values() if "dag" in one)]
    return [
        name
        for dag in dags
        for name, task in dag["dag"]["tasks"].items()
        if "dag" not in spec["components"][task["componentRef"]["name"]]
    ]


def check_parameters(spec: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Raise Refusal (400) where a run's parameters are not what the pipeline takes."""
    parsed = _message(dict(spec.get("pipeline_spec", spec)), pb.PipelineSpec())
    wanted = parsed.root.input_definitions.parameters
    for name, parameter in wanted.items():
        if name not in given:
            if not (parameter.is_optional or parameter.HasField("default_value")):
                raise Refusal(400, f"parameter {name} is not optional, yet has neither default "
                                   "value nor user provided value")  # fmt: skip
        elif not _fits(given[name], parameter.parameter_type):
            raise Refusal(400, f"input parameter {name} is not of its type")
    if extra := sorted(given.keys() - wanted.keys()):
        raise Refusal(400, f"parameters not required by the pipeline: {', '.join(extra)}")


def _fits(value: Any, kind: int) -> bool:
    if isinstance(value, bool) and kind != _TYPES.BOOLEAN:
        return False
    return isinstance(value, _KINDS[kind])
