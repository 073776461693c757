"""Who and what a run is: its id, who started it, which code it came from.

Rules: a person is a pseudonym (a digest of user and host), because records are kept for years; the
user is the account that the process runs as, which no environment variable renames; the code is
what git says of the checkout that this file lies in, or unknown where there is none.
"""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
from pathlib import Path
from typing import Any

from components.core.canonical import sha256_bytes
from components.core.prices import Prices

REPOSITORY = Path(__file__).resolve().parents[1]
PSEUDONYM_LENGTH = 16


def run_identity(
    *,
    run_id: str,
    name: str,
    ir_sha256: str,
    settings_sha256: str,
    cache: bool,
    prices: Prices | None = None,
    orchestrator: str | None = None,
) -> dict[str, Any]:
    """Return the pipeline's `run` argument, which no stage's work depends on."""
    priced = {} if prices is None else {"prices": prices.model_dump(mode="json")}
    ordered = {} if orchestrator is None else {"orchestrator": orchestrator}
    return {
        **priced,
        **ordered,
        "id": run_id,
        "name": name,
        "trigger": "manual",
        "actor": actor(),
        "code": code(),
        "ir_sha256": ir_sha256,
        "settings_sha256": settings_sha256,
        "cache": cache,
    }


def actor() -> str:
    """Return the pseudonym of whoever runs this."""
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:  # a user id without an entry, as in many containers
        user = str(uid)
    digest = sha256_bytes(f"{user}@{socket.gethostname()}".encode())
    return f"sha256:{digest[:PSEUDONYM_LENGTH]}"


def code(repository: Path = REPOSITORY) -> dict[str, Any]:
    """Return the commit and whether the tree differs from it; "" and True where git can't say."""
    commit = _git(repository, "rev-parse", "--verify", "HEAD")
    changes = _git(repository, "status", "--porcelain", "--untracked-files=normal")
    return {"commit": commit or "", "dirty": not commit or changes != ""}


def _git(repository: Path, *arguments: str) -> str | None:
    """Return what git prints, None where it fails or is not installed."""
    try:
        done = subprocess.run(
            ["git", "-C", str(repository), *arguments],  # noqa: S607 - the git of PATH
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
