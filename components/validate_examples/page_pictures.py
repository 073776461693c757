"""The statistics page's pictures as plain geometry, which the template draws as inline SVG.

Rules: nothing here knows of colours or HTML; coordinates have one decimal, so equal statistics
give equal bytes; a picture's size depends on what it shows at most up to a bound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.validate_examples.page_features import Column, Numbers, Texts, shown

WIDTH, HEIGHT = 320.0, 110.0
CHART_WIDTH, CHART_HEIGHT = 520.0, 150.0
BINS = 20
CELL_HEIGHT, LABEL_WIDTH = 22, 170
_MOST_LABELS = 6


@dataclass(frozen=True)
class Shape:
    """A split's distribution, a closed path in a box of WIDTH by HEIGHT."""

    split: str
    path: str


@dataclass(frozen=True)
class Histogram:
    """Overlaid shares of rows over one axis from `low` to `high`."""

    low: float
    high: float
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class ValueBar:
    """One text and its share of each split; `widths` are of the longest bar, in percent."""

    label: str
    shares: tuple[tuple[str, float], ...]
    widths: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Mark:
    """One span's bar or point: its place, the top of its bar, and its value."""

    span: str
    x: float
    y: float
    width: float
    height: float
    value: float
    labelled: bool


@dataclass(frozen=True)
class Chart:
    """A value for each span; `line` joins the points."""

    marks: tuple[Mark, ...]
    line: str
    top: float


@dataclass(frozen=True)
class Cell:
    """One span's distance from the span before it; None could not be measured."""

    span: str
    before: str
    distance: float | None
    strength: float


def histogram(sides: Mapping[str, Numbers]) -> Histogram | None:
    """Return the splits' histograms over one axis; None where there is nothing to draw."""
    drawn = {split: numbers for split, numbers in sides.items() if numbers.histogram}
    buckets = [bucket for side in drawn.values() for bucket in side.histogram]
    if not buckets:
        return None
    low, high = min(b.low for b in buckets), max(b.high for b in buckets)
    if not math.isfinite(high - low):
        return None
    shares = {split: _shares(side, low, high) for split, side in drawn.items()}
    highest = max(float(side.max()) for side in shares.values()) or 1.0
    shapes = tuple(Shape(split, _steps(side / highest)) for split, side in shares.items())
    return Histogram(low, high, shapes)


def _shares(side: Numbers, low: float, high: float) -> np.ndarray[Any, Any]:
    """Return the share of rows in each of BINS equal parts of an axis.

    What the statistics know is how many rows lie below the edges of ten buckets of equal width and
    of ten quantiles: between two such points rows spread evenly, at a value that quantiles repeat
    they jump. An axis without width is one bin.
    """
    if low == high:
        shares = np.zeros(BINS)
        shares[BINS // 2] = 1.0
        return shares
    x, y = _points_below(side)
    edges = np.linspace(low, high, BINS + 1)[1:]
    last = np.searchsorted(x, edges, side="right") - 1  # the last point at or before an edge
    after = np.minimum(last + 1, len(x) - 1)
    gap = np.where(x[after] > x[last], x[after] - x[last], 1.0)
    part = np.clip((edges - x[last]) / gap, 0.0, 1.0)
    below = np.where(last < 0, 0.0, y[last] + (y[after] - y[last]) * part)
    return np.diff(below, prepend=0.0)


def _points_below(side: Numbers) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return (value, share of rows at or below it) as two arrays, in order, both rising."""
    points: list[tuple[float, float]] = []
    for buckets in (side.histogram, side.quantiles):
        total, below = sum(bucket.rows for bucket in buckets) or 1.0, 0.0
        for bucket in buckets:
            points.append((bucket.low, below / total))
            below += bucket.rows
            points.append((bucket.high, below / total))
    x, y = np.array(sorted(points)).T
    return x, np.maximum.accumulate(y)


def _steps(heights: np.ndarray[Any, Any]) -> str:
    """Return a path along the tops of the bins and back along the axis."""
    step = WIDTH / BINS
    parts = [
        f"V{_top(height):.1f}H{step * (place + 1):.1f}"
        for place, height in enumerate(heights.tolist())
    ]
    return "".join([f"M0,{HEIGHT:.1f}", *parts, f"V{HEIGHT:.1f}Z"])


def _top(height: float) -> float:
    """Return the y of a height from 0 to 1; what is there at all is seen."""
    return HEIGHT - (max(height * (HEIGHT - 6), 0.8) if height > 0 else 0.0)


def value_bars(sides: Mapping[str, Texts], most: int) -> tuple[ValueBar, ...]:
    """Return the texts that are the most frequent in the first split, then those in the next."""
    labels: list[str] = []
    for texts in sides.values():
        ranked = sorted(texts.shares, key=lambda label: (-texts.shares[label], label))
        labels += [label for label in ranked[:most] if label not in labels]
    kept = labels[:most]
    longest = max((t.shares.get(label, 0.0) for t in sides.values() for label in kept), default=0)
    bars = []
    for label in kept:
        shares = tuple((split, t.shares.get(label, 0.0)) for split, t in sides.items())
        widths = tuple((split, 100 * share / (longest or 1.0)) for split, share in shares)
        bars.append(ValueBar(shown(label), shares, widths))
    return tuple(bars)


def chart(values: Mapping[str, float], *, whole: float | None = None) -> Chart:
    """Return bars or points of one value for each span, up to `whole` or to the largest."""
    top = whole or max(values.values(), default=0.0) or 1.0
    step = CHART_WIDTH / max(len(values), 1)
    every = math.ceil(len(values) / _MOST_LABELS)
    marks = []
    for place, (span, value) in enumerate(values.items()):
        height = CHART_HEIGHT * min(value / top, 1.0)
        width = min(step * 0.72, 60.0)
        x = step * (place + 0.5) - width / 2
        marks.append(Mark(span, x, CHART_HEIGHT - height, width, height, value, place % every == 0))
    line = " ".join(f"{mark.x + mark.width / 2:.1f},{mark.y:.1f}" for mark in marks)
    return Chart(tuple(marks), line, top)


def cells(spans: Sequence[str], distances: Sequence[float | None]) -> tuple[Cell, ...]:
    """Return a row of the heat map; a distance's strength grows with its square root."""
    return tuple(
        Cell(span, before, d, math.sqrt(min(max(d or 0.0, 0.0), 1.0)))
        for before, span, d in zip(spans[:-1], spans[1:], distances, strict=True)
    )


def cell_width(spans: int) -> int:
    """Return how wide a cell of the heat map is, with so many spans beside each other."""
    return min(max(900 // max(spans, 1), 46), 80)


def label_means(spans: Mapping[str, Mapping[str, Column]], label: str) -> dict[str, float]:
    """Return the mean label of each span that has any; of a binary one that is the share of 1."""
    found = {}
    for span, columns in spans.items():
        column = columns.get(label)
        if column is not None and column.numbers is not None:
            found[span] = column.numbers.mean
    return found
