"""Steps do not care who calls them: ingestion and validation as TFX components."""

import json
from pathlib import Path

import pytest

from components.core.artifacts import tree_digest

pytestmark = pytest.mark.slow

if True:  # TFX resolves annotations when the module is read, so its names must be here
    from tfx import v1 as tfx
    from tfx.dsl.component.experimental.annotations import (
        InputArtifact,
        OutputArtifact,
        Parameter,
    )
    from tfx.dsl.component.experimental.decorators import component
    from tfx.types import standard_artifacts


def call(name, artifacts, parameters):
    """Call a stage's step with the folders that TFX gave."""
    import importlib

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


def outputs(root, name):
    """Return the folders that one TFX component wrote, by output."""
    return {path.parent.name: path for path in Path(root, name).glob("*/*") if path.is_dir()}


def test_both_steps_write_the_same_bytes_under_tfx_as_under_the_embedded_executor(
    tmp_path, small_run
):
    arguments = small_run.arguments
    pick = lambda *names: json.dumps({name: arguments[name] for name in names})  # noqa: E731
    ingest = IngestExamples(parameters=pick("source", "card", "window"))
    validate = ValidateExamples(
        examples=ingest.outputs["examples"],
        parameters=pick("schema", "checks", "transform", "source"),
    )
    root = tmp_path / "root"
    tfx.orchestration.LocalDagRunner().run(
        tfx.dsl.Pipeline(
            pipeline_name="steps",
            pipeline_root=str(root),
            components=[ingest, validate],
            metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
                str(tmp_path / "metadata.db")
            ),
        )
    )
    examples = outputs(root, "IngestExamples")["examples"]
    validation = outputs(root, "ValidateExamples")["validation"]
    assert tree_digest(examples) == small_run.digest("ingest_examples", "examples")
    assert tree_digest(validation) == small_run.digest("validate_examples", "validation")
