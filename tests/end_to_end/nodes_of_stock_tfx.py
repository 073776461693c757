"""The pipeline of a TFX user after a run: its nodes, stock ones behind, and what they left."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import foreign_models
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from prepared_run import PreparedRun
from released_parcels import Released
from stock_tfx import of_training

STEPS = 40


@dataclass(frozen=True)
class Store:
    """What stock TFX left: the folders, and the store that tells of them."""

    folder: Path

    @cached_property
    def metadata(self) -> Any:
        config = metadata_store_pb2.ConnectionConfig()
        config.sqlite.filename_uri = str(self.folder / "metadata.db")
        return metadata_store.MetadataStore(config)

    def output(self, node: str, port: str) -> Path:
        (found,) = (self.folder / "root" / node / port).iterdir()
        return found

    def artifact(self, node: str, port: str) -> Any:
        (found,) = self.metadata.get_artifacts_by_uri(str(self.output(node, port)))
        return found

    def pushed(self, name: str) -> Path:
        (found,) = (self.folder / "served" / name).iterdir()
        return found

    def properties(self, node: str, port: str) -> dict[str, Any]:
        values = self.artifact(node, port).custom_properties.items()
        return {name: getattr(value, value.WhichOneof("value")) for name, value in values}

    def found_by(self, node: str) -> frozenset[int]:
        """Return the artifacts that a node's execution has in the store."""
        (context,) = [
            c for c in self.metadata.get_contexts_by_type("node") if c.name == f"parcels.{node}"
        ]
        executions = [e.id for e in self.metadata.get_executions_by_context(context.id)]
        events = self.metadata.get_events_by_execution_ids(executions)
        return frozenset(event.artifact_id for event in events)


def metrics_by_slice(evaluation: Path) -> dict[str, dict[str, float]]:
    """Return what a stock Evaluator measured, by slices named as ours are."""
    import tensorflow_model_analysis as tfma

    return {
        "overall" if not key else "&".join(f"{column}={value}" for column, value in key): {
            name: value["doubleValue"] for name, value in metrics[""][""].items()
        }
        for key, metrics in tfma.load_eval_result(str(evaluation)).slicing_metrics
    }


def everything(released: Released) -> list[Any]:
    """Return one pipeline of all that the tests look at.

    Stock Transform takes a shape only of features that no row lacks.
    """
    folder = released.folder
    by_torch, by_tensorflow = released.given["pytorch"], released.given["tensorflow"]
    pytorch = pushing(folder, "pytorch", by_torch)
    model, *its = pushing(folder, "tensorflow", by_tensorflow)
    other = pushing(folder, "other", by_torch, framework="tensorflow")
    model.add_upstream_node(pytorch[-1])  # so that the latest is none that was blessed
    other[0].add_upstream_node(its[-1])
    pushed = [*pytorch, model, *its, *other]
    schema = folder / "strict.pbtxt"
    schema.write_text(foreign_models.SCHEMA.replace("min_count: 1", "min_fraction: 1.0"))
    return [
        *pushed,
        *evaluating(by_tensorflow, model),
        *resolving(pushed),
        *training(by_torch, schema),
        *training_on_features(released.pytorch, by_torch),
    ]


def pushing(folder: Path, name: str, given: dict[str, str], **options: str) -> list[Any]:
    """Return a model, its blessing, and the stock Pusher that asks for it."""
    from tfx.v1 import components, proto

    from pipelines.tfx_nodes import RunBlessing, RunModel

    model = RunModel(**given, **options).with_id(f"{name}_model")
    blessing = RunBlessing(**given, model=model.outputs["model"]).with_id(f"{name}_blessing")
    place = proto.PushDestination.Filesystem(base_directory=str(folder / "served" / name))
    pusher = components.Pusher(
        model=model.outputs["model"],
        model_blessing=blessing.outputs["model_blessing"],
        push_destination=proto.PushDestination(filesystem=place),
    )
    return [model, blessing, pusher.with_id(f"{name}_pusher")]


def evaluating(given: dict[str, str], model: Any) -> list[Any]:
    """Return the rows as a model takes them, and what asks the model: two stock components."""
    import tensorflow_model_analysis as tfma
    from tfx.v1 import components, proto

    from pipelines.tfx_nodes import RunExamples

    rows = RunExamples(**given, as_floats=True).with_id("rows_of_floats")
    inferrer = components.BulkInferrer(
        examples=rows.outputs["examples"],
        model=model.outputs["model"],
        data_spec=proto.DataSpec(example_splits=["eval"]),
        model_spec=proto.ModelSpec(model_signature_name=["serving_examples"]),
    )
    names = ("ExampleCount", "AUC", "BinaryCrossentropy", "BinaryAccuracy")
    config = tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(signature_name="serving_examples", label_key="late")],
        slicing_specs=[tfma.SlicingSpec(), tfma.SlicingSpec(feature_keys=["origin"])],
        metrics_specs=[
            tfma.MetricsSpec(metrics=[tfma.MetricConfig(class_name=name) for name in names])
        ],
    )
    evaluator = components.Evaluator(
        examples=rows.outputs["examples"], model=model.outputs["model"], eval_config=config
    )
    return [rows, inferrer, evaluator]


def resolving(after: list[Any]) -> list[Any]:
    """Return the stock Resolver of the latest blessed model."""
    from tfx.types.standard_artifacts import Model, ModelBlessing
    from tfx.v1 import dsl

    resolver = dsl.Resolver(
        strategy_class=dsl.experimental.LatestBlessedModelStrategy,
        model=dsl.Channel(type=Model),
        model_blessing=dsl.Channel(type=ModelBlessing),
    ).with_id("resolver")
    for node in after:
        resolver.add_upstream_node(node)
    return [resolver]


def training(given: dict[str, str], schema: Path) -> list[Any]:
    """Return the rows, and the stock components from statistics to a trained model."""
    from tfx.v1 import components

    from pipelines.tfx_nodes import RunExamples

    examples = {"examples": RunExamples(**given).outputs["examples"]}
    imported = components.ImportSchemaGen(schema_file=str(schema))
    by_schema = {"schema": imported.outputs["schema"]}
    statistics = components.StatisticsGen(**examples, **by_schema)
    validator = components.ExampleValidator(
        statistics=statistics.outputs["statistics"], **by_schema
    )
    transform, trainer = of_training(examples, by_schema, "parcels_in_tfx", STEPS, "of_rows")
    first = examples["examples"].producer_component
    return [first, imported, statistics, validator, transform, trainer]


def training_on_features(run: PreparedRun, given: dict[str, str]) -> list[Any]:
    """Return a run's features and transform graph, and the stock Trainer."""
    from tfx.types.standard_artifacts import TransformGraph
    from tfx.v1 import components, dsl, proto

    from pipelines.tfx_nodes import RunFeatures

    features = RunFeatures(**given)
    graph = dsl.Importer(
        source_uri=str(run.output("transform_features", "transform_graph")),
        artifact_type=TransformGraph,
    ).with_id("transform_graph")
    trainer = components.Trainer(
        run_fn="parcels_in_tfx.of_features",
        examples=features.outputs["examples"],
        schema=features.outputs["schema"],
        transform_graph=graph.outputs["result"],
        train_args=proto.TrainArgs(num_steps=STEPS),
        eval_args=proto.EvalArgs(num_steps=1),
    )
    return [features, graph, trainer.with_id("TrainerOfFeatures")]
