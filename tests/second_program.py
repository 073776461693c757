"""The second verifier (tests/audit/second_verifier.py) as a program, with no way to our code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from components.audit.folder import AuditFolder
from components.audit.schema import FOLDER

PROGRAM = Path(__file__).resolve().parent / "audit" / "second_verifier.py"


def second_verdict(home: Path) -> tuple[int, str]:
    """Return its exit code and what it says of a home's log and of the runs' folders."""
    folder = AuditFolder(home)
    given = (folder.log, folder.public_key, FOLDER, home / "runs")
    words = [sys.executable, "-P", str(PROGRAM), *map(str, given)]
    path = {"PYTHONPATH": str(PROGRAM.parent)}
    done = subprocess.run(words, env=path, cwd=home, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr
