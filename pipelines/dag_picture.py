"""The DAG as a picture: where each stage stands and which arrows join them. Geometry only.

Rules: a stage's column is the length of the longest way to it, so arrows point right; arrows that
a longer way implies are left out; the same DAG gives the same picture. The page that shows it puts
the same facts in a table, for whoever doesn't see pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.runners.ir import Pipeline
from pipelines.runners.schedule import depths
from pipelines.runners.tasks import Task

BOX_WIDTH, BOX_HEIGHT = 150, 44
GAP_X, GAP_Y = 34, 22
MARGIN = 8


@dataclass(frozen=True)
class Box:
    """A stage's box; x and y are its upper left corner."""

    task: str
    x: int
    y: int


@dataclass(frozen=True)
class Picture:
    """Boxes and arrows with the size that holds them; an arrow is an SVG path."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    arrows: tuple[str, ...]


def draw(pipeline: Pipeline) -> Picture:
    """Place every task; the exit task stands last, after all others."""
    columns = _columns(pipeline)
    rows = max(map(len, columns))
    boxes = {
        task: Box(task, _x(number), _y(place + (rows - len(column)) / 2))
        for number, column in enumerate(columns)
        for place, task in enumerate(column)
    }
    arrows = [
        _arrow(boxes[before], boxes[name])
        for name, task in pipeline.tasks.items()
        for before in sorted(direct(pipeline.tasks, task))
    ]
    return Picture(
        width=_x(len(columns)) - GAP_X + MARGIN,
        height=_y(rows) - GAP_Y + MARGIN,
        boxes=tuple(boxes.values()),
        arrows=tuple(arrows),
    )


def _columns(pipeline: Pipeline) -> list[list[str]]:
    depth = depths(pipeline.tasks)
    columns: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for task, column in depth.items():
        columns[column].append(task)
    if pipeline.exit_task:
        columns.append([pipeline.exit_task.name])
    return columns


def direct(tasks: Mapping[str, Task], task: Task) -> set[str]:
    """Return the tasks that a task waits for, without those that another of them waits for."""
    return {
        before
        for before in task.after
        if not any(before in _ancestors(tasks, other) for other in task.after if other != before)
    }


def _ancestors(tasks: Mapping[str, Task], name: str) -> set[str]:
    found = set(tasks[name].after)
    return found.union(*(_ancestors(tasks, before) for before in found))


def _x(column: float) -> int:
    return MARGIN + round(column * (BOX_WIDTH + GAP_X))


def _y(row: float) -> int:
    return MARGIN + round(row * (BOX_HEIGHT + GAP_Y))


def _arrow(start: Box, end: Box) -> str:
    x1, y1 = start.x + BOX_WIDTH, start.y + BOX_HEIGHT // 2
    x2, y2 = end.x, end.y + BOX_HEIGHT // 2
    middle = (x1 + x2) // 2
    return f"M{x1},{y1} C{middle},{y1} {middle},{y2} {x2},{y2}"
