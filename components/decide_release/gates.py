"""The policy's gates, judged on an evaluation.

Rules: what is compared is the bound of the confidence interval that is worse for the model: the
lower one where more is better (>=), the upper one where less is (<=); so luck within the interval
passes no gate. A margin over the champion that is not below 0 asks for strictly more (>, <): what
equals the champion does not beat it; a negative one says how much worse is still as good. A gate on
what was not measured is the policy's error, never a pass.

A gate on every slice of a column (`origin=*`) is one gate for each slice that was measured; of a
difference to the champion it is the paired one on the slice's rows. Gates on forms are in
form_gates.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from components.core.candidates import CHAMPION, OVER_CHAMPION, candidates
from components.core.errors import DataError, SettingsError
from components.core.measures import MORE_IS_BETTER, measures_of
from components.core.outcome import Gate
from components.core.policy import Policy
from components.core.policy_gates import ChampionGate, FairnessGate, MetricGate
from components.core.slice_keys import OVERALL
from components.core.words import nearest
from components.decide_release.form_gates import PROVEN, form_gates, required_forms

Models = Mapping[str, Any]


def judge(
    policy: Policy, evaluation: Mapping[str, Any], measurements: Mapping[str, Any]
) -> dict[str, tuple[Gate, ...]]:
    """Return each candidate's gates, in the policy's order, those on the champion last.

    Raises SettingsError for a slice, a metric, a group or a form that was not measured.
    """
    models = evaluation["models"]
    return {
        name: (
            *(gate for declared in policy.gates for gate in _metric_gates(declared, models, name)),
            *(_fairness_gate(declared, models[name], name) for declared in policy.fairness_gates),
            *form_gates(policy, measurements, name),
            *required_forms(policy, measurements, name),
            *_champion_gates(policy.champion_gates, evaluation, name),
        )
        for name in candidates(models)
    }


def _metric_gates(declared: MetricGate, models: Models, model: str) -> Iterator[Gate]:
    for key in _judged(declared, models[model]["slices"]):
        yield _metric_gate(declared, models, model, key)


def _judged(declared: MetricGate | ChampionGate, slices: Mapping[str, Any]) -> list[str]:
    """Return the slices that a gate judges; SettingsError where none of them was measured."""
    keys = [key for key in slices if declared.matches(key)]
    if not keys:
        raise SettingsError(
            f"the policy has a gate on slice {declared.slice}, which was not measured",
            remedy="name a slice that evaluate.slices gives and that has enough rows",
            expected=declared.slice,
            actual=sorted(slices),
        )
    return keys


def _metric_gate(declared: MetricGate, models: Models, model: str, key: str) -> Gate:
    of_slice = models[model]["slices"][key]
    found = _defined(measured(declared, of_slice), f"{_named(declared)} of slice {key}")
    champion = models.get(CHAMPION, {}).get("slices", {}).get(key)
    baseline = measured(declared, champion) if champion else None
    return Gate(
        name=f"{model} {_named(declared)}",
        metric=declared.metric,
        value=_worse(found, declared.operator),
        operator=declared.operator,
        threshold=declared.threshold,
        slice=key,
        n=of_slice["n"],
        interval=(found["lower"], found["upper"]),
        baseline=baseline["value"] if baseline else None,
    )


def _named(declared: MetricGate) -> str:
    if declared.of_class is not None:
        return f"{declared.metric} of {declared.of_class}"
    at = declared.at if declared.at is not None else declared.k
    return declared.metric if at is None else f"{declared.metric}@{at:g}"


def measured(declared: MetricGate, of_slice: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the gate's metric on a slice, None where it is not defined there.

    Raises SettingsError where the evaluation does not have it.
    """
    if declared.of_class is not None:
        of_class = _entry(of_slice.get("classes", {}), declared.of_class, "the evaluation", "class")
        return _entry(of_class or {}, declared.metric, f"class {declared.of_class}", "metric")
    if declared.k is not None:
        accuracy = {str(entry["k"]): entry["accuracy"] for entry in of_slice.get("top_k", ())}
        return _entry(accuracy, str(declared.k), "the evaluation", f"{declared.metric} at")
    if declared.at is None:
        return _entry(of_slice, declared.metric, "the evaluation", "metric")
    at = {entry["threshold"]: entry for entry in of_slice.get("thresholds", ())}
    if declared.at not in at:
        raise SettingsError(
            f"the policy has a gate on {declared.metric} at {declared.at:g}, which the evaluation "
            "did not compute",
            remedy="name a threshold that the evaluation computes, or evaluate again with it",
            expected=declared.at,
            actual=sorted(at),
        )
    return _entry(at[declared.at], declared.metric, f"threshold {declared.at:g}", "metric")


