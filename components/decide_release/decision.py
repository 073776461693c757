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
    distance,
    judge,
    passes,
    sentence,
    title,
    worst,
)
from components.decide_release.matrix import (
    TRAINING_SECONDS,
    Matrix,
    cheaper,
    criterion_of,
    matrix,
)

Gates = Mapping[str, tuple[Gate, ...]]


def decide(policy: Policy, evidence: Evidence) -> tuple[dict[str, Any], Gates]:
    """Return decision.json and every gate; where no candidate passes it says no, and why."""
    gates = judge(policy, evidence.evaluation, evidence.measurements)
    able = [model for model in gates if passes(gates[model])]
    weighed = matrix(policy, evidence)
    winner, reasons = _winner(able, policy, evidence, weighed)
    challengers = [model for model in able if model != winner]
    decision: dict[str, Any] = {
        "version": 1,
        "go": winner is not None,
        "winner": winner,
        "challenger": challengers[0] if challengers else None,
        "prefer": preferred(policy, evidence),
        "reasons": [*(_summary(model, gates[model]) for model in gates), *reasons],
        "gates": {model: [gate.to_dict() for gate in gates[model]] for model in gates},
        "criteria": criteria(evidence, weighed),
        "would_change": [
            *_gates_that_matter(winner, gates),
            *_other_preferences(winner, able, policy, evidence, weighed),
        ],
    }
    if weighed is not None:
        decision["scores"] = {model: weighed.total(model) for model in gates}
    return decision, gates


def preferred(policy: Policy, evidence: Evidence) -> str:
    """Return what decides where weights do not."""
    return policy.preferred(task_of(evidence.evaluation))


def refusal(gates: Gates, facts: Mapping[str, Any]) -> GateError:
    """Return the error of a decision that releases nothing: every gate, and its facts."""
    every = [gate for of_model in gates.values() for gate in of_model]
    failed = sum(not gate.passed for gate in every)
    bad = worst(every)
    return GateError(
        f"no model passes: {sentence(bad)} (the worst of {failed} failed gates)",
        remedy="improve the model or its data; a gate is changed in the policy, by review",
        gates=[gate.to_dict() for gate in every],
        facts=facts,
        expected=f"{bad.metric} {bad.operator} {bad.threshold:g}",
        actual=bad.value,
    )


def _winner(
    able: Sequence[str], policy: Policy, evidence: Evidence, weighed: Matrix | None
) -> tuple[str | None, Sequence[str]]:
    if not able:
        return None, ["No model passes, so nothing is released."]
    if len(able) == 1:
        if len(evidence.candidates) == 1:
            return able[0], [f"{able[0]} is the only model, so it is the candidate."]
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
    speed = {model: evidence.forms(model)[SERVED] for model in evidence.candidates}
    latency = {model: evidence.latency(model) for model in evidence.candidates}
    better = by_latency(evidence).better
    rows.append({"name": "one_row_ms", **latency, "better": better} | _measured("one_row_ms/p50"))
    for name in ("rows_per_second", "size_bytes"):
        values = {model: speed[model][name] for model in evidence.candidates}
        better = _best(values, name == "rows_per_second")
        rows.append({"name": name, **values, "better": better} | _measured(name))
    if taken := evidence.training_seconds():
        place = {"artifact": "{model}_training", "file": "training.json"}
        source = {"source": place | {"path": evidence.training_clock}}
        rows.append({"name": TRAINING_SECONDS, **taken, "better": cheaper(taken)} | source)
    counts = {model: len(evidence.forms(model)) for model in evidence.candidates}
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
    values = {model: evidence.overall(model, name) for model in evidence.candidates}
    source = _source("evaluation", f"models/{{model}}/slices/overall/{name}/value")
    return {"name": name, **values, "better": better, "source": source}


def _closer(name: str, evidence: Evidence) -> str | None:
    """Return the better one by value where the intervals do not overlap."""
    models = evidence.evaluation["models"]
    found = {m: models[m]["slices"]["overall"][name] for m in evidence.candidates}
    if max(v["lower"] for v in found.values()) <= min(v["upper"] for v in found.values()):
        return None
    return _best({model: value["value"] for model, value in found.items()}, name in MORE_IS_BETTER)


def _best(values: Mapping[str, float], more_is_better: bool) -> str | None:
    if len(set(values.values())) == 1:
        return None
    pick = max if more_is_better else min
    return pick(values, key=lambda model: values[model])


def _gates_that_matter(winner: str | None, gates: Gates) -> list[str]:
    """Say which gate the winner is nearest to fail, and what a model that fails would need."""
    said = [_nearest(winner, gates[winner])] if winner else []
    for model in gates:
        needed = [_needed(gate) for gate in gates[model] if not gate.passed]
        if needed:
            said.append(f"{model} could be released if {', and '.join(needed)}.")
    return said


def _other_preferences(
    winner: str | None,
    able: Sequence[str],
    policy: Policy,
    evidence: Evidence,
    weighed: Matrix | None,
) -> list[str]:
    """Say which other weight, or where none decided which preference, makes the other one win."""
    if len(able) < 2:
        return []
    loser = next(model for model in able if model != winner)
    if winner and weighed and weighed.best():
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
