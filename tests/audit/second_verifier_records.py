"""The second verifier's "What a record says twice", of the page alone."""

from __future__ import annotations

import operator
import re
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import rfc8785
from second_verifier_bytes import digest, named, need, once

PROVENANCE = ("ingest_examples", "transform_features", "import_model")
PROVENANCE += ("train_pytorch", "train_tensorflow")
TESTS = ("validate_examples", "evaluate_models", "measure_models")
COMPARED = {">=": operator.ge, ">": operator.gt, "==": operator.eq}
COMPARED |= {"<=": operator.le, "<": operator.lt}


def coherent(
    said: dict[str, Any], audit: dict[str, Any], made: dict[str, str], open_: Any, what: str
) -> None:
    """What the document says under "What a record says twice"."""
    run, event, stage = audit["run"]["id"], audit["event"], audit["stage"]
    attempt = {"attempt": audit["attempt"], "run": run, "stage": stage}
    path = f"{run}/{stage}/{audit['attempt']}"
    done, inputs, facts = event in ("COMPLETE", "CACHED"), audit["inputs"], audit["facts"]
    about = [named(f"attempt/{path}", digest(attempt))]
    if event == "ACT":
        about = [named(item["name"], item["sha256"]) for item in inputs]
    elif done:
        about = [named(name, made[name]) for name in audit["outputs"]]
        roles = facts.get("versions", {}) if stage == "register_models" else {}
        need(given(inputs, roles), f"{what}: it registers a bundle that it was not given")
        about += [named(f"model/{role}", roles[role]["bundle_sha256"]) for role in sorted(roles)]
    if event == "IMPORTED":
        about = imported(said, audit, what)
    if event == "KEY":
        key = said["predicate"]["key"]
        about = [named(f"key/{key['keyid']}", sha256(bytes.fromhex(key["public"])).hexdigest())]
    need(said["subject"] == about, f"{what}: other subjects")
    need(audit["settings_sha256"] == digest(audit["settings"]), f"{what}: other settings")
    fed = once(item["record"] for item in inputs)
    if event == "CACHED":
        need(sorted(facts["origin"]) == sorted(audit["outputs"]), f"{what}: origins of others")
        fed = once([*fed, *(facts["origin"][name] for name in audit["outputs"])])
    need(event == "FAIL" or audit["parents"] == fed, f"{what}: other parents")
    name, _, number = audit["record_id"].partition("~")
    counted = re.fullmatch("[2-9]|[1-9][0-9]{1,8}", number) or audit["record_id"] == name
    need(name == f"{path}/{event}" and counted, f"{what}: another name")
    account = ["actor.account"] if "account" in audit["actor"] else []
    saw = [
        *account,
        "clocks.notary",
        "parents",
        "start",
        *(f"subject.{n}" for n in audit["outputs"]),
    ]
    need(audit["observed"] == saw, f"{what}: other things observed")
    begun = open_.get(audit["start"])
    need((begun is not None) == (audit["start"] is not None), f"{what}: its START is not open")
    need(begun or event != "COMPLETE", f"{what}: it has no START")
    if begun:
        same = {"ABORT": ("settings_sha256",)}
        same["COMPLETE"] = ("settings_sha256", "code_sha256", "environment", "cache_key")
        for field in ("stage", "attempt", "inputs", "run", "trigger", *same.get(event, ())):
            need(audit[field] == begun[field], f"{what}: another {field} than its START")
        need(audit["actor"]["id"] == begun["actor"]["id"], f"{what}: another actor")
        need(event in ("COMPLETE", "FAIL", "ABORT"), f"{what}: it closes no START")
    policy = audit["settings"].get("policy")
    of_policy = digest(policy) if policy is not None else None
    need(audit["policy_sha256"] == of_policy, f"{what}: another policy")
    need(handed_in(said, audit, made), f"{what}: another idempotency key")
    for gate in audit["gates"]:
        value, threshold = (
            float(item) if isinstance(item, str) else item
            for item in (gate["value"], gate["threshold"])
        )
        met = value is not None and COMPARED[gate["operator"]](value, threshold)
        need(gate["passed"] == met, f"{what}: a gate that its numbers do not bear out")
    if event not in ("ACT", "KEY", "IMPORTED"):
        kind, fields = standard(audit, begun, path)
        rest = {key: value for key, value in said["predicate"].items() if key != "tandem_audit"}
        same_json = rfc8785.dumps(rest) == rfc8785.dumps(fields)
        need(said["predicateType"] == kind and same_json, f"{what}: other standard fields")


