"""The decision as a value: who wins, why, and what would have made it another.

Rules: a model is released only if all its gates pass; the other one, if it passes too, is the
challenger; everything said is made from the evaluation and the measurements, and repeats with them.
Without weights the preferred criterion decides between two that pass, with weights their sum does,
and a tie of the sums goes to what is preferred.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.core.errors import GateError
from components.core.measures import MORE_IS_BETTER, task_of
from components.core.outcome import Gate
from components.core.policy import Policy
from components.decide_release.choice import SERVED, Evidence, by_latency, by_metric, choose
from components.decide_release.form_gates import PROVEN
from components.decide_release.gates import (
    CANDIDATES,
    distance,
    judge,
    passes,
    sentence,
    title,
    worst,
)
from components.decide_release.matrix import Matrix, criterion_of, matrix

Gates = Mapping[str, tuple[Gate, ...]]


def decide(policy: Policy, evidence: Evidence) -> tuple[dict[str, Any], Gates]:
    """Return decision.json and every gate; raise GateError where no candidate passes."""
    gates = judge(policy, evidence.evaluation, evidence.measurements)
    able = [model for model in CANDIDATES if passes(gates[model])]
    if not able:
        raise _refusal(gates)
    weighed = matrix(policy, evidence)
    winner, reasons = _winner(able, policy, evidence, weighed)
    challengers = [model for model in able if model != winner]
    decision = {
        "version": 1,
        "go": True,
        "winner": winner,
        "challenger": challengers[0] if challengers else None,
        "prefer": preferred(policy, evidence),
        "reasons": [*(_summary(model, gates[model]) for model in CANDIDATES), *reasons],
        "gates": {model: [gate.to_dict() for gate in gates[model]] for model in CANDIDATES},
        "criteria": criteria(evidence, weighed),
        "would_change": [
            *_gates_that_matter(winner, gates),
            *_other_preferences(winner, able, policy, evidence, weighed),
        ],
    }
    if weighed is not None:
        decision["scores"] = {model: weighed.total(model) for model in CANDIDATES}
    return decision, gates


def preferred(policy: Policy, evidence: Evidence) -> str:
    """Return what decides where weights do not."""
    return policy.preferred(task_of(evidence.evaluation))


def _refusal(gates: Gates) -> GateError:
    every = [gate for model in CANDIDATES for gate in gates[model]]
    failed = sum(not gate.passed for gate in every)
    bad = worst(every)
    return GateError(
        f"no model passes: {sentence(bad)} (the worst of {failed} failed gates)",
        remedy="improve the model or its data; a gate is changed in the policy, by review",
        gates=[gate.to_dict() for gate in every],
        expected=f"{bad.metric} {bad.operator} {bad.threshold:g}",
        actual=bad.value,
    )


def _winner(
    able: Sequence[str], policy: Policy, evidence: Evidence, weighed: Matrix | None
) -> tuple[str, Sequence[str]]:
    if len(able) == 1:
        return able[0], [f"Only {able[0]} passes, so it is the candidate."]
    sums = [weighed.reason()] if weighed else []
    if weighed and (best := weighed.best()):
        return best, [*sums, f"The candidate is {best}."]
    winner, reasons = choose(preferred(policy, evidence), evidence)
    return winner, [*sums, *reasons, f"The candidate is {winner}."]


def _summary(model: str, gates: Sequence[Gate]) -> str:
    failed, alone = [gate for gate in gates if not gate.passed], len(gates) == 1
    if not failed:
        return f"{model} passes {'its one gate' if alone else f'all of its {len(gates)} gates'}."
    which = "its one gate" if alone else f"{len(failed)} of {len(gates)} gates"
    return f"{model} fails {which}: {sentence(worst(gates))}."


def criteria(evidence: Evidence, weighed: Matrix | None = None) -> list[dict[str, Any]]:
    """Return the table of what both models reach, and where each value stands.

    `better` is None for a tie; what a policy weighs has a weight (of sum 1) and scores.
    """
    rows = []
    for name in dict.fromkeys([*evidence.measures.compared, *evidence.measures.shown]):
        if evidence.defined(name):
            compared = name in evidence.measures.compared
            better = by_metric(name, evidence).better if compared else _closer(name, evidence)
            rows.append(_row(name, evidence, better))
    speed = {model: evidence.forms(model)[SERVED] for model in CANDIDATES}
    latency = {model: evidence.latency(model) for model in CANDIDATES}
    better = by_latency(evidence).better
    rows.append({"name": "one_row_ms", **latency, "better": better} | _measured("one_row_ms/p50"))
    for name in ("rows_per_second", "size_bytes"):
        values = {model: speed[model][name] for model in CANDIDATES}
        better = _best(values, name == "rows_per_second")
        rows.append({"name": name, **values, "better": better} | _measured(name))
    counts = {model: len(evidence.forms(model)) for model in CANDIDATES}
    forms = {"source": _source("measurements", "models/{model}/forms")}
    rows.append({"name": "forms", **counts, "better": _best(counts, True)} | forms)
    return [row | _weighed(row["name"], weighed) for row in rows]


def _source(artifact: str, place: str) -> dict[str, str]:
    """Return where a value stands: the artifact, its file, and the place in it."""
    return {"artifact": artifact, "file": f"{artifact}.json", "path": place}


def _measured(name: str) -> dict[str, Any]:
    return {"source": _source("measurements", f"models/{{model}}/forms/{SERVED}/{name}")}


def _weighed(criterion: str, weighed: Matrix | None) -> dict[str, Any]:
    """Return the weight and the scores of a criterion that the policy weighs."""
    for name, weight in weighed.weights.items() if weighed else ():
        if weighed and criterion_of(name, weighed) == criterion:
            return {"criterion": name, "weight": weight, "scores": dict(weighed.scores[name])}
    return {}


def _row(name: str, evidence: Evidence, better: str | None) -> dict[str, Any]:
    values = {model: evidence.overall(model, name) for model in CANDIDATES}
    source = _source("evaluation", f"models/{{model}}/slices/overall/{name}/value")
    return {"name": name, **values, "better": better, "source": source}


def _closer(name: str, evidence: Evidence) -> str | None:
    """Return the better one by value where the intervals do not overlap."""
    found = {m: evidence.evaluation["models"][m]["slices"]["overall"][name] for m in CANDIDATES}
    if max(v["lower"] for v in found.values()) <= min(v["upper"] for v in found.values()):
        return None
    return _best({model: value["value"] for model, value in found.items()}, name in MORE_IS_BETTER)


def _best(values: Mapping[str, float], more_is_better: bool) -> str | None:
    if len(set(values.values())) == 1:
        return None
    pick = max if more_is_better else min
    return pick(values, key=lambda model: values[model])


def _gates_that_matter(winner: str, gates: Gates) -> list[str]:
    """Say which gate the winner is nearest to fail, and what a model that fails would need."""
    said = [_nearest(winner, gates[winner])]
    for model in CANDIDATES:
        said += [
            f"{model} could be released if {_needed(g)}." for g in gates[model] if not g.passed
        ]
    return said


def _other_preferences(
    winner: str,
    able: Sequence[str],
    policy: Policy,
    evidence: Evidence,
    weighed: Matrix | None,
) -> list[str]:
    """Say which other weight, or where none decided which preference, makes the other one win."""
    if len(able) == 1:
        return []
    loser = next(model for model in able if model != winner)
    if weighed and weighed.best():
        flips = list(weighed.flips(winner, loser))
        return flips or [f"No change of one weight would make {loser} the candidate."]
    return [
        f"With policy.prefer = {prefer} the candidate would be {loser}."
        for prefer in (*evidence.measures.compared, "latency")
        if prefer != preferred(policy, evidence) and choose(prefer, evidence)[0] == loser
    ]


def _needed(gate: Gate) -> str:
    """Say what a failed gate would have to be."""
    if gate.metric == PROVEN:
        return f"{gate.name} were exported and proven"
    at_worst = " at worst" if gate.interval else ""
    needed = f"{gate.operator} {gate.threshold:g}{at_worst}"
    return f"{title(gate)} were {needed}; it is {gate.value:.4g}"


def _nearest(winner: str, gates: Sequence[Gate]) -> str:
    gate = min((gate for gate in gates if gate.metric != PROVEN), key=distance)
    slack = abs(gate.value - gate.threshold)
    return (
        f"{winner} would not be released if {title(gate)} were worse by more than {slack:.4g} "
        f"(now {gate.value:.4g}, {gate.operator} {gate.threshold:g})."
    )
