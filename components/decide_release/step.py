"""decide_release: apply the policy to the evaluation, and explain.

The only place where a model passes or fails. Where none passes the decision says no and why, and
lies in the stage's folder for people; the stage fails with every gate and the decision's digest in
its record, so that no later stage ever gets a decision that says no.
"""

from __future__ import annotations

import itertools
from pathlib import Path

from components.core.artifacts import read_json, tree_digest, write_json
from components.core.candidates import TRAINED
from components.core.measures import task_of
from components.core.outcome import Outcome
from components.core.policy import Policy
from components.core.settings import Governance, Section
from components.decide_release.choice import Evidence
from components.decide_release.decision import decide, refusal
from components.decide_release.tfma_validation import write_validation


class DecideSettings(Section):
    """What decide_release depends on, and what the organisation says of the model."""

    policy: Policy
    governance: Governance = Governance()


def decide_release(
    *,
    settings: DecideSettings,
    evaluation: Path,
    measurements: Path,
    decision: Path,
    pytorch_training: Path | None = None,
    tensorflow_training: Path | None = None,
) -> Outcome:
    """Write decision.json; raise GateError, once it is written, where no candidate passes.

    The decision names the evaluation that it was made from, and the bundles, by digest. Beside it
    each model's gates are TFMA's validation result, in a folder of the model's name.
    """
    places = zip(TRAINED, (pytorch_training, tensorflow_training), strict=True)
    evidence = Evidence(
        read_json(evaluation / "evaluation.json"),
        read_json(measurements / "measurements.json"),
        {model: read_json(place / "training.json") for model, place in places if place},
    )
    decided, gates = decide(settings.policy, evidence)
    models = evidence.evaluation["models"]
    decided["evaluation_sha256"] = tree_digest(evaluation)
    decided["bundles"] = {model: models[model]["bundle_sha256"] for model in gates}
    write_json(decision / "decision.json", decided)
    for model in gates:
        write_validation(decision / model, model, gates[model], task_of(evidence.evaluation))
    facts = {key: decided[key] for key in ("go", "winner", "challenger", "prefer", "reasons")}
    if not decided["go"]:
        raise refusal(gates, facts | {"decision_sha256": tree_digest(decision)})
    return Outcome(facts=facts, gates=tuple(itertools.chain(*gates.values())))