def given(inputs: list[dict[str, str]], roles: Any) -> bool:
    """Whether each version is one of a model that the registration was given."""
    digests = {item["name"]: item["sha256"] for item in inputs}
    if not isinstance(roles, dict):
        return False
    return all(
        isinstance(version, dict)
        and {"bundle_sha256", "framework", "version"} <= version.keys()
        and version["version"]
        and version["bundle_sha256"] == digests.get(f"{version['framework']}_model")
        for version in roles.values()
    )


def imported(said: dict[str, Any], audit: dict[str, Any], what: str) -> list[dict[str, Any]]:
    """The subjects of an imported execution, whose other fields are checked here."""
    facts, about = said["predicate"], []
    known: dict[str, str] = {}
    for kind in ("inputs", "outputs"):
        items = {f"{item['slot']}/{item['id']}": item for item in facts[kind]}
        need(len(items) == len(facts[kind]), f"{what}: an artifact twice")
        for name, item in items.items():
            own = {key: value for key, value in item.items() if key not in ("slot", "sha256")}
            known[name] = item["sha256"] or digest(own)
            if kind == "outputs":
                about.append(named(name if item["sha256"] else f"claimed/{name}", known[name]))
    fed = {item["name"]: item["sha256"] for item in audit["inputs"]}
    need(all(known.get(name) == value for name, value in fed.items()), f"{what}: other inputs")
    seen = {*fed, *audit["outputs"]}
    bare = [i for i in facts["outputs"] if i["sha256"] and f"{i['slot']}/{i['id']}" not in seen]
    need(not bare, f"{what}: a digest that nobody vouches for")
    pipeline, execution = facts["pipeline"], facts["execution"]
    run = digest({"name": pipeline["name"], "run": pipeline["run"]})
    own_run = {"id": f"imported-{run[:16]}"}
    own_run |= {"name": pipeline["name"]} if pipeline["name"] else {}
    need(audit["run"] == own_run, f"{what}: another run")
    need(audit["clocks"]["claimed"] == execution["updated"], f"{what}: another claimed time")
    return about or [named(f"execution/{execution['id']}", digest(execution))]


def handed_in(said: dict[str, Any], audit: dict[str, Any], made: dict[str, str]) -> bool:
    """Whether the idempotency key is that of the draft; a null actor or trigger may be left out."""
    if audit["event"] == "IMPORTED":
        told = {name: said["predicate"][name] for name in ("pipeline", "execution")}
        for kind in ("inputs", "outputs"):
            artifacts = said["predicate"][kind]
            told[kind] = [{k: v for k, v in i.items() if k != "sha256"} for i in artifacts]
        return bool(audit["idempotency_key"] == digest({"event": "IMPORTED", **told}))
    names = ("event", "stage", "attempt", "inputs", "settings", "settings_sha256", "code_sha256")
    names += ("environment", "cache_key", "facts", "gates", "cause", "resources")
    draft = {name: audit[name] for name in names}
    draft["outputs"] = [{"name": name, "sha256": made[name]} for name in audit["outputs"]]
    draft["claimed_time"] = audit["clocks"]["claimed"]
    if audit["event"] in ("ACT", "KEY"):
        fields = said["predicate"].items()
        draft["facts"] = {name: value for name, value in fields if name != "tandem_audit"}
    both = {"actor": audit["actor"]["id"], "trigger": audit["trigger"]}
    for left_out in ((), ("actor",), ("trigger",), ("actor", "trigger")):
        if all(both[name] is None for name in left_out):
            named = {name: value for name, value in both.items() if name not in left_out}
            if audit["idempotency_key"] == digest({**draft, "run": {**audit["run"], **named}}):
                return True
    return False


