"""What was started and never closed, and the draft of the ABORT that closes it.

Rules: while a notary works, only what began before its run's closing record counts: the rest may be
going on, after a retry too, which goes on with a run that was closed. An ABORT names nothing that
its START did not record, because nobody has seen what came after.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from components.audit.answers import AUDIT, CLOSING_EVENTS, RecordView
from components.audit.erasures import STAGE as ERASING
from components.audit.ledger import open_starts
from components.audit.plain_draft import plain_draft
from components.core.errors import DataError, IntegrityError
from components.core.stage_names import SEALING

_STATE = re.compile(r"[A-Z_]{1,40}")


def seals(view: RecordView) -> bool:
    """Say whether a record closes its run."""
    return view.stage == SEALING and view.event in CLOSING_EVENTS


def sealed_runs(views: Sequence[RecordView]) -> set[str]:
    """Return the runs in which nothing began after the closing record but an erasure.

    That is no work of the run: nobody closes it a second time.
    """
    work = (view for view in views if view.stage != ERASING)
    begun = {view.run: view.index for view in work if view.event in ("START", "CACHED")}
    return {run for run, index in _sealed_at(views).items() if index > begun.get(run, -1)}


def left_open(views: Sequence[RecordView], *, served: bool) -> list[RecordView]:
    """Return the STARTs that nobody closed and, by what a notary at work says, nobody will."""
    sealed = _sealed_at(views)
    starts = open_starts(views)
    return [start for start in starts if not served or start.index < sealed.get(start.run, -1)]


def _sealed_at(views: Sequence[RecordView]) -> dict[str, int]:
    """Return where the last closing record of each run stands."""
    return {view.run: view.index for view in views if seals(view)}


def named(start: RecordView) -> str:
    """Return what a START began, in words."""
    return f"{start.stage} of run {start.run}, attempt {start.attempt}"


def require_asking(run: str, left: Sequence[RecordView]) -> RecordView:
    """Return the open START of the exit task that has a run closed, which says who does.

    Raises IntegrityError where there is none.
    """
    asking = [view for view in left if view.stage == SEALING]
    if not asking:
        raise IntegrityError(
            f"nobody closes run {run}: its exit task has not begun",
            remedy="to close what was left open, call `tandem audit reconcile`",
        )
    return asking[-1]


def require_state(state: str) -> None:
    """Raise DataError for a state that is none."""
    if not _STATE.fullmatch(state):
        raise DataError("that is no state of a run", remedy="give one as SUCCEEDED or FAILED")


def ended_while_open(state: str, stage: str) -> str:
    """Return why a stage is closed with its run."""
    return f"the run ended {state} while {stage} was open"


def abort_draft(statement: Mapping[str, Any], why: str, now: str) -> dict[str, Any]:
    """Return the draft that closes the START of a statement; `now` is the claimed time."""
    audit = statement["predicate"][AUDIT]
    return plain_draft(
        "ABORT",
        audit["stage"],
        audit["run"] | {"actor": audit["actor"]["id"], "trigger": audit["trigger"]},
        now=now,
        attempt=audit["attempt"],
        inputs=audit["inputs"],
        settings=audit["settings"],
        settings_sha256=audit["settings_sha256"],
        cause={"kind": "PlatformError", "message": why, "remedy": "read the task's log"},
    )
