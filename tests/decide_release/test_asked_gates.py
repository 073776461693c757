"""What a policy asks for by its record is what is judged of it: nothing more and nothing less."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from made_evaluations import around, model
from test_champion_gates_by_slice import against
from test_other_tasks import LOSS_1, MEASURED, MSE_20, _of_number, _of_several
from test_policy_gates import _at, _fair, _fairness

from components.audit.left_out import left_out
from components.core.policy import Policy
from components.decide_release.gates import judge

__all__ = ["against"]
AUC = {"metric": "auc", "operator": ">=", "threshold": 0.7}
JFK = {"metric": "auc", "operator": "<=", "threshold": 0.9, "slice": "origin=*"}
FORMS = [
    {"form": "onnx", "metric": "p50_ms", "operator": "<=", "threshold": 1.0},
    {"form": "litert", "metric": "size_bytes", "operator": "<=", "threshold": 10**6},
]
Document = dict[str, Any]


def record(stage: str, **parts: Any) -> Document:
    audit = {"event": "COMPLETE", "stage": stage, "inputs": [], "gates": [], "facts": {}}
    return {"predicate": {"tandem_audit": {**audit, "settings": {}, **parts}}}


def lacking(
    policy: Policy, evaluation: Document, measurements: Document, gates: list[Document]
) -> list[str]:
    """Return what a decision for all candidates left out, whose record has these gates."""
    made = {
        "1": record("evaluate_models", facts={"overall": dict.fromkeys(evaluation["models"], 1)}),
        "2": record("measure_models", facts={"size_bytes": sizes(measurements)}),
    }
    models = [name for name in evaluation["models"] if name != "champion"]
    decision = record(
        "decide_release",
        inputs=[{"name": "evaluation", "record": "1"}, {"name": "measurements", "record": "2"}],
        settings={"policy": policy.model_dump(mode="json")},
        gates=gates,
        facts=dict(zip(("winner", "challenger"), models, strict=False)),
    )
    return list(left_out(decision, made.__getitem__))


def sizes(measurements: Mapping[str, Any]) -> Document:
    models = measurements["models"].items()
    return {name: dict.fromkeys(found["forms"], 1) for name, found in models}


def every(policy: Policy, evaluation: Document, measurements: Document) -> list[Document]:
    judged = judge(policy, evaluation, measurements)
    return [gate.to_dict() for of_model in judged.values() for gate in of_model]


def cases(against: Document, measurements: Document) -> Iterator[tuple[Policy, Document, Document]]:
    """Yield policies with every kind of gate, and what they are judged on."""
    of_two = {name: model(thresholds=[_at(0.5)]) for name in ("pytorch", "tensorflow")}
    no_champion = {"models": of_two, "comparison": {"auc_difference": around(0.0)}}
    at = {"metric": "precision", "operator": ">=", "threshold": 0.5, "at": 0.5}
    yield Policy.model_validate({"gates": [AUC, JFK, at]}), no_champion, measurements
    more = {"form_gates": FORMS, "forms": ["onnx"], "champion_gates": [{}, {"margin": -0.1}]}
    yield Policy.model_validate({"gates": [AUC], **more}), against, measurements
    fair = {"models": {n: {**m, "fairness": _fair(0.1)} for n, m in of_two.items()}}
    policy = Policy.model_validate({"gates": [AUC], "fairness_gates": [_fairness()]})
    yield policy, no_champion | fair, measurements
    loss = {"metric": "log_loss", "slice": "origin=JFK"}
    for name in ("pytorch", "tensorflow"):
        slices = against["models"][name]["slices"]
        slices["origin=JFK"]["over_champion"]["log_loss_difference"] = around(-0.1)
    yield Policy.model_validate({"gates": [AUC], "champion_gates": [loss]}), against, measurements
    yield Policy.model_validate({"gates": [MSE_20]}), _of_number(), MEASURED
    several = [
        LOSS_1,
        {"metric": "recall", "operator": ">=", "threshold": 0.5, "of_class": "near"},
        {"metric": "top_k_accuracy", "operator": ">=", "threshold": 0.5, "k": 2},
    ]
    yield Policy.model_validate({"gates": several}), _of_several(), MEASURED


def test_what_is_judged_lacks_nothing(against: Document, measurements: Document) -> None:
    for policy, evaluation, measured in cases(against, measurements):
        gates = every(policy, evaluation, measured)
        assert lacking(policy, evaluation, measured, gates) == []


def test_each_gate_that_is_taken_out_is_lacking(against: Document, measurements: Document) -> None:
    for policy, evaluation, measured in cases(against, measurements):
        gates = every(policy, evaluation, measured)
        for number, gate in enumerate(gates):
            rest = [*gates[:number], *gates[number + 1 :]]
            alike = [
                one
                for one in rest
                if (one["name"], one["operator"]) == (gate["name"], gate["operator"])
            ]
            found = lacking(policy, evaluation, measured, rest)
            assert len(found) == (0 if alike else 1), (gate["name"], found)
            assert all(gate["name"].split("_over_")[0].split()[-1] in item for item in found)


@pytest.mark.parametrize("having", [True, False])
def test_an_imported_model_must_have_the_forms_that_gates_are_on(
    measurements: Document, having: bool
) -> None:
    forms = measurements["models"]["tensorflow" if having else "pytorch"]
    measured = {"models": {"imported": forms}}
    policy = Policy.model_validate({"gates": [AUC], "form_gates": FORMS})
    evaluation = {"models": {"imported": model()}, "comparison": {}}
    gates = every(policy, evaluation, measured)
    assert len(gates) == 3
    assert lacking(policy, evaluation, measured, gates) == []
    assert len(lacking(policy, evaluation, measured, gates[:-1])) == 1


def test_a_policy_that_is_none_asks_for_nothing_and_is_no_error() -> None:
    for policy in ({}, [], "any", {"gates": 5}, {"gates": [3], "forms": 7}, {"gates": [{}]}):
        settings = {"policy": policy}
        decision = record("decide_release", settings=settings, facts={"winner": ["pytorch"]})
        assert len(list(left_out(decision, {}.__getitem__))) <= 1