def standard(audit: dict[str, Any], begun: Any, path: str) -> tuple[str, dict[str, Any]]:
    """The type of a stage's predicate, and its fields, by the block."""
    ours, run, stage, now = "https://tandem.invalid", audit["run"], audit["stage"], audit["clocks"]
    made_by = audit["environment"]
    listed = [(f"input/{item['name']}", item["sha256"]) for item in audit["inputs"]]
    listed += [("code/modules", audit["code_sha256"]), ("pipeline", run.get("ir_sha256"))]
    listed += [("lock", made_by.get("lock_sha256"))]
    listed += [("image", made_by.get("image", "").partition("@sha256:")[2])]
    needed = [named(name, value) for name, value in listed if value]
    commit = (run.get("code") or {}).get("commit") or ""
    if len(commit) in (40, 64):
        needed.append({"name": "code/repository", "digest": {"gitCommit": commit}})
    failed, gates = audit["event"] == "FAIL", audit["gates"]
    done = audit["event"] in ("COMPLETE", "CACHED")
    if done and stage in PROVENANCE:
        metadata = {"invocationId": path, "finishedOn": now["notary"]}
        metadata |= {"startedOn": begun["clocks"]["notary"]} if begun else {}
        builder = f"{ours}/builder/{audit['actor']['assurance']}/v1"
        return "https://slsa.dev/provenance/v1", {
            "buildDefinition": {
                "buildType": f"{ours}/stage/v1",
                "externalParameters": {"stage": stage, "settings": audit["settings"]},
                "internalParameters": {"environment": made_by},
                "resolvedDependencies": needed,
            },
            "runDetails": {"builder": {"id": builder}, "metadata": metadata},
        }
    if (done or (failed and gates)) and stage in TESTS:
        tests: dict[str, list[str]] = {"passed": [], "warned": [], "failed": []}
        for gate in gates:
            how = "passed" if gate["passed"] else "warned" if gate.get("waived_by") else "failed"
            part = f" ({gate['slice']})" if gate.get("slice") else ""
            tests[how].append(f"{gate['name']}{part}")
        bad = failed or tests["failed"]
        return "https://in-toto.io/attestation/test-result/v0.1", {
            "result": "FAILED" if bad else "WARNED" if tests["warned"] else "PASSED",
            "configuration": [named("settings", audit["settings_sha256"])],
            **{f"{how}Tests": names for how, names in tests.items()},
        }
    if (done or (failed and gates)) and stage == "decide_release":
        fed = once(item["record"] for item in audit["inputs"] if item["record"])
        use_case, policy = run.get("name") or run["id"], audit["policy_sha256"]
        return "https://slsa.dev/verification_summary/v1", {
            "verifier": {"id": f"{ours}/stage/decide_release/v1"},
            "timeVerified": now["notary"],
            "resourceUri": f"pkg:generic/{quote(use_case, safe='')}@{quote(run['id'], safe='')}",
            "policy": {
                "uri": f"{ours}/policy/v1",
                "digest": {"sha256": policy or audit["settings_sha256"]},
            },
            "inputAttestations": [{"digest": {"sha256": item}} for item in fed],
            "verificationResult": "FAILED" if failed else "PASSED",
            "verifiedLevels": ["FAILED" if failed else "TANDEM_RELEASE_POLICY"],
            "slsaVersion": "1.0",
        }
    if done and stage == "register_models":
        facts = audit["facts"]
        version = facts.get("versions", {}).get("candidate", {}).get("version", "")
        model, number = (
            quote(str(value), safe="") for value in (facts.get("model_name", ""), version)
        )
        purl = f"pkg:mlflow/{model}@{number}"
        return "https://in-toto.io/attestation/release/v0.1", {"purl": purl}
    if done and stage == "seal_run":
        names = ("state", "records", "events", "stages")
        known = {name: audit["facts"][name] for name in names if name in audit["facts"]}
        return f"{ours}/run-closing/v1", known
    return f"{ours}/stage-event/v1", {"dependencies": needed}
