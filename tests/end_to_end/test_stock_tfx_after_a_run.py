"""Stock TFX components after a run: what its nodes hand out is evaluated, pushed and trained on."""

from __future__ import annotations

import json
import shutil

import foreign_models
import numpy as np
import pyarrow as pa
import pytest
from nodes_of_stock_tfx import Store, everything, metrics_by_slice
from prepared_run import run_tandem
from released_parcels import Released, run_parcels
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


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Released:
    folder = tmp_path_factory.mktemp("released")
    foreign_models.write_use_case(folder / "case")
    pytorch = run_parcels(folder, "--set", "policy.forms=[torch_export]")
    return Released(folder, pytorch, run_parcels(folder, "--set", "policy.forms=[saved_model]"))


@pytest.fixture(scope="module")
def stock(released: Released) -> Store:
    """Run all of it once, as one pipeline of a user's."""
    run_stock(released.folder, everything(released), "parcels")
    return Store(released.folder)


def eval_rows(released: Released) -> pa.Table:
    return read_split(released.tensorflow.output("ingest_examples", "examples"), "eval")


def test_a_pytorch_model_that_was_released_is_blessed_and_pushed(released, stock):
    bundle = released.pytorch.output("train_pytorch", "pytorch_model")
    assert manifest(stock.pushed("pytorch")) == manifest(bundle)
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
    said = stock.properties("other_blessing", "model_blessing")
    decided = released.pytorch.digest("decide_release", "decision")
    assert (said["blessed"], said["sha256"]) == (0, decided)
    assert stock.properties("other_pusher", "pushed_model")["pushed"] == 0
    assert not (stock.folder / "served" / "other").exists()


def test_the_pushed_saved_model_serves_what_the_bundle_predicts(released, stock):
    import tensorflow as tf

    bundle = Bundle.open(released.tensorflow.output("train_tensorflow", "tensorflow_model"))
    pushed = stock.pushed("tensorflow")
    assert manifest(pushed) == manifest(bundle.path("saved_model"))
    rows = eval_rows(released)
    served = tf.saved_model.load(str(pushed)).signatures["serving_default"]
    found = served(
        distance=tf.constant(rows["distance"].to_numpy(), tf.float32),
        origin=tf.constant(rows["origin"].to_pylist()),
    )
    expected = OnnxScorer(bundle).predict(rows)
    np.testing.assert_allclose(found["probability"].numpy(), expected, rtol=0, atol=1e-5)


def test_the_blessing_says_of_which_model_and_by_which_record(released, stock):
    model = stock.output("tensorflow_model", "model")
    said = stock.properties("tensorflow_blessing", "model_blessing")
    assert (said["blessed"], said["current_model"]) == (1, str(model))
    assert said["current_model_id"] == stock.artifact("tensorflow_model", "model").id
    views = VerifiedLog.of(released.folder / "home").ledger.of_run(released.tensorflow.folder.name)
    (decided,) = [view for view in views if view.record == said["record"]]
    assert decided.stage == "decide_release"
    assert decided.outputs["decision"] == said["sha256"]


def test_the_stock_resolver_finds_the_latest_blessed_model_and_its_blessing(stock):
    models = [
        stock.artifact(f"{name}_model", "model").id for name in ("pytorch", "tensorflow", "other")
    ]
    assert models == sorted(models)
    blessing = stock.artifact("tensorflow_blessing", "model_blessing").id
    assert stock.found_by("resolver") == {models[1], blessing}


def test_the_stock_evaluator_measures_what_the_run_measured(released, stock):
    theirs = metrics_by_slice(stock.output("Evaluator", "evaluation"))
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
