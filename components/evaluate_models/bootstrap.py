"""Poisson resamples of the rows: the same ones for every metric, slice, group and model.

Rules: a resample is a weight for each row, Poisson with mean 1, from a fixed seed, so that what is
computed of two models or two groups under one of them is paired; an interval is the value ± z
standard errors over the resamples that define it, never the resamples' percentiles, which need not
hold the value.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from components.evaluate_models.intervals import Floats

RESAMPLES = 200
SEED = 20130101
METHOD = "poisson_bootstrap"


def resamples(rows: int) -> Iterator[Floats]:
    """Yield the weights of each resample: [rows]."""
    generator = np.random.default_rng(SEED)
    for _ in range(RESAMPLES):
        yield generator.poisson(1.0, rows).astype(np.float64)
