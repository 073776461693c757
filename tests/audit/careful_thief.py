"""What a thief of the log's key does besides the change: the keys of drafts follow from records."""

from __future__ import annotations

from typing import Any

from components.audit.answers import AUDIT, IMPORTED
from components.audit.imported import import_key
from components.core.canonical import sha256_value


def keyed(statement: dict[str, Any]) -> dict[str, Any]:
    """Return the statement with the idempotency key of what it says now, as a careful thief does.

    The tests' drafts name actor and trigger.
    """
    audit = statement["predicate"][AUDIT]
    if audit["event"] == IMPORTED:
        audit["idempotency_key"] = import_key(statement["predicate"])
        return statement
    subjects = {item["name"]: item["digest"]["sha256"] for item in statement["subject"]}
    names = ("event", "stage", "attempt", "inputs", "settings", "settings_sha256", "code_sha256",
             "environment", "cache_key", "facts", "gates", "cause", "resources")  # fmt: skip
    draft = {name: audit[name] for name in names} | {
        "run": audit["run"] | {"actor": audit["actor"]["id"], "trigger": audit["trigger"]},
        "outputs": [{"name": name, "sha256": subjects.get(name, "")} for name in audit["outputs"]],
        "claimed_time": audit["clocks"]["claimed"],
    }
    if audit["event"] in ("ACT", "KEY"):
        fields = statement["predicate"].items()
        draft["facts"] = {name: value for name, value in fields if name != AUDIT}
    audit["idempotency_key"] = sha256_value(draft)
    return statement
