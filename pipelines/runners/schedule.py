"""Which tasks may start, which never will, and how many cores each may use. Pure functions.

Rules: a task starts when every task it waits for has ended well; a task below one that did not is
skipped with the first cause's name; tasks of the same depth in the DAG share the cores, because
they may run at the same time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pipelines.runners.results import TaskResult, TaskState
from pipelines.runners.tasks import Task


def depths(tasks: Mapping[str, Task]) -> dict[str, int]:
    """Return how many tasks lie before each on its longest path; `tasks` are in order."""
    found: dict[str, int] = {}
    for name, task in tasks.items():
        found[name] = 1 + max((found[before] for before in task.after), default=-1)
    return found


def threads(tasks: Mapping[str, Task], cores: int) -> dict[str, int]:
    """Return how many threads each task may use: its share of the cores, at least one."""
    depth = depths(tasks)
    beside = Counter(depth.values())
    return {name: max(1, cores // beside[depth[name]]) for name in tasks}


def ready(tasks: Mapping[str, Task], results: Mapping[str, TaskResult]) -> list[str]:
    """Return the pending tasks whose producers have all ended well."""
    return [
        name
        for name, task in tasks.items()
        if results[name].state is TaskState.PENDING
        and all(results[before].state.is_good for before in task.after)
    ]


def blocked(tasks: Mapping[str, Task], results: Mapping[str, TaskResult]) -> dict[str, str]:
    """Return {pending task: reason} for the tasks that can no longer start."""
    reasons: dict[str, str] = {}
    for name, task in tasks.items():
        if results[name].state is not TaskState.PENDING:
            continue
        for before in sorted(task.after):
            state = results[before].state
            if before in reasons:
                reasons[name] = reasons[before]
            elif state is TaskState.SKIPPED:
                reasons[name] = results[before].reason or f"{before} was skipped"
            elif state in (TaskState.FAILED, TaskState.CANCELLED):
                reasons[name] = (
                    f"{before} {'failed' if state is TaskState.FAILED else 'was stopped'}"
                )
            if name in reasons:
                break
    return reasons


def still_done(tasks: Mapping[str, Task], done: Mapping[str, TaskResult]) -> dict[str, TaskResult]:
    """Return the results that may stand: those whose producers' results stand too."""
    kept: dict[str, TaskResult] = {}
    for name, task in tasks.items():
        has_outputs = name in done and task.outputs.keys() <= done[name].outputs.keys()
        if has_outputs and done[name].state.is_good and task.after <= kept.keys():
            kept[name] = done[name]
    return kept
