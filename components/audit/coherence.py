"""What a record says in two places: both must say the same.

Why: whoever changes one copy and signs anew, with the log's key, has made a record that contradicts
itself, which an auditor sees without any other copy of the log.

Rules: the standard fields of in-toto and SLSA are filled from the `tandem_audit` block
(predicates.py), so they are filled again and compared; so are the subjects, the digest of the
settings, the parents, and what a record shares with the START that it closes. The fields of an act
and of a change of keys stand once, and are judged elsewhere (standing.py, key_history.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.audit.answers import ACT, AUDIT, KEY, RecordView
from components.audit.predicates import Moment, policy_sha256, predicate
from components.audit.records import observed, subjects
from components.core.canonical import sha256_parsed

Statement = Mapping[str, Any]
_SHARED = {
    "COMPLETE": ("inputs", "settings_sha256", "code_sha256"),
    "ABORT": ("inputs", "settings_sha256"),
    "FAIL": ("inputs",),
}
"""What a closing record has as its START has it. A FAIL may come before settings are known."""


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
        parts = {name: audit[name] for name in _SHARED["COMPLETE"]}
        return cls(_attempt(audit), audit["clocks"]["notary"], parts)

    def differences(self, closing: Mapping[str, Any]) -> Iterator[str]:
        """Yield the fields of what closes the attempt, a draft say, that are not the START's."""
        if _attempt(closing) != self.attempt:
            yield "attempt"
        for name in _SHARED.get(closing["event"], ()):
            if closing[name] != self.parts[name]:
                yield name


def _attempt(said: Mapping[str, Any]) -> tuple[str, str, int]:
    return said["run"]["id"], said["stage"], said["attempt"]


def contradictions(view: RecordView, statement: Statement) -> list[str]:
    """Return, in words, what a record that its schema accepts says in two ways."""
    return list(_contradictions(statement, view))


def _contradictions(statement: Statement, view: RecordView) -> Iterator[str]:
    audit = statement["predicate"][AUDIT]
    if audit["settings_sha256"] != sha256_parsed(audit["settings"]):
        yield "settings_sha256 is not the digest of its settings"
    if not _is_named(audit):
        yield "its record_id is not of its run, stage, attempt and event"
    if audit["observed"] != observed(audit["outputs"], "account" in audit["actor"]):
        yield "observed does not name its outputs"
    if list(view.parents) != _parents(audit, view):
        yield "its parents are not the records of its inputs"
    if audit["event"] != KEY and statement["subject"] != subjects(_with_digests(audit, view)):
        yield "its subjects are not what it made, or is about"
    if audit["event"] not in (ACT, KEY):
        yield from _other_fields(statement)


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
    name, _, number = audit["record_id"].partition("~")
    return name == f"{run}/{stage}/{attempt}/{audit['event']}" and (
        not number or (number.isdigit() and int(number) > 1)
    )


def _parents(audit: Mapping[str, Any], view: RecordView) -> list[str]:
    """Return the records that fed it, each once; of a FAIL those of them that are its parents."""
    found = [item["record"] for item in audit["inputs"]]
    if audit["event"] == "CACHED":
        found += origins(audit).values()
    if audit["event"] == "FAIL":
        found = [record for record in found if record in view.parents]
    return list(dict.fromkeys(found))


def origins(audit: Mapping[str, Any]) -> dict[str, str]:
    """Return, for each output of a CACHED, the record that made it as its facts name it."""
    stated = audit["facts"].get("origin")
    origin = stated if isinstance(stated, Mapping) else {}
    return {name: str(origin.get(name, "")) for name in audit["outputs"]}


def _with_digests(audit: Mapping[str, Any], view: RecordView) -> dict[str, Any]:
    outputs = [{"name": name, "sha256": view.outputs[name]} for name in audit["outputs"]]
    return {**audit, "outputs": outputs}


def _other_fields(statement: Statement) -> Iterator[str]:
    """Yield the standard fields that do not say what the block says."""
    said = statement["predicate"]
    audit = said[AUDIT]
    if audit["policy_sha256"] != policy_sha256(audit):
        yield "policy_sha256 is not the digest of its policy"
    started = said.get("runDetails", {}).get("metadata", {}).get("startedOn")
    moment = Moment(audit["clocks"]["notary"], started, "account" in audit["actor"])
    kind, fields = predicate(audit, moment)
    if statement["predicateType"] != kind:
        yield f"its predicate is not {kind}"
    elif {**fields, AUDIT: audit} != said:
        names = sorted({*fields, *said} - {AUDIT})
        other = [name for name in names if fields.get(name) != said.get(name)]
        yield f"{', '.join(other)} and its audit block do not say the same"
