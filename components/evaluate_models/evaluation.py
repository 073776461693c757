"""Everything that evaluation.json says: each model's metrics by slice, and how the models compare.

Rules: every model sees the same rows in the same order, so differences are paired; the order of
slices is the settings' order, the whole first; what is measured is the task's. A candidate's slice
but the whole has its differences to the champion as `over_champion`, where there is a champion.
This module computes; it reads and writes no file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from components.core.candidates import CHAMPION, OVER_CHAMPION, candidates
from components.core.measures import MEASURES
from components.core.task import Task
from components.evaluate_models import multi_class, regression
from components.evaluate_models.calibration import calibration_errors
from components.evaluate_models.intervals import Floats, Measured, paired, to_dicts, z_quantile
from components.evaluate_models.metrics import measure, row_log_loss
from components.evaluate_models.ranking import minus_auc
from components.evaluate_models.slices import Partition
from components.evaluate_models.slices import Rows as Numbers

Slices = dict[str, dict[str, Any]]
Errors = Sequence[Sequence[Measured]]


@dataclass(frozen=True)
class Rows:
    """The evaluation rows: labels, and every model's predictions for them, as the task has both."""

    labels: Floats
    scores: Mapping[str, Floats]
    task: Task = "binary"
    classes: tuple[str, ...] = ()

    @property
    def numbers(self) -> Numbers:
        """The labels as numbers of classes."""
        return self.labels.astype(np.intp)

    def of(self, chosen: Numbers) -> Rows:
        """Return these rows alone."""
        scores = {name: found[chosen] for name, found in self.scores.items()}
        return replace(self, labels=self.labels[chosen], scores=scores)


@dataclass(frozen=True)
class Asked:
    """What the settings ask for beside the metrics that each task has."""

    z: float
    thresholds: Sequence[float] = ()
    top_k: Sequence[int] = ()


def evaluate(
    rows: Rows,
    partitions: Sequence[Partition],
    confidence: float,
    thresholds: Sequence[float] = (),
    top_k: Sequence[int] = (),
) -> tuple[dict[str, Slices], dict[str, Any]]:
    """Return {model: {slice key: metrics}} and the comparison of models."""
    asked = Asked(z_quantile(confidence), thresholds, top_k)
    errors = _calibration(rows, partitions, asked.z)
    models = {name: _slices(rows, name, partitions, errors[name], asked) for name in rows.scores}
    if CHAMPION in rows.scores:
        _compare_slices(models, rows, partitions, asked.z)
    return models, _comparison(rows, asked.z)


def _calibration(rows: Rows, partitions: Sequence[Partition], z: float) -> Mapping[str, Errors]:
    """Return each model's calibration errors by partition and slice; none of a number."""
    every = list(rows.scores.values())
    if rows.task == "binary":
        found = calibration_errors(partitions, rows.labels, every, z)
    elif rows.task == "multi_class":
        found = [
            calibration_errors(
                partitions, multi_class.hits(rows.numbers, s), [multi_class.confidence(s)], z
            )[0]
            for s in every
        ]
    else:
        found = [[] for _ in every]
    return dict(zip(rows.scores, found, strict=True))


def _slices(
    rows: Rows, model: str, partitions: Sequence[Partition], errors: Errors, asked: Asked
) -> Slices:
    found: Slices = {}
    for number, partition in enumerate(partitions):
        of_slices = errors[number] if errors else [None] * len(partition.values)
        parts = zip(partition.keys(), partition.rows(), of_slices, strict=True)
        for key, of_slice, error in parts:
            found[key] = _measure(rows, model, of_slice, error, asked)
    return found


def _measure(
    rows: Rows, model: str, of_slice: Numbers, error: Measured | None, asked: Asked
) -> dict[str, Any]:
    labels, scores = rows.labels[of_slice], rows.scores[model][of_slice]
    if error is None:
        return regression.measure(labels, scores, asked.z)
    if rows.task == "binary":
        return measure(labels, scores, error, asked.z, asked.thresholds)
    numbers = labels.astype(np.intp)
    return multi_class.measure(numbers, scores, error, asked.z, rows.classes, asked.top_k)


def _comparison(rows: Rows, z: float) -> dict[str, Any]:
    """Compare two candidates with each other, and each with the champion where there is one."""
    names = candidates(rows.scores)
    found: dict[str, Any] = {f"{name}_difference": None for name in MEASURES[rows.task].compared}
    if len(names) == 2:
        found = _minus(rows, names[1], z)(names[0])
    if CHAMPION in rows.scores:
        over = _minus(rows, CHAMPION, z)
        found[CHAMPION] = {name: over(name) for name in names}
    return found


def _compare_slices(
    models: Mapping[str, Slices], rows: Rows, partitions: Sequence[Partition], z: float
) -> None:
    """Put to each candidate's slices how far it lies from the champion there."""
    for partition in (part for part in partitions if part.columns):
        for key, chosen in zip(partition.keys(), partition.rows(), strict=True):
            over = _minus(rows.of(chosen), CHAMPION, z)
            for name in candidates(rows.scores):
                models[name][key][OVER_CHAMPION] = over(name)


def _minus(rows: Rows, other: str, z: float) -> Callable[[str], dict[str, Any]]:
    """Return what tells by how much a model differs from the other, with paired intervals.

    What depends on the other model alone is computed once.
    """
    labels, two = rows.labels, rows.scores[other]
    if rows.task == "regression":
        return lambda name: regression.differences(labels, rows.scores[name], two, z)
    if rows.task == "multi_class":
        return lambda name: multi_class.differences(rows.numbers, rows.scores[name], two, z)
    minus, losses = minus_auc(labels == 1, two, z), row_log_loss(labels, two)

    def differences(name: str) -> dict[str, Any]:
        one = rows.scores[name]
        found = {
            "auc_difference": minus(one),
            "log_loss_difference": paired(row_log_loss(labels, one), losses, z),
        }
        return to_dicts(found)

    return differences
