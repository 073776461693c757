"""A record: an in-toto Statement v1 made of a stage's draft and of what the notary establishes.

Rules: the subjects are the stage's outputs, each re-hashed by the notary; an event without outputs
has one subject, the attempt itself, whose digest anyone can compute from its name; an act is about
its inputs; everything that in-toto's predicates have no field for stands in the `tandem_audit`
block; what the notary saw for
itself is listed in `observed`, the rest is the stage's claim. Versions 1 and 2 are frozen by golden
files: a change of one byte is a new version, with a reader for the old ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from components.audit.answers import ACT, AUDIT, CLOSED_EVENTS, DONE_EVENTS, IMPORTED, KEY
from components.audit.claims import signable, without_paths
from components.audit.controls import controls_of, retain_until
from components.audit.imported import contradictions_of, import_key, subjects_of
from components.audit.personal_data import check_no_personal_data
from components.audit.predicates import (
    STATEMENT_TYPE,
    Moment,
    policy_sha256,
    predicate,
    released_versions,
)
from components.audit.schema import check_draft, check_statement
from components.core.canonical import sha256_bytes, sha256_value
from components.core.errors import DataError
from components.core.stage_names import REGISTERING

Digest = Callable[[Any], str]
SCHEMA_VERSION = 1
AUTHENTICATED_VERSION = 2
"""Of records that name an account that was authenticated; others are of version 1, as ever."""
ASSURANCE = "self-asserted"
"""Who acted is what the stage said."""
AUTHENTICATED = "authenticated"
"""Whose process it was the notary found out; which person started it is still the stage's claim."""


@dataclass(frozen=True)
class Stamp:
    """What the notary adds to a draft.

    `parents` are the records that fed the stage; `start` and `started` are the digest and time of
    the START that this record closes; `account` is who was authenticated, if anybody.
    """

    now: datetime
    record_id: str
    parents: tuple[str, ...]
    start: str | None = None
    started: str | None = None
    account: str | None = None


def accept(draft: Mapping[str, Any]) -> dict[str, Any]:
    """Return a draft as it can be signed.

    Raises DataError for one that breaks its schema, or whose text carries personal data.
    """
    value: dict[str, Any] = signable(draft)
    check_draft(value)
    check_no_personal_data(draft)  # whose numbers are still numbers, large ones too
    _check_settings_digest(draft, value)
    for field in ("facts", "cause"):
        if value["event"] != ACT:  # an act's facts hold bytes that a person signed
            value[field] = without_paths(value[field])
    if value["event"] == IMPORTED:
        _check_import(value)
    return value


def _check_import(draft: Mapping[str, Any]) -> None:
    outputs = [item["name"] for item in draft["outputs"]]
    for problem in contradictions_of(draft, draft["facts"], outputs):
        raise DataError(
            f"the draft of an imported execution contradicts itself: {problem}",
            remedy="import the store with `tandem lineage import-tfx`",
        )


def _check_settings_digest(draft: Mapping[str, Any], value: dict[str, Any]) -> None:
    """Hold the claimed digest to the settings; of those with a large number give the digest anew.

    Such a number is a text in the record, whose reader digests what the record has.
    """
    digest = sha256_value(value["settings"])
    if value["settings"] == draft["settings"] and digest != value["settings_sha256"]:
        raise DataError(
            f"settings_sha256 of {value['stage']} is not the digest of its settings",
            remedy="submit the settings that the stage had, with their digest",
            expected=digest,
            actual=str(value["settings_sha256"]),
        )
    value["settings_sha256"] = digest


def idempotency_key(draft: Mapping[str, Any], digest: Digest = sha256_value) -> str:
    """Return the same key for the same draft: a stage that asks again is told of its record.

    The claimed time is part of a draft, so a stage that runs again has records of its own; where
    the outputs lie is not. Of an imported execution it is another (imported.py).
    """
    if draft["event"] == IMPORTED:
        return import_key(draft["facts"], digest)
    outputs = [{"name": item["name"], "sha256": item["sha256"]} for item in draft["outputs"]]
    return digest({**draft, "outputs": outputs})


