"""The ports of a stage: where its artifacts lie, and what is said of them from stage to stage.

Rules: what comes in is what its producer recorded, by its digest; an output is claimed by the
digest of its folder, and its metadata names the record that claimed it; what KFP keeps in a bucket
is there before the record.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from components.core.artifacts import tree_digest
from components.core.buckets import is_in_bucket, put_tree
from components.core.errors import DataError, IntegrityError
from components.core.stage_identity import Stage


class Port(Protocol):
    """What run_stage needs of kfp's Artifact: a path, and metadata that travels with it.

    `uri` is where KFP keeps it, in a bucket on a cluster; `path` is where it lies in the task.
    """

    path: str
    uri: str
    metadata: dict[str, Any]


def check_inputs(stage: Stage, inputs: Mapping[str, Port]) -> None:
    """Re-hash every input; IntegrityError for one that its producer recorded otherwise."""
    for name, port in inputs.items():
        recorded = stage.inputs[name].sha256
        actual = tree_digest(Path(port.path))
        if recorded != actual:
            raise IntegrityError(
                f"input {name} differs from what its producer recorded",
                remedy="find out who changed it, then start a new run",
                expected=recorded or "a recorded digest",
                actual=actual,
            )


def claimed(outputs: Mapping[str, Port]) -> list[dict[str, str]]:
    """Hash the outputs and return what a record claims; DataError for one that stayed empty."""
    claims = []
    for name, port in outputs.items():
        folder = Path(port.path)
        if not any(folder.iterdir()):
            raise DataError(f"the step wrote nothing to {name}", remedy="fix the step")
        claims.append(claim(name, tree_digest(folder), port))
    return claims


def claim(name: str, sha256: str, port: Port) -> dict[str, str]:
    """Return what a record claims of an output; one that KFP keeps in a bucket is written there."""
    made = {"name": name, "sha256": sha256, "path": port.path}
    if not is_in_bucket(port.uri):
        return made
    put_tree(Path(port.path), port.uri)
    return made | {"uri": port.uri}


def describe(
    outputs: Mapping[str, Port],
    claims: list[dict[str, str]],
    record: str,
    metadata: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write into each output's metadata what the step says, its digest and its record."""
    for claim in claims:
        port = outputs[claim["name"]]
        port.metadata.update(metadata.get(claim["name"], {}))
        port.metadata.update({"sha256": claim["sha256"], "record": record})
