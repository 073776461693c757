"""A second verifier of a whole log, written from docs/audit-format.md alone: nothing of ours in it.

    python second_verifier.py LOG notary.pub schemas/audit [RUNS]

It stops at the first thing that is wrong, with exit code 4. Its parts: second_verifier_bytes.py
(JSON, signatures, the tree), second_verifier_keys.py (keys and checkpoints),
second_verifier_records.py (what a record says twice), second_verifier_gates.py (gates and waivers
that were left out), second_verifier_acts.py (acts), second_verifier_standing.py (what these change)
and second_verifier_runs.py (the runs' artifacts).
"""

from __future__ import annotations

import json
import sys
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from second_verifier_acts import Acts
from second_verifier_bytes import Wrong, is_time, need, once, opened, parsed, place, root
from second_verifier_gates import LeftOut
from second_verifier_keys import KEYS, SECOND, Keys, of_its_kind
from second_verifier_records import coherent
from second_verifier_runs import Runs

__all__ = ["OtherForm", "Verifier", "Wrong"]
CLOSING, DONE = ("COMPLETE", "FAIL", "ABORT", "CACHED"), ("COMPLETE", "CACHED")
CANDIDATES = {"pytorch", "tensorflow", "imported"}
MOST_UNSIGNED, LARGEST = 64, 16 * 2**20
OTHER_FORM = (AttributeError, IndexError, KeyError, OSError, TypeError, ValueError)
"""What reading raises of what has another form than the page says."""


class OtherForm(Wrong):
    """Something has another form than the page says, and was not looked for."""


@cache
def forms(schemas: Path) -> dict[str, Draft202012Validator]:
    """What a statement of each type must fit."""
    files = {path.name: json.loads(path.read_bytes()) for path in schemas.glob("*.json")}
    known = Registry().with_resources(
        (name, Resource.from_contents(schema)) for name, schema in files.items()
    )
    types = {n: s.get("properties", {}).get("predicateType", {}) for n, s in files.items()}
    return {
        kind["const"]: Draft202012Validator(files[name], registry=known)
        for name, kind in types.items()
        if "const" in kind
    }


