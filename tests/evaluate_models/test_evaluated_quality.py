"""evaluation.json and TFMA's files of several classes and of a number, by models that are known."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import tfma_files

from components.core.artifacts import manifest, read_json
from components.core.bundle import Bundle
from components.core.candidates import TRAINED
from components.core.errors import SettingsError
from components.core.measures import MEASURES, measures_of
from components.core.raw_inputs import raw_inputs
from components.core.settings import Evaluate
from components.evaluate_models.candidates import Measurable
from components.evaluate_models.eval_rows import rows_here
from components.evaluate_models.quality import evaluate_quality
from components.evaluate_models.target import Target
from components.evaluate_models.tfma_results import MEASURED

CLASSES = ("near", "middle", "far")
NUMBER, SEVERAL = Target("price", "regression"), Target("zone", "multi_class", CLASSES)


class _Line:
    """A model of a number: slope times distance, where a missing one is 0."""

    def __init__(self, slope):
        self._slope = slope

    def score(self, inputs):
        return self._slope * np.nan_to_num(inputs["distance"]) + 10

    def predict(self, table):
        return self.score(raw_inputs(table, {"distance": "float32", "origin": "string"}))


class _Zones(_Line):
    """A model of three classes by distance."""

    def score(self, inputs):
        by = super().score(inputs) - 10
        odds = np.exp(np.stack([-by, np.zeros_like(by), by], axis=1))
        return odds / odds.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def table(rows):
    generator = np.random.default_rng(3)
    distance = rows["distance"].fill_null(0.0).to_numpy()
    noisy = distance + generator.normal(0, 0.3, len(distance))
    zone = np.digitize(noisy, [-0.5, 0.5])
    return rows.append_column("price", pa.array(10 + 2 * noisy)).append_column(
        "zone", pa.array(zone)
    )


def _evaluated(artifacts, table, target, scorer, folder, **options):
    """Evaluate a better model and a worse one."""
    bundle = Bundle.open(artifacts["pytorch_model"])
    models = [
        Measurable(name, bundle, str(slope), scorer(slope))
        for name, slope in zip(TRAINED, (2.0, 1.0), strict=True)
    ]
    settings = Evaluate.model_validate({"slices": [["origin"]], **options})
    folder.mkdir()
    rows = rows_here(models, table, [target.label, "origin"], target)
    evaluate_quality(models, rows, target, settings, folder)
    return read_json(folder / "evaluation.json")


@pytest.mark.slow
@pytest.mark.parametrize(("target", "scorer"), [(NUMBER, _Line), (SEVERAL, _Zones)])
def test_the_task_its_metrics_and_its_files_are_written(artifacts, table, tmp_path, target, scorer):
    import tensorflow_model_analysis as tfma

    found = _evaluated(artifacts, table, target, scorer, tmp_path / "one")
    assert (found["label"], found["task"]) == (target.label, target.task)
    assert found.get("classes", []) == list(target.classes)
    measures = measures_of(found)
    assert measures is MEASURES[target.task]
    overall = found["models"]["pytorch"]["slices"]["overall"]
    assert set(measures.shown) <= set(overall)
    for metric in measures.compared:
        assert found["comparison"][f"{metric}_difference"]["method"]
    result = tfma.load_eval_result(str(tmp_path / "one" / "pytorch"))
    slices = dict(result.slicing_metrics)
    assert len(slices) == len(found["models"]["pytorch"]["slices"]) == 4
    for name, ours in MEASURED[target.task].items():
        expected = found["models"]["pytorch"]["slices"]["origin=JFK"][ours]
        written = slices[(("origin", "JFK"),)][""][""][name]["boundedValue"]
        assert (written["value"], written["lowerBound"], written["upperBound"]) == (
            expected["value"],
            expected["lower"],
            expected["upper"],
        )
    assert result.config.model_specs[0].label_key == target.label
    files = tmp_path / "one" / "pytorch"
    assert tfma_files.metrics(files) == tfma_files.metrics_by_tfma(files)
    assert tfma_files.plots(files) == tfma_files.plots_by_tfma(files)
    _evaluated(artifacts, table, target, scorer, tmp_path / "again")
    assert manifest(tmp_path / "one") == manifest(tmp_path / "again")


@pytest.mark.slow
def test_robustness_and_curves_are_those_of_the_task(artifacts, table, tmp_path):
    number = _evaluated(artifacts, table, NUMBER, _Line, tmp_path / "number")["models"]["pytorch"]
    bins = np.array(number["curves"]["calibration"])
    assert list(number["curves"]) == ["calibration"]
    assert bins[:, 2].sum() == 3000
    assert np.all(np.diff(bins[:, 0]) > 0)
    loss = number["robustness"]["mean_squared_error"]
    assert loss["value"] == number["slices"]["overall"]["mean_squared_error"]["value"]
    assert number["robustness"]["columns"]["distance"]["permuted"]["lower"] > 1
    assert number["robustness"]["columns"]["origin"]["permuted"]["value"] == 0
    several = _evaluated(artifacts, table, SEVERAL, _Zones, tmp_path / "several")["models"]
    robust = several["pytorch"]["robustness"]
    assert robust["columns"]["distance"]["missing"]["value"] > robust["log_loss"]["value"]
    curve = np.array(several["pytorch"]["curves"]["calibration"])
    assert curve[:, 2].sum() == 3000
    assert list(several["pytorch"]["curves"]) == ["calibration"]


@pytest.mark.parametrize(
    ("target", "scorer", "what"),
    [(NUMBER, _Line, "a number"), (SEVERAL, _Zones, "several classes")],
)
def test_groups_of_people_are_compared_only_by_who_is_said_to_be_positive(
    artifacts, table, tmp_path, target, scorer, what
):
    with pytest.raises(SettingsError, match=f"evaluate.sensitive: .* the target is {what}; slice"):
        _evaluated(artifacts, table, target, scorer, tmp_path / "fair", sensitive=["origin"])
    assert list((tmp_path / "fair").iterdir()) == []
