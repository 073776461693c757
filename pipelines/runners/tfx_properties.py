"""What ML Metadata says of our artifacts, so that TFX's own components and resolvers can read it.

    every artifact      sha256, record, and tandem_metadata: all that a later stage is told, as JSON
    examples and what   split_names; span: the last one as a number (2013-02 is 201302), 0 where
    is made of them     rows have no time
    Examples            payload_format and file_format of ours, which is Parquet
    ModelEvaluation     NAME_id and NAME_uri of each Model that it is of: pytorch_model_id
    ModelBlessing       blessed: 1, which stock Pusher asks for; current_model_id and current_model,
                        the released Model, by which a stock Resolver finds it
    PushedModel         pushed: 1, pushed_destination (the registered model), pushed_version

Rules: nothing is written beside the artifacts' bytes, because their digests are in the records.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact

from components.core.artifacts import read_json
from components.core.data_settings import ONLY_SPAN
from components.core.examples import SPLITS, ExamplesManifest
from pipelines.runners.results import OutputRef

SHA256, RECORD, METADATA = "sha256", "record", "tandem_metadata"


def describe(
    port: str, artifact: Artifact, output: OutputRef, inputs: Mapping[str, Artifact]
) -> None:
    """Write an output's properties; `inputs` are those of the stage that wrote it."""
    artifact.set_string_custom_property(SHA256, output.sha256)
    artifact.set_string_custom_property(RECORD, str(output.metadata.get("record", "")))
    artifact.set_string_custom_property(METADATA, json.dumps(output.metadata, sort_keys=True))
    if port == "examples":
        _describe_examples(artifact)
    elif "examples" in inputs and hasattr(artifact, "split_names"):
        artifact.span = inputs["examples"].span
        artifact.split_names = inputs["examples"].split_names
    if isinstance(artifact, standard_artifacts.ModelEvaluation):
        _describe_models(artifact, inputs)
    if isinstance(artifact, standard_artifacts.ModelBlessing):
        _describe_blessing(artifact, inputs["evaluation"])
    if isinstance(artifact, standard_artifacts.PushedModel):
        registered = read_json(Path(artifact.uri, "registration.json"))
        artifact.set_int_custom_property("pushed", 1)
        artifact.set_string_custom_property("pushed_destination", registered["model_name"])
        artifact.set_string_custom_property("pushed_version", str(registered["version"]))


def _describe_examples(artifact: Artifact) -> None:
    describe_splits(artifact, ExamplesManifest.read(Path(artifact.uri)))
    artifact.set_string_custom_property("payload_format", "FORMAT_PARQUET")
    artifact.set_string_custom_property("file_format", "FILE_FORMAT_PARQUET")


def _describe_models(evaluation: Artifact, inputs: Mapping[str, Artifact]) -> None:
    """Write which models were evaluated: the decision, which gets none of them, is to name one."""
    for port, model in inputs.items():
        if isinstance(model, standard_artifacts.Model):
            evaluation.set_int_custom_property(f"{port}_id", model.id)
            evaluation.set_string_custom_property(f"{port}_uri", model.uri)


def _describe_blessing(blessing: Artifact, evaluation: Artifact) -> None:
    """Write what was blessed, as a stock Evaluator does."""
    decision = read_json(Path(blessing.uri, "decision.json"))
    blessing.set_int_custom_property("blessed", int(decision["go"]))
    model = f"{decision['winner']}_model"
    blessing.set_int_custom_property(
        "current_model_id", evaluation.get_int_custom_property(f"{model}_id")
    )
    blessing.set_string_custom_property(
        "current_model", evaluation.get_string_custom_property(f"{model}_uri")
    )


def describe_splits(artifact: Artifact, manifest: ExamplesManifest) -> None:
    """Write which splits examples have, and their last span."""
    artifact.splits = [split for split in SPLITS if split in manifest.splits]
    artifact.span = span_number(max(span for spans in manifest.splits.values() for span in spans))


def span_number(span: str) -> int:
    """Return a span as TFX counts them; later spans have larger numbers."""
    return 0 if span == ONLY_SPAN else int(span.replace("-", ""))
