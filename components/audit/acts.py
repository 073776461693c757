"""Acts: what people did to registered versions, as records of the log name it.

    approve_model      a person's signed approval was handed in
    promote_model      the alias `champion` goes to a version
    roll_back_model    the alias goes back to the champion before
    archive_model      a version is out of use; a promotion takes it back in
    withdraw_model     a version must not be used again

Rules: an act is an event of its own (ACT) in the run that registered the version: no START opens
it and it has no outputs; its inputs, which are its subjects, are the evaluation, the bundle and the
registration, each with the record that made it, so that the notary finds its parents as it finds
any stage's. Here is what an act and a registration say; whether an act may be is for standing.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from components.audit.answers import ACT, AUDIT
from components.audit.plain_draft import plain_draft
from components.audit.predicates import released_versions
from components.core.errors import IntegrityError
from components.core.stage_names import REGISTERING

PROMOTE, ROLL_BACK = "promote_model", "roll_back_model"
ARCHIVE, WITHDRAW = "archive_model", "withdraw_model"
DONE_TO_IT: Mapping[str, str] = {
    PROMOTE: "promoted",
    ROLL_BACK: "rolled back to",
    ARCHIVE: "archived",
    WITHDRAW: "withdrawn",
}
"""What an act did to a version, for people."""
EVALUATION, BUNDLE, REGISTRATION = "evaluation", "bundle", "registration"
DEFAULT_REQUIRED: Mapping[str, int] = {"review": 0, "approval": 1}
"""What is asked for where the registration's settings are older than the question."""

Statement = Mapping[str, Any]
Reader = Callable[[str], Statement]
"""Gives a record's statement by its digest; raises IntegrityError where there is none."""


@dataclass(frozen=True)
class Made:
    """An artifact by its digest, and the record of who made it."""

    sha256: str
    record: str


@dataclass(frozen=True)
class Act:
    """One act; `said` are the fields of its predicate, which its schema closes."""

    record: str
    kind: str
    run: str
    actor: str | None
    model: str
    version: str
    time: datetime
    inputs: Mapping[str, Made]
    said: Mapping[str, Any]

    @classmethod
    def from_statement(cls, statement: Statement, record: str) -> Act:
        """Return the act of a statement that its schema accepts."""
        predicate = statement["predicate"]
        audit = predicate[AUDIT]
        return cls(
            record=record,
            kind=audit["stage"],
            run=audit["run"]["id"],
            actor=audit["actor"]["id"],
            model=predicate["model"],
            version=predicate["version"],
            time=datetime.fromisoformat(audit["clocks"]["notary"]),
            inputs=_inputs(audit),
            said=predicate,
        )


@dataclass(frozen=True)
class Registered:
    """A version as the record of its registration tells it.

    `decided` is when the decision to release it was recorded; `required` is what the settings of
    its run ask for before it may be the champion, by meaning.
    """

    model: str
    version: str
    run: str
    framework: str
    submitter: str | None
    inputs: Mapping[str, Made]
    trained: str
    decided: datetime
    required: Mapping[str, int]

    def draft(self, kind: str, actor: str, facts: Mapping[str, Any], now: str) -> dict[str, Any]:
        """Return the draft of an act on this version."""
        inputs = [
            {"name": name, "sha256": made.sha256, "record": made.record}
            for name, made in self.inputs.items()
        ]
        run = {"id": self.run, "actor": actor, "trigger": "manual"}
        said = {"model": self.model, "version": self.version, **facts}
        return plain_draft(ACT, kind, run, now=now, inputs=inputs, facts=said)


def registered(read: Reader, registration: str, model: str, version: str) -> Registered:
    """Return what the record of a registration says of a version of a model.

    Raises IntegrityError where it registered no such version, or does not say what of.
    """
    statement = read(registration)
    audit = statement["predicate"][AUDIT]
    framework = _framework(audit, model, version)
    if framework is None:
        raise IntegrityError(
            f"record {registration[:12]} registered no version {version} of {model}",
            remedy="run `tandem audit verify`",
        )
    try:
        inputs = _inputs(audit)
        subjects = {item["name"]: item["digest"]["sha256"] for item in statement["subject"]}
        bundle, decision = inputs[f"{framework}_model"], inputs["decision"]
        named = {
            EVALUATION: inputs[EVALUATION],
            BUNDLE: bundle,
            REGISTRATION: Made(subjects[REGISTRATION], registration),
        }
    except KeyError as error:
        raise IntegrityError(
            f"the registration of version {version} of {model} names no {error.args[0]}",
            remedy="run `tandem audit verify`",
        ) from error
    decided = read(decision.record)["predicate"][AUDIT]["clocks"]["notary"]
    return Registered(
        model=model,
        version=version,
        run=audit["run"]["id"],
        framework=framework,
        submitter=audit["actor"]["id"],
        inputs=named,
        trained=bundle.record,
        decided=datetime.fromisoformat(decided),
        required=_required(audit["settings"]),
    )


def _required(settings: Mapping[str, Any]) -> Mapping[str, int]:
    """Return what a registration's settings, which no schema closes, ask a promotion for."""
    registry = settings.get("registry", {})
    required = registry.get("approvals", DEFAULT_REQUIRED) if isinstance(registry, dict) else None
    if (
        not isinstance(required, Mapping)
        or required.keys() != DEFAULT_REQUIRED.keys()
        or not all(type(number) is int and number >= 0 for number in required.values())
    ):
        raise IntegrityError(
            "the registration does not say which approvals it asks for",
            remedy="run `tandem audit verify`",
        )
    return required


def _framework(audit: Mapping[str, Any], model: str, version: str) -> str | None:
    """Return the framework of the version that a registration names, None where it names none."""
    facts = audit["facts"]
    if audit["stage"] != REGISTERING or facts.get("model_name") != model:
        return None
    for release in released_versions(facts).values():
        if str(release.get("version")) == version:
            return str(release.get("framework"))
    return None


def _inputs(audit: Mapping[str, Any]) -> dict[str, Made]:
    return {item["name"]: Made(item["sha256"], item["record"]) for item in audit["inputs"]}
