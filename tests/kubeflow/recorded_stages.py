"""Stages of a cluster's run as their records: what a pod hands in, without its work.

Each attempt is counted as a pod counts it, by the log (components/audit/attempts.py).
"""

from __future__ import annotations

import datetime
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.audit.attempts import attempt_here
from components.audit.client import connect
from components.audit.notary import open_notary
from components.audit.plain_draft import plain_draft
from components.core.artifacts import tree_digest, write_json
from components.core.stage_identity import of_platform

ID = "20130101T000000Z-b0cce7"


class Stages:
    """The stages of one run; TANDEM_PLATFORM_RUN has to be set, as in a pod."""

    def __init__(self, notary: Any, folder: Path, identity: Mapping[str, Any]) -> None:
        self.notary, self.folder, self.identity = notary, folder, identity

    def start(self, stage: str) -> int:
        """Hand in the START of the next attempt, and return which one that is."""
        attempt = attempt_here(self.notary, self.identity["id"], stage)
        self.notary.submit(self._draft("START", stage, attempt))
        return attempt

    def complete(self, stage: str, attempt: int = 1, **more: Any) -> None:
        place = self.folder / f"{self.identity['id']}-{stage}-{threading.get_ident()}"
        write_json(place / "made.json", {"run": self.identity["id"], "stage": stage})
        output = {"name": "made", "sha256": tree_digest(place), "path": str(place)}
        self.notary.submit(self._draft("COMPLETE", stage, attempt, outputs=[output], **more))

    def fail(self, stage: str, attempt: int, **more: Any) -> None:
        cause = {"kind": "DataError", "message": "no rows", "remedy": "look"}
        self.notary.submit(self._draft("FAIL", stage, attempt, cause=cause, **more))

    def seal(self, state: str) -> None:
        """Do what the exit task does."""
        attempt = self.start("seal_run")
        self.notary.close_run(self.identity["id"], state)
        said = {"state": state, "records": 0, "events": {}, "stages": {}}
        self.complete("seal_run", attempt, facts=said)

    def _draft(self, event: str, stage: str, attempt: int, **more: Any) -> dict[str, Any]:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        return plain_draft(event, stage, self.identity, now=now, attempt=attempt, **more)


@contextmanager
def records_of(home: Path, run_id: str) -> Iterator[Stages]:
    """Give what the run's pods hand in to the notary that is at work, else to the home's own."""
    made = home.parent / "made"
    if os.environ.get("TANDEM_NOTARY"):
        yield Stages(connect(), made, identity(run_id))
        return
    with open_notary(home) as notary:
        yield Stages(notary, made, identity(run_id))


def identity(run_id: str) -> dict[str, Any]:
    return of_platform({"id": ID, "name": "flights", "trigger": "manual"}, run_id)
