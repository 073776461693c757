"""Components for a TFX pipeline of one's own, which hand out what a run of ours made.

    RunModel     a Model: what the run released, or the model of a framework that is named
    RunBlessing  the ModelBlessing of that model, by the run's decision
    RunExamples  the run's rows as Examples: tf.Example in TFRecords
    RunFeatures  its features as Examples, and their Schema

and one that is a run: JudgeModel has a Model of the pipeline's own, PyTorch's too, measured on its
Examples and judged by a use case's gates, in the place of a stock Evaluator.

Why: our artifacts have layouts of their own, closed by digests; a stock Pusher, Evaluator,
StatisticsGen, Transform or Trainer finds its own here.

Rules: `run` is a run's whole id and `home` the state folder, by default the environment's; all that
is handed out was checked against the audit log (tfx_layout.py), and says whose copy it is in
`sha256` and `record`. Each output is a copy, which is TFX's to keep and to remove.
"""

# No `annotations` of __future__: TFX reads the parameters' types as values.
from pathlib import Path

from tfx.components.evaluator import constants
from tfx.components.util.examples_utils import (
    get_payload_format_string,
    set_file_format,
    set_payload_format,
)
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.proto.example_gen_pb2 import PayloadFormat
from tfx.types.artifact import Artifact
from tfx.types.channel import BaseChannel
from tfx.types.standard_artifacts import (
    Examples,
    Model,
    ModelBlessing,
    ModelEvaluation,
    Schema,
)

from components.core.artifacts import write_text
from components.core.data_settings import ONLY_SPAN
from components.core.errors import SettingsError
from components.core.examples import ExamplesManifest
from components.ingest_examples.tfrecord_export import export_examples
from components.transform_features.tfrecord_export import SCHEMA_NAME, export_features
from pipelines.recorded import DECIDED, RecordedArtifacts
from pipelines.runners.tfx_properties import RECORD, SHA256, describe_splits
from pipelines.tfx_judging import (
    EVALUATED,
    EVALUATION,
    is_blessed,
    judge,
    lay_out,
    require_fit,
    state_of,
)
from pipelines.tfx_layout import (
    INGESTED,
    bless,
    model_port,
    recorded,
    validated_examples,
    write_model,
)

TRANSFORMED = "transform-features"
FILE_FORMAT = "tfrecords_gzip"


@component  # type: ignore[untyped-decorator]  # tfx has no types
def RunModel(
    run: Parameter[str],
    model: OutputArtifact[Model],
    framework: Parameter[str] = "",
    home: Parameter[str] = "",
) -> None:
    """Hand out a model: the released one, or that of `framework`, whatever was decided of it."""
    artifacts = recorded(run, home)
    laid = write_model(artifacts, framework, Path(model.uri))
    _say(model, artifacts, *model_port(laid.framework))
    model.set_string_custom_property("framework", laid.framework)
    model.set_string_custom_property("form", laid.form)


@component  # type: ignore[untyped-decorator]
def RunBlessing(
    run: Parameter[str],
    model: InputArtifact[Model],
    model_blessing: OutputArtifact[ModelBlessing],
    home: Parameter[str] = "",
) -> None:
    """Bless a model that the run released, as a stock Evaluator would."""
    artifacts = recorded(run, home)
    blessed = bless(artifacts, Path(model.uri), Path(model_blessing.uri))
    _say_blessed(model_blessing, model, blessed)
    _say(model_blessing, artifacts, DECIDED, "decision")


@component  # type: ignore[untyped-decorator]
def RunExamples(
    run: Parameter[str],
    examples: OutputArtifact[Examples],
    as_floats: Parameter[bool] = False,
    home: Parameter[str] = "",
) -> None:
    """Hand out the rows, their numbers as the schema has them, or as a model's signature does."""
    artifacts = recorded(run, home)
    source = validated_examples(artifacts)
    export_examples(source, Path(examples.uri), as_floats=as_floats)
    _describe_examples(examples, ExamplesManifest.read(source))
    _say(examples, artifacts, INGESTED, "examples")


