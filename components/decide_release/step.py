"""decide_release: apply the policy to the evaluation, and explain.

The only place where a model passes or fails. Where none passes it raises GateError with every gate,
so that the record of the failure holds them all; there is no decision that says no.
"""

from __future__ import annotations

from pathlib import Path

from components.core.artifacts import read_json, tree_digest, write_json
from components.core.measures import task_of
from components.core.outcome import Outcome
from components.core.policy import Policy
from components.core.settings import Section
from components.decide_release.choice import Evidence
from components.decide_release.decision import decide
from components.decide_release.gates import CANDIDATES
from components.decide_release.tfma_validation import write_validation


class DecideSettings(Section):
    """What decide_release depends on."""

    policy: Policy


def decide_release(
    *, settings: DecideSettings, evaluation: Path, measurements: Path, decision: Path
) -> Outcome:
    """Write decision.json; raise GateError where no candidate passes every gate.

    The decision names the evaluation that it was made from, and the bundles, by digest. Beside it
    each model's gates are TFMA's validation result, in a folder of the model's name.
    """
    evidence = Evidence(
        read_json(evaluation / "evaluation.json"), read_json(measurements / "measurements.json")
    )
    decided, gates = decide(settings.policy, evidence)
    models = evidence.evaluation["models"]
    decided["evaluation_sha256"] = tree_digest(evaluation)
    decided["bundles"] = {model: models[model]["bundle_sha256"] for model in CANDIDATES}
    write_json(decision / "decision.json", decided)
    for model in CANDIDATES:
        write_validation(decision / model, model, gates[model], task_of(evidence.evaluation))
    return Outcome(
        facts={key: decided[key] for key in ("go", "winner", "challenger", "prefer", "reasons")},
        gates=tuple(gate for model in CANDIDATES for gate in gates[model]),
    )
