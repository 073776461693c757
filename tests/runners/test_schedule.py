"""Which tasks may start, which never will, and their shares of the cores."""

from pipelines.runners.results import TaskResult, TaskState
from pipelines.runners.schedule import blocked, depths, ready, still_done, threads
from pipelines.runners.tasks import Task


def dag(**after: tuple[str, ...]) -> dict[str, Task]:
    return {
        name: Task(name=name, stage=name, source="", after=frozenset(before))
        for name, before in after.items()
    }


DIAMOND = dag(top=(), left=("top",), right=("top",), bottom=("left", "right"), end=("bottom",))


def results(**states: str) -> dict[str, TaskResult]:
    pending = {name: TaskResult() for name in DIAMOND}
    return pending | {n: TaskResult(state=TaskState(state)) for n, state in states.items()}


def test_a_task_is_ready_when_all_it_waits_for_has_ended_well():
    assert ready(DIAMOND, results()) == ["top"]
    assert ready(DIAMOND, results(top="RUNNING")) == []
    assert ready(DIAMOND, results(top="CACHED")) == ["left", "right"]
    assert ready(DIAMOND, results(top="SUCCEEDED", left="SUCCEEDED", right="RUNNING")) == []


def test_below_a_failure_the_reason_is_its_first_cause():
    now = results(top="SUCCEEDED", left="FAILED", right="RUNNING")
    assert blocked(DIAMOND, now) == {"bottom": "left failed", "end": "left failed"}
    now = results(top="SUCCEEDED", left="SUCCEEDED", right="CANCELLED")
    assert blocked(DIAMOND, now) == {"bottom": "right was stopped", "end": "right was stopped"}
    assert blocked(DIAMOND, results(top="SUCCEEDED")) == {}


def test_tasks_of_one_depth_share_the_cores():
    assert depths(DIAMOND) == {"top": 0, "left": 1, "right": 1, "bottom": 2, "end": 3}
    assert threads(DIAMOND, 3) == {"top": 3, "left": 1, "right": 1, "bottom": 3, "end": 3}


def test_a_result_stands_only_on_results_that_stand():
    done = results(top="SUCCEEDED", left="CACHED", right="FAILED", bottom="SUCCEEDED")
    assert sorted(still_done(DIAMOND, done)) == ["left", "top"]
