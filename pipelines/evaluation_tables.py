"""What the evaluation and the decision show beside curves and slices: the rows of their tables.

Rules: nothing is computed here that the evaluation did not measure; a part that an evaluation does
not have is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from components.core.candidates import candidates
from components.core.measures import measures_of, words
from components.core.slice_keys import OVERALL
from pipelines.summary import Estimate

MILLION = 1e6


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
            _number(row[model]) + (f" (scores {scores[model]:.4g})" if model in scores else "")
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


def _number(value: float) -> str:
    """Return a number with six digits that count, or all that stand before the point."""
    return f"{value:,.0f}" if abs(value) >= MILLION else f"{value:,.6g}"
