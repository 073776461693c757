"""`tandem audit erase`: take artifacts of a run off the disk, with a record that says so.

Rules: only what is as it was recorded is erased, or what is gone already: other bytes are evidence,
and stay; by a log with findings nothing is erased unless they are known (doubts.py). The record
comes in two parts, before and after the removal, so that a crash between them is seen; called
again, the command completes it. Copies elsewhere, the registry's too, are named, not touched.
"""

from __future__ import annotations

import shutil
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core.artifacts import ArtifactRef
from components.core.errors import IntegrityError, PlatformError, SettingsError
from pipelines.cli.output import print_json
from pipelines.home import Home

if TYPE_CHECKING:
    from components.audit.answers import Receipt
    from components.audit.artifacts import RunOnDisk
    from components.audit.client import Notary

Found = Mapping[ArtifactRef, Path]


def erase(arguments: Namespace) -> int:
    """Erase a run's artifacts and record it; 4 for one that is not what was recorded."""
    from components.audit.artifacts import RUN_FILE, run_on_disk
    from components.audit.client import connect
    from components.audit.verified_log import VerifiedLog
    from pipelines.cli.doubts import Doubts, checked_reason
    from pipelines.home_notary import anchoring_notary
    from pipelines.runners.run_folder import is_live, still_running
    from pipelines.runs import find_folder

    reason = checked_reason(arguments.reason)
    home = Home.at(arguments.home)
    if connect() is None:
        VerifiedLog.of(home.folder)  # nothing is erased by a log that is not as it was signed
    folder = find_folder(home, arguments.run)
    if is_live(folder):
        raise still_running(folder)
    run = run_on_disk(folder / RUN_FILE)
    if connect() is None:  # else the log is where the notary is
        doubts = Doubts.of(home)
        doubts.require_none("nothing is erased", despite=arguments.despite_findings)
        reason = doubts.told(reason)
    with anchoring_notary(home) as notary:
        found = dict(_found(run, notary, dict.fromkeys(arguments.outputs)))
        gone = [item.name for item, path in found.items() if not path.exists()]
        receipt = _erased(run, notary, found, reason, gone)
        copies = sorted([*_copies(home, run.id, found), *_registered(notary, run.id, found)])
        note = notary.checkpoint()
    said = {"run": run.id, "erased": [item.to_dict() for item in found], "gone_before": gone}
    said["copies"] = copies
    cited = {"index": receipt.index, "record": receipt.record, "checkpoint": note}
    if arguments.json:
        print_json(said | cited)
    else:
        print("\n".join(_lines(said, cited)))
    return 0


def _lines(said: Mapping[str, Any], cited: Mapping[str, Any]) -> Iterator[str]:
    for item in said["erased"]:
        gone = item["name"] in said["gone_before"]
        done = "was gone, and is recorded as erased:" if gone else "erased"
        yield f"{done} {said['run']}/{item['name']}, sha256 {item['sha256']}"
    yield f"    #{cited['index']} record  {cited['record']}"
    for copy in said["copies"]:
        yield f"the same bytes are still there: {copy}"
    yield f"\ncovered by checkpoint:\n{cited['checkpoint']}"


def _found(
    run: RunOnDisk, notary: Notary, names: Iterable[str]
) -> Iterator[tuple[ArtifactRef, Path]]:
    """Yield each artifact as the log has it and where it lies; refuse what must stay."""
    from components.audit.answers import DONE_EVENTS
    from components.audit.erasures import STAGE
    from components.core.artifacts import tree_digest

    views = [v for v in notary.records(run.id) if v.event in DONE_EVENTS and v.stage != STAGE]
    made = {name: (view.record, sha) for view in views for name, sha in view.outputs.items()}
    named = [item for item in run.stored if item.path == item.place]  # no other, which may be none
    places = {(item.record, item.name): item.path for item in named}
    for name in names:
        record, sha256 = made.get(name, ("", ""))
        path = places.get((record, name))
        if path is None or not path.resolve().is_relative_to(run.folder.resolve()):
            raise SettingsError(
                f"run {run.id} has no recorded artifact {name}",
                remedy=f"name one of: {', '.join(sorted(made)) or 'none'}",
            )
        if path.exists() and tree_digest(path) != sha256:
            raise IntegrityError(
                f"{run.id}/{name} is not what was recorded, and is not erased",
                remedy="keep it for the auditor: run `tandem audit verify`",
            )
        yield ArtifactRef(name, sha256, record), path


def _erased(
    run: RunOnDisk, notary: Notary, found: Found, reason: str, gone: Sequence[str]
) -> Receipt:
    """Record that the removal begins, remove, and record that it is done."""
    from components.audit.attempts import next_attempt
    from components.audit.erasures import (
        OUTPUT,
        STAGE,
        erasure_draft,
        folder_of,
        is_erasure,
        write_erasure,
    )
    from components.core.artifacts import tree_digest

    views = notary.records(run.id)
    attempt, refs = next_attempt(views, STAGE), tuple(found)
    said = (_identity(run), attempt, refs, reason, gone)
    notary.submit(erasure_draft("START", *said, now=_now()))
    folder = folder_of(run.folder, attempt)
    try:
        for path in found.values():
            if path.exists():
                shutil.rmtree(path)
        kept = {str(view.attempt) for view in views if is_erasure(view)}
        for left in [item for item in folder.parent.glob("*") if item.name not in kept]:
            shutil.rmtree(left)  # of a removal that a crash ended
        write_erasure(folder, refs)
    except OSError as error:
        raise PlatformError(
            f"{error.filename} cannot be removed or written: {error.strerror}",
            remedy="fix permissions and call the command again",
        ) from error
    claim = {"name": OUTPUT, "sha256": tree_digest(folder), "path": str(folder)}
    return notary.submit(erasure_draft("COMPLETE", *said, now=_now(), outputs=[claim]))


def _identity(run: RunOnDisk) -> dict[str, Any]:
    from pipelines.identity import actor

    return {"id": run.id, "actor": actor(), "trigger": "manual"}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _copies(home: Home, run: str, found: Found) -> Iterator[str]:
    """Yield the artifacts of other runs, from a cache mostly, that have the same bytes."""
    from components.audit.artifacts import runs_on_disk

    digests = {item.sha256 for item in found}
    for other in runs_on_disk(home.runs):
        for item in other.stored:
            if other.id != run and item.sha256 in digests and item.path.exists():
                yield f"{other.id}/{item.name}"


def _registered(notary: Notary, run: str, found: Found) -> Iterator[str]:
    """Yield what the registry was given of the artifacts, by the records: it keeps its own copies.

    That is a version's bundle and, with it, the evaluation and the decision.
    """
    from components.audit.answers import DONE_EVENTS
    from components.audit.predicates import released_versions
    from components.core.stage_names import REGISTERING

    names = {item.name for item in found}
    for view in notary.records(run):
        if view.stage != REGISTERING or view.event not in DONE_EVENTS:
            continue
        for release in released_versions(view.facts).values():
            given = {f"{release.get('framework')}_model", "evaluation", "decision"}
            version = f"{view.facts.get('model_name')}@{release.get('version')}"
            yield from (f"{name} of {version} in the registry" for name in sorted(names & given))
