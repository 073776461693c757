"""Stock TFX components after a run: what its nodes hand out is evaluated, pushed and trained on."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import foreign_models
import numpy as np
import pyarrow as pa
import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from prepared_run import PreparedRun, run_tandem
from stock_tfx import run_stock
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2
from written_tables import read

from components.audit.verified_log import VerifiedLog
from components.core.artifacts import manifest
from components.core.bundle import Bundle, OnnxScorer
from components.core.errors import GateError, IntegrityError, SettingsError
from components.core.examples import read_split
from pipelines.tfx_layout import bless, recorded, validated_examples, write_model

pytestmark = pytest.mark.slow
FEW_STEPS = ("--set", "train.epochs=4")


def run_parcels(folder: Path, *words: str, code: int = 0) -> PreparedRun:
    home, settings = folder / "home", folder / "case/settings.yaml"
    before = set((home / "runs").glob("*"))
    words = ("run", str(settings), "--home", str(home), "--json", *FEW_STEPS, *words)
    found, stdout = run_tandem(*words)
    assert found == code, stdout
    (run,) = set((home / "runs").iterdir()) - before
    return PreparedRun(home, run, stdout)


@dataclass(frozen=True)
class Released:
    """Two runs of one training, by policies that release one framework's model each."""

    folder: Path
    pytorch: PreparedRun
    tensorflow: PreparedRun

    @cached_property
    def given(self) -> dict[str, dict[str, str]]:
        """The parameters of the nodes, by the framework that was released."""
        home = str(self.folder / "home")
        return {
            name: {"run": run.folder.name, "home": home}
            for name, run in (("pytorch", self.pytorch), ("tensorflow", self.tensorflow))
        }


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Released:
    folder = tmp_path_factory.mktemp("released")
    foreign_models.write_use_case(folder / "case")
    pytorch = run_parcels(folder, "--set", "policy.forms=[torch_export]")
    return Released(folder, pytorch, run_parcels(folder, "--set", "policy.forms=[saved_model]"))


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

    def properties(self, node: str, port: str) -> dict[str, Any]:
        (found,) = self.metadata.get_artifacts_by_uri(str(self.output(node, port)))
        values = found.custom_properties.items()
        return {name: getattr(value, value.WhichOneof("value")) for name, value in values}

    def found_by(self, node: str) -> set[int]:
        """Return the artifacts that a node's execution has in the store."""
        (context,) = [
            c for c in self.metadata.get_contexts_by_type("node") if c.name == f"parcels.{node}"
        ]
        executions = [e.id for e in self.metadata.get_executions_by_context(context.id)]
        return {e.artifact_id for e in self.metadata.get_events_by_execution_ids(executions)}


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


STEPS = 40


def training(given: dict[str, str], schema: Path) -> list[Any]:
    """Return the rows, and the stock components from statistics to a trained model."""
    from tfx.v1 import components, proto

    from pipelines.tfx_nodes import RunExamples

    examples = {"examples": RunExamples(**given).outputs["examples"]}
    imported = components.ImportSchemaGen(schema_file=str(schema))
    by_schema = {"schema": imported.outputs["schema"]}
    statistics = components.StatisticsGen(**examples, **by_schema)
    validator = components.ExampleValidator(
        statistics=statistics.outputs["statistics"], **by_schema
    )
    transform = components.Transform(
        **examples, **by_schema, preprocessing_fn="parcels_in_tfx.preprocessing_fn"
    )
    trainer = components.Trainer(
        run_fn="parcels_in_tfx.of_rows",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=proto.TrainArgs(num_steps=STEPS),
        eval_args=proto.EvalArgs(num_steps=1),
    )
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


@pytest.fixture(scope="module")
def stock(released: Released) -> Store:
    """Run all of it once, as one pipeline of a user's.

    Stock Transform takes a shape only of features that no row lacks.
    """
    folder = released.folder
    by_torch, by_tensorflow = released.given["pytorch"], released.given["tensorflow"]
    pushed = [
        *pushing(folder, "pytorch", by_torch),
        *pushing(folder, "other", by_torch, framework="tensorflow"),
        *pushing(folder, "tensorflow", by_tensorflow),
    ]
    evaluated = evaluating(by_tensorflow, pushed[-3])
    schema = folder / "strict.pbtxt"
    schema.write_text(foreign_models.SCHEMA.replace("min_count: 1", "min_fraction: 1.0"))
    trained = training(by_torch, schema), training_on_features(released.pytorch, by_torch)
    run_stock(folder, [*pushed, *evaluated, *resolving(pushed), *chain(*trained)], "parcels")
    return Store(folder)


def pushed_to(stock: Store, name: str) -> Path:
    (folder,) = (stock.folder / "served" / name).iterdir()
    return folder


