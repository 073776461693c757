"""A real run, told to another notary again and again, under other names: a log of whole runs.

Each record is handed in as its stage did, its inputs being those that were told before it, and each
output is hashed again where it lies. What is registered has a model of the run's own, because a log
registers a version once. Nobody else waits, so there is a checkpoint for each record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.audit.answers import AUDIT, Receipt
from components.audit.envelope import vouched_statement
from components.audit.folder import AuditFolder
from components.audit.log import Log
from components.audit.notary import open_notary

_AS_RECORDED = ("event", "stage", "attempt", "settings", "settings_sha256", "code_sha256")
_AS_RECORDED += ("environment", "cache_key", "gates", "cause", "resources")
Told = dict[str, Receipt]


def retell(source: Path, home: Path, runs: int) -> int:
    """Tell the only run of a state folder to the notary of another; return the records told."""
    entries = list(Log.at(AuditFolder(source)).entries())
    lies = _places(next((source / "runs").iterdir()))
    with open_notary(home) as notary:
        for number in range(runs):
            told: Told = {}
            for entry in entries:
                draft = _again(vouched_statement(entry.leaf), lies, f"run-{number:06d}", told)
                told[entry.record] = notary.submit(draft)
    return len(entries) * runs


def _again(
    statement: Mapping[str, Any], lies: Mapping[str, str], name: str, told: Told
) -> dict[str, Any]:
    """Return the draft of a record, as a run of that name hands it in."""
    audit = statement["predicate"][AUDIT]
    made = {item["name"]: item["digest"]["sha256"] for item in statement["subject"]}
    return {
        **{field: audit[field] for field in _AS_RECORDED},
        "run": {**audit["run"], "id": name, "actor": audit["actor"]["id"]}
        | {"trigger": audit["trigger"]},
        "inputs": [{**item, "record": told[item["record"]].record} for item in audit["inputs"]],
        "outputs": [
            {"name": output, "sha256": made[output], "path": lies[made[output]]}
            for output in audit["outputs"]
        ],
        "facts": _named_anew(audit["facts"], name),
        "claimed_time": audit["clocks"]["claimed"],
    }


def _named_anew(facts: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the facts of a stage, those of a registration with a model of the run's own."""
    model = {"model_name": f"{facts['model_name']}-{name}"} if "model_name" in facts else {}
    return {**facts, **model}


def _places(run: Path) -> dict[str, str]:
    """Return where the outputs of a run lie, by digest."""
    tasks = json.loads((run / "run.json").read_text())["tasks"].values()
    outputs = [output for task in tasks for output in task["outputs"].values()]
    return {output["sha256"]: str(run / output["path"]) for output in outputs}
