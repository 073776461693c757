"""TFMA's own definitions of the metrics that it approximates, vectorised.

TFMA's `auc` and `auc_precision_recall` come from a histogram of 10,000 buckets and 10,000
thresholds (tensorflow_model_analysis.metrics.calibration_histogram, binary_confusion_matrices).
Result files carry them under those names, so that they compare with results of stock TFMA, and the
exact ones under names of their own. A test holds these against stock TFMA to 1e-6.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from components.evaluate_models.intervals import Floats
from components.evaluate_models.slices import Rows

BUCKETS = 10_000
THRESHOLDS = 10_000
PLOT_BUCKETS = 100
EPSILON = 1e-7


@dataclass(frozen=True)
class Histogram:
    """Sums by bucket; bucket i holds predictions from edges[i] on, below edges[i + 1]."""

    edges: Floats
    examples: Floats
    labels: Floats
    predictions: Floats


def histogram(labels: Floats, scores: Floats, edges: Floats) -> Histogram:
    """Return TFMA's histogram of BUCKETS buckets, put together into the buckets of `edges`."""
    fine = np.minimum(scores * BUCKETS + 1, BUCKETS + 1).astype(np.intp)
    buckets = _places(edges)[fine]
    sums = [
        np.bincount(buckets, weights=weights, minlength=len(edges)).astype(np.float64)
        for weights in (np.ones(len(labels)), labels, scores)
    ]
    return Histogram(edges, *sums)


def _places(edges: Floats) -> Rows:
    """Return where each fine bucket goes by its left edge, as `rebin` does."""
    left = (np.arange(BUCKETS + 2) - 1) / BUCKETS
    left[0], left[-1] = -np.inf, np.inf
    return np.maximum(np.searchsorted(edges, left, side="right") - 1, 0)


@functools.cache
def _curve_edges() -> Floats:
    inner = np.arange(1, THRESHOLDS - 1) / (THRESHOLDS - 1)
    thresholds = np.concatenate([[-EPSILON], inner, [1 + EPSILON]])
    return np.asarray(thresholds + EPSILON)


def plot_edges() -> Floats:
    """Return the left edges of the calibration plot's buckets."""
    return np.concatenate([[-np.inf], np.arange(PLOT_BUCKETS + 1) / PLOT_BUCKETS])


def areas(labels: Floats, scores: Floats) -> tuple[float, float]:
    """Return TFMA's auc and auc_precision_recall."""
    counts = histogram(labels, scores, _curve_edges())
    tp = _from_above(counts.labels)
    fp = _from_above(counts.examples - counts.labels)
    return _roc_area(tp, fp), _precision_recall_area(tp, fp)


def _from_above(counts: Floats) -> Floats:
    sums = np.cumsum(counts[::-1])[::-1].copy()
    # Nothing is above the last threshold, 1 + epsilon.
    sums[-1] = 0.0
    return sums


def _roc_area(tp: Floats, fp: Floats) -> float:
    recall = tp / tp[0] if tp[0] else np.zeros_like(tp)
    fall_out = fp / fp[0] if fp[0] else np.zeros_like(fp)
    heights = (recall[:-1] + recall[1:]) / 2
    return float(np.sum((fall_out[:-1] - fall_out[1:]) * heights))


def _precision_recall_area(tp: Floats, fp: Floats) -> float:
    """Interpolate between points as Davis and Goadrich do (ICML 2006)."""
    predicted = tp + fp
    steps = tp[:-1] - tp[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = steps / (predicted[:-1] - predicted[1:])
        intercept = tp[1:] - slope * predicted[1:]
        ratio = np.where(predicted[1:] > 0, predicted[:-1] / predicted[1:], 1.0)
        parts = slope * (steps + intercept * np.log(ratio)) / tp[0]
    return float(np.nansum(parts))
