"""Every metric that TFMA defines is stock TFMA's number, on real rows and real predictions."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
import real_samples

from components.core.measures import MEASURES
from components.evaluate_models.evaluation import evaluate
from components.evaluate_models.slices import partitions
from components.evaluate_models.tfma_config import PREDICTIONS, eval_config
from components.evaluate_models.tfma_results import write_results

pytestmark = pytest.mark.slow
THRESHOLDS, TOP_K = (0.2, 0.5), (2, 3)
MODEL = "tensorflow"
COUNTS = {
    "TruePositives": "tp",
    "FalsePositives": "fp",
    "TrueNegatives": "tn",
    "FalseNegatives": "fn",
}


def _stock(tfma, frame, config, folder):
    """Let TFMA evaluate, row by row; it takes no runner, and Beam's default one is a download."""
    import apache_beam as beam
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    default = beam.Pipeline
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            beam, "Pipeline", lambda *args, **kw: default(*args, **{"runner": FnApiRunner(), **kw})
        )
        return tfma.analyze_raw_data(frame, config, output_path=str(folder))


def _both(sample, folder):
    """Return the sample's results of stock TFMA, ours, and our metrics by slice."""
    import tensorflow_model_analysis as tfma

    table = pa.Table.from_pandas(sample.frame, preserve_index=False)
    parts = partitions(table, sample.slices, 2)
    models, _ = evaluate(sample.rows, parts, 0.95, THRESHOLDS, TOP_K)
    config = eval_config(sample.target, parts, THRESHOLDS, TOP_K)
    if sample.target.task == "binary":
        for count in COUNTS:
            for at in THRESHOLDS:
                options = json.dumps({"name": f"{count}@{at}", "thresholds": [at]})
                config.metrics_specs[0].metrics.add(class_name=count, config=options)
    scores = sample.rows.scores[MODEL]
    frame = sample.frame.assign(**{PREDICTIONS[sample.target.task]: list(scores)})
    stock = _stock(tfma, frame, config, folder / "stock")
    write_results(folder / "ours", config, parts, sample.rows, MODEL, models[MODEL])
    return stock, tfma.load_eval_result(str(folder / "ours")), models[MODEL]


def _values(metrics):
    """Return {(sub key, name): number} of one slice."""
    return {
        (sub_key, name): value.get("doubleValue", value.get("boundedValue", {}).get("value"))
        for sub_key, named in metrics[""].items()
        for name, value in named.items()
    }


def _same_metrics(stock, ours, relative=0.0, but=lambda key, name: False):
    """Compare every metric of every slice that stock TFMA has, to 1e-6 or that share of it."""
    theirs, own = dict(stock.slicing_metrics), dict(ours.slicing_metrics)
    # No settings ask for slices of one row.
    theirs = {
        key: found for key, found in theirs.items() if _values(found)["", "example_count"] > 1
    }
    assert theirs.keys() == own.keys()
    for key, metrics in theirs.items():
        found = _values(own[key])
        for name, value in _values(metrics).items():
            if name[1].split("@")[0] not in COUNTS and not but(key, name):
                wanted = pytest.approx(value, abs=1e-6, rel=relative or None)
                assert found[name] == (value if isinstance(value, str) else wanted), (key, name)
    return theirs


def _key(key):
    """Return our key of a slice, whose columns both have in the order of their names."""
    return ",".join(f"{name}={value}" for name, value in key) or "overall"


def test_a_class_of_two_by_slices_and_crosses(tmp_path):
    sample = real_samples.late_flights()
    stock, ours, slices = _both(sample, tmp_path)
    theirs = _same_metrics(stock, ours)
    assert len(theirs) > 30
    names = {name for _, name in _values(theirs[()])}
    assert {"auc", "auc_precision_recall", "binary_crossentropy", "binary_accuracy"} <= names
    assert {"precision@0.2", "recall@0.5", "calibration", "example_count", "mean_label"} <= names
    for key, metrics in theirs.items():
        found = _values(metrics)
        for at in slices[_key(key)]["thresholds"]:
            for count, our_name in COUNTS.items():
                assert found["", f"{count}@{at['threshold']}"] == at["confusion"][our_name]


def test_the_exact_areas_and_the_brier_score_are_what_scikit_learn_gives():
    from sklearn import metrics

    sample = real_samples.late_flights()
    table = pa.Table.from_pandas(sample.frame, preserve_index=False)
    found = evaluate(sample.rows, partitions(table, (), 1), 0.95)[0][MODEL]["overall"]
    labels, scores = sample.rows.labels, sample.rows.scores[MODEL]
    expected = {
        "auc": metrics.roc_auc_score(labels, scores),
        "pr_auc": metrics.average_precision_score(labels, scores),
        "brier": metrics.brier_score_loss(labels, scores),
    }
    for name, value in expected.items():
        assert found[name]["value"] == pytest.approx(value, abs=1e-6)


