"""Our stages on what stock TFX wrote: examples, a schema, a validator's result, a graph, a model.

CsvExampleGen, StatisticsGen, SchemaGen, ExampleValidator, Transform and Trainer ran it; nothing of
what they wrote is changed by hand.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from parcels_of_tfx import KNOWN
from prepared_run import run_tandem
from rows_of_stock_tfx import Stock, ingested, run_on_rows, transformed, write_module
from tensorflow_metadata.proto.v0 import anomalies_pb2
from written_tables import read

from components.audit.verified_log import VerifiedLog
from components.audit.verify import verify_log
from components.core.artifacts import tree_digest
from components.core.bundle import Bundle, open_onnx
from components.core.errors import DataError, GateError, SettingsError
from components.core.features import FeatureSpec, load_split
from components.core.outcome import Outcome
from components.core.raw_inputs import raw_inputs
from components.import_model.originals import open_original
from pipelines.loaded_settings import load_settings
from pipelines.schema_text import read_schema

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    stock = run_on_rows(tmp_path_factory.mktemp("stock"))
    given = stock.output("SchemaGen", "schema")
    code, answer = stock.tandem("schema", "import-tfx", str(stock.settings), str(given))
    assert code == 0, answer
    said = json.loads(answer)
    assert (said["left_out"], said["added"]) == (["came", "month", "year"], ["late"])
    return stock


def test_the_schema_that_tfx_inferred_lets_pass_the_rows_that_it_was_inferred_of(
    stock: Stock,
) -> None:
    code, answer = stock.tandem("schema", "review", str(stock.settings))
    assert (code, json.loads(answer)["differences"]) == (0, [])
    found = read_schema(stock.folder / "case/parcels.pbtxt")
    assert [feature.name for feature in found.feature] == ["distance", "late", "origin"]
    assert [domain.name for domain in found.string_domain] == ["origin"]


@pytest.fixture(scope="module")
def examples(stock: Stock) -> Path:
    return ingested(stock)


Validate = Callable[..., Outcome]


@pytest.fixture
def validate(stock: Stock, examples: Path, tmp_path: Path) -> Validate:
    """Validate TFX's rows by its schema and, where `location` is given, by its validator too."""
    from components.validate_examples.step import ValidateSettings, validate_examples

    loaded = load_settings(stock.settings)
    names = ("checks", "transform", "source", "beam", "evaluate", "schema", "waivers")

    def validated(location: Path | None = None, **said: Any) -> Outcome:
        values = {name: loaded.arguments()[name] for name in names}
        severities = said.pop("severities", {})
        if location is not None:
            asked = {"location": str(location), **said}
            values["checks"] = {"example_validator": asked, "severities": severities}
        folders = {name: tmp_path / name for name in ("statistics", "validation")}
        for folder in folders.values():
            folder.mkdir()
        settings = ValidateSettings.model_validate(values)
        return validate_examples(settings=settings, examples=examples, **folders)

    return validated


def stopped(validate: Validate, location: Path, **said: Any) -> dict[tuple[str, str], float]:
    """Return what stopped a run: the value of each gate that did not pass."""
    with pytest.raises(GateError) as caught:
        validate(location, **said)
    failed = [gate for gate in caught.value.gates if not gate["passed"]]
    return {(gate["name"], gate["slice"]): gate["value"] for gate in failed}


def test_tfx_s_rows_pass_by_tfx_s_schema_and_the_record_names_what_its_validator_said(
    stock: Stock, validate: Validate
) -> None:
    outcome = validate(stock.output("ExampleValidator", "anomalies"))
    found = {(gate.name, gate.slice) for gate in outcome.gates}
    assert {("schema", split) for split in ("train", "eval")} <= found
    assert {("example_validator", split) for split in ("train", "eval")} <= found
    said = outcome.facts["example_validator"]
    assert said["splits"] == ["eval", "train"]
    assert len(said["sha256"]) == 64


def test_what_tfx_s_validator_found_stops_a_run_that_ours_lets_pass(
    stock: Stock, validate: Validate
) -> None:
    found = stopped(validate, stock.output("by_narrow", "anomalies"))
    assert found == {
        ("example_validator:origin:new_column", split): 1 for split in ("train", "eval")
    }


def test_an_anomaly_of_tfx_s_is_as_severe_as_the_settings_say(
    stock: Stock, validate: Validate
) -> None:
    location = stock.output("by_narrow", "anomalies")
    outcome = validate(location, severities={"SCHEMA_NEW_COLUMN": "warning"})
    assert all(gate.passed for gate in outcome.gates)


def test_a_result_of_other_splits_stops_a_run(stock: Stock, validate: Validate) -> None:
    location = stock.output("ExampleValidator", "anomalies")
    found = stopped(validate, location, splits=["train", "eval", "test"])
    assert found == {("example_validator:splits", "all splits"): 1}


def copied(stock: Stock, folder: Path, node: str = "ExampleValidator") -> Path:
    return shutil.copytree(stock.output(node, "anomalies"), folder / "anomalies")


def test_a_split_that_is_gone_stops_a_run(stock: Stock, validate: Validate, tmp_path: Path) -> None:
    location = copied(stock, tmp_path)
    shutil.rmtree(location / "Split-eval")
    assert stopped(validate, location) == {("example_validator:splits", "all splits"): 1}


