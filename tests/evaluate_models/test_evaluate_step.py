"""evaluate_models on real ONNX bundles, its TFMA files, and stock TFMA beside it."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import tfma_files
import tiny_bundles

from components.core.artifacts import manifest, read_json, tree_digest
from components.core.bundle import Bundle, OnnxScorer, files_of
from components.core.contract import Output
from components.core.errors import DataError, IntegrityError, SettingsError
from components.core.examples import ExamplesManifest
from components.evaluate_models.candidates import Champion, open_champion
from components.evaluate_models.step import EvaluateSettings, evaluate_models
from components.evaluate_models.target import Target
from components.evaluate_models.tfma_config import PREDICTIONS, eval_config
from components.evaluate_models.tfma_results import MEASURED

pytestmark = pytest.mark.slow
SLICES = [["origin"], ["origin", "hour"]]
TARGET, PREDICTION = Target("late"), PREDICTIONS["binary"]
# Above the last one no prediction of the models lies.
THRESHOLDS = (0.25, 0.5, 0.8, 0.9999)


def _run(tmp_path: Path, inputs, champion=None, **options):
    settings = EvaluateSettings.model_validate(
        {"evaluate": {"slices": SLICES, **options}, "champion": champion or {}}
    )
    evaluation = tmp_path / "evaluation"
    evaluation.mkdir(parents=True)
    outcome = evaluate_models(settings=settings, **inputs, evaluation=evaluation)
    return outcome, read_json(evaluation / "evaluation.json")


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, artifacts):
    folder = tmp_path_factory.mktemp("evaluated")
    return folder, *_run(folder, artifacts)


def test_the_evaluation_names_the_bundles_that_it_measured(evaluated, artifacts):
    _, outcome, found = evaluated
    assert found["rows"] == 3000
    assert found["label"] == "late"
    for name in ("pytorch", "tensorflow"):
        assert found["models"][name]["bundle_sha256"] == tree_digest(artifacts[f"{name}_model"])
        assert {"overall", "origin=JFK", "origin=JFK,hour=2"} <= set(
            found["models"][name]["slices"]
        )
    overall = found["models"]["pytorch"]["slices"]["overall"]
    assert outcome.facts["overall"]["pytorch"]["auc"] == overall["auc"]
    assert outcome.facts["rows_by_split"] == {"eval": 3000}
    assert overall["n"] == 3000
    assert 0.7 < overall["auc"]["value"] < 0.9


def test_the_evaluation_says_by_gates_that_it_measured_every_row(evaluated):
    assert [gate.to_dict() for gate in evaluated[1].gates[:2]] == [
        {
            "name": f"{name} predicted_rows",
            "metric": "predicted_rows",
            "slice": "overall",
            "value": 3000,
            "operator": "==",
            "threshold": 3000,
            "n": 3000,
            "passed": True,
        }
        for name in ("pytorch", "tensorflow")
    ]


def test_each_model_has_the_thresholds_of_the_settings_and_its_curves(artifacts, tmp_path):
    import tensorflow_model_analysis as tfma

    _, found = _run(tmp_path, artifacts, thresholds=[0.1, 0.75, 0.1])
    for model in found["models"].values():
        assert [at["threshold"] for at in model["slices"]["origin=JFK"]["thresholds"]] == [
            0.1,
            0.75,
        ]
        assert model["curves"].keys() == {"roc", "pr", "calibration"}
    metrics = dict(tfma.load_eval_result(str(tmp_path / "evaluation" / "pytorch")).slicing_metrics)
    overall = found["models"]["pytorch"]["slices"]["overall"]["thresholds"][1]
    written = metrics[()][""][""]["precision@0.75"]["boundedValue"]
    assert written["value"] == overall["precision"]["value"]
    assert written["lowerBound"] == overall["precision"]["lower"]


def test_groups_of_sensitive_columns_are_compared_whether_features_or_not(artifacts, tmp_path):
    _, found = _run(tmp_path, artifacts, sensitive=["hour", "origin"], minimum_slice_rows=750)
    for model in found["models"].values():
        fair = model["fairness"]
        assert list(fair) == ["hour", "origin"]
        assert fair["origin"]["groups"].keys() == {"EWR", "JFK", "LGA"}
        assert fair["hour"]["left_out"] == 4 - len(fair["hour"]["groups"])
        assert fair["hour"]["left_out"] > 0
        # The model adds to EWR and takes from JFK.
        selected = fair["origin"]["differences"]["selection_rate"]
        assert (selected["highest"], selected["lowest"]) == ("EWR", "JFK")
        assert selected["lower"] > 0


def test_a_sensitive_column_that_is_not_there_is_the_callers_error(artifacts, tmp_path):
    with pytest.raises(SettingsError, match=r"evaluate\.sensitive names carrier"):
        _run(tmp_path, artifacts, sensitive=["carrier"])


def test_robustness_is_measured_by_input_of_the_served_form_unless_switched_off(
    evaluated, artifacts, tmp_path
):
    for model in evaluated[2]["models"].values():
        measured = model["robustness"]
        assert measured["rows"] == 3000
        assert measured["auc"] == model["slices"]["overall"]["auc"]
        assert list(measured["columns"]) == ["distance", "origin"]
        assert measured["columns"]["distance"]["permuted"]["lower"] > 0
        assert measured["columns"]["distance"]["missing"]["value"] < 0.65
        assert measured["columns"]["distance"]["unseen"] is None
        assert measured["columns"]["origin"]["unseen"] == measured["columns"]["origin"]["missing"]
    _, found = _run(tmp_path, artifacts, robustness=False)
    assert "robustness" not in found["models"]["pytorch"]


def test_the_same_inputs_give_the_same_bytes(evaluated, artifacts, tmp_path):
    _run(tmp_path, artifacts)
    assert manifest(tmp_path / "evaluation") == manifest(evaluated[0] / "evaluation")


def test_tfma_opens_the_results_with_our_numbers(evaluated):
    import tensorflow_model_analysis as tfma

    folder, _, found = evaluated
    result = tfma.load_eval_result(str(folder / "evaluation" / "tensorflow"))
    by_slice = dict(result.slicing_metrics)
    slices = found["models"]["tensorflow"]["slices"]
    assert len(by_slice) == len(slices)
    crossed = by_slice[(("hour", 2), ("origin", "JFK"))][""][""]
    for name, ours in MEASURED["binary"].items():
        expected = slices["origin=JFK,hour=2"][ours]
        bounded = crossed[name]["boundedValue"]
        assert bounded["value"] == expected["value"]
        assert (bounded["lowerBound"], bounded["upperBound"]) == (
            expected["lower"],
            expected["upper"],
        )
    assert crossed["example_count"]["doubleValue"] == slices["origin=JFK,hour=2"]["n"]
    assert result.config.model_specs[0].label_key == "late"
    assert len(result.plots) == len(slices)
    assert result.attributions == []


def test_the_files_are_those_that_tfmas_own_converters_write(evaluated):
    folder = evaluated[0] / "evaluation" / "tensorflow"
    assert tfma_files.metrics(folder) == tfma_files.metrics_by_tfma(folder)
    assert tfma_files.plots(folder) == tfma_files.plots_by_tfma(folder)
    assert len(tfma_files.metrics(folder)) == len(tfma_files.plots(folder)) == 16


NEVER_IMPORTED = """
import sys
from pathlib import Path
from components.evaluate_models.step import EvaluateSettings, evaluate_models
examples, pytorch, evaluation = map(Path, sys.argv[1:])
evaluation.mkdir()
evaluate_models(
    settings=EvaluateSettings.model_validate({"evaluate": {"slices": [["origin"]]}}),
    examples=examples, pytorch_model=pytorch, evaluation=evaluation,
)
assert not {"tensorflow", "torch", "apache_beam"} & set(sys.modules)
"""


def test_the_stage_imports_no_framework_where_no_metric_is_stock_tfmas(artifacts, tmp_path):
    given = (artifacts["examples"], artifacts["pytorch_model"], tmp_path / "evaluation")
    command = [sys.executable, "-c", NEVER_IMPORTED, *map(str, given)]
    subprocess.run(command, check=True, timeout=120)


def test_no_file_of_the_evaluation_names_a_place(evaluated):
    folder = evaluated[0]
    for path in (folder / "evaluation").rglob("*"):
        assert path.is_dir() or str(folder).encode() not in path.read_bytes()


def _values(metrics):
    return {
        name: value.get("doubleValue", value.get("boundedValue", {}).get("value"))
        for name, value in metrics.items()
    }


def test_stock_tfma_gives_the_same_numbers(evaluated, artifacts, rows, monkeypatch, tmp_path):
    """The metrics and slices of our EvalConfig, computed by TFMA itself, row by row."""
    import apache_beam as beam
    import tensorflow_model_analysis as tfma
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    # Beam's default runner tries to download a binary first.
    monkeypatch.setattr(beam, "Pipeline", _with_runner(beam.Pipeline, FnApiRunner))
    frame = rows.to_pandas()
    frame["origin"] = frame["origin"].astype(object).where(frame["origin"].notna(), None)
    scorer = OnnxScorer(Bundle.open(artifacts["tensorflow_model"]))
    frame[PREDICTION] = scorer.predict(rows).astype(np.float64)
    sample = frame[frame["origin"].notna()].head(1200).reset_index(drop=True)
    stock = dict(_stock(tfma, sample, tmp_path / "stock").slicing_metrics)
    result, slices = _ours(tfma, sample, tmp_path / "ours")
    ours = dict(result.slicing_metrics)
    assert stock.keys() == ours.keys()
    for key, metrics in stock.items():
        expected = _values(metrics[""][""])
        found = _values(ours[key][""][""]) | _counts(slices[_key(key)])
        assert expected.keys() <= found.keys()
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, abs=1e-6), (key, name)
    assert _values(ours[()][""][""])["precision@0.9999"] == "NaN"
    assert 0 < _values(ours[()][""][""])["recall@0.25"] < 1


COUNTS = {
    "tp": "TruePositives",
    "fp": "FalsePositives",
    "tn": "TrueNegatives",
    "fn": "FalseNegatives",
}


def _counts(measured):
    return {
        f"{count}@{at['threshold']}": at["confusion"][ours]
        for at in measured["thresholds"]
        for ours, count in COUNTS.items()
    }


def _key(key):
    """Return our key of a slice that TFMA names by its columns in the order of their names."""
    values = dict(key)
    parts = [f"{name}={values[name]}" for name in ("origin", "hour") if name in values]
    return ",".join(parts) or "overall"


def _with_runner(pipeline, runner):
    def build(*args, **kwargs):
        return pipeline(*args, **{"runner": runner(), **kwargs})

    return build


def _partitions(frame):
    import pyarrow as pa

    from components.evaluate_models.slices import partitions

    table = pa.Table.from_pandas(frame[["origin", "hour", "late"]], preserve_index=False)
    return table, partitions(table, SLICES, 1)


def _stock(tfma, frame, folder):
    _, parts = _partitions(frame)
    config = eval_config(TARGET, parts, THRESHOLDS)
    for count in COUNTS.values():
        for threshold in THRESHOLDS:
            options = {"name": f"{count}@{threshold}", "thresholds": [threshold]}
            config.metrics_specs[0].metrics.add(class_name=count, config=json.dumps(options))
    return tfma.analyze_raw_data(frame, config, output_path=str(folder))


def _ours(tfma, frame, folder):
    from components.evaluate_models.evaluation import Rows, evaluate
    from components.evaluate_models.tfma_results import write_results

    _, parts = _partitions(frame)
    labels = frame["late"].to_numpy(dtype=np.float64)
    scores = frame[PREDICTION].to_numpy()
    rows = Rows(labels, {"pytorch": scores, "tensorflow": scores})
    models, _ = evaluate(rows, parts, 0.95, THRESHOLDS)
    config = eval_config(TARGET, parts, THRESHOLDS)
    write_results(folder, config, parts, rows, "tensorflow", models["tensorflow"])
    return tfma.load_eval_result(str(folder)), models["tensorflow"]


def test_the_champion_is_measured_on_the_same_rows(artifacts, tmp_path):
    folder = artifacts["tensorflow_model"]
    champion = {"version": "3", "bundle_sha256": tree_digest(folder), "path": str(folder)}
    outcome, found = _run(tmp_path, artifacts, champion)
    assert "champion predicted_rows" in [gate.name for gate in outcome.gates]
    models = found["models"]
    same = {key: dict(of_slice) for key, of_slice in models["tensorflow"]["slices"].items()}
    against = {key: of_slice.pop("over_champion", None) for key, of_slice in same.items()}
    assert models["champion"]["slices"] == same
    assert against.pop("overall") is None
    assert all(one["log_loss_difference"]["upper"] == 0 for one in against.values())
    assert found["comparison"]["champion"]["tensorflow"]["auc_difference"]["upper"] == 0
    assert (tmp_path / "evaluation" / "champion" / "eval_config.json").is_file()


def test_a_champion_with_other_bytes_is_refused(artifacts, tmp_path):
    champion = {
        "version": "3",
        "bundle_sha256": "0" * 64,
        "path": str(artifacts["pytorch_model"]),
    }
    with pytest.raises(IntegrityError, match="champion, version 3"):
        _run(tmp_path, artifacts, champion)


def _champion(folder: Path) -> dict[str, str]:
    return {"version": "3", "bundle_sha256": tree_digest(folder), "path": str(folder)}


def _with_contract(folder: Path, **changed: object) -> dict[str, str]:
    contract = json.loads((folder / "contract.json").read_text())
    (folder / "contract.json").write_text(json.dumps(contract | changed))
    return _champion(folder)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ({"name": "gone", "dtype": "float32"}, "takes gone as float32, which the examples do not"),
        ({"name": "origin", "dtype": "float32"}, "takes origin as float32.* hold as string"),
    ],
)
def test_a_champion_with_another_signature_is_named_with_the_way_out(
    artifacts, tmp_path, column, words
):
    folder = tiny_bundles.write_bundle(tmp_path / "champion", "pytorch")
    inputs = [{"name": "distance", "dtype": "float32"}, column]
    with pytest.raises(DataError, match=f"champion, version 3, {words}") as caught:
        _run(tmp_path, artifacts, _with_contract(folder, inputs=inputs))
    assert "tandem models promote" in caught.value.remedy
    assert "tandem models withdraw" in caught.value.remedy


def test_a_champion_that_no_longer_loads_is_named_with_the_way_out(artifacts, tmp_path):
    folder = tiny_bundles.write_bundle(tmp_path / "champion", "pytorch")
    (folder / "model.onnx").write_bytes(b"of a runtime to come")
    champion = _with_contract(folder, files=files_of(folder))
    with pytest.raises(DataError, match="champion, version 3, no longer loads: ") as caught:
        _run(tmp_path, artifacts, champion)
    assert "the onnxruntime that it was registered with" in caught.value.remedy


def test_a_champion_with_another_kind_of_output_is_named(artifacts):
    champion = Champion.model_validate(_champion(artifacts["pytorch_model"]))
    columns = {"distance": "float64", "origin": "string"}
    other = Output.model_construct(name="classes", dtype="float32")
    with pytest.raises(DataError, match="version 3, gives another output than the candidates"):
        open_champion(champion, columns, other)


def test_a_champion_whose_files_or_contract_are_gone_is_named(artifacts, tmp_path):
    folder = tiny_bundles.write_bundle(tmp_path / "champion", "pytorch")
    champion = _champion(folder)
    (folder / "contract.json").unlink()
    with pytest.raises(IntegrityError, match=r"champion, version 3, is no longer a bundle"):
        _run(tmp_path / "first", artifacts, champion)
    shutil.rmtree(folder)
    with pytest.raises(IntegrityError, match=r"champion, version 3, is no longer a bundle"):
        _run(tmp_path / "second", artifacts, champion)


def test_half_a_champion_is_refused():
    with pytest.raises(ValueError, match="path"):
        EvaluateSettings.model_validate({"evaluate": {}, "champion": {"version": "3"}})


def test_a_bundle_in_the_other_frameworks_port_is_refused(artifacts, tmp_path):
    swapped = {**artifacts, "pytorch_model": artifacts["tensorflow_model"]}
    with pytest.raises(IntegrityError, match="holds a tensorflow bundle"):
        _run(tmp_path, swapped)


def test_predictions_that_are_no_probabilities_are_refused(artifacts, tmp_path):
    broken = tiny_bundles.write_bundle(tmp_path / "broken", "pytorch", slope=math.nan)
    with pytest.raises(DataError, match="3000 of 3000 predictions"):
        _run(tmp_path, {**artifacts, "pytorch_model": broken})


def _other_rows(examples: Path, folder: Path, rows: int, said: int) -> Path:
    """Copy examples so that the eval shard holds `rows` rows and its manifest says `said`."""
    shutil.copytree(examples, folder)
    shard = folder / "Split-eval" / "2013-12.parquet"
    pq.write_table(pq.read_table(shard, partitioning=None).slice(0, rows), shard)
    found = ExamplesManifest.read(folder)
    shards = tuple(
        s.model_copy(update={"rows": said}) if s.split == "eval" else s for s in found.shards
    )
    found.model_copy(update={"shards": shards}).write(folder)
    return folder


@pytest.mark.parametrize(("held", "said"), [(2999, 3000), (3000, 2999), (3000, 3001)])
def test_rows_that_are_not_as_many_as_the_manifest_says_are_refused(
    artifacts, tmp_path, held, said
):
    examples = _other_rows(artifacts["examples"], tmp_path / "other", held, said)
    with pytest.raises(DataError, match=f"eval split has {held} rows, not the {said}"):
        _run(tmp_path, {**artifacts, "examples": examples})


def test_a_span_with_one_outcome_only_is_refused(artifacts, rows, tmp_path):
    import pyarrow.compute as pc

    punctual = rows.filter(pc.equal(rows["late"], 0))
    examples = tiny_bundles.write_examples(tmp_path / "punctual", punctual)
    with pytest.raises(DataError, match="must hold 0 and 1"):
        _run(tmp_path, {**artifacts, "examples": examples})


def test_a_slice_by_an_unknown_column_is_the_callers_error(artifacts, tmp_path):
    with pytest.raises(SettingsError, match="carrier"):
        _run(tmp_path, artifacts, slices=[["carrier"]])


def test_a_changed_bundle_is_refused(artifacts, tmp_path):
    changed = tmp_path / "changed"
    shutil.copytree(artifacts["pytorch_model"], changed)
    (changed / "model.onnx").write_bytes(b"other")
    with pytest.raises(IntegrityError):
        _run(tmp_path, {**artifacts, "pytorch_model": changed})


def _tfma_areas(labels, scores):
    """TFMA's own functions, from its histogram on, on predictions that it bins one by one."""
    from tensorflow_model_analysis.metrics import binary_confusion_matrices as matrices
    from tensorflow_model_analysis.metrics import calibration_histogram, confusion_matrix_metrics

    combiner = calibration_histogram._CalibrationHistogramCombiner(
        None, None, None, None, False, 10_000, 0.0, 1.0, True, True
    )
    fine: dict[int, calibration_histogram.Bucket] = {}
    for label, score in zip(labels.tolist(), scores.tolist(), strict=True):
        number = combiner._bucket_index(score)
        empty = calibration_histogram.Bucket(number, 0.0, 0.0, 0.0)
        fine.setdefault(number, empty).merge(
            calibration_histogram.Bucket(number, label, score, 1.0)
        )
    thresholds = matrices._interpolated_thresholds(10_000)
    rebinned = calibration_histogram.rebin(
        [t + matrices._EPSILON if t != 0 else t for t in thresholds],
        [fine[number] for number in sorted(fine)],
    )
    counts = matrices._histogram_to_binary_confusion_matrices(thresholds, rebinned)
    metric = confusion_matrix_metrics.AUC()
    return [
        metric._metric_value(
            curve=curve, summation_method="interpolation", key=None, matrices=counts
        )
        for curve in ("ROC", "PR")
    ]


