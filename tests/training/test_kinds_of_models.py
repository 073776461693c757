"""Models of several classes and of a number, trained on real rows in both frameworks and proven."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import diamonds
import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pytest
from diamonds import CUTS, TRAIN, Prepared
from mlflow_processes import answering, asked, free_port

from components.core.bundle import Bundle, OnnxScorer
from components.core.examples import ExamplesManifest, read_split
from components.core.features import FeatureSpec, load_split
from components.core.form_proof import ClassQuality, ValueQuality
from components.core.raw_inputs import raw_inputs
from components.training.scoring import scorer
from pipelines.cli import main

pytestmark = pytest.mark.slow
FORMS = {
    "pytorch": ["onnx", "torch_export"],
    "tensorflow": ["onnx", "saved_model", "litert"],
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Prepared]:
    folder = tmp_path_factory.mktemp("diamonds")
    return {task: diamonds.prepare(folder / task, task) for task in diamonds.TARGETS}


@pytest.fixture(scope="module")
def bundles(
    prepared: dict[str, Prepared], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], Bundle]:
    folder = tmp_path_factory.mktemp("bundles")
    return {
        (task, framework): Bundle.open(diamonds.trained(framework, made, folder / task)[0])
        for task, made in prepared.items()
        for framework in FORMS
    }


def evaluation(made: Prepared) -> tuple[pa.Table, np.ndarray]:
    """Return the rows that are evaluated on, and their labels."""
    rows = read_split(made.examples, "eval")
    label = ExamplesManifest.read(made.examples).label
    return rows, rows[label].to_numpy()


@pytest.mark.parametrize("framework", FORMS)
def test_several_classes_are_learned_and_their_order_is_kept(
    prepared: dict[str, Prepared], bundles: dict[tuple[str, str], Bundle], framework: str
) -> None:
    rows, label = evaluation(prepared["multi_class"])
    bundle = bundles["multi_class", framework]

    assert bundle.contract.task == "multi_class"
    assert bundle.contract.output.classes == CUTS
    assert FeatureSpec.read(prepared["multi_class"].features).classes == CUTS
    assert [form.name for form in bundle.contract.forms] == FORMS[framework]
    given = OnnxScorer(bundle).predict(rows)
    assert given.shape == (rows.num_rows, len(CUTS))
    np.testing.assert_allclose(given.sum(axis=1), 1, atol=1e-6)
    # 41 % are Ideal; a permuted order of classes would be wrong more often than always saying so.
    assert (given.argmax(axis=1) == label).mean() > 0.6
    for number in range(len(CUTS)):
        assert given[label == number, number].mean() > 1.5 * given[label != number, number].mean()


@pytest.mark.parametrize("framework", FORMS)
def test_a_number_is_learned_in_its_own_scale(
    prepared: dict[str, Prepared], bundles: dict[tuple[str, str], Bundle], framework: str
) -> None:
    rows, label = evaluation(prepared["regression"])
    bundle = bundles["regression", framework]

    assert bundle.contract.task == "regression"
    given = OnnxScorer(bundle).predict(rows)
    assert given.shape == label.shape
    unexplained = ((given - label) ** 2).mean() / label.var()
    assert unexplained < 0.06  # of prices from 326 to 18,823


def test_the_scale_of_a_number_is_that_of_the_rows_that_train(
    prepared: dict[str, Prepared],
) -> None:
    made = prepared["regression"]
    scale, label = FeatureSpec.read(made.features).scale, load_split(made.features, "train").label
    assert scale is not None
    assert scale.mean == pytest.approx(label.astype(np.float64).mean(), rel=1e-12)
    assert scale.deviation == pytest.approx(label.astype(np.float64).std(), rel=1e-12)
    assert label.max() > 10_000  # what is stored is the number itself


@pytest.mark.parametrize("task", diamonds.TARGETS)
@pytest.mark.parametrize("framework", FORMS)
def test_every_form_gives_what_the_framework_gives(
    prepared: dict[str, Prepared],
    bundles: dict[tuple[str, str], Bundle],
    task: str,
    framework: str,
) -> None:
    rows, _ = evaluation(prepared[task])
    bundle = bundles[task, framework]
    given = raw_inputs(rows, bundle.contract.input_types)
    expected = OnnxScorer(bundle).predict(rows)
    near = 1e-5 * (1 if task == "multi_class" else np.maximum(np.abs(expected), 4000))
    for name in FORMS[framework]:
        assert (np.abs(scorer(bundle, name)(given) - expected) <= 2 * near).all(), name


def test_both_frameworks_train_the_same_model(
    prepared: dict[str, Prepared], bundles: dict[tuple[str, str], Bundle]
) -> None:
    for task, made in prepared.items():
        rows, label = evaluation(made)
        pytorch, tensorflow = (
            OnnxScorer(bundles[task, framework]).predict(rows) for framework in FORMS
        )
        unit = 1 if task == "multi_class" else label.std()
        assert np.abs(pytorch - tensorflow).mean() < 0.005 * unit


@pytest.mark.parametrize("framework", FORMS)
def test_the_record_and_the_log_tell_the_loss_and_the_error_in_the_labels_unit(
    prepared: dict[str, Prepared],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    framework: str,
) -> None:
    train = TRAIN.model_copy(update={"epochs": 3, "forms": (), "patience": 2})
    with caplog.at_level(logging.INFO):
        _, outcome = diamonds.trained(framework, prepared["regression"], tmp_path, train)
    # In units of the variance: 1 would be as good as the mean.
    assert outcome.facts["validation_loss"] < 0.2
    [line] = [r.message for r in caplog.records if "epoch 3 of 3 done" in r.message]
    error = float(line.partition("mean absolute error ")[2].partition(",")[0])
    assert 100 < error < 1500


def test_classes_are_balanced_by_all_of_them(prepared: dict[str, Prepared], tmp_path: Path) -> None:
    train = TRAIN.model_copy(update={"epochs": 1, "forms": (), "class_weights": "balanced"})
    weights = {}
    for framework in FORMS:
        _, outcome = diamonds.trained(framework, prepared["multi_class"], tmp_path, train)
        weights[framework] = outcome.facts["class_weights"]
    assert weights["pytorch"] == weights["tensorflow"]
    assert np.argsort(weights["pytorch"]).tolist() == [4, 3, 2, 1, 0]  # Fair is the rarest


def test_predict_writes_a_column_for_each_class_and_the_class(
    prepared: dict[str, Prepared],
    bundles: dict[tuple[str, str], Bundle],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows, _ = evaluation(prepared["multi_class"])
    bundle, file = bundles["multi_class", "pytorch"], tmp_path / "rows.csv"
    csv.write_csv(rows.slice(0, 20), file)
    expected = OnnxScorer(bundle).predict(rows.slice(0, 20))

    command = ["models", "predict", str(bundle.folder), "--input", str(file)]
    assert main([*command, "-o", str(tmp_path / "out.csv")]) == 0
    found = csv.read_csv(tmp_path / "out.csv").to_pydict()
    assert list(found) == [*(f"probability_{name}" for name in CUTS), "class"]
    assert found["class"] == [CUTS[place] for place in expected.argmax(axis=1)]
    numbers = np.array([found[f"probability_{name}"] for name in CUTS]).T
    np.testing.assert_allclose(numbers, expected, atol=1e-6)

    capsys.readouterr()
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["classes"], told["class"]) == (20, list(CUTS), found["class"])
    np.testing.assert_allclose(told["probabilities"], expected, atol=1e-6)

    assert main(["models", "inspect", str(bundle.folder)]) == 0
    assert f"gives    probabilities float32 of {', '.join(CUTS)}\n" in capsys.readouterr().out


def test_predict_writes_the_value_of_a_regression(
    prepared: dict[str, Prepared],
    bundles: dict[tuple[str, str], Bundle],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows, _ = evaluation(prepared["regression"])
    bundle, file = bundles["regression", "tensorflow"], tmp_path / "rows.csv"
    csv.write_csv(rows.slice(0, 20), file)
    command = ["models", "predict", str(bundle.folder), "--input", str(file), "--form", "litert"]
    assert main(command) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header == "value"
    expected = OnnxScorer(bundle).predict(rows.slice(0, 20))
    np.testing.assert_allclose(np.array(lines, np.float64), expected, rtol=1e-4)


@pytest.mark.parametrize("task", diamonds.TARGETS)
def test_mlflow_serves_what_predict_gives(
    prepared: dict[str, Prepared],
    bundles: dict[tuple[str, str], Bundle],
    tmp_path: Path,
    task: str,
) -> None:
    import mlflow

    from components.register_models.mlflow_model import write_model

    rows, _ = evaluation(prepared[task])
    bundle = bundles[task, "pytorch"]
    write_model(tmp_path, bundle, {"tandem.run": "run-1"}, "2013-03-01 12:00:00")
    served = mlflow.pyfunc.load_model(str(tmp_path))
    expected = OnnxScorer(bundle).predict(rows)

    given = served.predict(rows.select([i.name for i in bundle.contract.inputs]).to_pandas())
    assert tuple(given.columns) == bundle.contract.output.columns
    assert served.metadata.get_output_schema().input_names() == list(given.columns)
    if task == "multi_class":
        assert given["class"].tolist() == [CUTS[place] for place in expected.argmax(axis=1)]
        given = given.drop(columns="class")
        np.testing.assert_array_equal(given.to_numpy(), expected)
    else:
        np.testing.assert_array_equal(given["value"].to_numpy(), expected)


@pytest.mark.parametrize("task", diamonds.TARGETS)
def test_mlflow_models_serve_answers_with_the_numbers_of_predict(
    prepared: dict[str, Prepared],
    bundles: dict[tuple[str, str], Bundle],
    tmp_path: Path,
    task: str,
) -> None:
    from components.register_models.mlflow_model import write_model

    bundle = bundles[task, "tensorflow"]
    rows = evaluation(prepared[task])[0].slice(0, 300)
    write_model(tmp_path, bundle, {"tandem.run": "run-1"}, "2013-03-01 12:00:00")
    expected = OnnxScorer(bundle).predict(rows)

    columns = [column.name for column in bundle.contract.inputs]
    given = {"columns": columns, "data": rows.select(columns).to_pandas().to_numpy().tolist()}
    invoked = _served if task == "multi_class" else _answered
    found = json.loads(invoked(tmp_path, json.dumps({"dataframe_split": given})))["predictions"]
    assert [tuple(row) for row in found] == [bundle.contract.output.columns] * 300
    if task == "multi_class":
        assert [row.pop("class") for row in found] == [CUTS[i] for i in expected.argmax(axis=1)]
    numbers = np.array([[*row.values()] for row in found], np.float32)
    np.testing.assert_array_equal(numbers, expected.reshape(300, -1))


def _served(model: Path, body: str) -> bytes:
    """Return what the command's own server answers."""
    port = free_port()
    with answering(port, "models", "serve", "--env-manager", "local", "-m", str(model)):
        return asked(port, "POST", "/invocations", body)


