"""Everything that evaluation.json says: each model's metrics by slice, and how the models compare.

Rules: every model sees the same rows in the same order, so differences are paired; the order of
slices is the settings' order, the whole first. This module computes; it reads and writes no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.core.candidates import CHAMPION, candidates
from components.evaluate_models.calibration import calibration_errors
from components.evaluate_models.intervals import Floats, Measured, mean, z_quantile
from components.evaluate_models.metrics import measure, row_log_loss
from components.evaluate_models.ranking import auc_difference
from components.evaluate_models.slices import Partition

Slices = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Rows:
    """The evaluation rows: labels of 0 and 1, and every model's predictions for them."""

    labels: Floats
    scores: Mapping[str, Floats]


def evaluate(
    rows: Rows,
    partitions: Sequence[Partition],
    confidence: float,
    thresholds: Sequence[float] = (),
) -> tuple[dict[str, Slices], dict[str, Any]]:
    """Return {model: {slice key: metrics}} and the comparison of models."""
    z = z_quantile(confidence)
    errors = calibration_errors(partitions, rows.labels, list(rows.scores.values()), z)
    models = {
        name: _slices(rows.labels, scores, partitions, errors[number], z, thresholds)
        for number, (name, scores) in enumerate(rows.scores.items())
    }
    return models, _comparison(rows, z)


def _slices(
    labels: Floats,
    scores: Floats,
    partitions: Sequence[Partition],
    errors: Sequence[Sequence[Measured]],
    z: float,
    thresholds: Sequence[float],
) -> Slices:
    found: Slices = {}
    for partition, of_slices in zip(partitions, errors, strict=True):
        parts = zip(partition.keys(), partition.rows(), of_slices, strict=True)
        for key, rows, error in parts:
            found[key] = measure(labels[rows], scores[rows], error, z, thresholds)
    return found


def _comparison(rows: Rows, z: float) -> dict[str, Any]:
    """Compare two candidates with each other, and each with the champion where there is one."""
    names = candidates(rows.scores)
    found: dict[str, Any] = {"auc_difference": None, "log_loss_difference": None}
    if len(names) == 2:
        found = _differences(rows, *names, z)
    if CHAMPION in rows.scores:
        found[CHAMPION] = {name: _differences(rows, name, CHAMPION, z) for name in names}
    return found


def _differences(rows: Rows, first: str, second: str, z: float) -> dict[str, Any]:
    """Return first minus second, of the AUC and of the log loss, with paired intervals."""
    one, two = rows.scores[first], rows.scores[second]
    area = auc_difference(rows.labels == 1, one, two, z)
    loss = mean(row_log_loss(rows.labels, one) - row_log_loss(rows.labels, two), z)
    return {
        "auc_difference": area.to_dict() if area else None,
        "log_loss_difference": loss.to_dict() | {"method": "normal_paired"} if loss else None,
    }