@pytest.mark.parametrize("how", ["inside", "between two fields", "empty", "of something else"])
def test_a_result_that_is_cut_stops_a_run(
    stock: Stock, validate: Validate, tmp_path: Path, how: str
) -> None:
    file = copied(stock, tmp_path, "by_narrow") / "Split-eval/SchemaDiff.pb"
    whole = anomalies_pb2.Anomalies.FromString(file.read_bytes())
    schema_alone = anomalies_pb2.Anomalies(baseline=whole.baseline).SerializeToString()
    assert file.read_bytes().startswith(schema_alone)
    file.write_bytes(
        {
            "inside": file.read_bytes()[:-9],
            "between two fields": schema_alone,
            "empty": b"",
            "of something else": b"feature { name: 1 }",
        }[how]
    )
    found = stopped(validate, file.parents[1], severities={"SCHEMA_NEW_COLUMN": "ignore"})
    assert found == {("example_validator:whole", "eval"): 0}


def test_a_result_that_changed_after_the_run_began_is_not_judged(
    stock: Stock, validate: Validate
) -> None:
    location = stock.output("ExampleValidator", "anomalies")
    with pytest.raises(DataError, match="is not what the run was to read"):
        validate(location, sha256="0" * 64)


def test_a_stock_trainers_model_of_tf_examples_is_judged_and_registered_after_stock_gates(
    stock: Stock,
) -> None:
    model = stock.output("Trainer", "model") / "Format-Serving"
    found = stock.output("ExampleValidator", "anomalies")
    code, answer = stock.tandem(
        *("models", "register", str(model), "-s", str(stock.settings), "--data", "all"),
        *("--set", f"checks.example_validator.location={found}"),
    )
    assert code == 0, answer
    registered = json.loads(answer)
    assert registered["registration"]["candidate"]["framework"] == "imported"
    (measured,) = registered["models"]
    assert measured["auc"]["value"] > 0.7
    (run,) = (stock.folder / "home/runs").iterdir()
    bundle = Bundle.open(run / "artifacts/import-model/imported_model")
    assert bundle.contract.input_types == {"distance": "float32", "origin": "string"}


def test_the_registered_form_predicts_what_the_trainers_model_does_of_tfx_s_own_examples(
    stock: Stock, tmp_path: Path
) -> None:
    import tensorflow as tf

    proven = open_original("saved_model", stock.output("Trainer", "model") / "Format-Serving", None)
    files = stock.output("CsvExampleGen", "examples").glob("Split-eval/*.gz")
    records = tf.data.TFRecordDataset([str(file) for file in files], compression_type="GZIP")
    serialised = [record.numpy() for record in records]
    served = tf.saved_model.load(str(stock.output("Trainer", "model") / "Format-Serving"))
    expected = served.signatures["serving_default"](tf.constant(serialised))["outputs"].numpy()
    rows = read(stock.output("CsvExampleGen", "examples") / "Split-eval/*.gz", format="tfrecord")
    columns = raw_inputs(rows, {c.name: c.dtype for c in proven.signature.inputs})
    assert rows.num_rows == len(serialised) > 1000
    np.testing.assert_allclose(proven.score(columns), expected, rtol=0, atol=1e-6)
    file = tmp_path / "model.onnx"
    file.write_bytes(proven.onnx.SerializeToString())
    (found,) = open_onnx(file).run(None, columns)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_a_stock_transform_graph_gives_the_features_that_tfx_made_of_the_same_rows(
    stock: Stock, examples: Path, tmp_path: Path
) -> None:
    graph = stock.output("Transform", "transform_graph")
    features = transformed(stock, examples, tmp_path, str(graph), tree_digest(graph))
    spec = FeatureSpec.read(features)
    assert (spec.dense, [feature.name for feature in spec.ids]) == (("distance_xf",), ["origin_xf"])
    for split in ("train", "eval"):
        folder = stock.output("Transform", "transformed_examples") / f"Split-{split}"
        theirs = read(folder / "*.gz", format="tfrecord")
        ours = load_split(features, split)
        found, expected = (
            np.array(sorted(zip(dense, ids, strict=True)))
            for dense, ids in (
                (ours.dense[:, 0], ours.ids[:, 0]),
                (theirs["distance_xf"].to_numpy(), theirs["origin_xf"].to_numpy()),
            )
        )
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
        assert len({*ours.ids[:, 0]} - {*range(KNOWN)}) == 2  # the third origin, and none


def test_a_whole_run_trains_and_registers_on_a_stock_graph_that_its_record_names(
    stock: Stock, tmp_path: Path
) -> None:
    graph = stock.output("Transform", "transform_graph")
    home = str(tmp_path / "home")
    case = shutil.copytree(stock.folder / "case", tmp_path / "case")
    write_module(case, str(graph), tree_digest(graph))
    settings = yaml.safe_load(stock.settings.read_text())
    (case / "settings.yaml").write_text(
        yaml.safe_dump(settings | {"transform": {"preprocessing_fn": "by_graph:features"}})
    )
    words = ("--set", "train.epochs=6", "--set", "train.batch_size=128", "--home", home)
    code, answer = run_tandem("run", str(case / "settings.yaml"), *words, "--json")
    assert code == 0, answer
    run = json.loads(answer)["run"]["id"]
    views = VerifiedLog.of(Path(home)).ledger.of_run(run)
    done = {view.stage: view for view in views if view.event == "COMPLETE"}
    assert done["transform_features"].facts["stock_graphs"] == [tree_digest(graph)]
    assert {"train_pytorch", "train_tensorflow", "register_models"} <= done.keys()
    assert verify_log(Path(home)) == []


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        ("Transform/transform_graph", "is not the TransformGraph that sha256 names: its digest is"),
        ("SchemaGen/schema", "is no TransformGraph: it has no transform_fn/saved_model.pb"),
    ],
)
def test_a_graph_with_another_digest_and_a_folder_that_is_none_are_refused(
    stock: Stock, examples: Path, tmp_path: Path, graph: str, words: str
) -> None:
    place = str(stock.output(*graph.split("/")))
    with pytest.raises(SettingsError, match=words):
        transformed(stock, examples, tmp_path, place, "0" * 64)
