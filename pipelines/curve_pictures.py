"""The curves of an evaluation, each kind as a chart in a square.

Rules: a probability's axes go from 0 to 1; those of a number go as far as the bins reach, the same
for both, so that on the diagonal lies what came true; of a calibration the bin that is farthest
from it is told in words. Geometry only: nothing is computed here that was not measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.core.measures import task_of
from components.core.task import Task
from pipelines.summary import Estimate

SIDE, MARGIN = 230, 34
Point = tuple[float, float]
Points = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Kind:
    """What a chart shows; its diagonal says something of a calibration, and of order by chance."""

    title: str
    x_label: str
    y_label: str
    has_diagonal: bool = True
    has_bins: bool = False


CURVES = {
    "roc": Kind("ROC", "false positive rate", "true positive rate"),
    "pr": Kind("Precision and recall", "recall", "precision", has_diagonal=False),
    "calibration": Kind("Calibration", "mean prediction", "share of positives", has_bins=True),
}
OF_CLASSES = {
    "calibration": Kind(
        "Calibration",
        "mean probability of the most probable class",
        "share that is right",
        has_bins=True,
    )
}
OF_A_NUMBER = {
    "calibration": Kind("Predicted against actual", "mean prediction", "mean label", has_bins=True)
}
KINDS: Mapping[Task, Mapping[str, Kind]] = {
    "binary": CURVES,
    "multi_class": OF_CLASSES,
    "regression": OF_A_NUMBER,
}


@dataclass(frozen=True)
class Scale:
    """Where both axes begin and end."""

    low: float = 0.0
    high: float = 1.0

    def share(self, value: float) -> float:
        """Return how far along the axis a value lies."""
        return (value - self.low) / ((self.high - self.low) or 1.0)


@dataclass(frozen=True)
class Curve:
    """A model's curve: an SVG path, a dot for each bin, and the bin that is farthest off."""

    model: str
    path: str
    dots: tuple[Point, ...]
    told: str


@dataclass(frozen=True)
class Chart:
    """The models' curves of one kind; `low` and `high` are the ends of both axes in words."""

    kind: Kind
    low: str
    high: str
    curves: tuple[Curve, ...]


def charts(evaluation: Mapping[str, Any]) -> Iterator[Chart]:
    """Yield a chart for each kind of curve that a model has."""
    task = task_of(evaluation)
    is_number = task == "regression"
    for name, kind in KINDS[task].items():
        points = {
            model: found["curves"][name]
            for model, found in evaluation.get("models", {}).items()
            if found.get("curves", {}).get(name)
        }
        if points:
            scale = _reach(points.values()) if is_number else Scale()
            low, high = map(_text, (scale.low, scale.high)) if is_number else ("0", "1")
            curves = (_curve(model, kind, points[model], scale) for model in points)
            yield Chart(kind, low, high, tuple(curves))


def _reach(every: Iterable[Points]) -> Scale:
    """Return the scale that holds every point."""
    values = [value for points in every for x, y, *_ in points for value in (x, y)]
    return Scale(min(values), max(values))


def _curve(model: str, kind: Kind, points: Points, scale: Scale) -> Curve:
    places = [_place(scale.share(x), scale.share(y)) for x, y, *_ in points]
    path = "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in places)
    if not kind.has_bins:
        return Curve(model, path, (), "")
    said, was, rows = max(points, key=lambda point: abs(point[0] - point[1]))
    told = (
        f"farthest off where {_text(said)} is predicted and {_text(was)} is right ({rows:,} rows)"
    )
    return Curve(model, path, tuple(places), told)


def _place(x: float, y: float) -> Point:
    """Return where a point in [0, 1] x [0, 1] lies; y points upwards."""
    return round(MARGIN + x * SIDE, 1), round(MARGIN + (1 - y) * SIDE, 1)


def _text(value: float) -> str:
    return str(Estimate(value))
