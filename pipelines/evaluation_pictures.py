"""What the evaluation shows as pictures, and the rows of the tables beside them. Geometry only.

Rules: nothing is computed here that the evaluation did not measure; the numbers of every picture
stand in a table as well, or are told in its title, for whoever doesn't see pictures; a part that an
evaluation does not have is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.core.candidates import candidates
from components.core.measures import measures_of, words
from components.core.slice_keys import OVERALL
from pipelines.summary import Estimate

SIDE, MARGIN = 230, 34
BAR_WIDTH, BAR_HEIGHT = 220, 30
Point = tuple[float, float]
# Name in the evaluation: title, what lies below and beside the axes, and whether its diagonal says
# something: a model that orders by chance, or one that is calibrated.
CURVES = {
    "roc": ("ROC", "false positive rate", "true positive rate", True),
    "pr": ("Precision and recall", "recall", "precision", False),
    "calibration": ("Calibration", "mean prediction", "share of positives", True),
}


@dataclass(frozen=True)
class Chart:
    """Curves in a square from 0 to 1; a curve is (model, SVG path)."""

    title: str
    x_label: str
    y_label: str
    has_diagonal: bool
    curves: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Bar:
    """A model's value and interval in a slice, as places from the left of BAR_WIDTH."""

    model: str
    left: float
    right: float
    value: float
    text: str


def charts(evaluation: Mapping[str, Any]) -> Iterator[Chart]:
    """Yield a chart for each kind of curve that a model has."""
    models = evaluation.get("models", {})
    for name, (title, x_label, y_label, has_diagonal) in CURVES.items():
        points = {
            model: found["curves"][name]
            for model, found in models.items()
            if found.get("curves", {}).get(name)
        }
        if points:
            curves = tuple((model, _path(of_model)) for model, of_model in points.items())
            yield Chart(title, x_label, y_label, has_diagonal, curves)


def _path(points: Iterable[Sequence[float]]) -> str:
    """Return the polyline through points in [0, 1] x [0, 1]; y points upwards."""
    places = (f"{MARGIN + x * SIDE:.1f},{MARGIN + (1 - y) * SIDE:.1f}" for x, y, *_ in points)
    return "M" + " L".join(places)


def slices(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each slice with its rows and both models' quality, as text and as bars.

    It is the task's first metric: the AUC of a class of two.
    """
    quality = measures_of(evaluation).primary
    models = evaluation.get("models", {})
    names = candidates(models)
    sides = [models[name].get("slices", {}) for name in names]
    keys = {key for side in sides for key in side}
    ordered = sorted(keys, key=lambda key: (key != OVERALL, key.count(","), key))
    found = [
        {model: side.get(key, {}) for model, side in zip(names, sides, strict=True)}
        for key in ordered
    ]
    return [
        {
            "key": key,
            "n": next((m["n"] for m in metrics.values() if "n" in m), "-"),
            "values": [str(Estimate.of(m.get(quality)) or "-") for m in metrics.values()],
            "bars": of_slice,
        }
        for key, metrics, of_slice in zip(ordered, found, bars(found, quality), strict=True)
    ]


def bars(of_slices: Sequence[Mapping[str, Any]], metric: str) -> list[tuple[Bar, ...]]:
    """Return for each slice, given as {model: its metrics}, a bar for each model that has it."""
    found = [
        {model: Estimate.of(metrics.get(metric)) for model, metrics in one.items()}
        for one in of_slices
    ]
    known = [estimate for one in found for estimate in one.values() if estimate]
    low = min((_ends(estimate)[0] for estimate in known), default=0.0)
    high = max((_ends(estimate)[1] for estimate in known), default=1.0)
    scale = BAR_WIDTH / ((high - low) or 1.0)
    return [
        tuple(_bar(m, estimate, low, scale) for m, estimate in one.items() if estimate)
        for one in found
    ]


def _ends(estimate: Estimate) -> Point:
    value = estimate.value
    lower = value if estimate.lower is None else estimate.lower
    return lower, value if estimate.upper is None else estimate.upper


def _bar(model: str, estimate: Estimate, low: float, scale: float) -> Bar:
    lower, upper = _ends(estimate)
    left, right, value = ((x - low) * scale for x in (lower, upper, estimate.value))
    return Bar(model, round(left, 1), round(right, 1), round(value, 1), str(estimate))


def comparison(evaluation: Mapping[str, Any]) -> str:
    """Return how far the candidates lie apart by the task's first metric, "" where nothing says."""
    quality = measures_of(evaluation).primary
    apart = Estimate.of(evaluation.get("comparison", {}).get(f"{quality}_difference"))
    name = words(quality)
    said = f"{name[:1].upper()}{name[1:]} of PyTorch minus TensorFlow, paired: {apart}"
    return said if apart else ""


def classes(evaluation: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield (class, model, rows, rows said to be of it, precision, recall, F1) on all rows."""
    for name in evaluation.get("classes", ()):
        for model, found in evaluation["models"].items():
            of_class = found["slices"][OVERALL]["classes"][name]
            ratios = (of_class[metric] for metric in ("precision", "recall", "f1"))
            counts = (f"{of_class['n']:,}", f"{of_class['said']:,}")
            yield name, model, *counts, *(str(Estimate.of(one) or "-") for one in ratios)


def stock(evaluation: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield (metric, model, value) of the numbers that stock TFMA computed on all rows."""
    for model, found in evaluation.get("models", {}).items():
        for name, value in found.get("slices", {}).get(OVERALL, {}).get("tfma", {}).items():
            if not isinstance(value, Mapping):
                yield name, model, "-" if value is None else f"{value:.6g}"


def fairness(evaluation: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield (column, metric, model, difference, its groups, ratio) for each that was compared."""
    for model, found in evaluation.get("models", {}).items():
        for column, measured in found.get("fairness", {}).items():
            for metric, difference in measured["differences"].items():
                ratio = measured["ratios"].get(metric)
                if difference is not None:
                    groups = f"{difference['highest']} over {difference['lowest']}"
                    told = str(Estimate.of(ratio) or "-")
                    words = metric.replace("_", " ")
                    yield column, words, model, str(Estimate.of(difference)), groups, told


def robustness(evaluation: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each input column and model; what costs most when shuffled comes first."""
    rows = [
        (name, model, column)
        for model, found in evaluation.get("models", {}).items()
        for name, column in found.get("robustness", {}).get("columns", {}).items()
    ]
    lost = {(name, model): (Estimate.of(c.get("permuted"))) for name, model, c in rows}
    most: dict[str, float] = {}
    for (name, _), estimate in lost.items():
        most[name] = max(most.get(name, 0.0), estimate.value if estimate else 0.0)
    rows.sort(key=lambda row: (-most[row[0]], row[0], row[1]))
    kinds = ("permuted", "missing", "unseen", "shifted")
    return [
        (name, model, *(str(Estimate.of(column.get(kind)) or "-") for kind in kinds))
        for name, model, column in rows
    ]


def criteria(decision: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield (criterion, weight, a value with its score for each model, better, source)."""
    for row in decision.get("criteria", ()):
        scores = row.get("scores") or {}
        values = [
            f"{row[model]:,.6g}" + (f" (scores {scores[model]:.4g})" if model in scores else "")
            for model in candidates(decision["gates"])
        ]
        weight = row.get("weight")
        source = f"{row['source']['artifact']}: {row['source']['path']}" if "source" in row else ""
        yield (
            row["name"].replace("_", " "),
            "-" if weight is None else f"{weight:.3g}",
            *values,
            row["better"] or ("a tie" if len(values) > 1 else "-"),
            source,
        )
