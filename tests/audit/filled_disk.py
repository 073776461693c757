"""Stages whose notary has its log on a file system that fills up, for test_a_filled_disk.py.

`main` is called in a process that may mount: it mounts a file system of its own, of 1 MiB, where a
home keeps its audit trail, and prints what happened as JSON.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stage_ports import FolderPort

from components.audit.client import connect
from components.audit.plain_draft import plain_draft
from components.audit.process import NotaryProcess
from components.audit.verify import verify_log
from components.core.artifacts import write_json
from components.core.errors import TandemError
from components.core.outcome import Outcome
from components.core.settings import Section
from components.stage import run_stage

PAGE = 4096
LEFT = range(6)
"""How many pages are left when a stage asks for its records."""


class FillSettings(Section):
    home: str
    left: int | None = None


def ingest_examples(*, settings: FillSettings, examples: Path) -> Outcome:
    """Write an output, and fill the disk of the log where told to."""
    write_json(examples / "rows.json", 21)
    if settings.left is not None:
        fill(Path(settings.home), settings.left)
    return Outcome()


def fill(home: Path, left: int) -> None:
    """Write into the log's file system until it is full, then give some pages back."""
    descriptor = os.open(home / "audit" / "filler", os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(descriptor, bytes(PAGE)):
            pass
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - left * PAGE)
    finally:
        os.close(descriptor)


def make_room(home: Path) -> None:
    (home / "audit" / "filler").unlink(missing_ok=True)


def stage(home: Path, run: str, left: int | None = None) -> dict[str, Any] | None:
    """Run a stage; return its error, None where it succeeded."""
    port = FolderPort(str(home / "outputs" / run))
    about = {"id": run, "name": "flights", "trigger": "manual", "actor": "actor-7"}
    parameters = {"home": str(home)} | ({} if left is None else {"left": left})
    try:
        run_stage(
            ingest_examples, run=about, parameters=parameters, inputs={}, outputs={"examples": port}
        )
    except TandemError as error:
        return {**error.to_dict(), "exit_code": error.exit_code, "record": port.metadata}
    return None


def told(home: Path, left: int, *, at_work: bool) -> dict[str, Any]:
    """Tell of a stage on a disk with so much room left, and of the same one with room again."""
    run = f"run-{'during' if at_work else 'before'}-{left}"
    if not at_work:
        fill(home, left)
    error = stage(home, run, left if at_work else None)
    worked = (home / "outputs" / run).exists()
    full = findings(home)
    make_room(home)
    again = stage(home, run)
    notary = connect()
    assert notary is not None
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    seal = plain_draft("START", "seal_run", {"id": run, "actor": "actor-7"}, now=now)
    notary.submit(seal)
    notary.close_run(run, "FAILED")
    cause = {"kind": "PlatformError", "message": "the disk was full", "remedy": "look"}
    notary.submit(seal | {"event": "ABORT", "cause": cause})
    views = [view for view in notary.records(run) if view.stage != "seal_run"]
    return {
        "at_work": at_work,
        "left": left,
        "error": error,
        "worked": worked,
        "while_full": full,
        "again": again,
        "after": findings(home),
        "events": [(view.attempt, view.event) for view in views],
    }


def findings(home: Path) -> list[str]:
    return [f"{found.check} {found.where}: {found.message}" for found in verify_log(home)]


def main() -> None:
    """Mount, run the stages, and say what happened."""
    home = Path(sys.argv[1])
    (home / "audit").mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(home / "audit")]
    subprocess.run(mount, check=True)
    os.environ["TANDEM_HOME"] = str(home)
    with NotaryProcess(home) as process:
        os.environ["TANDEM_NOTARY"] = process.address
        stories = [told(home, left, at_work=when) for when in (False, True) for left in LEFT]
    sys.stdout.write(json.dumps({"stories": stories, "at_the_end": findings(home)}))