def test_a_pytorch_model_that_was_released_is_blessed_and_pushed(released, stock):
    bundle = released.pytorch.output("train_pytorch", "pytorch_model")
    assert manifest(pushed_to(stock, "pytorch")) == manifest(bundle)
    said = stock.properties("pytorch_model", "model")
    assert (said["framework"], said["form"]) == ("pytorch", "bundle")
    assert said["sha256"] == released.pytorch.digest("train_pytorch", "pytorch_model")
    blessing = stock.output("pytorch_blessing", "model_blessing")
    assert [file.name for file in blessing.iterdir()] == ["BLESSED"]
    assert stock.properties("pytorch_pusher", "pushed_model")["pushed"] == 1


def test_a_model_that_was_not_released_is_not_blessed_and_not_pushed(released, stock):
    assert stock.properties("other_model", "model")["framework"] == "tensorflow"
    blessing = stock.output("other_blessing", "model_blessing")
    assert [file.name for file in blessing.iterdir()] == ["NOT_BLESSED"]
    assert stock.properties("other_blessing", "model_blessing")["blessed"] == 0
    assert stock.properties("other_pusher", "pushed_model")["pushed"] == 0
    assert not (stock.folder / "served" / "other").exists()


def test_the_pushed_saved_model_serves_what_the_bundle_predicts(released, stock):
    import tensorflow as tf

    bundle = Bundle.open(released.tensorflow.output("train_tensorflow", "tensorflow_model"))
    pushed = pushed_to(stock, "tensorflow")
    assert manifest(pushed) == manifest(bundle.path("saved_model"))
    rows = eval_rows(released)
    served = tf.saved_model.load(str(pushed)).signatures["serving_default"]
    found = served(
        distance=tf.constant(rows["distance"].to_numpy(), tf.float32),
        origin=tf.constant(rows["origin"].to_pylist()),
    )
    expected = OnnxScorer(bundle).predict(rows)
    np.testing.assert_allclose(found["probability"].numpy(), expected, rtol=0, atol=1e-5)


def eval_rows(released: Released):
    return read_split(released.tensorflow.output("ingest_examples", "examples"), "eval")


def test_the_blessing_says_of_which_model_by_which_record_and_the_resolver_finds_it(
    released, stock
):
    model = stock.output("tensorflow_model", "model")
    said = stock.properties("tensorflow_blessing", "model_blessing")
    (artifact,) = stock.metadata.get_artifacts_by_uri(str(model))
    assert (said["blessed"], said["current_model"]) == (1, str(model))
    assert said["current_model_id"] == artifact.id
    views = VerifiedLog.of(released.folder / "home").ledger.of_run(released.tensorflow.folder.name)
    (decided,) = [view for view in views if view.record == said["record"]]
    assert decided.stage == "decide_release"
    assert decided.outputs["decision"] == said["sha256"]
    assert artifact.id in stock.found_by("resolver")


def test_the_stock_evaluator_measures_what_the_run_measured(released, stock):
    import tensorflow_model_analysis as tfma

    found = tfma.load_eval_result(str(stock.output("Evaluator", "evaluation")))
    theirs = {
        "overall" if not key else f"origin={key[0][1]}": {
            name: value["doubleValue"] for name, value in metrics[""][""].items()
        }
        for key, metrics in found.slicing_metrics
    }
    evaluation = released.tensorflow.json("evaluate_models", "evaluation", "evaluation.json")
    ours = evaluation["models"]["tensorflow"]["slices"]
    assert theirs.keys() == {"overall", *(f"origin={name}" for name in foreign_models.ORIGINS)}
    for key, metrics in theirs.items():
        assert metrics["example_count"] == ours[key]["n"]
        same = {"auc": "auc", "binary_crossentropy": "log_loss", "binary_accuracy": "accuracy"}
        for their_name, name in same.items():
            # Stock AUC interpolates between 10,000 thresholds.
            assert metrics[their_name] == pytest.approx(ours[key][name]["value"], abs=1e-4)


def test_the_stock_bulk_inferrer_gets_what_the_bundle_predicts(released, stock):
    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    files = stock.output("BulkInferrer", "inference_result").rglob("*.gz")
    records = tf.data.TFRecordDataset([str(file) for file in files], compression_type="GZIP")
    logs = [PredictionLog.FromString(record.numpy()).predict_log for record in records]
    found = [log.response.outputs["probability"].float_val[0] for log in logs]
    bundle = Bundle.open(released.tensorflow.output("train_tensorflow", "tensorflow_model"))
    expected = OnnxScorer(bundle).predict(eval_rows(released))
    np.testing.assert_allclose(sorted(found), np.sort(expected), rtol=0, atol=1e-5)


def test_stock_statistics_of_the_handed_out_rows_hold_the_schema(stock):
    for split, rows in (("train", 2 * foreign_models.ROWS), ("eval", foreign_models.ROWS)):
        (path,) = stock.output("StatisticsGen", "statistics").glob(f"Split-{split}/FeatureStats.pb")
        found = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes())
        assert found.datasets[0].num_examples == rows
        (path,) = stock.output("ExampleValidator", "anomalies").glob(f"Split-{split}/SchemaDiff.pb")
        assert dict(anomalies_pb2.Anomalies.FromString(path.read_bytes()).anomaly_info) == {}


