"""How a model treats the groups of sensitive columns, as its card tells it.

Rules: what was compared is told with its interval, and which two groups lie farthest apart; how
many were too small to be compared is told too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from components.core.measures import words
from components.register_models.markdown import estimate, plain, table

HEAD = ("column", "of", "highest and lowest group", "difference (interval)", "ratio (interval)")


def by_group(fairness: Mapping[str, Any]) -> Iterator[str]:
    """Yield a section of what the evaluation has of each column; nothing where there is none."""
    if not fairness:
        return
    yield "\n### By group\n"
    yield "Groups of columns that are sensitive, said to be positive above 0.5.\n"
    for column, found in fairness.items():
        yield f"- {plain(column)}: {_counted(found)}"
    yield ""
    yield from table(HEAD, [row for column in fairness.items() for row in _rows(*column)])


def _counted(found: Mapping[str, Any]) -> str:
    groups = found["groups"]
    rows = sum(group["n"] for group in groups.values())
    small = found.get("left_out")
    left_out = f"; {small} smaller ones were not compared" if small else ""
    return f"{rows:,} rows in {len(groups)} groups{left_out}"


def _rows(column: str, found: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for metric, apart in found["differences"].items():
        if apart is not None:
            groups = f"{plain(apart['highest'])} over {plain(apart['lowest'])}"
            ratio = estimate(found["ratios"].get(metric))
            yield plain(column), words(metric), groups, estimate(apart), ratio