def test_several_classes_by_slices_and_crosses(tmp_path):
    sample = real_samples.cuts_of_diamonds()
    stock, ours, slices = _both(sample, tmp_path)

    def nowhere_said(key, name):
        """Say whether a class is the most probable one of no row, which TFMA takes for all."""
        classes = list(slices[_key(key)]["classes"].values())
        number = name[0].removeprefix("classId:").removesuffix(" topK:1")
        return number.isdigit() and classes[int(number)]["said"] == 0

    theirs = _same_metrics(stock, ours, but=nowhere_said)
    for key, metrics in theirs.items():
        of_slice = slices[_key(key)]
        for name, value in _values(metrics).items():
            if name[1] == "precision" and nowhere_said(key, name):
                of_class = list(of_slice["classes"].values())[int(name[0][8])]
                assert value == pytest.approx(of_class["n"] / of_slice["n"])
                assert of_class["precision"] is None
    found = _values(theirs[()])
    assert ("classId:4 topK:1", "f1") in found
    assert ("topK:3", "top_k_accuracy") in found
    assert len(found) == 5 + 3 * 5 + 2
    assert len(theirs) > 30
    plots = {key: plot[""][""] for key, plot in ours.plots}
    assert plots == {key: plot[""][""] for key, plot in stock.plots if key in plots}
    assert len(plots) == len(theirs)
    assert any(0 in [c["n"] for c in of["classes"].values()] for of in slices.values())


def test_several_classes_against_scikit_learn():
    from sklearn import metrics

    sample = real_samples.cuts_of_diamonds()
    table = pa.Table.from_pandas(sample.frame, preserve_index=False)
    found = evaluate(sample.rows, partitions(table, (), 1), 0.95, (), TOP_K)[0][MODEL]["overall"]
    labels, scores = sample.rows.numbers, sample.rows.scores[MODEL]
    said, certain = scores.argmax(axis=1), np.eye(5)[labels]
    shared = {"multi_class": "ovr"}
    expected = {
        "auc_macro": metrics.roc_auc_score(labels, _summing_to_1(scores), **shared),
        "auc_weighted": metrics.roc_auc_score(
            labels, _summing_to_1(scores), average="weighted", **shared
        ),
        "brier": ((scores - certain) ** 2).sum(axis=1).mean(),
        "log_loss": metrics.log_loss(labels, _summing_to_1(scores)),
        "accuracy": metrics.accuracy_score(labels, said),
    }
    for name, value in expected.items():
        assert found[name]["value"] == pytest.approx(value, abs=1e-6), name
    assert found["confusion"] == metrics.confusion_matrix(labels, said).tolist()
    report = metrics.classification_report(
        labels, said, target_names=real_samples.CUTS, output_dict=True
    )
    for name, of_class in found["classes"].items():
        expected = report[name]
        assert of_class["n"] == expected["support"]
        for ours, theirs in (("precision",) * 2, ("recall",) * 2, ("f1", "f1-score")):
            assert of_class[ours]["value"] == pytest.approx(expected[theirs], abs=1e-6)


def _summing_to_1(scores):
    return scores / scores.sum(axis=1, keepdims=True)


def test_a_number_by_slices_and_crosses(tmp_path):
    sample = real_samples.prices_of_diamonds()
    stock, ours, slices = _both(sample, tmp_path)
    # A squared error of dollars has twelve digits: there it is a share of 1e-6.
    theirs = _same_metrics(stock, ours, relative=1e-6)
    names = {name for _, name in _values(theirs[()])}
    assert {"mean_squared_error", "mean_absolute_percentage_error", "calibration"} <= names
    assert names - set(MEASURES["regression"].metrics) == {
        "example_count",
        "mean_label",
        "mean_prediction",
    }
    assert len(theirs) == len(slices) > 30
    assert ours.plots == []


def test_a_number_against_scikit_learn():
    from sklearn import metrics

    sample = real_samples.prices_of_diamonds()
    table = pa.Table.from_pandas(sample.frame, preserve_index=False)
    found = evaluate(sample.rows, partitions(table, (), 1), 0.95)[0][MODEL]["overall"]
    labels, values = sample.rows.labels, sample.rows.scores[MODEL]
    assert found["r2"]["value"] == pytest.approx(metrics.r2_score(labels, values), abs=1e-6)
    assert found["mean_error"]["value"] == pytest.approx((values - labels).mean(), abs=1e-6)
