"""Steps do not care who calls them: ingestion and validation as TFX components."""

import json
from pathlib import Path

import pytest

from components.core.artifacts import tree_digest
from components.validate_examples.step import ValidateSettings

pytestmark = pytest.mark.slow
PARAMETERS = {field.alias or name for name, field in ValidateSettings.model_fields.items()}


def outputs(root, name):
    """Return the folders that one TFX component wrote, by output."""
    return {path.parent.name: path for path in Path(root, name).glob("*/*") if path.is_dir()}


def test_both_steps_write_the_same_bytes_under_tfx_as_under_the_embedded_executor(
    tmp_path, small_run
):
    from tfx import v1 as tfx
    from tfx_components import IngestExamples, ValidateExamples

    arguments = small_run.arguments
    pick = lambda *names: json.dumps({name: arguments[name] for name in names})  # noqa: E731
    ingest = IngestExamples(parameters=pick("source", "card", "window"))
    validate = ValidateExamples(
        examples=ingest.outputs["examples"],
        parameters=pick(*(arguments.keys() & PARAMETERS)),
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
