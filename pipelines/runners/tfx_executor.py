"""What TFX calls for each stage: it hands the stage to the run under way, and describes what came.

Rules: the stage's process, its retries, its log and its records are those of the embedded executor;
what TFX resolved is what the stage gets: the inputs' folders, digests and records as ML Metadata
has them, and the parameters from the execution's properties. TFX makes an executor from its class's
name alone, so the run under way is found here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types.artifact import Artifact

from pipelines.runners.execution import Execution
from pipelines.runners.executor_input import Given
from pipelines.runners.results import OutputRef
from pipelines.runners.tfx_properties import METADATA, SHA256, describe
from pipelines.runners.tfx_types import SCHEMA, SCHEMA_FILE

UNDER_WAY: ContextVar[Execution] = ContextVar("UNDER_WAY")
Artifacts = Mapping[str, Sequence[Artifact]]


class StageEndedError(Exception):
    """A stage did not end well: TFX is to go no further; the journal has the cause."""


class StageExecutor(BaseExecutor):  # type: ignore[misc]  # tfx has no types
    """Runs any stage: which one, the node's id says."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: Mapping[str, str]
    ) -> None:
        """Run the stage, and write into its artifacts' properties what is said of them.

        Raises StageEndedError for one that did not end well.
        """
        task = self._context.pipeline_node.node_info.id
        inputs = {port: artifact for port, (artifact,) in input_dict.items()}
        result = UNDER_WAY.get().do(task, handed(inputs, exec_properties))
        if not result.state.is_good:
            raise StageEndedError(f"{task}: {(result.error or {}).get('message', result.reason)}")
        for port, (artifact,) in output_dict.items():
            describe(port, artifact, result.outputs[port], inputs)


def handed(inputs: Mapping[str, Artifact], properties: Mapping[str, str]) -> Given:
    """Return what TFX hands to a stage; a schema is handed over as its text."""
    values: dict[str, Any] = {name: json.loads(text) for name, text in properties.items()}
    ports = dict(inputs)
    if SCHEMA in ports:
        values[SCHEMA] = Path(ports.pop(SCHEMA).uri, SCHEMA_FILE).read_text(encoding="utf-8")
    return Given(values, {port: _reference(artifact) for port, artifact in ports.items()})


def _reference(artifact: Artifact) -> OutputRef:
    """Return an input as its producer described it; one that we did not write has no digest."""
    metadata = json.loads(artifact.get_string_custom_property(METADATA) or "{}")
    return OutputRef(artifact.uri, artifact.get_string_custom_property(SHA256), metadata)
