"""Two stages as TFX components. TFX takes 20 s to import: import this in the test that needs it."""

import importlib
import json
from pathlib import Path

from tfx.dsl.component.experimental.annotations import (
    InputArtifact,
    OutputArtifact,
    Parameter,
)
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts


def call(name, artifacts, parameters):
    """Call a stage's step with the folders that TFX gave."""
    step = getattr(importlib.import_module(f"components.{name}.step"), name)
    settings = step.__annotations__["settings"]
    if isinstance(settings, str):
        settings = getattr(importlib.import_module(f"components.{name}.step"), settings)
    folders = {port: Path(artifact.uri) for port, artifact in artifacts.items()}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    step(settings=settings.model_validate(json.loads(parameters)), **folders)


@component
def IngestExamples(
    examples: OutputArtifact[standard_artifacts.Examples], parameters: Parameter[str]
):
    call("ingest_examples", {"examples": examples}, parameters)


@component
def ValidateExamples(
    examples: InputArtifact[standard_artifacts.Examples],
    statistics: OutputArtifact[standard_artifacts.ExampleStatistics],
    validation: OutputArtifact[standard_artifacts.ExampleAnomalies],
    parameters: Parameter[str],
):
    ports = {"examples": examples, "statistics": statistics, "validation": validation}
    call("validate_examples", ports, parameters)
