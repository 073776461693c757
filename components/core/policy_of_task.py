"""What a policy names that the target's task does not have, with the nearest name that it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from components.core.measures import MEASURES
from components.core.task import Task
from components.core.words import nearest

if TYPE_CHECKING:
    from components.core.policy import Policy
    from components.core.policy_gates import MetricGate

TARGETS: Mapping[Task, str] = {
    "binary": "the target is a class of two",
    "multi_class": "the target is one of several classes",
    "regression": "the target is a number",
}


def of_other_tasks(policy: Policy, task: Task, classes: Sequence[str]) -> Iterator[str]:
    """Yield what is not measured of a target of this task; of no classes none is looked up."""
    compared = MEASURES[task].compared
    for number, gate in enumerate(policy.gates):
        if said := _wrong_gate(gate, task):
            yield f"gates.{number}: {said}"
        elif gate.of_class is not None and classes and gate.of_class not in classes:
            near = nearest(gate.of_class, classes)
            yield f"gates.{number}: {gate.of_class} is none of the target's classes{near}"
    for number, of_champion in enumerate(policy.champion_gates):
        if of_champion.metric and of_champion.metric not in compared:
            yield f"champion_gates.{number}: {_not_of(of_champion.metric, compared, task)}"
    if policy.prefer not in (None, "latency", *compared):
        yield f"prefer: {_not_of(str(policy.prefer), (*compared, 'latency'), task)}"
    if policy.fairness_gates and task != "binary":
        yield f"fairness_gates: {TARGETS[task]}, and only groups of a class of two are compared"


def _wrong_gate(gate: MetricGate, task: Task) -> str | None:
    if gate.metric not in (known := MEASURES[task].metrics):
        return _not_of(gate.metric, known, task)
    if task == "binary" and gate.of_class is not None:
        return f"{TARGETS[task]}: {gate.metric} needs at, not of_class"
    if task == "multi_class" and gate.at is not None:
        return f"{TARGETS[task]}: {gate.metric} needs of_class, not at"
    return None


def _not_of(metric: str, known: Sequence[str], task: Task) -> str:
    near = nearest(metric, known) or f"; there are {', '.join(known)}"
    return f"{metric} is not measured: {TARGETS[task]}{near}"
