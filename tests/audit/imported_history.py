"""A small history of a store of ML Metadata, as the importer reads it, and its records in a log.

Three executions: examples and a model whose bytes are there, a pushed model that is gone, and the
examples once more from the cache. The same bytes of records each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.audit.notary import LocalNotary
from components.core.artifacts import write_json
from components.core.canonical import sha256_value
from components.tfx_history.drafts import Drafts
from components.tfx_history.executions import Artifact, Execution, History
from components.tfx_history.importing import Told, imported, planned

STORE = {"kind": "ml-metadata", "schema_version": 10, "sha256": "cd" * 32}
RUN = "2025-11-03T08:15:00.123456"


def time(minute: int) -> str:
    return f"2025-11-03T08:{minute:02d}:00.500Z"


def artifact(folder: Path, number: int, kind: str, place: str, **said: Any) -> Artifact:
    """Return an artifact that lies below a folder, if its bytes were written there."""
    own = {
        "id": number,
        "type": kind,
        "name": None,
        "uri": f".../{place}",
        "created": time(number),
        "span": None,
        "version": None,
        "splits": None,
        "stored_sha256": sha256_value({"artifact": number}),
    }
    return Artifact(number, str(folder / place), own | said)


def execution(number: int, node: str, state: str = "COMPLETE", **parts: Any) -> Execution:
    said = {
        "id": number,
        "type": f"tfx.components.{node}",
        "name": f"run-of-{node}-{number}",
        "state": state,
        "created": time(number),
        "updated": time(number + 1),
        "stored_sha256": sha256_value({"execution": number}),
    }
    pipeline = {"name": "taxi", "run": RUN, "node": f"taxi.{node}"} | parts.pop("pipeline", {})
    return Execution(number, state, said, pipeline, **parts)


def history(folder: Path) -> History:
    """Return the history, with the bytes of its first two artifacts below a folder."""
    write_json(folder / "CsvExampleGen/examples/1/rows.json", [1, 2, 3])
    write_json(folder / "Trainer/model/2/weights.json", [0.5])
    named = {"name": "examples-of-2025", "span": 7, "version": 1, "splits": ["train", "eval"]}
    artifacts = [
        artifact(folder, 1, "Examples", "CsvExampleGen/examples/1", **named),
        artifact(folder, 2, "Model", "Trainer/model/2"),
        artifact(folder, 3, "PushedModel", "Pusher/pushed_model/3"),
    ]
    again = {"run": "2025-11-04T08:15:00.123456"}
    executions = (
        execution(1, "CsvExampleGen", outputs=(("examples", 1),)),
        execution(2, "Trainer", inputs=(("examples", 1),), outputs=(("model", 2),)),
        execution(3, "Pusher", inputs=(("model", 2),), outputs=(("pushed_model", 3),)),
        execution(4, "CsvExampleGen", "CACHED", outputs=(("examples", 1),), pipeline=again),
        execution(5, "Evaluator", "FAILED", inputs=(("model", 2),), pipeline=again),
    )
    return History(executions, {item.id: item for item in artifacts}, (), {1: 1, 2: 2, 3: 3})


def drafts(notary: LocalNotary, told: History, store: Mapping[str, Any] = STORE) -> Drafts:
    return Drafts(told, store, "actor-7", notary.records)


def import_into(notary: LocalNotary, told: History, **changed: Any) -> list[Told]:
    """Import a history, as the command does."""
    made = drafts(notary, told, **changed)
    return imported(made, planned(made), notary.submit)