@component  # type: ignore[untyped-decorator]
def RunFeatures(
    run: Parameter[str],
    examples: OutputArtifact[Examples],
    schema: OutputArtifact[Schema],
    home: Parameter[str] = "",
) -> None:
    """Hand out what the transform made of the rows, and the schema of that."""
    artifacts = recorded(run, home)
    source = artifacts.output(TRANSFORMED, "features")
    export_features(source, Path(examples.uri))
    text = Path(examples.uri, SCHEMA_NAME).read_text(encoding="utf-8")
    write_text(Path(schema.uri, SCHEMA_NAME), text)
    manifest = ExamplesManifest.read(validated_examples(artifacts))
    _describe_examples(examples, manifest)
    for artifact in (examples, schema):
        _say(artifact, artifacts, TRANSFORMED, "features")


def JudgeModel(
    *,
    settings: str,
    examples: BaseChannel,
    model: BaseChannel,
    data: str = ONLY_SPAN,
    home: str = "",
    signature: str = "",
) -> BaseComponent:
    """Return the node that judges a model: `evaluation` and `blessing`, as of a stock Evaluator.

    `signature` is a file that names the model's columns. Raises SettingsError for settings that
    cannot be used, or that no Examples fit. What TFX's cache cannot see (the files that `settings`
    names, the champion) becomes a parameter of the node.
    """
    require_fit(settings, data)
    return ModelJudgement(
        settings=settings,
        examples=examples,
        model=model,
        data=data,
        home=home,
        signature=signature,
        state=state_of(settings, home, signature),
    ).with_id("JudgeModel")


@component  # type: ignore[untyped-decorator]
def ModelJudgement(
    settings: Parameter[str],
    state: Parameter[str],
    examples: InputArtifact[Examples],
    model: InputArtifact[Model],
    evaluation: OutputArtifact[ModelEvaluation],
    blessing: OutputArtifact[ModelBlessing],
    data: Parameter[str] = ONLY_SPAN,
    home: Parameter[str] = "",
    signature: Parameter[str] = "",
) -> None:
    """Judge a model in a run of its own, and lay out what came of it."""
    _require_tf_examples(examples)
    asked = {"settings": settings, "data": data, "home": home, "signature": signature}
    artifacts = judge(Path(model.uri), Path(examples.uri), state=state, **asked)
    lay_out(artifacts, Path(evaluation.uri), Path(blessing.uri))
    _say_blessed(blessing, model, is_blessed(artifacts))
    _say(evaluation, artifacts, EVALUATED, EVALUATION)
    _say(blessing, artifacts, DECIDED, "decision")
    for artifact in (evaluation, blessing):
        artifact.set_string_custom_property("run", artifacts.run.id)


def _require_tf_examples(examples: Artifact) -> None:
    kind = get_payload_format_string(examples)
    if kind != PayloadFormat.Name(PayloadFormat.FORMAT_TF_EXAMPLE):
        raise SettingsError(
            f"the rows of {examples.uri} are {kind}",
            remedy="give Examples of an ExampleGen that writes tf.Examples, which is its default",
            expected="FORMAT_TF_EXAMPLE",
            actual=kind,
        )


def _say_blessed(blessing: Artifact, model: Artifact, blessed: bool) -> None:
    """Write what a stock Evaluator writes of a blessing."""
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, int(blessed))
    blessing.set_string_custom_property(
        constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri
    )
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)


def _describe_examples(artifact: Artifact, manifest: ExamplesManifest) -> None:
    describe_splits(artifact, manifest)
    set_payload_format(artifact, PayloadFormat.FORMAT_TF_EXAMPLE)
    set_file_format(artifact, FILE_FORMAT)


def _say(artifact: Artifact, artifacts: RecordedArtifacts, task: str, output: str) -> None:
    """Write whose copy, or whose verdict, an artifact is: the output's digest and its record."""
    artifact.set_string_custom_property(SHA256, artifacts.digest(task, output))
    record = artifacts.records[task.replace("-", "_")]
    artifact.set_string_custom_property(RECORD, record.record)
