"""What must come again of an evaluation and a decision: every number, every gate on metrics."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from pipelines.cli.repeated_judgement import evaluation_differences, gate_differences

EVALUATION: dict[str, Any] = {
    "rows": 732,
    "comparison": {"auc_difference": {"value": 0.001}, "champion": {"pytorch": {"value": 0.1}}},
    "models": {
        "pytorch": {
            "bundle_sha256": "1" * 64,
            "slices": {"overall": {"auc": {"value": 0.7}, "over_champion": {"auc": 0.1}}},
            "curves": {"roc": [[0.1, 0.2], [0.3, 0.4]]},
        },
        "champion": {"slices": {"overall": {"auc": {"value": 0.6}}}},
    },
}


def gate(name: str, metric: str, *, passed: bool = True) -> dict[str, Any]:
    return {"name": name, "metric": metric, "slice": "overall", "value": 0.7, "passed": passed}


DECISION: dict[str, Any] = {
    "gates": {
        "pytorch": [
            gate("pytorch auc", "auc"),
            gate("pytorch auc_over_champion", "auc_over_champion"),
            gate("pytorch onnx p50_ms", "p50_ms"),
        ]
    }
}


def changed(value: dict[str, Any], *path: str | int, to: Any) -> dict[str, Any]:
    other = copy.deepcopy(value)
    place: Any = other
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = to
    return other


def test_the_same_numbers_under_other_digests_are_the_same() -> None:
    other = changed(EVALUATION, "models", "pytorch", "bundle_sha256", to="2" * 64)
    assert evaluation_differences(EVALUATION, other, champion=True) == ([], True)


AUC = ("models", "pytorch", "slices", "overall", "auc", "value")


@pytest.mark.parametrize(
    ("path", "to", "far"),
    [
        (AUC, 0.7 + 1e-8, []),
        (AUC, 0.71, ["/models/pytorch/slices/overall/auc/value"]),
        (AUC, None, ["/models/pytorch/slices/overall/auc/value"]),
        (("rows",), 731, ["/rows"]),
        (
            ("models", "pytorch", "curves", "roc", 1),
            [0.3, 0.5],
            ["/models/pytorch/curves/roc/1/1"],
        ),
    ],
)
def test_a_number_that_came_out_otherwise_is_named(path: Any, to: Any, far: list[str]) -> None:
    other = changed(EVALUATION, *path, to=to)
    assert evaluation_differences(EVALUATION, other, champion=True) == (far, False)


def test_without_a_champion_what_concerns_it_alone_is_left_out() -> None:
    without = copy.deepcopy(EVALUATION)
    del without["models"]["champion"], without["comparison"]["champion"]
    del without["models"]["pytorch"]["slices"]["overall"]["over_champion"]
    assert evaluation_differences(EVALUATION, without, champion=False) == ([], True)
    far, _ = evaluation_differences(EVALUATION, without, champion=True)
    assert len(far) == 3
    other = changed(without, *AUC, to=0.71)
    assert evaluation_differences(EVALUATION, other, champion=False)[0] != []


def test_a_gate_judged_otherwise_is_named_but_for_latencies_and_an_absent_champion() -> None:
    def failed(number: int) -> dict[str, Any]:
        return changed(DECISION, "gates", "pytorch", number, "passed", to=False)

    assert gate_differences(DECISION, DECISION, champion=True) == []
    assert gate_differences(DECISION, failed(0), champion=True) == ["pytorch auc (overall)"]
    over = ["pytorch auc_over_champion (overall)"]
    assert gate_differences(DECISION, failed(1), champion=True) == over
    assert gate_differences(DECISION, failed(1), champion=False) == []
    assert gate_differences(DECISION, failed(2), champion=True) == []
    fewer = changed(DECISION, "gates", "pytorch", to=DECISION["gates"]["pytorch"][1:])
    assert gate_differences(DECISION, fewer, champion=True) == ["pytorch auc (overall)"]
