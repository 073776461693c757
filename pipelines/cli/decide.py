"""`tandem decide`: another policy on what a run measured, without training again.

Rules: evaluation and measurements are read only where their bytes are those of the log's records;
the policy is held against what the run's settings measured before it is applied; nothing is written
and nothing is registered, so what is printed here is no decision of the run. Exit codes: 0 go, 3
no-go, 2 for a policy that cannot be applied, 4 for changed artifacts, 5 where there is no log.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from components.core.artifacts import read_json
from components.core.candidates import IMPORTED, TRAINED
from components.core.canonical import sha256_value
from components.core.errors import GateError, SettingsError
from components.core.measures import task_of
from components.core.outcome import Gate
from components.core.policy import Policy
from components.core.settings import FormName
from components.decide_release.choice import Evidence
from components.decide_release.decision import decide as decide_by
from components.decide_release.form_gates import PROVEN
from components.decide_release.gates import sentence, title
from pipelines.cli.output import print_json
from pipelines.home import Home
from pipelines.loaded_settings import load_policy
from pipelines.recorded import DECIDED, RecordedArtifacts
from pipelines.runs import RecordedRun, find_ended
from pipelines.start import SETTINGS_FILE

EVALUATED, MEASURED = "evaluate-models", "measure-models"


@dataclass(frozen=True)
class Trial:
    """What another policy comes to; `decision` is as in decision.json, without the digests."""

    decision: Mapping[str, Any]
    gates: Mapping[str, tuple[Gate, ...]]

    @property
    def go(self) -> bool:
        """Say whether a model would be released."""
        return bool(self.decision["go"])


def decide(arguments: Namespace) -> int:
    """Apply the policy, print what it comes to and what differs from the run's own decision."""
    home = Home.at(arguments.home)
    run = find_ended(home, arguments.run)
    artifacts = RecordedArtifacts.of(run, home)
    evidence = Evidence(
        artifacts.document(EVALUATED, "evaluation"),
        artifacts.document(MEASURED, "measurements"),
        dict(_trainings(artifacts)),
    )
    policy = _policy(Path(arguments.policy), run, evidence)
    trial = Trial(*decide_by(policy, evidence))
    own = artifacts.decision()
    changes = list(_changes(trial, own, run))
    if arguments.json:
        print_json(
            {
                "run": run.id,
                "policy": {"file": arguments.policy, "sha256": _sha256(policy)},
                "decision": trial.decision,
                "run_decision": own,
                "changes": changes,
            }
        )
    else:
        _print(trial, run, changes)
    return 0 if trial.go else GateError.exit_code


def _sha256(policy: Policy) -> str:
    """Return the digest under which the audit records name the policy."""
    return sha256_value(policy.model_dump(mode="json"))


def _policy(path: Path, run: RecordedRun, evidence: Evidence) -> Policy:
    """Read the policy; SettingsError for what it names and the run's settings did not measure."""
    policy = load_policy(path)
    settings = read_json(run.folder / SETTINGS_FILE)
    target = task_of(evidence.evaluation), evidence.evaluation.get("classes", ())
    for problem in policy.problems(
        settings.get("evaluate", {}), _forms(settings, evidence), *target
    ):
        raise SettingsError(f"run {run.id}: {problem}", remedy=f"correct it in {path}")
    return policy


def _forms(settings: Mapping[str, Any], evidence: Evidence) -> Sequence[str]:
    """Return the forms that a policy may name: of an imported model all, for its gates to judge."""
    if IMPORTED in evidence.candidates:
        return get_args(FormName)
    exported: Sequence[str] = settings.get("train", {}).get("forms", ())
    return exported


def _trainings(artifacts: RecordedArtifacts) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield what each training took, where the run recorded it."""
    for model in TRAINED:
        task, name = f"train-{model}", f"{model}_training"
        result = artifacts.run.tasks.get(task)
        if result is not None and name in result.outputs:
            yield model, artifacts.document(task, name, "training.json")


def _changes(trial: Trial, own: Mapping[str, Any] | None, run: RecordedRun) -> Iterator[str]:
    """Yield what differs from the run's own decision, in sentences: the models, then gates."""
    if own is None:
        yield from _against_none(trial, run)
        return
    for role, name in (("winner", "candidate"), ("challenger", "challenger")):
        before, now = own.get(role), trial.decision[role]
        if before != now:
            yield f"the {name} would be {now or 'none'}; the run's is {before or 'none'}"
    yield from _changed_gates(_every(own["gates"]), _every(trial.decision["gates"]))


def _every(gates: Mapping[str, Any]) -> dict[tuple[str, str, str], Any]:
    """Return every gate, as it stands in a decision, by what it is on and which way it points."""
    found = [gate for of_model in gates.values() for gate in of_model]
    return {(gate["name"], gate["slice"], gate["operator"][0]): gate for gate in found}


def _changed_gates(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> Iterator[str]:
    """Yield the gates that are new, that ask for or say something else, and that are gone."""
    for key, gate in after.items():
        if key not in before:
            yield f"new gate: {_title(gate)} {_verdict(gate)}"
        elif (was := _verdict(before[key])) != _verdict(gate):
            yield f"{_title(gate)}: {was} in the run, {_verdict(gate)} now"
    for key, gate in before.items():
        if key not in after:
            yield f"no longer a gate: {_title(gate)} {_verdict(gate)} in the run"


def _title(gate: Mapping[str, Any]) -> str:
    """Return a gate's name, with its slice where it is on a metric, as sentences have it."""
    if gate["metric"] == PROVEN:
        return f"{gate['name']} (a required form)"
    return f"{gate['name']} ({gate['slice']})" if "n" in gate else str(gate["name"])


def _against_none(trial: Trial, run: RecordedRun) -> Iterator[str]:
    error = run.tasks[DECIDED].error if DECIDED in run.tasks else None
    why = error["message"] if error else "it did not get that far"
    if trial.go:
        yield f"the candidate would be {trial.decision['winner']}; the run released none: {why}"


def _verdict(gate: Mapping[str, Any]) -> str:
    verdict = "passes" if gate["passed"] else "does not pass"
    return f"{gate['operator']} {gate['threshold']:g} {verdict}"


def _print(trial: Trial, run: RecordedRun, changes: list[str]) -> None:
    winner = trial.decision["winner"]
    print(f"decision: {f'release {winner}' if winner else 'release nothing'}")
    for reason in trial.decision["reasons"]:
        print(f"  {reason}")
    print("gates:")
    for gates in trial.gates.values():
        for gate in gates:
            print(f"  {_gate_line(gate)}")
    for line in trial.decision.get("would_change", ()):
        print(f"would change it: {line}")
    print(f"compared with run {run.id}:")
    for change in changes or ["nothing differs"]:
        print(f"  {change}")
    print("tried only: nothing was written or registered")


def _gate_line(gate: Gate) -> str:
    if not gate.passed:
        return f"FAIL  {sentence(gate)}"
    asked = f"is {gate.value:.4g}, {gate.operator} {gate.threshold:g}"
    if gate.metric == PROVEN:
        asked = "is there and proven"
    return f"pass  {title(gate)} {asked}"
