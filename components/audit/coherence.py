"""What a record says in two places: both must say the same.

Why: whoever changes one copy and signs anew, with the log's key, has made a record that contradicts
itself, which an auditor sees without any other copy of the log.

Rules: the standard fields of in-toto and SLSA are filled from the `tandem_audit` block
(predicates.py), so they are filled again and compared; so are the subjects, the digests of the
settings and of the whole draft, the parents, what a gate's numbers say, and what a record shares
with the START that it closes. The fields of an act and of a change of keys stand once, and are
judged elsewhere (standing.py, key_history.py); what an imported execution says, in imported.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.audit.answers import ACT, AUDIT, DONE_EVENTS, IMPORTED, KEY, RecordView
from components.audit.imported import contradictions_of
from components.audit.parents import named_origins, origins
from components.audit.predicates import (
    SECOND_KEY,
    SECOND_KEY_CHANGE,
    Moment,
    policy_sha256,
    predicate,
    released_versions,
)
from components.audit.records import idempotency_key, observed, subjects
from components.core.canonical import Parsed, is_same
from components.core.outcome import meets
from components.core.stage_names import REGISTERING

Statement = Mapping[str, Any]
Digest = Callable[[Any], str]
_ALWAYS = ("run", "actor", "trigger", "inputs")
_SHARED = {
    "COMPLETE": (*_ALWAYS, "settings_sha256", "code_sha256", "environment", "cache_key"),
    "ABORT": (*_ALWAYS, "settings_sha256"),
    "FAIL": _ALWAYS,
}
"""What a closing record has as its START has it. A FAIL may come before settings are known."""
_DRAFT = (
    *("event", "stage", "attempt", "inputs", "settings", "settings_sha256", "code_sha256"),
    *("environment", "cache_key", "facts", "gates", "cause", "resources"),
)
_NEXT_NUMBER = re.compile(r"[2-9]|[1-9][0-9]{1,8}")
_STAGE_OF_KEYS = {"rotate": "rotate_key", "revoke": "revoke_key"}


@dataclass(frozen=True)
class Begun:
    """What a START said of the attempt that a later record closes."""

    attempt: tuple[str, str, int]
    time: str
    parts: Mapping[str, Any]

    @classmethod
    def of(cls, statement: Statement) -> Begun:
        """Return that of a START's statement."""
        audit = statement["predicate"][AUDIT]
        parts = {name: _said(audit)[name] for name in _SHARED["COMPLETE"]}
        return cls(_attempt(audit), audit["clocks"]["notary"], parts)

    def differences(self, audit: Mapping[str, Any]) -> Iterator[str]:
        """Yield what the block of a record that closes the attempt has other than the START."""
        if _attempt(audit) != self.attempt:
            yield "attempt"
        said = _said(audit)
        for name in _SHARED.get(audit["event"], ()):
            if said[name] != self.parts[name]:
                yield name

    def contradicted_by(self, draft: Mapping[str, Any]) -> Iterator[str]:
        """Yield the same of a draft, in whose run actor and trigger stand."""
        run = dict(draft["run"])
        actor, trigger = run.pop("actor", None), run.pop("trigger", None)
        yield from self.differences(
            {**draft, "run": run, "actor": {"id": actor}, "trigger": trigger}
        )


def _said(audit: Mapping[str, Any]) -> dict[str, Any]:
    """Return a block with the actor by itself: whose process it was may differ, an ABORT's say."""
    return {**audit, "actor": audit["actor"]["id"]}


def _attempt(said: Mapping[str, Any]) -> tuple[str, str, int]:
    return said["run"]["id"], said["stage"], said["attempt"]


def contradictions(view: RecordView, payload: Parsed) -> list[str]:
    """Return, in words, what a record that its schema accepts says in two ways."""
    return list(_contradictions(view, payload.value, payload.digest))


def _contradictions(view: RecordView, statement: Statement, digest: Digest) -> Iterator[str]:
    audit = statement["predicate"][AUDIT]
    draft = _draft(audit, view)
    yield from _of_digests(audit, draft, digest)
    if not _is_named(audit):
        yield "its record_id is not of its run, stage, attempt and event"
    if audit["observed"] != observed(audit["outputs"], "account" in audit["actor"]):
        yield "observed does not name its outputs"
    if view.event == "CACHED" and set(named_origins(view.facts)) != set(view.outputs):
        yield "its origin does not name its outputs"
    if view.event != "FAIL" and list(view.parents) != _parents(audit):
        yield "its parents are not the records of its inputs"
    for gate in view.gates:
        if gate["passed"] != _holds(gate):
            yield f"its gate {gate['name']} says otherwise than its numbers"
    if statement["subject"] != subjects(draft, digest):
        yield "its subjects are not what it made, or is about"
    if view.stage == REGISTERING and view.event in DONE_EVENTS:
        yield from _of_versions(audit)
    if view.event == IMPORTED:
        yield from contradictions_of(draft, view.facts, list(view.outputs), digest)
    else:
        yield from _of_predicate(view, statement)