@pytest.mark.filterwarnings("ignore:invalid value encountered")
@pytest.mark.parametrize("seed", range(8))
def test_predictions_on_the_edges_of_buckets_and_thresholds_count_as_in_tfma(seed):
    from components.evaluate_models.tfma_metrics import areas

    generator = np.random.default_rng(seed)
    edges = np.concatenate([np.arange(10_001) / 10_000, np.arange(10_000) / 9_999])
    scores = np.concatenate([generator.choice(edges, 300), [0.0, 1.0, 0.0, 1.0]])
    labels = np.concatenate([(generator.random(300) < scores[:300]), [0, 1, 1, 0]]).astype(float)
    assert areas(labels, scores) == pytest.approx(_tfma_areas(labels, scores), abs=1e-12)


def test_a_slice_of_one_row_is_no_setting():
    with pytest.raises(ValueError, match="greater than or equal to 2"):
        EvaluateSettings.model_validate({"evaluate": {"minimum_slice_rows": 1}})


def test_one_imported_model_is_measured_against_the_champion_alone(tmp_path, artifacts):
    folder = tiny_bundles.write_bundle(tmp_path / "given", "imported", 0.9, -0.6)
    champion = {
        "version": "3",
        "bundle_sha256": tree_digest(artifacts["pytorch_model"]),
        "path": str(artifacts["pytorch_model"]),
    }
    inputs = {"examples": artifacts["examples"], "imported_model": folder}
    _, found = _run(tmp_path, inputs, champion=champion)
    assert set(found["models"]) == {"imported", "champion"}
    assert found["comparison"]["auc_difference"] is None
    assert set(found["comparison"]["champion"]) == {"imported"}
    assert found["comparison"]["champion"]["imported"]["auc_difference"]["upper"] < 0.01
