"""The draft that closes what was started and never ended; it names nothing that START did not."""

from __future__ import annotations

from typing import Any

from components.audit.acts import Statement
from components.audit.answers import AUDIT

_NO_CODE: dict[str, Any] = {
    "code_sha256": None,
    "cache_key": None,
    "environment": {},
    "resources": None,
}


def abort_draft(start: Statement, state: str, now: str) -> dict[str, Any]:
    """Return the draft of the ABORT of a START, in a run that ended in that state."""
    audit = start["predicate"][AUDIT]
    draft: dict[str, Any] = {
        "event": "ABORT",
        "run": audit["run"] | {"actor": audit["actor"]["id"], "trigger": audit["trigger"]},
        "stage": audit["stage"],
        "attempt": audit["attempt"],
        "inputs": audit["inputs"],
        "outputs": [],
        "settings": audit["settings"],
        "settings_sha256": audit["settings_sha256"],
        "facts": {},
        "gates": [],
        "cause": {
            "kind": "PlatformError",
            "message": f"the run ended {state} while {audit['stage']} was open",
            "remedy": "read the task's log",
        },
        "claimed_time": now,
    }
    return draft | _NO_CODE
