"""The gates as TFMA reads them, written without TFMA."""

from __future__ import annotations

import subprocess
import sys

import pytest
from made_evaluations import around, model

from components.core.artifacts import manifest, read_json
from components.core.outcome import Gate
from components.core.policy import Policy
from components.core.tfrecord_frame import framed
from components.decide_release.choice import Evidence
from components.decide_release.decision import decide
from components.decide_release.tfma_validation import NAMES, validation_result, write_validation

AUC = {"metric": "auc", "operator": ">=", "threshold": 0.70}


def _gate(**more) -> Gate:
    parts = {"name": "pytorch auc", "metric": "auc", "value": 0.6, "interval": (0.6, 0.8)}
    return Gate(**{**parts, "operator": ">=", "threshold": 0.7, **more})


@pytest.mark.slow
def test_tfma_opens_what_the_gates_came_to(tmp_path, evaluation, measurements):
    import tensorflow_model_analysis as tfma

    evaluation["models"]["tensorflow"]["slices"]["origin=LGA"] = {
        **model()["slices"]["overall"],
        "auc": around(0.69),
    }
    evaluation["models"]["pytorch"]["slices"]["origin=LGA"] = model()["slices"]["overall"]
    policy = Policy.model_validate({"gates": [{**AUC, "slice": "origin=*"}]})
    decided, gates = decide(policy, Evidence(evaluation, measurements))
    for name in gates:
        write_validation(tmp_path / name, name, gates[name])

    good = tfma.load_validation_result(str(tmp_path / "pytorch"))
    bad = tfma.load_validation_result(str(tmp_path / "tensorflow"))

    assert decided["winner"] == "pytorch"
    assert good.validation_ok
    assert list(good.metric_validations_per_slice) == []
    assert not bad.validation_ok
    assert not bad.missing_thresholds
    (of_slice,) = bad.metric_validations_per_slice
    (key,) = of_slice.slice_key.single_slice_keys
    (failure,) = of_slice.failures
    assert (key.column, key.bytes_value) == ("origin", b"LGA")
    assert failure.metric_key.name == "auc_exact"
    assert failure.metric_threshold.value_threshold.lower_bound.value == 0.70
    assert failure.metric_value.double_value.value == pytest.approx(0.68)
    assert "tensorflow auc (origin=LGA) is 0.68 at worst" in failure.message
    counted = bad.validation_details.slicing_details
    assert [dict(found.slicing_spec.feature_values) for found in counted] == [
        {"origin": "JFK"},
        {"origin": "LGA"},
    ]
    assert {found.num_matching_slices for found in counted} == {1}


@pytest.mark.slow
def test_a_record_is_framed_as_tensorflow_frames_it(tmp_path):
    import tensorflow as tf

    path = tmp_path / "records"
    with tf.io.TFRecordWriter(str(path)) as stream:
        stream.write(b"")
        stream.write(b"record" * 1000)
    assert path.read_bytes() == framed(b"") + framed(b"record" * 1000)


@pytest.mark.slow
def test_a_metric_has_the_name_that_it_has_in_the_results_of_the_evaluation():
    from components.evaluate_models.tfma_results import MEASURED

    assert {ours: name for name, ours in MEASURED["binary"].items()} == NAMES["binary"]


@pytest.mark.parametrize("operators", [(">=", "<="), (">", "<")])
def test_a_gate_on_the_champion_is_a_change_in_tfmas_words(operators):
    gates = [
        _gate(
            name="pytorch auc_over_champion",
            metric="auc_over_champion",
            operator=operators[0],
            threshold=0.9,
        ),
        _gate(metric="log_loss_over_champion", operator=operators[1], threshold=0.1),
    ]
    (of_slice,) = validation_result("pytorch", gates).metric_validations_per_slice
    more, less = (failure.metric_threshold.change_threshold for failure in of_slice.failures)
    assert [failure.metric_key.name for failure in of_slice.failures] == [
        "auc_exact",
        "binary_crossentropy",
    ]
    assert all(failure.metric_key.is_diff for failure in of_slice.failures)
    assert (more.absolute.value, more.direction) == (0.9, 2)
    assert (less.absolute.value, less.direction) == (0.1, 1)


def test_what_tfma_has_no_metric_for_has_the_gates_own_name():
    gate = _gate(
        name="pytorch onnx p99_ms", metric="p99_ms", operator="<=", value=9.0, interval=None
    )
    (of_slice,) = validation_result("pytorch", [gate]).metric_validations_per_slice
    assert of_slice.failures[0].metric_key.name == "onnx p99_ms"
    assert of_slice.failures[0].metric_threshold.value_threshold.upper_bound.value == 0.7


def test_the_result_is_written_without_tensorflow_and_leaves_tfma_to_be_imported():
    program = """
import sys
from components.core.outcome import Gate
from components.decide_release.tfma_validation import validation_result
gate = Gate("pytorch auc", "auc", 0.6, ">=", 0.7)
assert not validation_result("pytorch", [gate]).validation_ok
print([name for name in sys.modules if name.startswith("tensorflow")])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_every_model_of_a_decision_has_its_validation_result(tmp_path, evaluation, measurements):
    from components.core.artifacts import write_json
    from components.decide_release.step import DecideSettings, decide_release

    write_json(tmp_path / "evaluation" / "evaluation.json", evaluation)
    write_json(tmp_path / "measurements" / "measurements.json", measurements)
    settings = DecideSettings.model_validate({"policy": {"gates": [AUC]}})
    ports = {name: tmp_path / name for name in ("evaluation", "measurements", "decision")}
    ports["decision"].mkdir()
    decide_release(settings=settings, **ports)
    file = "validations-00000-of-00001.tfrecord"
    assert set(manifest(ports["decision"])) == {
        "decision.json", f"pytorch/{file}", f"tensorflow/{file}"
    }  # fmt: skip
    assert read_json(ports["decision"] / "decision.json")["go"] is True
