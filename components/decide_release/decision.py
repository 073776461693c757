"""The decision as a value: who wins, why, and what would have made it another.

Rules: a model is released only if all its gates pass; the other one, if it passes too, is the
challenger; everything said is made from the evaluation and the measurements, and repeats with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.core.errors import GateError
from components.core.outcome import Gate
from components.core.settings import Policy
from components.decide_release.choice import SERVED, Evidence, by_latency, by_metric, choose
from components.decide_release.gates import (
    CANDIDATES,
    distance,
    judge,
    passes,
    sentence,
    title,
    worst,
)

PREFERENCES = ("auc", "log_loss", "latency")
Gates = Mapping[str, tuple[Gate, ...]]


def decide(policy: Policy, evidence: Evidence) -> tuple[dict[str, Any], Gates]:
    """Return decision.json and every gate; raise GateError where no candidate passes."""
    gates = judge(policy, evidence.evaluation, evidence.measurements)
    able = [model for model in CANDIDATES if passes(gates[model])]
    if not able:
        raise _refusal(gates)
    winner, reasons = _winner(able, policy, evidence)
    challengers = [model for model in able if model != winner]
    decision = {
        "version": 1,
        "go": True,
        "winner": winner,
        "challenger": challengers[0] if challengers else None,
        "prefer": policy.prefer,
        "reasons": [*(_summary(model, gates[model]) for model in CANDIDATES), *reasons],
        "gates": {model: [gate.to_dict() for gate in gates[model]] for model in CANDIDATES},
        "criteria": criteria(evidence),
        "would_change": _would_change(winner, able, gates, policy, evidence),
    }
    return decision, gates


def _refusal(gates: Gates) -> GateError:
    every = [gate for model in CANDIDATES for gate in gates[model]]
    failed = sum(not gate.passed for gate in every)
    bad = worst(every)
    return GateError(
        f"no model passes: {sentence(bad)} (the worst of {failed} failed gates)",
        remedy="improve the model or its data; a gate is changed in policy.gates, by review",
        gates=[gate.to_dict() for gate in every],
        expected=f"{bad.metric} {bad.operator} {bad.threshold:g}",
        actual=bad.value,
    )


def _winner(able: Sequence[str], policy: Policy, evidence: Evidence) -> tuple[str, Sequence[str]]:
    if len(able) == 1:
        return able[0], [f"Only {able[0]} passes, so it is the candidate."]
    winner, reasons = choose(policy.prefer, evidence)
    return winner, [*reasons, f"The candidate is {winner}."]


def _summary(model: str, gates: Sequence[Gate]) -> str:
    failed, alone = [gate for gate in gates if not gate.passed], len(gates) == 1
    if not failed:
        return f"{model} passes {'its one gate' if alone else f'all of its {len(gates)} gates'}."
    which = "its one gate" if alone else f"{len(failed)} of {len(gates)} gates"
    return f"{model} fails {which}: {sentence(worst(gates))}."


def criteria(evidence: Evidence) -> list[dict[str, Any]]:
    """Return the table of what both models reach; `better` is None for a tie."""
    better_of = {name: by_metric(name, evidence).better for name in ("auc", "log_loss")}
    rows = [_row(name, evidence, better_of[name]) for name in better_of]
    rows += [
        _row(name, evidence, _closer(name, evidence)) for name in ("calibration_error", "accuracy")
    ]
    speed = {model: evidence.forms(model)[SERVED] for model in CANDIDATES}
    latency = {model: evidence.latency(model) for model in CANDIDATES}
    rows.append({"name": "one_row_ms", **latency, "better": by_latency(evidence).better})
    for name in ("rows_per_second", "size_bytes"):
        values = {model: speed[model][name] for model in CANDIDATES}
        rows.append({"name": name, **values, "better": _best(values, name == "rows_per_second")})
    return rows


def _row(name: str, evidence: Evidence, better: str | None) -> dict[str, Any]:
    values = {model: evidence.overall(model, name) for model in CANDIDATES}
    return {"name": name, **values, "better": better}


def _closer(name: str, evidence: Evidence) -> str | None:
    """Return the better one by value where the intervals do not overlap."""
    found = {m: evidence.evaluation["models"][m]["slices"]["overall"][name] for m in CANDIDATES}
    if max(v["lower"] for v in found.values()) <= min(v["upper"] for v in found.values()):
        return None
    return _best({model: value["value"] for model, value in found.items()}, name == "accuracy")


def _best(values: Mapping[str, float], more_is_better: bool) -> str | None:
    if len(set(values.values())) == 1:
        return None
    pick = max if more_is_better else min
    return pick(values, key=lambda model: values[model])


def _would_change(
    winner: str, able: Sequence[str], gates: Gates, policy: Policy, evidence: Evidence
) -> list[str]:
    """Say what would lead to another decision: a gate, a preference, a model that fails now."""
    said = [_nearest(winner, gates[winner])]
    for model in CANDIDATES:
        said += [
            f"{model} could be released if {_needed(g)}." for g in gates[model] if not g.passed
        ]
    if len(able) > 1:
        for prefer in PREFERENCES:
            other, _ = choose(prefer, evidence)
            if prefer != policy.prefer and other != winner:
                said.append(f"With policy.prefer = {prefer} the candidate would be {other}.")
    return said


def _needed(gate: Gate) -> str:
    at_worst = " at worst" if gate.interval else ""
    needed = f"{gate.operator} {gate.threshold:g}{at_worst}"
    return f"{title(gate)} were {needed}; it is {gate.value:.4g}"


def _nearest(winner: str, gates: Sequence[Gate]) -> str:
    gate = min(gates, key=distance)
    slack = abs(gate.value - gate.threshold)
    return (
        f"{winner} would not be released if {title(gate)} were worse by more than {slack:.4g} "
        f"(now {gate.value:.4g}, {gate.operator} {gate.threshold:g})."
    )
