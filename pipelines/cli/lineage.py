"""`tandem lineage import-tfx`: what a store of ML Metadata tells, as imported records of the log.

Rules: the store is read, and every draft checked, before anything is recorded; with --dry-run
nothing is, and no notary is started. Each answer cites index and digest of the records and the
checkpoint that covers them, and names what was left and what could not be hashed.
"""

from __future__ import annotations

import functools
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core.canonical import sha256_value
from pipelines.cli.output import print_json
from pipelines.home import Home

if TYPE_CHECKING:
    from components.tfx_history.drafts import Drafts, Known
    from components.tfx_history.executions import History
    from components.tfx_history.importing import Told

SCHEMA = "https://tandem.invalid/tfx-import/v1"
NOTHING = sha256_value({})
"""The digest of a folder without files, as a Pusher leaves it that pushed no model."""


def import_tfx(arguments: Namespace) -> int:
    """Import a store's history, or say what would be imported."""
    from components.tfx_history.importing import imported, planned
    from pipelines.home_notary import anchoring_notary

    home = Home.at(arguments.home)
    history, store = _read(Path(arguments.store), arguments.pipeline)
    if arguments.dry_run:
        drafts = _drafts(history, store, _known_without_a_notary(home))
        _tell(planned(drafts), drafts, arguments)
        return 0
    with anchoring_notary(home) as notary:
        drafts = _drafts(history, store, notary.records)
        told = imported(drafts, planned(drafts), notary.submit)
        _tell(told, drafts, arguments, notary.checkpoint())
    return 0


def _read(path: Path, pipeline: str | None) -> tuple[History, Mapping[str, Any]]:
    from components.tfx_history.executions import read_history
    from components.tfx_history.store import opened_store

    with opened_store(path) as store:
        history = read_history(store.client)
        said = {"schema_version": store.schema_version, "sha256": store.sha256}
    if pipeline is not None:
        history = history.of_pipeline(pipeline)
    return history, {"kind": "ml-metadata", **said}


def _drafts(history: History, store: Mapping[str, Any], known: Known) -> Drafts:
    from components.tfx_history.drafts import Drafts
    from pipelines.identity import actor

    return Drafts(history, store, actor(), functools.cache(known))


def _known_without_a_notary(home: Home) -> Known:
    """Return what tells a run's records: the notary that is named, or else the home's log."""
    from components.audit.client import connect
    from components.audit.folder import AuditFolder
    from components.audit.verified_log import VerifiedLog

    if (given := connect()) is not None:
        return given.records
    if not AuditFolder(home.folder).public_key.is_file():
        return lambda run: []
    return VerifiedLog.of(home.folder).ledger.of_run


def _tell(
    told: Sequence[Told], drafts: Drafts, arguments: Namespace, checkpoint: str | None = None
) -> None:
    left = [
        {name: item.said[name] for name in ("id", "type", "state")}
        for item in drafts.history.unfinished
    ]
    unhashed = [
        {"artifact": number, "why": found.why_not}
        for number, found in sorted(drafts.now.items())
        if found.why_not
    ]
    answer = {
        "schema": SCHEMA,
        "store": dict(drafts.store),
        "dry_run": arguments.dry_run,
        "executions": [item.to_dict() for item in told],
        "left": left,
        "unhashed": unhashed,
        "checkpoint": checkpoint,
    }
    if arguments.json:
        print_json(answer)
    else:
        print("\n".join(_lines(answer)))


def _lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """Yield the answer for people."""
    store = answer["store"]
    yield f"ML Metadata, schema {store['schema_version']}, sha256 {store['sha256']}"
    for item in answer["executions"]:
        yield from _execution_lines(item, dry_run=answer["dry_run"])
    for item in answer["left"]:
        yield f"left: execution {item['id']} {item['type'].rpartition('.')[2]} is {item['state']}"
    for item in answer["unhashed"]:
        yield f"not hashed: artifact {item['artifact']}: {item['why']}"
    new = sum(item["is_new"] for item in answer["executions"])
    done = "would be imported" if answer["dry_run"] else "imported"
    old, left = len(answer["executions"]) - new, len(answer["left"])
    yield f"{new} executions {done}, {old} known from before, {left} left that did not finish"
    models = [out for item in answer["executions"] for out in item["outputs"] if _is_model(out)]
    if models and not answer["dry_run"]:
        yield f"see what stands behind a model: tandem audit trace {models[-1]['sha256']}"
    if answer["checkpoint"]:
        yield f"\ncovered by checkpoint:\n{answer['checkpoint']}"


def _execution_lines(item: Mapping[str, Any], *, dry_run: bool) -> Iterator[str]:
    where = f"#{item['index']}" if item["index"] is not None else "new"
    note = "" if item["is_new"] else ", known from before"
    run = item["pipeline"]["run"] or "no run"
    name = item["type"].rpartition(".")[2]
    yield f"{where} execution {item['id']} {name} {item['state']} ({run}{note})"
    if item["record"] is not None:
        yield f"    record  {item['record']}"
    for output in item["outputs"]:
        claimed = "" if output["hashed"] else " (claimed: not its bytes)"
        yield f"    {output['name']} {output['sha256']}{claimed}"


def _is_model(output: Mapping[str, Any]) -> bool:
    from components.tfx_history.importing import MODELS

    return output["type"] in MODELS and output["sha256"] != NOTHING