def _entry(values: Mapping[str, Any], name: str, place: str, noun: str) -> Mapping[str, Any] | None:
    """Return a measured part, or None; SettingsError where an evaluation does not have the key."""
    if name not in values:
        raise SettingsError(
            f"the policy has a gate on {noun} {name}, which {place} does not have"
            f"{nearest(name, values)}",
            remedy="evaluate again with settings that measure it, or remove the gate",
            expected=name,
            actual=sorted(values),
        )
    found: Mapping[str, Any] | None = values[name]
    return found


def _defined(found: Mapping[str, Any] | None, what: str) -> Mapping[str, Any]:
    if found is None:
        raise SettingsError(
            f"the policy has a gate on {what}, where it is not defined",
            remedy="remove the gate, or choose a slice with both outcomes",
        )
    return found


def _worse(found: Mapping[str, Any], operator: str) -> float:
    return float(found["lower"] if operator in (">=", ">") else found["upper"])


def _fairness_gate(declared: FairnessGate, of_model: Mapping[str, Any], model: str) -> Gate:
    """Return the gate on how far apart a column's groups are; n counts the rows of its groups."""
    columns = of_model.get("fairness", {})
    groups = _entry(columns, declared.column, "the evaluation", "the groups of") or {}
    kind = {"difference": "differences", "ratio": "ratios"}[declared.compare]
    name = f"{declared.metric} {declared.compare}"
    found = _defined(
        _entry(groups.get(kind, {}), declared.metric, f"column {declared.column}", "metric"),
        f"the {name} of {declared.column}",
    )
    return Gate(
        name=f"{model} {name} by {declared.column}",
        metric=f"{declared.metric}_{declared.compare}",
        value=_worse(found, declared.operator),
        operator=declared.operator,
        threshold=declared.threshold,
        n=sum(group["n"] for group in groups["groups"].values()),
        interval=(found["lower"], found["upper"]),
    )


def _champion_gates(
    declared: Iterable[ChampionGate], evaluation: Mapping[str, Any], model: str
) -> list[Gate]:
    """Return the gates on the difference to the champion, if there is a champion.

    Raises SettingsError for a slice that was not measured, without a champion too.
    """
    models = evaluation["models"]
    asked = [(gate, key) for gate in declared for key in _judged(gate, models[model]["slices"])]
    if CHAMPION not in models:
        return []
    return [_champion_gate(gate, evaluation, model, key) for gate, key in asked]


def _champion_gate(
    declared: ChampionGate, evaluation: Mapping[str, Any], model: str, key: str
) -> Gate:
    """Return one gate; where less is better, as of a loss, the margin is below zero."""
    metric = declared.metric or measures_of(evaluation).primary
    more = metric in MORE_IS_BETTER
    difference = _defined(
        _difference(evaluation, model, key)[f"{metric}_difference"],
        f"the difference of {metric} to the champion on slice {key}",
    )
    of_champion = evaluation["models"][CHAMPION]["slices"][key]
    operator = ">" if more else "<"
    if declared.margin < 0:
        operator += "="
    return Gate(
        name=f"{model} {metric}_{OVER_CHAMPION}",
        metric=f"{metric}_{OVER_CHAMPION}",
        value=_worse(difference, operator),
        operator=operator,
        threshold=declared.margin if more else 0.0 - declared.margin,
        slice=key,
        n=of_champion["n"],
        interval=(difference["lower"], difference["upper"]),
        baseline=of_champion[metric]["value"],
    )


def _difference(evaluation: Mapping[str, Any], model: str, key: str) -> Mapping[str, Any]:
    """Return a model's differences to the champion on all rows or on a slice."""
    if key == OVERALL:
        overall: Mapping[str, Any] = evaluation["comparison"][CHAMPION][model]
        return overall
    of_slice = evaluation["models"][model]["slices"][key]
    return _entry(of_slice, OVER_CHAMPION, f"slice {key}", "the difference") or {}


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
    if gate.metric == PROVEN:
        return f"{gate.name} is missing, and the policy requires that form"
    found = f"{gate.value:.4g} at worst" if gate.interval else f"{gate.value:.4g}"
    return f"{title(gate)} is {found}, must be {gate.operator} {gate.threshold:g}"


def title(gate: Gate) -> str:
    """Return a gate's name, and of a metric its slice; what is measured of a form has no rows."""
    return f"{gate.name} ({gate.slice})" if gate.interval and gate.n is not None else gate.name