def _answered(model: Path, body: str) -> str:
    """Return what the function answers that the server calls: starting one takes seconds."""
    from mlflow.pyfunc import load_model, scoring_server

    loaded = load_model(str(model))
    schema = loaded.metadata.get_input_schema()
    found = scoring_server.invocations(body, "application/json", loaded, schema)
    assert found.status == 200
    return str(found.response)


def test_a_row_of_no_rows_has_the_width_of_its_classes(
    prepared: dict[str, Prepared], bundles: dict[tuple[str, str], Bundle]
) -> None:
    rows, _ = evaluation(prepared["multi_class"])
    assert OnnxScorer(bundles["multi_class", "pytorch"]).predict(rows.slice(0, 0)).shape == (0, 5)


INT8 = {
    "pytorch": ("onnx_int8_dynamic", "onnx_int8_static"),
    "tensorflow": ("onnx_int8_dynamic", "onnx_int8_static", "litert_int8"),
}


@pytest.mark.parametrize("task", diamonds.TARGETS)
@pytest.mark.parametrize("framework", INT8)
def test_forms_of_eight_bits_keep_what_they_are_worth(
    prepared: dict[str, Prepared], tmp_path: Path, task: str, framework: str
) -> None:
    train = TRAIN.model_copy(update={"forms": INT8[framework]})
    folder, _ = diamonds.trained(framework, prepared[task], tmp_path, train)
    forms = {form.name: form for form in Bundle.open(folder).contract.forms}
    kind = ClassQuality if task == "multi_class" else ValueQuality
    for name in INT8[framework]:
        quality = forms[name].quality
        assert isinstance(quality, kind)
        assert quality.holds
    assert main(["models", "inspect", str(folder)]) == 0