def statement(draft: Mapping[str, Any], stamp: Stamp) -> dict[str, Any]:
    """Return the statement of an accepted draft; raise DataError if it breaks its schema."""
    now = timestamp(stamp.now)
    kind, fields = predicate(draft, Moment(now, stamp.started, stamp.account is not None))
    value = {
        "_type": STATEMENT_TYPE,
        "subject": subjects(draft),
        "predicateType": kind,
        "predicate": fields | {AUDIT: _audit(draft, stamp)},
    }
    check_statement(value)
    return value


def timestamp(moment: datetime) -> str:
    """Return the moment as records write it: UTC, milliseconds, Z (RFC 3339)."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def attempt_subject(
    run: str, stage: str, attempt: int, digest: Digest = sha256_value
) -> dict[str, Any]:
    """Return the subject of an event that has no output: the attempt, by name and digest."""
    identity = {"run": run, "stage": stage, "attempt": attempt}
    return _subject(f"attempt/{run}/{stage}/{attempt}", digest(identity))


def subjects(draft: Mapping[str, Any], digest: Digest = sha256_value) -> list[dict[str, Any]]:
    """Return what a draft's record is about: what was made, whose name a key is, or the attempt."""
    if draft["event"] == KEY:
        key = draft["facts"]["key"]
        return [_subject(f"key/{key['keyid']}", sha256_bytes(bytes.fromhex(key["public"])))]
    if draft["event"] == ACT:
        return [_subject(item["name"], item["sha256"]) for item in draft["inputs"]]
    if draft["event"] == IMPORTED:
        return [_subject(name, sha256) for name, sha256 in subjects_of(draft["facts"], digest)]
    if draft["event"] not in DONE_EVENTS:
        return [attempt_subject(draft["run"]["id"], draft["stage"], draft["attempt"], digest)]
    outputs = [_subject(item["name"], item["sha256"]) for item in draft["outputs"]]
    if draft["stage"] != REGISTERING:
        return outputs
    released = released_versions(draft["facts"])
    return outputs + [
        _subject(f"model/{role}", str(version.get("bundle_sha256", "")))
        for role, version in sorted(released.items())
    ]


def _subject(name: str, sha256: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": sha256}}


def _audit(draft: Mapping[str, Any], stamp: Stamp) -> dict[str, Any]:
    run = dict(draft["run"])
    has_outputs = draft["event"] in DONE_EVENTS or draft["event"] == IMPORTED
    outputs = [item["name"] for item in draft["outputs"]] if has_outputs else []
    actor, version = {"id": run.pop("actor", None), "assurance": ASSURANCE}, SCHEMA_VERSION
    if stamp.account is not None:
        actor |= {"assurance": AUTHENTICATED, "account": stamp.account}
        version = AUTHENTICATED_VERSION
    return {
        "schema_version": version,
        "record_id": stamp.record_id,
        "idempotency_key": idempotency_key(draft),
        "event": draft["event"],
        "actor": actor,
        "trigger": run.pop("trigger", None),
        "run": run,
        "stage": draft["stage"],
        "attempt": draft["attempt"],
        "parents": list(stamp.parents),
        "start": stamp.start,
        "clocks": {"notary": timestamp(stamp.now), "claimed": draft["claimed_time"]},
        "inputs": draft["inputs"],
        "outputs": outputs,
        "settings": draft["settings"],
        "settings_sha256": draft["settings_sha256"],
        "policy_sha256": policy_sha256(draft),
        "code_sha256": draft["code_sha256"],
        "environment": draft["environment"],
        "cache_key": draft["cache_key"],
        "facts": {} if draft["event"] in CLOSED_EVENTS else draft["facts"],
        "gates": draft["gates"],
        "cause": draft["cause"],
        "resources": draft["resources"],
        "controls": controls_of(draft["stage"]),
        "retain_until": retain_until(stamp.now),
        "observed": observed(outputs, stamp.account is not None),
    }


def observed(outputs: Sequence[str], has_account: bool) -> list[str]:
    """Return the fields that the notary found out for itself."""
    account = ["actor.account"] if has_account else []
    return [*account, "clocks.notary", "parents", "start", *(f"subject.{name}" for name in outputs)]
