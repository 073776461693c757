"""What was started and never closed, and the draft of the ABORT that closes it.

Rules: while a notary works, only what a sealed run left open counts: the rest may be going on. An
ABORT names nothing that its START did not record, because nobody has seen what came after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.audit.answers import AUDIT, CLOSING_EVENTS, RecordView
from components.audit.ledger import open_starts

_NO_CODE: dict[str, Any] = {
    "code_sha256": None,
    "cache_key": None,
    "environment": {},
    "resources": None,
}


def seals(view: RecordView) -> bool:
    """Say whether a record closes its run."""
    return view.stage == "seal_run" and view.event in CLOSING_EVENTS


def sealed_runs(views: Sequence[RecordView]) -> set[str]:
    """Return the runs whose closing record is there."""
    return {view.run for view in views if seals(view)}


def left_open(views: Sequence[RecordView], *, served: bool) -> list[RecordView]:
    """Return the STARTs that nobody closed and, by what a notary at work says, nobody will."""
    sealed = sealed_runs(views)
    return [start for start in open_starts(views) if not served or start.run in sealed]


def named(start: RecordView) -> str:
    """Return what a START began, in words."""
    return f"{start.stage} of run {start.run}, attempt {start.attempt}"


def abort_draft(statement: Mapping[str, Any], why: str, now: str) -> dict[str, Any]:
    """Return the draft that closes the START of a statement; `now` is the claimed time."""
    audit = statement["predicate"][AUDIT]
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
        "cause": {"kind": "PlatformError", "message": why, "remedy": "read the task's log"},
        "claimed_time": now,
    }
    return draft | _NO_CODE
