"""A second verifier of a whole log, written from docs/audit-format.md alone: nothing of ours in it.

It stops at the first thing that is wrong. It judges no acts and reads no artifacts.
"""

from __future__ import annotations

import base64
import json
import operator
import re
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

TYPE = "application/vnd.in-toto+json"
KEYS, SECOND = (f"https://tandem.invalid/{name}-change/v1" for name in ("key", "second-key"))
CLOSING = ("COMPLETE", "FAIL", "ABORT", "CACHED")
PROVENANCE = ("ingest_examples", "transform_features", "import_model")
PROVENANCE += ("train_pytorch", "train_tensorflow")
CANDIDATES = {"pytorch", "tensorflow", "imported"}
TESTS = ("validate_examples", "evaluate_models", "measure_models")
COMPARED = {">=": operator.ge, ">": operator.gt, "==": operator.eq}
COMPARED |= {"<=": operator.le, "<": operator.lt}
MOST_UNSIGNED, LARGEST = 64, 16 * 2**20


class Wrong(Exception):
    """The first thing that is not as the document says."""


def need(holds: Any, what: str) -> None:
    if not holds:
        raise Wrong(what)


def parsed(data: bytes, what: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        need(len(dict(pairs)) == len(pairs), f"{what}: a key twice")
        return dict(pairs)

    try:
        value = json.loads(data, object_pairs_hook=unique)
        canonical = rfc8785.dumps(value) == data  # NaN and infinities have no canonical form
    except (ValueError, RecursionError) as error:
        raise Wrong(f"{what}: {error}") from error
    need(canonical, f"{what}: it is not canonical")
    return value


def unbase64(text: str, what: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Wrong(f"{what}: {error}") from error
    need(base64.b64encode(data).decode() == text, f"{what}: base 64 in another spelling")
    return data


def check(key: bytes, signature: bytes, message: bytes, what: str) -> None:
    kind = Ed25519PublicKey if len(key) == 32 else MLDSA44PublicKey
    try:
        kind.from_public_bytes(key).verify(signature, message)
    except InvalidSignature as error:
        raise Wrong(f"{what}: the signature is wrong") from error


def key_id(key: bytes) -> str:
    kind, scheme = ("ed25519", "ed25519") if len(key) == 32 else ("ml-dsa", "ml-dsa-44")
    named = {"keytype": kind, "scheme": scheme, "keyval": {"public": key.hex()}}
    return sha256(rfc8785.dumps(named)).hexdigest()


def root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + root(leaves[:split]) + root(leaves[split:])).digest()


def place(number: int) -> str:
    return f"{number // 1000:06d}/{number:09d}"


def is_time(text: str) -> bool:
    try:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError:
        return False
    return moment.year < 9999 and f"{moment.isoformat(timespec='milliseconds')}Z" == text


def digest(value: Any) -> str:
    return sha256(rfc8785.dumps(value)).hexdigest()


def named(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": value}}


def once(items: Any) -> list[Any]:
    return list(dict.fromkeys(items))


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
        about += [named(f"model/{role}", roles[role]["bundle_sha256"]) for role in sorted(roles)]
        need(given(inputs, roles.values()), f"{what}: it registers a bundle that it was not given")
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
        need(event in CLOSING[:3], f"{what}: it closes no START")
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


def given(inputs: list[dict[str, str]], versions: Any) -> bool:
    digests = {item["name"]: item["sha256"] for item in inputs}
    return all(v["bundle_sha256"] == digests.get(f"{v['framework']}_model") for v in versions)


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


class Verifier:
    def __init__(self, log: Path, pem: bytes, schemas: Path) -> None:
        self.log, first = log, load_pem_public_key(pem).public_bytes_raw()  # type: ignore[union-attr]
        self.origin = f"tandem.invalid/log-{key_id(first)[:16]}"
        self.keys, self.revoked = [(0, first)], dict[bytes, int]()
        self.second: list[tuple[int, bytes]] = []  # of which size on each signs
        self.changes: list[dict[str, Any]] = []
        self.leaves, self.seen, self.named = list[bytes](), dict[str, int](), set[str]()
        self.once, self.open, self.time = set[str](), dict[str, int](), ""
        self.outputs, self.begun = dict[str, set[str]](), dict[str, dict[str, Any]]()
        self.imported = dict[str, set[str]]()
        self.failed = dict[str, set[tuple[str, str]]]()  # of each record, with all behind it
        files = {path.name: json.loads(path.read_bytes()) for path in schemas.glob("*.json")}
        known = Registry().with_resources(
            (name, Resource.from_contents(schema)) for name, schema in files.items()
        )
        types = {n: s.get("properties", {}).get("predicateType", {}) for n, s in files.items()}
        self.forms = {
            kind["const"]: Draft202012Validator(files[name], registry=known)
            for name, kind in types.items()
            if "const" in kind
        }

    def files(self, below: str) -> list[str]:
        paths = (path for path in (self.log / below).rglob("*") if path.is_file())
        return sorted(path.relative_to(self.log / below).as_posix() for path in paths)

    def holder(self, index: int) -> bytes:
        return next(key for first, key in reversed(self.keys) if first <= index)

    def entry(self, index: int) -> None:
        what = f"entry {index}"
        leaf = (self.log / "entries" / f"{place(index)}.json").read_bytes()
        need(len(leaf) <= LARGEST, f"{what}: too large")
        envelope = parsed(leaf, what)
        need(sorted(envelope) == ["payload", "payloadType", "signatures"], f"{what}: no envelope")
        payload, kind = unbase64(envelope["payload"], what), envelope["payloadType"]
        need(kind == TYPE and len(envelope["signatures"]) == 1, f"{what}: no envelope of ours")
        (line,), key = envelope["signatures"], self.holder(index)
        need(line["keyid"] == key_id(key), f"{what}: of another key")
        message = b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)
        check(key, unbase64(line["sig"], what), message, what)
        statement, record = parsed(payload, what), sha256(leaf).hexdigest()
        form = self.forms.get(statement.get("predicateType"))
        need(form is not None and form.is_valid(statement), f"{what}: it breaks its schema")
        made = {item["name"]: item["digest"]["sha256"] for item in statement["subject"]}
        outputs = statement["predicate"]["tandem_audit"]["outputs"]
        need(set(outputs) <= set(made), f"{what}: an output that is no subject")
        coherent(statement, statement["predicate"]["tandem_audit"], made, self.begun, what)
        self.record(index, record, statement["predicate"]["tandem_audit"], made)
        self.gates(index, record, statement["predicate"]["tandem_audit"])
        if statement["predicateType"] in (KEYS, SECOND):
            stage = statement["predicate"]["tandem_audit"]["stage"]
            change = statement["predicate"]["change"]
            of_second = f"{change}_second_key"
            second = statement["predicateType"] == SECOND
            need(stage == (of_second if second else f"{change}_key"), f"{what}: another stage")
            self.change(index, record, statement["predicate"], statement["predicateType"] == SECOND)
        self.leaves.append(sha256(b"\x00" + leaf).digest())
        self.seen[record] = index

    def record(self, index: int, record: str, audit: dict[str, Any], made: dict[str, str]) -> None:
        stands_on = [*audit["parents"], *([audit["start"]] if audit["start"] else [])]
        need(all(item in self.seen for item in stands_on), f"entry {index}: what it names is gone")
        self.named |= set(stands_on)
        if audit["event"] not in ("FAIL", "ACT", "KEY"):
            fed = [(item["record"], item["sha256"]) for item in audit["inputs"]]
            if audit["event"] == "CACHED":
                fed += [(audit["facts"]["origin"][name], made[name]) for name in audit["outputs"]]
            made_by = self.imported if audit["event"] == "IMPORTED" else self.outputs
            for maker, digest in fed:
                known = maker in audit["parents"] and digest in made_by.get(maker, ())
                need(known, f"entry {index}: no parent made what it stands on")
        if audit["event"] == "FAIL":
            inputs = audit["inputs"]
            makers = [
                i["record"] for i in inputs if i["sha256"] in self.outputs.get(i["record"], ())
            ]
            need(audit["parents"] == once(makers), f"entry {index}: other parents")
        if audit["event"] in ("COMPLETE", "CACHED"):
            self.outputs[record] = {made[name] for name in audit["outputs"]}
        if audit["event"] == "IMPORTED":
            self.imported[record] = set(made.values())
        need(audit["idempotency_key"] not in self.once, f"entry {index}: it is there twice")
        self.once.add(audit["idempotency_key"])
        need(is_time(audit["clocks"]["notary"]), f"entry {index}: no time")
        need(audit["clocks"]["notary"] >= self.time, f"entry {index}: time runs backwards")
        self.time = audit["clocks"]["notary"]
        if audit["event"] == "START":
            self.open[record], self.begun[record] = index, audit
        elif audit["event"] in CLOSING:
            self.open.pop(audit["start"], None)
            self.begun.pop(audit["start"], None)

    def gates(self, index: int, record: str, audit: dict[str, Any]) -> None:
        """A version is not registered over a gate that failed and that nobody waived."""
        if audit["event"] not in ("COMPLETE", "CACHED"):
            return
        behind = {
            (audit["stage"], gate["name"])
            for gate in audit["gates"]
            if not gate["passed"] and "waived_by" not in gate
        }.union(*(self.failed.get(parent, ()) for parent in audit["parents"]))
        self.failed[record] = behind
        if audit["stage"] != "register_models":
            return
        known = {version["framework"] for version in audit["facts"].get("versions", {}).values()}
        others = CANDIDATES - known
        counted = [
            name
            for stage, name in behind
            if stage != "decide_release" or name.split(" ")[0] not in others
        ]
        need(not counted, f"entry {index}: a gate failed behind what it registers: {counted}")

    def change(self, index: int, record: str, said: dict[str, Any], second: bool) -> None:
        what, key = f"entry {index}", bytes.fromhex(said["key"]["public"])
        is_from = said.get("from") is not None
        need(is_from == (said["change"] == "revoke"), f"{what}: it revokes from nowhere")
        need(is_from != bool(said["possession"]), f"{what}: a signature that nobody asked for")
        handed_over = second and said["handover"] is not None
        need(handed_over == (second and said["change"] == "rotate"), f"{what}: no handover")
        before = self.changes[-1] if self.changes else None
        need(
            said["previous"] == before and said["key"]["keyid"] == key_id(key), f"{what}: no change"
        )
        keys = self.second if second else self.keys
        known = [item for _, item in keys]
        if said["change"] == "revoke":
            need(key in known[:-1] and said["from"] <= index, f"{what}: it revokes no former key")
            self.revoked[key] = min(said["from"], self.revoked.get(key, said["from"]))
        else:
            need(key not in known, f"{what}: a key that was there before")
            need((said["change"] == "begin") == (not known), f"{what}: a key out of turn")
            own, public = "second key" if second else "key", f"{key.hex()}\n"
            message = f"tandem {own} of {self.origin}\n{public}".encode()
            check(key, unbase64(said["possession"], what), message, what)
            for former in known[-1:] if second else ():
                message = f"tandem next {own} of {self.origin}\nafter {before['record']}\n{public}"
                check(former, unbase64(said["handover"], what), message.encode(), what)
            keys.append((index + 1, key))
        self.changes.append({"index": index, "record": record})

    def checkpoint(self, size: int) -> None:
        what = f"checkpoint {size}"
        text, _, lines = (self.log / "checkpoints" / place(size)).read_text().rpartition("\n\n")
        origin, count, tree, *extensions = text.split("\n")
        need((origin, count) == (self.origin, str(size)), f"{what}: of another log or size")
        need(size <= len(self.leaves), f"{what}: entries are missing")
        need(unbase64(tree, what) == root(self.leaves[:size]), f"{what}: another root")
        last = [item["index"] for item in self.changes if item["index"] < size][-1:]
        need(extensions == [f"tandem-keys {index}" for index in last], f"{what}: other keys")
        signed: list[tuple[str, bytes]] = []
        for line in lines.removesuffix("\n").split("\n"):
            dash, name, data = line.split(" ")
            need(dash == "\u2014", f"{what}: a line that is no signature")
            signed.append((name, unbase64(data, what)))
        self.signed(signed, b"\x01", self.holder(max(size - 1, 0)), f"{text}\n".encode(), what)
        for key in [key for first, key in self.second if first <= size][-1:]:
            need(size - 1 < self.revoked.get(key, size), f"{what}: its second key was revoked")
            log = len(origin).to_bytes(1, "big") + origin.encode() + bytes(8)
            cosigned = b"subtree/v1\n\0" + log + log + size.to_bytes(8, "big")
            self.signed(signed, b"\x06", key, cosigned + unbase64(tree, what), what, bytes(8))

    def signed(
        self, lines: Any, kind: bytes, key: bytes, message: bytes, what: str, time: bytes = b""
    ) -> None:
        line = self.origin, sha256(f"{self.origin}\n".encode() + kind + key).digest()[:4]
        found = [data[4:] for name, data in lines if (name, data[:4]) == line]
        need(found, f"{what}: not signed by the key of its size")
        for data in found:
            need(data.startswith(time), f"{what}: a signature of another form")
            check(key, data[len(time) :], message, what)

    def run(self) -> str:
        names = self.files("entries")
        need(
            names == [f"{place(i)}.json" for i in range(len(names))], "entries: a gap or a stranger"
        )
        for index in range(len(names)):
            self.entry(index)
        sizes = [int(name[-9:]) for name in self.files("checkpoints") if name[-9:].isdigit()]
        need(
            self.files("checkpoints") == [place(size) for size in sizes], "checkpoints: a stranger"
        )
        need(sizes, "no checkpoint: it cannot be verified")
        for size in sizes:
            self.checkpoint(size)
        tail = [record for record, index in self.seen.items() if index >= sizes[-1]]
        need(
            len(tail) <= MOST_UNSIGNED and not self.named & set(tail), "entries without checkpoint"
        )
        for index in self.seen.values():
            since = self.revoked.get(self.holder(index))
            need(since is None or index < since, f"entry {index}: its key was revoked")
        need(not self.open, f"never closed: {sorted(self.open.values())}")
        return f"{len(names)} entries and {len(sizes)} checkpoints verify"
