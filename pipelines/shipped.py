"""What a compiled pipeline does, without where and with what: the same here and on a cluster.

Taken out are each executor's image, resources and environment, and each task's retry policy; what
is left of the IR is what the embedded executor runs. The Kubernetes part of a target, which is a
document of its own, has nothing else.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import yaml

from components.core.canonical import sha256_value

PLACED = ("image", "resources", "env")


def shipped_sha256(ir: str) -> str:
    """Return the digest of what a compiled pipeline does, in either form."""
    documents = list(yaml.load_all(ir, Loader=yaml.CSafeLoader))
    specs = [item["spec"]["pipelineSpec"] for item in documents if _is_version(item)]
    return shipped_of(specs[0] if specs else documents[0])


def shipped_of(spec: Mapping[str, Any]) -> str:
    """Return that of a pipeline that is parsed."""
    return sha256_value(_without_places(copy.deepcopy(dict(spec))))


def _is_version(document: dict[str, Any]) -> bool:
    return document.get("kind") == "PipelineVersion"


def _without_places(spec: dict[str, Any]) -> dict[str, Any]:
    for executor in spec["deploymentSpec"]["executors"].values():
        for name in PLACED:
            executor["container"].pop(name, None)
    dags = [part["dag"] for part in (spec["root"], *spec["components"].values()) if "dag" in part]
    for dag in dags:
        for task in dag["tasks"].values():
            task.pop("retryPolicy", None)
    return spec
