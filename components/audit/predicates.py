"""Which in-toto predicate a record carries, and how it is filled from the stage's claims.

    ingest_examples, transform_features, train_*,
    import_model                                   SLSA provenance v1
    validate_examples, evaluate_models,
    measure_models                                 in-toto test-result v0.1, with every gate
    decide_release                                 SLSA verification summary v1
    register_models                                in-toto release v0.1
    seal_run                                       our run-closing v1
    ACT of approve_model                           our approval-record v1
    ACT of what moves or takes away an alias       our registry-change v2
    KEY of what changes the log's keys             our key-change v1
    KEY of what changes its second key             our second-key-change v1
    IMPORTED of import_execution                   our imported-execution v1
    START and ABORT of any stage, FAIL without gates, a stage not named here: our stage-event v1

A waiver (components/waivers.py) is no record: a person signs it, with a predicate type of our own.
So is an approval (approval.py), whose envelope stands inside the record of it.

A predicate of others says that something was made, tested or decided; an event that only began or
broke off says none of that, so it has a type of our own. Our additions stand in one field,
tandem_audit, named as SLSA asks of extensions. Our type URIs lie under a name that nobody can own
(RFC 2606) and do not resolve.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from components.audit.answers import ACT, DONE_EVENTS, IMPORTED, KEY
from components.audit.gate_results import result_of
from components.core.canonical import sha256_value

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
NAMESPACE = "https://tandem.invalid"
PROVENANCE = "https://slsa.dev/provenance/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
VERIFICATION_SUMMARY = "https://slsa.dev/verification_summary/v1"
RELEASE = "https://in-toto.io/attestation/release/v0.1"
STAGE_EVENT = f"{NAMESPACE}/stage-event/v1"
RUN_CLOSING = f"{NAMESPACE}/run-closing/v1"
WAIVER = f"{NAMESPACE}/waiver/v1"
APPROVAL = f"{NAMESPACE}/approval/v1"
APPROVAL_RECORD = f"{NAMESPACE}/approval-record/v1"
REGISTRY_CHANGE_1 = f"{NAMESPACE}/registry-change/v1"
"""As before promotions named keys: read and verified, written no more."""
REGISTRY_CHANGE = f"{NAMESPACE}/registry-change/v2"
KEY_CHANGE = f"{NAMESPACE}/key-change/v1"
SECOND_KEY_CHANGE = f"{NAMESPACE}/second-key-change/v1"
IMPORTED_EXECUTION = f"{NAMESPACE}/imported-execution/v1"
APPROVE = "approve_model"
SECOND_KEY = "_second_key"
"""What the name of a stage that changes the second key ends in."""
SLSA_VERSION = "1.0"

_GIT_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
Draft = Mapping[str, Any]


@dataclass(frozen=True)
class Moment:
    """When the notary stamped the record, and the START it closes, if any; ISO-8601 UTC.

    `authenticated` says whether somebody vouched for who handed it in.
    """

    now: str
    started: str | None = None
    authenticated: bool = False


def predicate(draft: Draft, moment: Moment) -> tuple[str, dict[str, Any]]:
    """Return the predicate's type and its standard fields."""
    if draft["event"] == KEY:
        second = draft["stage"].endswith(SECOND_KEY)
        return SECOND_KEY_CHANGE if second else KEY_CHANGE, dict(draft["facts"])
    if draft["event"] == ACT:
        kind = APPROVAL_RECORD if draft["stage"] == APPROVE else REGISTRY_CHANGE
        return kind, dict(draft["facts"])
    if draft["event"] == IMPORTED:
        return IMPORTED_EXECUTION, dict(draft["facts"])
    kind, fill = _FILLED_BY.get(draft["stage"], _EVENT)
    tested = draft["event"] == "FAIL" and draft["gates"] and kind in _MAY_FAIL
    if draft["event"] not in DONE_EVENTS and not tested:
        kind, fill = _EVENT
    return kind, fill(draft, moment)


def _provenance(draft: Draft, moment: Moment) -> dict[str, Any]:
    run, by = draft["run"], "authenticated" if moment.authenticated else "self-asserted"
    metadata = {
        "invocationId": f"{run['id']}/{draft['stage']}/{draft['attempt']}",
        "startedOn": moment.started,
        "finishedOn": moment.now,
    }
    return {
        "buildDefinition": {
            "buildType": f"{NAMESPACE}/stage/v1",
            "externalParameters": {"stage": draft["stage"], "settings": draft["settings"]},
            "internalParameters": {"environment": draft["environment"]},
            "resolvedDependencies": _dependencies(draft),
        },
        "runDetails": {
            "builder": {"id": f"{NAMESPACE}/builder/{by}/v1"},
            "metadata": {key: value for key, value in metadata.items() if value},
        },
    }


