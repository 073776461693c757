"""What a run cost, by the records of its stages: every attempt counts, a failed one too.

A run whose settings name no prices has no cost, nor has one whose records are not beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from components.core.artifacts import read_json
from components.core.prices import total
from pipelines.runs import RECORDS_FILE

Cost = Mapping[str, Any]


def records_beside(folder: Path) -> list[dict[str, Any]]:
    """Return the views of the log's records that a run's folder keeps, for people."""
    path = folder / RECORDS_FILE
    return list(read_json(path)["records"]) if path.is_file() else []


def costs_by_task(records: Iterable[Mapping[str, Any]]) -> dict[str, Cost]:
    """Return {task: {amount, currency}} of the tasks whose records have a cost."""
    found: dict[str, list[Cost]] = {}
    for view in records:
        if cost := (view.get("resources") or {}).get("cost"):
            found.setdefault(view["stage"].replace("_", "-"), []).append(cost)
    return {task: summed for task, costs in found.items() if (summed := total(costs))}


def cost_of_run(folder: Path) -> Cost | None:
    """Return the sum over a run's tasks, None where nothing has a cost."""
    return total(costs_by_task(records_beside(folder)).values())