def _of_versions(audit: Mapping[str, Any]) -> Iterator[str]:
    """Yield the versions whose bundle is not the model that the registration was given."""
    given = {item["name"]: item["sha256"] for item in audit["inputs"]}
    named, released = audit["facts"].get("versions", {}), released_versions(audit["facts"])
    if named != released or not all(version.get("version") for version in released.values()):
        yield "its versions are not each an object with a version"
    for role, version in released.items():
        if version.get("bundle_sha256") != given.get(f"{version.get('framework')}_model"):
            yield f"the bundle of its {role} is none of its inputs"


def _of_predicate(view: RecordView, statement: Statement) -> Iterator[str]:
    if view.event == KEY:
        yield from _of_keys(statement, statement["predicate"][AUDIT])
    elif view.event != ACT:
        yield from _other_fields(statement)


def _of_digests(audit: Mapping[str, Any], draft: dict[str, Any], digest: Digest) -> Iterator[str]:
    if audit["settings_sha256"] != digest(audit["settings"]):
        yield "settings_sha256 is not the digest of its settings"
    if audit["policy_sha256"] != policy_sha256(audit, digest):
        yield "policy_sha256 is not the digest of its policy"
    if audit["idempotency_key"] not in _keys(draft, digest):
        yield "idempotency_key is not the digest of what it says"


def contradicted_start(statement: Statement, begun: Begun | None) -> Iterator[str]:
    """Yield, in words, how a record contradicts the START that it closes.

    `begun` is that START, None where the record names none, or none that is open.
    """
    audit = statement["predicate"][AUDIT]
    event, names_one = audit["event"], audit["start"] is not None
    if names_one and event not in _SHARED:
        yield f"a {event} closes no START"
    elif begun is not None:
        for name in begun.differences(audit):
            yield f"its {name} is not that of its START"
    elif names_one or event == "COMPLETE":
        yield "the START that it closes is not open"
    details = statement["predicate"].get("runDetails")
    if details and details["metadata"].get("startedOn") != (begun.time if begun else None):
        yield "startedOn is not the time of its START"


def _is_named(audit: Mapping[str, Any]) -> bool:
    run, stage, attempt = _attempt(audit)
    name, tilde, number = audit["record_id"].partition("~")
    return name == f"{run}/{stage}/{attempt}/{audit['event']}" and (
        not tilde or _NEXT_NUMBER.fullmatch(number) is not None
    )


def _parents(audit: Mapping[str, Any]) -> list[str]:
    """Return the records that fed what did not fail, each once."""
    found = [item["record"] for item in audit["inputs"]]
    if audit["event"] == "CACHED":
        found += origins(audit["facts"], audit["outputs"]).values()
    return list(dict.fromkeys(found))


def _draft(audit: Mapping[str, Any], view: RecordView) -> dict[str, Any]:
    """Return what was handed in; with an actor or trigger of null where none was named."""
    return {
        **{name: audit[name] for name in _DRAFT},
        "run": {**audit["run"], "actor": audit["actor"]["id"], "trigger": audit["trigger"]},
        "outputs": [{"name": name, "sha256": sha256} for name, sha256 in view.outputs.items()],
        "facts": view.facts,
        "claimed_time": audit["clocks"]["claimed"],
    }


def _keys(draft: dict[str, Any], digest: Digest) -> Iterator[str]:
    """Yield the digest of the draft; where actor or trigger is null, that of one without too."""
    yield idempotency_key(draft, digest)
    run = draft["run"]
    null = [name for name in ("actor", "trigger") if run[name] is None]
    for left_out in [*((name,) for name in null), *([null] if len(null) > 1 else [])]:
        said = {name: value for name, value in run.items() if name not in left_out}
        yield idempotency_key({**draft, "run": said}, digest)


def _holds(gate: Mapping[str, Any]) -> bool:
    """Say whether a gate's value meets its threshold; one without a value meets none."""
    value = gate["value"]
    return value is not None and meets(value, gate["operator"], gate["threshold"])


def _of_keys(statement: Statement, audit: Mapping[str, Any]) -> Iterator[str]:
    """Yield what of a change of keys does not go with the change."""
    said = statement["predicate"]
    change, is_second = said["change"], statement["predicateType"] == SECOND_KEY_CHANGE
    stage = f"{change}{SECOND_KEY}" if is_second else _STAGE_OF_KEYS.get(change)
    if audit["stage"] != stage:
        yield f"its stage is not {stage}"
    if ("from" in said and said["from"] is not None) != (change == "revoke"):
        yield "a revocation, and nothing else, says from where"
    if (said["possession"] is not None) != (change != "revoke"):
        yield "a new key, and nothing else, signs for itself"
    if is_second and (said["handover"] is not None) != (change == "rotate"):
        yield "a key before another, and nothing else, hands over"


def _other_fields(statement: Statement) -> Iterator[str]:
    """Yield the standard fields that do not say what the block says."""
    said = statement["predicate"]
    audit = said[AUDIT]
    started = said.get("runDetails", {}).get("metadata", {}).get("startedOn")
    moment = Moment(audit["clocks"]["notary"], started, "account" in audit["actor"])
    kind, fields = predicate(audit, moment)
    if statement["predicateType"] != kind:
        yield f"its predicate is not {kind}"
        return
    there = {name: value for name, value in said.items() if name != AUDIT}
    if not is_same(fields, there):
        names = sorted({*fields, *there})
        other = [name for name in names if not is_same(fields.get(name), there.get(name))]
        yield f"{', '.join(other)} and its audit block do not say the same"
