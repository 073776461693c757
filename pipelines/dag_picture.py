"""The DAG as a picture: where each stage stands and which arrows join them. Geometry only.

Rules: a stage's column is the length of the longest way to it, so arrows point right; arrows that
a longer way implies are left out; the same DAG gives the same picture. The page that shows it puts
the same facts in a table, for whoever doesn't see pictures. Whatever else is made of what came
before it, as artifacts are, is drawn in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from pipelines.runners.ir import Pipeline
from pipelines.runners.schedule import depths

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
    after = {name: set(task.after) for name, task in pipeline.tasks.items()}
    return place(_columns(pipeline), after)


def place(columns: Sequence[Sequence[str]], after: Mapping[str, AbstractSet[str]]) -> Picture:
    """Place every name in its column, and join it with the names that it comes after."""
    rows = max(map(len, columns), default=0)
    boxes = {
        task: Box(task, _x(number), _y(row + (rows - len(column)) / 2))
        for number, column in enumerate(columns)
        for row, task in enumerate(column)
    }
    arrows = [
        _arrow(boxes[before], boxes[name])
        for name in after
        for before in sorted(direct(after, name) & boxes.keys())
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


def direct(after: Mapping[str, AbstractSet[str]], name: str) -> set[str]:
    """Return what a name comes after, without what another of them comes after."""
    before = after[name]
    return {
        one for one in before if not any(one in _ancestors(after, o) for o in before if o != one)
    }


def _ancestors(after: Mapping[str, AbstractSet[str]], name: str) -> set[str]:
    found = set(after.get(name, ()))
    return found.union(*(_ancestors(after, before) for before in found))


def _x(column: float) -> int:
    return MARGIN + round(column * (BOX_WIDTH + GAP_X))


def _y(row: float) -> int:
    return MARGIN + round(row * (BOX_HEIGHT + GAP_Y))


def _arrow(start: Box, end: Box) -> str:
    x1, y1 = start.x + BOX_WIDTH, start.y + BOX_HEIGHT // 2
    x2, y2 = end.x, end.y + BOX_HEIGHT // 2
    middle = (x1 + x2) // 2
    return f"M{x1},{y1} C{middle},{y1} {middle},{y2} {x2},{y2}"
