"""Metrics that stock TFMA computes where the settings ask for them."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_bundles
from pydantic import ValidationError

from components.core.artifacts import read_json
from components.core.bundle import Bundle
from components.core.candidates import TRAINED
from components.core.errors import SettingsError
from components.core.settings import Evaluate
from components.core.stock_metrics import STOCK_NAMES
from components.evaluate_models.candidates import Measurable
from components.evaluate_models.eval_rows import rows_here
from components.evaluate_models.quality import evaluate_quality
from components.evaluate_models.target import Target

ASKED = [
    {"class_name": "F1Score", "config": {"thresholds": [0.3], "name": "f1_at_0.3"}},
    {"class_name": "MatthewsCorrelationCoefficient"},
    {"class_name": "FallOut", "config": {"thresholds": [0.99999]}},
]


class _Scorer:
    """The probability of the label by distance."""

    def predict(self, table):
        distance = table["distance"].fill_null(0.0).to_numpy()
        return 1 / (1 + np.exp(1.0 - distance)).astype(np.float32)


class _Classes(_Scorer):
    """A probability for each of four hours."""

    def predict(self, table):
        return np.random.default_rng(3).dirichlet(np.ones(4), table.num_rows)


def _evaluated(artifacts, rows, folder, metrics, target=Target("late"), scorer=None):  # noqa: B008
    bundle = Bundle.open(artifacts["pytorch_model"])
    models = [Measurable(name, bundle, name, scorer or _Scorer()) for name in TRAINED]
    settings = Evaluate.model_validate(
        {"slices": [["origin"], ["origin", "hour"]], "minimum_slice_rows": 50,
         "robustness": False, "tfma_metrics": metrics}
    )  # fmt: skip
    folder.mkdir()
    given = rows_here(models, rows, [target.label, "origin", "hour"], target)
    evaluate_quality(models, given, target, settings, folder)
    return read_json(folder / "evaluation.json")["models"]["tensorflow"]["slices"]


@pytest.fixture(scope="module")
def some_rows():
    return tiny_bundles.table(600, seed=9)


@pytest.fixture(scope="module")
def found(artifacts, some_rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("asked") / "evaluation"
    return folder, _evaluated(artifacts, some_rows, folder, ASKED)


@pytest.mark.slow
def test_what_is_asked_for_stands_in_each_slice_without_an_interval(found, some_rows):
    _, slices = found
    assert {"overall", "origin=JFK", "origin=JFK,hour=2"} <= set(slices)
    frame = some_rows.to_pandas()
    frame["said"] = _Scorer().predict(some_rows) > 0.3
    for key, chosen in (
        ("overall", frame.index >= 0),
        ("origin=JFK", frame["origin"] == "JFK"),
        ("origin=JFK,hour=2", (frame["origin"] == "JFK") & (frame["hour"] == 2)),
    ):
        part = frame[chosen]
        hit = int((part["said"] & (part["late"] == 1)).sum())
        expected = 2 * hit / (part["said"].sum() + part["late"].sum())
        assert slices[key]["n"] == len(part)
        assert slices[key]["tfma"]["f1_at_0.3"] == pytest.approx(expected, abs=1e-6)
        assert list(slices[key]["tfma"]) == [
            "f1_at_0.3", "fall_out", "matthews_correlation_coefficient"
        ]  # fmt: skip


@pytest.mark.slow
def test_what_is_not_defined_is_null(artifacts, some_rows, tmp_path):
    asked = [{"class_name": "Precision", "config": {"thresholds": [0.99999]}}]
    slices = _evaluated(artifacts, some_rows, tmp_path / "null", asked)
    assert slices["overall"]["tfma"] == {"precision": None}


@pytest.mark.slow
def test_it_stands_in_tfmas_files_beside_ours(found):
    import tensorflow_model_analysis as tfma

    folder, slices = found
    result = tfma.load_eval_result(str(folder / "tensorflow"))
    written = dict(result.slicing_metrics)[(("hour", 2), ("origin", "JFK"))][""][""]
    expected = slices["origin=JFK,hour=2"]
    assert written["f1_at_0.3"]["doubleValue"] == pytest.approx(expected["tfma"]["f1_at_0.3"])
    assert written["auc_exact"]["boundedValue"]["value"] == expected["auc"]["value"]
    names = [metric.class_name for metric in result.config.metrics_specs[0].metrics]
    assert names[-3:] == ["F1Score", "MatthewsCorrelationCoefficient", "FallOut"]


@pytest.mark.slow
def test_of_several_classes_a_metric_is_named_with_its_class_and_a_matrix_is_kept(
    artifacts, some_rows, tmp_path
):
    asked = [
        {"class_name": "Precision", "config": {"class_id": 2, "top_k": 1}},
        {"class_name": "MultiClassConfusionMatrixAtThresholds", "config": {"thresholds": [0.5]}},
    ]
    target = Target("hour", "multi_class", ("0", "1", "2", "3"))
    slices = _evaluated(artifacts, some_rows, tmp_path / "many", asked, target, _Classes())
    overall = slices["overall"]
    precision = overall["classes"]["2"]["precision"]["value"]
    assert overall["tfma"]["precision, class_id 2, top_k 1"] == pytest.approx(precision, abs=1e-6)
    (name,) = [name for name in overall["tfma"] if name.startswith("multi_class")]
    matrix = overall["tfma"][name]["multiClassConfusionMatrixAtThresholds"]["matrices"][0]
    assert sum(entry["numWeightedExamples"] for entry in matrix["entries"]) == 600


@pytest.mark.slow
def test_an_option_that_tfma_does_not_know_is_the_settings_error(artifacts, some_rows, tmp_path):
    asked = [{"class_name": "F1Score", "config": {"treshold": 0.3}}]
    with pytest.raises(SettingsError, match="tfma_metrics: TFMA does not make a F1Score"):
        _evaluated(artifacts, some_rows, tmp_path / "wrong", asked)


@pytest.mark.slow
def test_every_name_is_a_metric_of_tfma_that_is_no_plot():
    from tensorflow_model_analysis import metrics
    from tensorflow_model_analysis.metrics.metric_types import registered_metrics

    for name in STOCK_NAMES:
        assert registered_metrics()[name] is getattr(metrics, name)
        assert not name.endswith("Plot")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"class_name": "os.system"}, "Input should be 'AUC'"),
        ({"class_name": "F1Score", "module": "os"}, "Extra inputs are not permitted"),
        ({"class_name": "F1Score", "config": {"name": {"a": 1}}}, "valid"),
        ({"class_name": "F1Score", "config": {"thresholds": [float("inf")]}}, "finite"),
    ],
)
def test_what_is_no_metric_and_no_plain_value_is_refused(asked, said):
    with pytest.raises(ValidationError, match=said):
        Evaluate.model_validate({"tfma_metrics": [asked]})


def test_two_of_one_name_are_refused_unless_they_are_of_different_classes():
    one = {"class_name": "Recall", "config": {"class_id": 1}}
    other = {"class_name": "Recall", "config": {"class_id": 2}}
    assert len(Evaluate.model_validate({"tfma_metrics": [one, other]}).tfma_metrics) == 2
    with pytest.raises(ValidationError, match="two are called Recall"):
        Evaluate.model_validate({"tfma_metrics": [one, one]})
