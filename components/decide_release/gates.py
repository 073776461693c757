"""The policy's gates, judged on an evaluation.

Rules: what is compared is the bound of the confidence interval that is worse for the model: the
lower one where more is better (>=), the upper one where less is (<=); so luck within the interval
passes no gate, and a margin of 0 over the champion asks for a difference that is not luck (a
negative margin says how much worse is still as good). A gate on what was not measured is the
policy's error, never a pass.

A gate on a form judges the candidates whose framework exports that form, on what was measured of
it as it is; such a measurement has no interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.core.errors import DataError, SettingsError
from components.core.outcome import Gate
from components.core.settings import FormGate, MetricGate, Policy

CANDIDATES = ("pytorch", "tensorflow")
CHAMPION = "champion"
CHAMPION_METRIC = "auc_over_champion"


def judge(
    policy: Policy, evaluation: Mapping[str, Any], measurements: Mapping[str, Any]
) -> dict[str, tuple[Gate, ...]]:
    """Return each candidate's gates, in the policy's order, the champion's margin last.

    Raises SettingsError for a slice, a metric or a form that was not measured.
    """
    return {
        name: (
            *_metric_gates(policy, evaluation, name),
            *_form_gates(policy, measurements, name),
            *_champion_gates(policy, evaluation, name),
        )
        for name in CANDIDATES
    }


def _metric_gates(policy: Policy, evaluation: Mapping[str, Any], model: str) -> list[Gate]:
    return [_gate(declared, evaluation["models"], model) for declared in policy.gates]


def _gate(declared: MetricGate, models: Mapping[str, Any], model: str) -> Gate:
    found = measured(models, model, declared.metric, declared.slice)
    champion = models.get(CHAMPION, {}).get("slices", {}).get(declared.slice, {})
    baseline = champion.get(declared.metric) or {}
    return Gate(
        name=f"{model} {declared.metric}",
        metric=declared.metric,
        value=found["lower"] if declared.operator == ">=" else found["upper"],
        operator=declared.operator,
        threshold=declared.threshold,
        slice=declared.slice,
        n=models[model]["slices"][declared.slice]["n"],
        interval=(found["lower"], found["upper"]),
        baseline=baseline.get("value"),
    )


def measured(models: Mapping[str, Any], model: str, metric: str, key: str) -> Mapping[str, Any]:
    """Return a metric of a model on a slice; SettingsError where it was not measured."""
    slices = models[model]["slices"]
    if key not in slices:
        raise SettingsError(
            f"the policy has a gate on slice {key}, which was not measured",
            remedy="name a slice that evaluate.slices gives and that has enough rows",
            expected=key,
            actual=sorted(slices),
        )
    found: Mapping[str, Any] | None = slices[key][metric]
    if found is None:
        raise SettingsError(
            f"the policy has a gate on {metric} of slice {key}, where it is not defined",
            remedy="remove the gate, or choose a slice with both outcomes",
        )
    return found


def _form_gates(policy: Policy, measurements: Mapping[str, Any], model: str) -> list[Gate]:
    measured_forms = {name: measurements["models"][name]["forms"] for name in CANDIDATES}
    gates = []
    for declared in policy.form_gates:
        having = [name for name in CANDIDATES if declared.form in measured_forms[name]]
        if not having:
            raise SettingsError(
                f"the policy has a gate on form {declared.form}, which no model has",
                remedy="remove the gate, or export the form: see train.forms",
                expected=declared.form,
                actual=sorted({form for forms in measured_forms.values() for form in forms}),
            )
        if model in having:
            gates.append(_form_gate(declared, measured_forms[model][declared.form], model))
    return gates


def _form_gate(declared: FormGate, form: Mapping[str, Any], model: str) -> Gate:
    latencies: dict[str, Any] = {
        f"{percentile}_ms": value for percentile, value in form["one_row_ms"].items()
    }
    return Gate(
        name=f"{model} {declared.form} {declared.metric}",
        metric=declared.metric,
        value=float({**latencies, **form}[declared.metric]),
        operator=declared.operator,
        threshold=declared.threshold,
    )


def _champion_gates(policy: Policy, evaluation: Mapping[str, Any], model: str) -> list[Gate]:
    """Return the margin over the champion on all rows, if there is a champion."""
    if CHAMPION not in evaluation["models"]:
        return []
    difference = evaluation["comparison"][CHAMPION][model]["auc_difference"]
    overall = evaluation["models"][CHAMPION]["slices"]["overall"]
    return [
        Gate(
            name=f"{model} {CHAMPION_METRIC}",
            metric=CHAMPION_METRIC,
            value=difference["lower"],
            operator=">=",
            threshold=policy.champion_auc_margin,
            n=overall["n"],
            interval=(difference["lower"], difference["upper"]),
            baseline=overall["auc"]["value"],
        )
    ]


def passes(gates: Sequence[Gate]) -> bool:
    """Say whether a candidate may be released: every gate passes, and there is at least one."""
    return bool(gates) and all(gate.passed for gate in gates)


def worst(gates: Sequence[Gate]) -> Gate:
    """Return the failed gate that misses by the largest share of its threshold."""
    failed = [gate for gate in gates if not gate.passed]
    if not failed:
        raise DataError("no gate failed", remedy="report this: a decision asked for the worst gate")
    return max(failed, key=distance)


def distance(gate: Gate) -> float:
    """Return how far a gate's value is from its threshold, as a share of it (unless it is 0)."""
    return abs(gate.value - gate.threshold) / (abs(gate.threshold) or 1.0)


def sentence(gate: Gate) -> str:
    """Say what a failed gate measured, in words: name, slice, value, operator, threshold."""
    found = f"{gate.value:.4g} at worst" if gate.interval else f"{gate.value:.4g}"
    return f"{title(gate)} is {found}, must be {gate.operator} {gate.threshold:g}"


def title(gate: Gate) -> str:
    """Return a gate's name, and of a metric its slice."""
    return f"{gate.name} ({gate.slice})" if gate.interval else gate.name