def test_the_handed_out_rows_are_those_of_the_run_in_their_order(released, stock):
    for node, kind in (("RunExamples", pa.int64()), ("rows_of_floats", pa.float64())):
        files = stock.output(node, "examples") / "Split-eval" / "*.gz"
        found = read(files, format="tfrecord")
        expected = eval_rows(released)
        assert found["late"].type == kind
        assert found["late"].cast(pa.int64()).equals(expected["late"])
        assert found["origin"].equals(expected["origin"])
        distances = found["distance"].to_numpy(), expected["distance"].to_numpy()
        np.testing.assert_allclose(*distances, rtol=1e-6)


def test_a_stock_trainer_learns_from_the_features_and_serves_by_the_transform_graph(
    released, stock
):
    import tensorflow as tf

    folder = stock.output("TrainerOfFeatures", "model") / "Format-Serving"
    rows = eval_rows(released)
    served = tf.saved_model.load(str(folder)).signatures["serving_default"]
    found = served(
        distance=tf.constant(rows["distance"].to_numpy(), tf.float32),
        origin=tf.constant(rows["origin"].to_pylist()),
    )["probability"].numpy()[:, 0]
    late = rows["late"].to_numpy() == 1
    assert np.mean(found[late]) > np.mean(found[~late]) + 0.1


def test_a_stock_trainers_model_is_measured_and_registered_by_the_runs_gates(released, stock):
    settings = released.folder / "case/settings.yaml"
    model = stock.output("Trainer", "model") / "Format-Serving"
    code, answer = run_tandem(
        *("models", "register", str(model), "-s", str(settings), "--data", "2013-03"),
        *("--home", str(released.folder / "home"), "--json"),
        *("--set", "policy.gates=[{metric: auc, operator: '>=', threshold: 0.6}]"),
    )
    assert code == 0, answer
    registered = json.loads(answer)
    assert registered["registration"]["candidate"]["framework"] == "imported"
    (measured,) = registered["models"]
    assert measured["auc"]["value"] > 0.7


def test_a_run_that_released_nothing_has_models_and_none_is_blessed(released, tmp_path):
    refused = run_parcels(
        released.folder,
        "--set",
        "policy.gates=[{metric: auc, operator: '>=', threshold: 0.999}]",
        code=3,
    )
    artifacts = recorded(refused.folder.name, str(released.folder / "home"))
    with pytest.raises(GateError, match="released no model"):
        write_model(artifacts, "", tmp_path / "none")
    assert not (tmp_path / "none").exists()
    for framework in ("pytorch", "tensorflow"):
        model = tmp_path / framework
        assert write_model(artifacts, framework, model).framework == framework
        assert bless(artifacts, model, tmp_path / f"{framework}_blessing") is False
        assert (tmp_path / f"{framework}_blessing/NOT_BLESSED").is_file()


def test_a_run_that_its_data_stopped_hands_out_neither_rows_nor_a_verdict(released, tmp_path):
    stopped = run_parcels(released.folder, "--set", "checks.minimum_rows=10000000", code=3)
    artifacts = recorded(stopped.folder.name, str(released.folder / "home"))
    with pytest.raises(GateError, match="passed no validation"):
        validated_examples(artifacts)
    with pytest.raises(SettingsError, match="decided nothing"):
        bless(artifacts, tmp_path / "model", tmp_path / "blessing")


def test_a_model_with_other_bytes_is_not_judged_at_all(released, tmp_path):
    artifacts = recorded(**released.given["pytorch"])
    write_model(artifacts, "pytorch", tmp_path / "model")
    weights = tmp_path / "model/Format-Serving/model.onnx"
    weights.write_bytes(weights.read_bytes() + b"\0")
    with pytest.raises(IntegrityError, match="is none that run"):
        bless(artifacts, tmp_path / "model", tmp_path / "blessing")
    assert not (tmp_path / "blessing").exists()


def test_a_run_whose_model_was_changed_hands_it_out_no_more(released, tmp_path):
    home = shutil.copytree(released.folder / "home", tmp_path / "home")
    run = released.given["pytorch"]["run"]
    (home / "runs" / run / "artifacts/train-pytorch/pytorch_model/model.onnx").write_bytes(b"mine")
    with pytest.raises(IntegrityError, match="not what the log has recorded"):
        write_model(recorded(run, str(home)), "", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_run_is_named_by_its_whole_id(released):
    home = str(released.folder / "home")
    for name in ("latest", released.pytorch.folder.name[:-1]):
        with pytest.raises(SettingsError, match=f"{name} is not the whole id") as caught:
            recorded(name, home)
        assert caught.value.remedy.startswith("name 20")


def test_a_framework_that_there_is_not_is_told_with_the_nearest(released, tmp_path):
    artifacts = recorded(**released.given["pytorch"])
    with pytest.raises(SettingsError, match=r"no framework pytorhc.*pytorch"):
        write_model(artifacts, "pytorhc", tmp_path)