def _dependencies(draft: Draft) -> list[dict[str, Any]]:
    """Return the inputs, and then code, pipeline, lock and image, where known."""
    run = draft["run"]
    found: list[dict[str, Any]] = []
    for name, digest in (
        *((f"input/{item['name']}", item["sha256"]) for item in draft["inputs"]),
        ("code/modules", draft["code_sha256"]),
        ("pipeline", run.get("ir_sha256")),
        ("lock", draft["environment"].get("lock_sha256")),
        ("image", draft["environment"].get("image", "").partition("@sha256:")[2]),
    ):
        if digest:
            found.append(_resource(name, digest))
    commit = (run.get("code") or {}).get("commit") or ""
    if _GIT_COMMIT.fullmatch(commit):
        found.append({"name": "code/repository", "digest": {"gitCommit": commit}})
    return found


def _test_result(draft: Draft, moment: Moment) -> dict[str, Any]:
    """Fill in the tests: a gate that failed and was waived is a warning, as is their result."""
    gates = draft["gates"]
    waived = [gate for gate in gates if result_of(gate) == "waived"]
    failed = [gate for gate in gates if result_of(gate) == "failed"]
    stopped = draft["event"] == "FAIL" or bool(failed)
    return {
        "result": "FAILED" if stopped else "WARNED" if waived else "PASSED",
        "configuration": [_resource("settings", draft["settings_sha256"])],
        "passedTests": [_test_name(gate) for gate in gates if gate["passed"]],
        "warnedTests": [_test_name(gate) for gate in waived],
        "failedTests": [_test_name(gate) for gate in failed],
    }


def _test_name(gate: Mapping[str, Any]) -> str:
    return f"{gate['name']} ({gate['slice']})" if gate.get("slice") else str(gate["name"])


def _verification_summary(draft: Draft, moment: Moment) -> dict[str, Any]:
    run, failed = draft["run"], draft["event"] == "FAIL"
    name = quote(run.get("name") or run["id"], safe="")
    return {
        "verifier": {"id": f"{NAMESPACE}/stage/decide_release/v1"},
        "timeVerified": moment.now,
        "resourceUri": f"pkg:generic/{name}@{quote(run['id'], safe='')}",
        "policy": {
            "uri": f"{NAMESPACE}/policy/v1",
            "digest": {"sha256": policy_sha256(draft) or draft["settings_sha256"]},
        },
        "inputAttestations": [{"digest": {"sha256": record}} for record in _parents(draft)],
        "verificationResult": "FAILED" if failed else "PASSED",
        "verifiedLevels": ["FAILED" if failed else "TANDEM_RELEASE_POLICY"],
        "slsaVersion": SLSA_VERSION,
    }


def _parents(draft: Draft) -> list[str]:
    return list(dict.fromkeys(item["record"] for item in draft["inputs"] if item["record"]))


def policy_sha256(draft: Draft, digest: Callable[[Any], str] = sha256_value) -> str | None:
    """Return the digest of the release policy, for the stage that applies one."""
    policy = draft["settings"].get("policy")
    return digest(policy) if policy is not None else None


def _release(draft: Draft, moment: Moment) -> dict[str, Any]:
    """The purl is the candidate's; the challenger's version stands in the facts and subjects."""
    facts = draft["facts"]
    name = quote(str(facts.get("model_name", "")), safe="")
    candidate = released_versions(facts).get("candidate", {})
    return {"purl": f"pkg:mlflow/{name}@{quote(str(candidate.get('version', '')), safe='')}"}


def released_versions(facts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return {role: {framework, version, bundle_sha256}} of a registration's facts."""
    versions = facts.get("versions")
    found = versions if isinstance(versions, dict) else {}
    return {role: value for role, value in found.items() if isinstance(value, dict)}


def _closing(draft: Draft, moment: Moment) -> dict[str, Any]:
    facts = draft["facts"]
    return {name: facts[name] for name in ("state", "records", "events", "stages") if name in facts}


def _event(draft: Draft, moment: Moment) -> dict[str, Any]:
    return {"dependencies": _dependencies(draft)}


def _resource(name: str, sha256: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": sha256}}


Fill = Callable[[Draft, Moment], dict[str, Any]]
_EVENT: tuple[str, Fill] = (STAGE_EVENT, _event)
_MAY_FAIL = frozenset({TEST_RESULT, VERIFICATION_SUMMARY})
_FILLED_BY: Mapping[str, tuple[str, Fill]] = {
    "ingest_examples": (PROVENANCE, _provenance),
    "validate_examples": (TEST_RESULT, _test_result),
    "transform_features": (PROVENANCE, _provenance),
    "train_pytorch": (PROVENANCE, _provenance),
    "train_tensorflow": (PROVENANCE, _provenance),
    "import_model": (PROVENANCE, _provenance),
    "evaluate_models": (TEST_RESULT, _test_result),
    "measure_models": (TEST_RESULT, _test_result),
    "decide_release": (VERIFICATION_SUMMARY, _verification_summary),
    "register_models": (RELEASE, _release),
    "seal_run": (RUN_CLOSING, _closing),
}
