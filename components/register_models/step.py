"""register_models: put the winner and the challenger into MLflow's registry, or nothing.

Fails closed: without proven records of every ancestor, with a gate among them that failed unwaived,
without a decision that says go, or with bytes other than those that were evaluated, MLflow is not
even opened; nothing is pushed under a number that the log registered for another run, and what was
pushed is gone again where its record is refused. Never cached; a second call within a run completes
what the first one left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from components.audit.answers import DONE_EVENTS, Registration
from components.audit.client import connect
from components.core.artifacts import read_json, write_json, write_text
from components.core.bundle import Bundle
from components.core.candidates import CANDIDATES, TRAINED
from components.core.errors import IntegrityError
from components.core.measures import measures_of
from components.core.outcome import Outcome
from components.core.settings import Registry, Section
from components.core.stage_names import REGISTERING
from components.register_models.dossier import CARD, Dossier
from components.register_models.entry import Entry
from components.register_models.evidence import (
    Proven,
    input_digests,
    proven_records,
    require_passed,
    roles,
)
from components.register_models.registry import (
    CANDIDATE,
    CHALLENGER,
    ModelRegistry,
    RunLog,
    Version,
)
from components.register_models.store import BUNDLE_TAG, RECORD_TAG, RUN_TAG, opened_store
from components.register_models.training_log import training_log

DESCRIBED = ("name", "trigger", "ir_sha256", "settings_sha256")


class RegisterSettings(Section):
    """What register_models depends on, and the run that it registers for."""

    run: dict[str, Any]
    registry: Registry


def register_models(
    *,
    settings: RegisterSettings,
    evaluation: Path,
    decision: Path,
    registration: Path,
    pytorch_model: Path | None = None,
    tensorflow_model: Path | None = None,
    imported_model: Path | None = None,
) -> Outcome:
    """Register what the decision names; its aliases are set once that is recorded.

    Raises UnverifiableError, IntegrityError or GateError where it must not, PlatformError where
    MLflow does not answer.
    """
    folders = (pytorch_model, tensorflow_model, imported_model)
    given = zip(CANDIDATES, folders, strict=True)
    models = {f"{name}_model": folder for name, folder in given if folder}
    inputs = {**models, "evaluation": evaluation, "decision": decision}
    digests = input_digests(inputs)
    run = str(settings.run["id"])
    proven = proven_records(connect(), run, digests)
    measured = read_json(evaluation / "evaluation.json")
    decided = read_json(decision / "decision.json")
    named = roles(decided, measured, digests)
    require_passed(proven, named.values())
    name = settings.registry.model_name
    dossier = Dossier(name, settings.run, proven, digests, inputs, measured, decided)
    entries = {role: dossier.entry(role, _bundle(models, named[role])) for role in named}
    with _opened(settings) as registry:
        log = _run_log(settings.run, entries, measured, proven)
        run_id, versions = registry.register(log, entries, _registered(name))
        before = _superseded(run, registry)

    aliases = _aliases(versions, len(models))

    def publish() -> None:
        with _opened(settings) as registry:
            registry.publish(run_id, aliases)

    def take_back() -> None:
        numbers = [version.number for version in versions.values()]
        with _opened(settings) as registry:
            registry.take_back(run, numbers, _registered(name))

    outcome = _outcome(registration, name, run_id, versions, entries)
    facts = {**outcome.facts, "aliases": aliases, "supersedes": before}
    return replace(outcome, facts=facts, publish=publish, take_back=take_back)


@contextmanager
def _opened(settings: RegisterSettings) -> Iterator[ModelRegistry]:
    """Yield the registry of the run's model."""
    go_on = f"resume the run (tandem run --resume {settings.run['id']})"
    with opened_store(go_on=go_on) as client:
        yield ModelRegistry(client, settings.registry.model_name, settings.registry.experiment)


def _registered(model: str) -> dict[str, Registration]:
    """Return the versions of a model that the log has registered; {} without a notary."""
    notary = connect()
    return notary.registered(model) if notary else {}


def _superseded(run_id: str, registry: ModelRegistry) -> str | None:
    """Return the candidate that the run's own takes the place of.

    Once a registration is recorded, its aliases may have moved: then its record says it.
    """
    notary = connect()
    for view in notary.records(run_id) if notary else ():
        if view.stage == REGISTERING and view.event in DONE_EVENTS:
            before = view.facts.get("supersedes")
            return None if before is None else str(before)
    return registry.pointed(CANDIDATE)


def _aliases(versions: Mapping[str, Version], candidates: int) -> dict[str, str | None]:
    """Return the version that each alias is to name; None is no version.

    A run of one candidate has no other, and leaves the challenger of the run before where it is.
    """
    moved: dict[str, str | None] = {CHALLENGER: None} if candidates > 1 else {}
    return moved | {role: version.number for role, version in versions.items()}


def _bundle(models: Mapping[str, Path], framework: str) -> Bundle:
    """Open a bundle that is registered; IntegrityError where it is another framework's."""
    port = f"{framework}_model"
    bundle = Bundle.open(models[port])
    if bundle.contract.framework != framework:
        raise IntegrityError(
            f"{port} holds a {bundle.contract.framework} bundle",
            remedy="find out who exchanged the models, then start a new run",
        )
    return bundle


def _run_log(
    run: Mapping[str, Any],
    entries: Mapping[str, Entry],
    measured: Mapping[str, Any],
    proven: Proven,
) -> RunLog:
    """Return what MLflow's run shows: identity, digests, and the overall metrics of both models.

    Below it is a run of each trainer, where there is one.
    """
    code = run.get("code") or {}
    params = {name: str(run[name]) for name in DESCRIBED if run.get(name)}
    params |= {"code_commit": str(code.get("commit")), "code_dirty": str(code.get("dirty"))}
    metrics = {
        f"{model}/{name}": part["slices"]["overall"][name]["value"]
        for model, part in measured["models"].items()
        for name in measures_of(measured).metrics
        if part["slices"]["overall"].get(name)
    }
    tags = {RUN_TAG: str(run["id"])}
    for role, entry in entries.items():
        tags |= {
            f"tandem.{role}": entry.framework,
            f"{BUNDLE_TAG}.{entry.framework}": entry.sha256,
            f"{RECORD_TAG}.{entry.framework}": entry.record,
        }
    trained = (name for name in TRAINED if f"{name}_model" in proven.inputs)
    trainings = (training_log(name, proven.work(f"{name}_model")) for name in trained)
    return RunLog(str(run["id"]), params, metrics, tags, tuple(trainings))


def _outcome(
    registration: Path,
    model_name: str,
    mlflow_run_id: str,
    versions: Mapping[str, Version],
    entries: Mapping[str, Entry],
) -> Outcome:
    """Write registration.json and the model cards, and return the facts."""
    found = {
        role: {
            "framework": entry.framework,
            "version": versions[role].number,
            "bundle_sha256": entry.sha256,
            "model_sha256": versions[role].model_sha256,
        }
        for role, entry in entries.items()
    }
    for entry in entries.values():
        write_text(registration / f"model_card_{entry.framework}.md", str(entry.attached[CARD]))
    write_json(
        registration / "registration.json",
        {
            "version": 1,
            "model_name": model_name,
            "mlflow_run_id": mlflow_run_id,
            "candidate": found["candidate"],
            "challenger": found.get("challenger"),
        },
    )
    return Outcome(facts={"model_name": model_name, "versions": found})