class Verifier:
    def __init__(self, log: Path, pem: bytes, schemas: Path, runs: Path | None = None) -> None:
        """Begin; `runs` is the folder of the runs' folders, None where there is none."""
        self.log, self.forms = log, forms(schemas)
        self.keys = Keys(load_pem_public_key(pem).public_bytes_raw())  # type: ignore[union-attr]
        self.leaves, self.seen, self.named = list[bytes](), dict[str, int](), set[str]()
        self.once, self.open, self.time = set[str](), dict[str, int](), ""
        self.outputs, self.begun = dict[str, set[str]](), dict[str, dict[str, Any]]()
        self.imported = dict[str, set[str]]()
        self.failed = dict[str, set[tuple[str, str]]]()  # of each record, with all behind it
        self.registered = dict[Any, Any]()  # of each version, what its first registration says
        self.acts = Acts(self.forms, lambda record: self.keys.is_revoked(self.seen[record]))
        self.left_out = LeftOut(self.forms)
        self.runs = Runs(runs)

    def files(self, below: str) -> list[str]:
        paths = (path for path in (self.log / below).rglob("*") if path.is_file())
        return sorted(path.relative_to(self.log / below).as_posix() for path in paths)

    def entry(self, index: int) -> None:
        what = f"entry {index}"
        leaf = (self.log / "entries" / f"{place(index)}.json").read_bytes()
        need(len(leaf) <= LARGEST, f"{what}: too large")
        statement = opened(parsed(leaf, what), self.keys.holder(index), what)
        record = sha256(leaf).hexdigest()
        need(isinstance(statement, dict), f"{what}: no statement")
        form = self.forms.get(statement.get("predicateType"))
        need(form is not None and form.is_valid(statement), f"{what}: it breaks its schema")
        made = {item["name"]: item["digest"]["sha256"] for item in statement["subject"]}
        audit = statement["predicate"]["tandem_audit"]
        need(set(audit["outputs"]) <= set(made), f"{what}: an output that is no subject")
        coherent(statement, audit, made, self.begun, what)
        self.record(index, record, audit, made)
        self.gates(index, record, audit)
        self.left_out.take(record, audit, what)
        self.keys_of(index, record, statement)
        self.acts.take(record, statement, made, what)
        self.runs.take(record, audit, made)
        self.leaves.append(sha256(b"\x00" + leaf).digest())
        self.seen[record] = index

    def keys_of(self, index: int, record: str, statement: dict[str, Any]) -> None:
        if statement["predicateType"] in (KEYS, SECOND):
            of_its_kind(statement, f"entry {index}")
            second = statement["predicateType"] == SECOND
            self.keys.change(index, record, statement["predicate"], second)

    def record(self, index: int, record: str, audit: dict[str, Any], made: dict[str, str]) -> None:
        stands_on = [*audit["parents"], *([audit["start"]] if audit["start"] else [])]
        need(all(item in self.seen for item in stands_on), f"entry {index}: what it names is gone")
        self.named |= set(stands_on)
        self.fed(index, audit, made)
        if audit["event"] in DONE:
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

    def fed(self, index: int, audit: dict[str, Any], made: dict[str, str]) -> None:
        inputs = audit["inputs"]
        if audit["event"] not in ("FAIL", "ACT", "KEY"):
            fed = [(item["record"], item["sha256"]) for item in inputs]
            if audit["event"] == "CACHED":
                fed += [(audit["facts"]["origin"][name], made[name]) for name in audit["outputs"]]
            made_by = self.imported if audit["event"] == "IMPORTED" else self.outputs
            for maker, digest in fed:
                known = maker in audit["parents"] and digest in made_by.get(maker, ())
                need(known, f"entry {index}: no parent made what it stands on")
        if audit["event"] == "FAIL":
            makers = [
                i["record"] for i in inputs if i["sha256"] in self.outputs.get(i["record"], ())
            ]
            need(audit["parents"] == once(makers), f"entry {index}: other parents")

    def gates(self, index: int, record: str, audit: dict[str, Any]) -> None:
        """A version is not registered over a gate that failed and that nobody waived."""
        if audit["event"] not in DONE:
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
        self.registered_once(index, audit)

    def registered_once(self, index: int, audit: dict[str, Any]) -> None:
        """A version is registered once, and may be named again by the same."""
        facts = audit["facts"]
        for version in facts.get("versions", {}).values():
            named = facts.get("model_name"), version["version"]
            told = [audit["run"]["id"], audit["actor"]["id"], audit["inputs"], audit["settings"]]
            first = self.registered.setdefault(named, [*told, version])
            need(first == [*told, version], f"entry {index}: registers {named} again")

    def checkpoint(self, size: int) -> None:
        need(size <= len(self.leaves), f"checkpoint {size}: entries are missing")
        note = (self.log / "checkpoints" / place(size)).read_text(encoding="utf-8")
        self.keys.checkpoint(note, size, root(self.leaves[:size]))

    def run(self) -> str:
        try:
            return self.verified()
        except OTHER_FORM as error:
            raise OtherForm(f"after {len(self.seen)} entries: {error!r}") from error

    def verified(self) -> str:
        names = self.files("entries")
        gap = "entries: a gap or a stranger"
        need(names == [f"{place(i)}.json" for i in range(len(names))], gap)
        for index in range(len(names)):
            self.entry(index)
        sizes = [int(name[-9:]) for name in self.files("checkpoints") if name[-9:].isdigit()]
        is_ours = self.files("checkpoints") == [place(size) for size in sizes]
        need(is_ours, "checkpoints: a stranger")
        need(sizes, "no checkpoint: it cannot be verified")
        for size in sizes:
            self.checkpoint(size)
        tail = [record for record, index in self.seen.items() if index >= sizes[-1]]
        unsigned = len(tail) > MOST_UNSIGNED or self.named & set(tail)
        need(not unsigned, "entries without checkpoint")
        for index in self.seen.values():
            need(not self.keys.is_revoked(index), f"entry {index}: its key was revoked")
        need(not self.open, f"never closed: {sorted(self.open.values())}")
        self.runs.verify()
        return f"{len(names)} entries and {len(sizes)} checkpoints verify"


def main(log: str, key: str, schemas: str, runs: str | None = None) -> int:
    """Say what a verification finds, and return the exit code."""
    pem, folder = Path(key).read_bytes(), Path(runs) if runs else None
    code = 0
    try:
        told = Verifier(Path(log), pem, Path(schemas), folder).run()
    except Wrong as wrong:
        code, told = 4, str(wrong)
    sys.stdout.write(f"{told}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
