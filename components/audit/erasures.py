"""Artifacts that somebody erased on purpose: what the log says of that, and what it excuses.

Rules: an erasure is an attempt of `erase_artifacts` in the artifacts' own run: START, the removal,
COMPLETE. Its inputs are what is erased, each with the record that made it; its output lies below
`erasures/` of the run's folder, and says the same. What a recorded erasure names may be missing,
and nothing else may; bytes that are there are held to their record as ever (artifacts.py). A model
keeps its proofs: the log holds the digests of what was erased, and the record of who erased it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from components.audit.answers import RecordView
from components.core.artifacts import ArtifactRef, read_json, write_json
from components.core.canonical import sha256_value
from components.core.errors import TandemError

STAGE, OUTPUT = "erase_artifacts", "erasure"
FOLDER, FILE = "erasures", "erasure.json"
UNREADABLE = (TandemError, KeyError, TypeError, AttributeError)
"""What reading a file raises that is not as we write it."""


def is_erasure(view: RecordView) -> bool:
    """Say whether a record says that artifacts were erased."""
    return view.stage == STAGE and view.event == "COMPLETE"


def next_attempt(views: Iterable[RecordView]) -> int:
    """Return the number of a run's next erasure."""
    return 1 + max((view.attempt for view in views if view.stage == STAGE), default=0)


def folder_of(run: Path, attempt: int) -> Path:
    """Return where the output of a run's erasure lies."""
    return run / FOLDER / str(attempt)


def write_erasure(folder: Path, erased: Sequence[ArtifactRef]) -> None:
    """Write the output of an erasure."""
    write_json(folder / FILE, {"erased": [item.to_dict() for item in erased]})


def read_erasure(folder: Path) -> list[ArtifactRef]:
    """Return what an erasure's output names; raise one of UNREADABLE for none."""
    return [ArtifactRef(**item) for item in read_json(folder / FILE)["erased"]]


def erasures_on_disk(runs: Path) -> list[tuple[str, ArtifactRef]]:
    """Return run and artifact of every erasure below the runs; whether it is recorded is not said.

    One that is not, or that cannot be read, is a finding of the verification (artifacts.py).
    """
    found = []
    for file in sorted(runs.glob(f"*/{FOLDER}/*/{FILE}")):
        with suppress(*UNREADABLE):
            found += [(file.parents[2].name, item) for item in read_erasure(file.parent)]
    return found


def erasure_draft(
    event: str,
    run: Mapping[str, Any],
    attempt: int,
    erased: Sequence[ArtifactRef],
    reason: str,
    **parts: Any,
) -> dict[str, Any]:
    """Return the draft of an erasure's START or COMPLETE; `run` has id, name, actor, trigger."""
    settings = {"reason": reason}
    nothing = dict.fromkeys(("code_sha256", "cache_key", "cause", "resources"))
    return {
        **nothing,
        "event": event,
        "run": dict(run),
        "stage": STAGE,
        "attempt": attempt,
        "inputs": [item.to_dict() for item in erased],
        "outputs": [],
        "settings": settings,
        "settings_sha256": sha256_value(settings),
        "environment": {},
        "facts": {},
        "gates": [],
    } | parts
