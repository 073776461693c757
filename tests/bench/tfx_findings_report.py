"""What both sides found, held against each other: the second half of docs/benchmarks-tfx.md."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfx_compared import Compared
from tfx_findings import Findings


def numbers(found: Findings) -> list[str]:
    """Return the comparisons of what both found."""
    return [
        "## The same numbers?",
        "",
        "A difference is relative to the larger of both values, or to 1 where both are smaller. "
        f"Counted are those above {found.statistics[0].tolerance:g}; ∞ is a value that only one "
        "side has or defines, or another text.",
        "",
        *table("Statistics of both splits, by field", found.statistics),
        "",
        *anomaly_table(found),
        "",
        *table("Transformed features, row by row", found.features),
        "",
        *written(found),
        "",
        *models(found),
        "",
        *table(
            "Stock's model on stock's rows, by both evaluators, Tandem's slices",
            found.evaluators,
        ),
    ]


def table(title: str, found: Sequence[Compared]) -> list[str]:
    """Return one line for each thing that was compared."""
    lines = [
        f"### {title}",
        "",
        "| what | values | differ | largest difference | where |",
        "|---|---|---|---|---|",
    ]
    for one in found:
        where = one.where.replace("|", "/")
        lines.append(
            f"| {one.what} | {one.values:,} | {len(one.differing):,} | {size(one.largest)} "
            f"| {where} |"
        )
    return lines


def size(value: float) -> str:
    """Return a difference in two digits."""
    return "∞" if math.isinf(value) else f"{value:.1e}" if value else "0"


def anomaly_table(found: Findings) -> list[str]:
    """Return what each schema says against each side's statistics."""
    lines = [
        "### Anomalies",
        "",
        "| schema | split | by Tandem's statistics | by stock's statistics | same |",
        "|---|---|---|---|---|",
    ]
    return [*lines, *anomaly_rows(found.anomalies)]


def anomaly_rows(
    anomalies: dict[tuple[str, str], tuple[dict[str, str], dict[str, str]]],
) -> list[str]:
    """Return one line a schema and split."""
    return [
        f"| {schema} | {split} | {listed(ours)} | {listed(stock)} "
        f"| {'yes' if ours == stock else 'no'} |"
        for (schema, split), (ours, stock) in anomalies.items()
    ]


def listed(anomalies: dict[str, str]) -> str:
    """Return anomalies by kind, with the columns that have them."""
    kinds: dict[str, list[str]] = {}
    for column, kind in anomalies.items():
        kinds.setdefault(kind, []).append(column or "the split")
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in kinds.items()) or "none"


def written(found: Findings) -> list[str]:
    """Return in a line how what Transform wrote compares with its graph."""
    values = sum(one.values for one in found.written)
    odd = sum(len(one.differing) for one in found.written)
    largest = max(found.written, key=lambda one: one.largest)
    return [
        f"Of the {values:,} values that stock's Transform wrote to disk, held against those of its "
        f"saved graph column by column and sorted, {odd:,} differ; the largest difference is "
        f"{size(largest.largest)}, in {largest.what}."
    ]


def models(found: Findings) -> list[str]:
    """Return the table of both Keras models' metrics."""
    lines = [
        "### Metrics of the two Keras models",
        "",
        "| metric | stock, all rows | Tandem, all rows | slices | largest difference | where |",
        "|---|---|---|---|---|---|",
    ]
    for name, one in found.models.items():
        part = one.by_slice
        lines.append(
            f"| {name} | {one.stock:.6g} | {one.ours:.6g} | {part.values} | {size(part.largest)} "
            f"| {part.where} |"
        )
    return [
        *lines,
        "",
        f"The exact AUC of stock's model lies in the interval of Tandem's Keras model in "
        f"{found.inside} of {found.slices} slices.",
    ]
