"""What each side's stages cost in each scenario, as values.

Rules: a side's end-to-end figures are those of its whole command, start and imports included; CPU
seconds are those of the command and of all its processes that have ended. A stage's are its own.
Stages that ran beside each other take the longer one's wall seconds together.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SCENARIOS = ("cold", "against a baseline", "cached")
# What does the same work: the name, stock's nodes, our stages.
WORK: Sequence[tuple[str, tuple[str, ...], tuple[str, ...]]] = (
    ("examples", ("CsvExampleGen",), ("ingest-examples",)),
    (
        "statistics, schema, anomalies",
        ("StatisticsGen", "SchemaGen", "ExampleValidator"),
        ("validate-examples",),
    ),
    ("transform", ("Transform",), ("transform-features",)),
    ("training", ("Trainer",), ("train-pytorch", "train-tensorflow")),
    ("evaluation", ("baseline", "Evaluator"), ("evaluate-models",)),
    ("speed and size of the models", (), ("measure-models",)),
    ("release", ("Pusher",), ("decide-release", "register-models", "seal-run")),
)
TOGETHER = ("train-pytorch", "train-tensorflow")


@dataclass(frozen=True)
class Stage:
    """What one component or stage cost."""

    wall: float
    cpu: float
    peak: int

    @classmethod
    def of(cls, cost: Mapping[str, Any]) -> Stage:
        """Return what a node or a task of run.json says of itself."""
        names = ("wall_seconds", "cpu_seconds", "peak_memory_bytes")
        wall, cpu, peak = (cost[name] or 0 for name in names)
        return cls(float(wall), float(cpu), int(peak))


@dataclass(frozen=True)
class Run:
    """One run of one side: the whole, and its stages by name in their order."""

    wall: float
    cpu: float
    stages: Mapping[str, Stage]

    def wall_of(self, names: Iterable[str]) -> float:
        """Return the wall seconds of these stages."""
        walls = [self.stages[name].wall for name in names if name in self.stages]
        return max(walls, default=0.0) if tuple(names) == TOGETHER else sum(walls)

    @property
    def rest(self) -> float:
        """Return the wall seconds that are in no stage: start, imports, what lies between."""
        return self.wall - sum(self.wall_of(stock) + self.wall_of(ours) for _, stock, ours in WORK)


@dataclass(frozen=True)
class Side:
    """All runs of one side by scenario, and the rows that each stage took in a cold one."""

    runs: Mapping[str, Sequence[Run]]
    rows: Mapping[str, int]

    def median(self, scenario: str, stage: str, what: str) -> float:
        """Return a stage's median in a scenario."""
        found = (getattr(run.stages[stage], what) for run in self.runs[scenario])
        return float(statistics.median(found))

    @property
    def stages(self) -> list[str]:
        """Return the stages' names in their order."""
        return list(self.runs[SCENARIOS[0]][0].stages)


def middle(values: Iterable[float]) -> float:
    """Return the median."""
    return float(statistics.median(values))
