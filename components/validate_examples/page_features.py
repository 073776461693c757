"""What the statistics page says of one column, read from TFMD's statistics proto.

Rules: shares are of all rows of a split; a histogram keeps finite buckets alone; of texts the most
frequent ones are kept, at most `MOST_VALUES`, each cut to `LONGEST` characters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tensorflow_metadata.proto.v0 import statistics_pb2

MOST_VALUES = 8
LONGEST = 28


@dataclass(frozen=True)
class Bucket:
    """Part of a number's range, `low` to `high`, and the number of rows in it."""

    low: float
    high: float
    rows: float


@dataclass(frozen=True)
class Numbers:
    """The distribution of a column of numbers; `zeros` and `not_numbers` are shares of them.

    `histogram` has buckets of equal width, `quantiles` of equal numbers of rows, or none.
    """

    minimum: float
    mean: float
    median: float
    maximum: float
    deviation: float
    zeros: float
    not_numbers: float
    histogram: tuple[Bucket, ...]
    quantiles: tuple[Bucket, ...]


@dataclass(frozen=True)
class Texts:
    """The distribution of a column of texts; `shares` are of the rows that have one."""

    unique: int
    mean_length: float
    shares: Mapping[str, float]


@dataclass(frozen=True)
class Column:
    """One column in one split or span; `numbers` or `texts` is None, both where it is empty."""

    rows: int
    missing: int
    numbers: Numbers | None
    texts: Texts | None

    @property
    def missing_share(self) -> float:
        """The share of rows without a value."""
        return self.missing / self.rows if self.rows else 0.0


def columns_of(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> dict[str, Column]:
    """Return every column of one split or span, by name."""
    rows = int(statistics.datasets[0].num_examples)
    return {name_of(data): _column(data, rows) for data in statistics.datasets[0].features}


def name_of(data: Any) -> str:
    """Return the name of the column that a feature's statistics are of."""
    return data.name or ".".join(data.path.step)


def _column(data: Any, rows: int) -> Column:
    kind = data.WhichOneof("stats")
    present = int(getattr(data, kind).common_stats.num_non_missing) if kind else 0
    numbers = _numbers(data.num_stats) if kind == "num_stats" and present else None
    texts = _texts(data.string_stats) if kind == "string_stats" and present else None
    return Column(rows, rows - present, numbers, texts)


def _numbers(stats: Any) -> Numbers:
    values = max(stats.common_stats.tot_num_values or stats.common_stats.num_non_missing, 1)
    standard = [h for h in stats.histograms if h.type == statistics_pb2.Histogram.STANDARD]
    quantiles = [h for h in stats.histograms if h.type == statistics_pb2.Histogram.QUANTILES]
    fine = _finite(quantiles[:1])
    return Numbers(
        minimum=stats.min,
        mean=stats.mean,
        median=stats.median,
        maximum=stats.max,
        deviation=stats.std_dev,
        zeros=stats.num_zeros / values,
        not_numbers=sum(histogram.num_nan for histogram in standard[:1]) / values,
        histogram=_finite(standard[:1]),
        quantiles=fine if quantiles and len(fine) == len(quantiles[0].buckets) else (),
    )


def _finite(histograms: Sequence[Any]) -> tuple[Bucket, ...]:
    return tuple(
        Bucket(bucket.low_value, bucket.high_value, bucket.sample_count)
        for histogram in histograms
        for bucket in histogram.buckets
        if math.isfinite(bucket.low_value) and math.isfinite(bucket.high_value)
    )


def _texts(stats: Any) -> Texts:
    rows = max(stats.common_stats.num_non_missing, 1)
    buckets = stats.rank_histogram.buckets
    return Texts(
        unique=int(stats.unique),
        mean_length=stats.avg_length,
        shares={bucket.label: bucket.sample_count / rows for bucket in buckets},
    )


def shown(text: str) -> str:
    """Return a text of the data as a label: printable, of bounded length, never invisible."""
    if not text.strip():
        return f"(empty, {len(text)} blanks)" if text else "(empty)"
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return safe if len(safe) <= LONGEST else f"{safe[: LONGEST - 1]}…"
