"""A model's gates as TFMA's validation result: what `tfma.load_validation_result` opens.

Rules: the protos are TFMA's own, loaded without TFMA (core/tfma_protos.py); as in TFMA only what
failed is listed, by slice, and every slice that a gate is on is counted. A metric has the name that
it has in the metrics that evaluate_models writes beside; what TFMA has no metric for (a form's
latency, a difference between groups) has the gate's. The value is the one that was compared, the
interval's worse bound. A slice's values are texts, as they are in its key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.core.candidates import OVER_CHAMPION
from components.core.measures import MEASURES
from components.core.outcome import Gate
from components.core.slice_keys import key_parts
from components.core.task import Task
from components.core.tfma_protos import tfma_protos
from components.core.tfrecord_frame import framed
from components.decide_release.gates import passes, sentence

FILE_NAME = "validations-00000-of-00001.tfrecord"
# Our metric: its name in the TFMA results.
NAMES: Mapping[Task, Mapping[str, str]] = {
    "binary": {
        "log_loss": "binary_crossentropy",
        "accuracy": "binary_accuracy",
        "calibration": "calibration",
        "auc": "auc_exact",
        "pr_auc": "average_precision_exact",
        "brier": "brier_score",
        "calibration_error": "expected_calibration_error",
    },
    "multi_class": {
        "log_loss": "sparse_categorical_crossentropy",
        "accuracy": "sparse_categorical_accuracy",
        "auc_macro": "auc_macro_exact",
        "auc_weighted": "auc_weighted_exact",
        "brier": "brier_score",
        "calibration_error": "expected_calibration_error",
    },
    "regression": {name: name for name in MEASURES["regression"].metrics},
}


def write_validation(
    folder: Path, model: str, gates: Sequence[Gate], task: Task = "binary"
) -> None:
    """Write a model's validation result; the same gates give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    record = validation_result(model, gates, task).SerializeToString(deterministic=True)
    (folder / FILE_NAME).write_bytes(framed(record))


def validation_result(model: str, gates: Sequence[Gate], task: Task = "binary") -> Any:
    """Return tfma's ValidationResult of a model's gates."""
    result = tfma_protos().validation.ValidationResult(validation_ok=passes(gates))
    for key in dict.fromkeys(gate.slice for gate in gates):
        details = result.validation_details.slicing_details.add(num_matching_slices=1)
        details.slicing_spec.feature_values.update(dict(key_parts(key)))
        if failed := [gate for gate in gates if gate.slice == key and not gate.passed]:
            of_slice = result.metric_validations_per_slice.add()
            of_slice.slice_key.SetInParent()
            for column, value in sorted(key_parts(key)):
                of_slice.slice_key.single_slice_keys.add(column=column, bytes_value=value.encode())
            for gate in failed:
                _fill(of_slice.failures.add(message=sentence(gate)), model, gate, task)
    return result


def _fill(failure: Any, model: str, gate: Gate, task: Task) -> None:
    """Say which metric failed, against what, and with which value."""
    metric = gate.metric.removesuffix(f"_{OVER_CHAMPION}")
    of_champion = metric != gate.metric
    failure.metric_key.name = NAMES[task].get(metric) or gate.name.removeprefix(f"{model} ")
    failure.metric_key.is_diff = of_champion
    failure.metric_value.double_value.value = gate.value
    more = gate.operator in (">=", ">")
    if of_champion:
        change = failure.metric_threshold.change_threshold
        direction = "HIGHER_IS_BETTER" if more else "LOWER_IS_BETTER"
        change.MergeFrom(type(change)(absolute={"value": gate.threshold}, direction=direction))
        return
    bounds = failure.metric_threshold.value_threshold
    (bounds.lower_bound if more else bounds.upper_bound).value = gate.threshold
