"""The artifacts of run folders against the log: what lies there now, and what was recorded.

Rules: the log decides, not run.json, which anyone may have edited; an output is found by the digest
of its record; of a stage that ran more than once in a run the last record counts; an output that
is gone, changed, or has no record is a problem, and so is a record whose output run.json no longer
names, unless its stage was cut off between the two. What a recorded erasure names may be missing
(erasures.py), and an erasure is held to its record as any artifact is. Runs that have no folder any
more are passed over: artifacts may be kept shorter than records. Each run.json is read once, before
the log: a run that goes on meanwhile has in the log what its run.json said before.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.audit.answers import DONE_EVENTS, RecordView
from components.audit.erasures import (
    FOLDER,
    OUTPUT,
    STAGE,
    UNREADABLE,
    folder_of,
    is_erasure,
    read_erasure,
)
from components.core.artifacts import read_json, tree_digest
from components.core.errors import TandemError

RUN_FILE = "run.json"
ENDED_WELL = frozenset({"SUCCEEDED", "CACHED"})
Problem = tuple[str, str]
"""Where, and what is wrong."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An output as run.json describes it."""

    name: str
    path: Path
    record: str
    sha256: str


@dataclass(frozen=True, slots=True)
class RunOnDisk:
    """What a run's run.json says: `unfinished` stages did not end well.

    Of one that cannot be read `unreadable` says why, and `id` is the folder's name.
    """

    folder: Path
    id: str
    unfinished: frozenset[str] = frozenset()
    stored: tuple[Stored, ...] = ()
    unreadable: str | None = None


def runs_on_disk(runs: Path) -> list[RunOnDisk]:
    """Return the runs below a folder that have a run.json, by the names of their folders."""
    return [run_on_disk(file) for file in sorted(runs.glob(f"*/{RUN_FILE}"))]


def artifact_problems(found: Iterable[RunOnDisk], views: Iterable[RecordView]) -> Iterator[Problem]:
    """Yield (where, what) for every output of these runs that is not what the log recorded."""
    by_run: dict[str, list[RecordView]] = {}
    for view in views:
        by_run.setdefault(view.run, []).append(view)
    for run in found:
        if run.unreadable is not None:
            yield run.folder.name, f"{RUN_FILE} cannot be read: {run.unreadable}"
        elif run.folder.is_dir():
            yield from _run_problems(run, by_run.get(run.id, ()))


def _run_problems(run: RunOnDisk, views: Sequence[RecordView]) -> Iterator[Problem]:
    yield from _erasure_problems(run, views)
    recorded = _latest_outputs(view for view in views if view.stage != STAGE)
    yield from _output_problems(run, recorded, _erased(run, views))
    for name in _unnamed(recorded, views, run.unfinished):
        yield f"{run.id}/{name}", f"recorded in the log, but {RUN_FILE} does not name it"


def _erasure_problems(run: RunOnDisk, views: Sequence[RecordView]) -> Iterator[Problem]:
    """Yield what is wrong with what lies there of erasures."""
    known = {str(view.attempt): view for view in views if is_erasure(view)}
    there = {path.name for path in run.folder.glob(f"{FOLDER}/*")}
    for number in sorted(there | known.keys()):
        where = f"{run.id}/{FOLDER}/{number}"
        if number in known:
            expected = known[number].outputs.get(OUTPUT, "")
            yield from _byte_problems(where, run.folder / FOLDER / number, expected)
        else:
            yield where, "no record in the log describes this erasure"


def _erased(run: RunOnDisk, views: Sequence[RecordView]) -> set[tuple[str, str]]:
    """Return the record and name of each artifact that a record says was erased."""
    found: set[tuple[str, str]] = set()
    for view in filter(is_erasure, views):
        folder = folder_of(run.folder, view.attempt)
        try:
            if tree_digest(folder) == view.outputs.get(OUTPUT):
                erased = read_erasure(folder)
                found |= {(i.record, i.name) for i in erased if i.record in view.parents}
        except UNREADABLE:
            continue  # of which _erasure_problems speaks, and it excuses nothing
    return found


def _unnamed(
    recorded: Mapping[tuple[str, str], str], views: Sequence[RecordView], unfinished: Container[str]
) -> list[str]:
    """Return the outputs left over, but for stages that run.json says did not end well.

    A stage that was stopped between its COMPLETE and its executor's notice of it has a record and
    no output in run.json; resuming does it again.
    """
    stages = {view.record: view.stage for view in views}
    return [name for record, name in recorded if stages[record] not in unfinished]


def run_on_disk(file: Path) -> RunOnDisk:
    """Return what a run.json says, or why it cannot be read."""
    try:
        return _read(file)
    except UNREADABLE as error:
        return RunOnDisk(file.parent, file.parent.name, unreadable=str(error))


def _read(file: Path) -> RunOnDisk:
    value: dict[str, Any] = read_json(file)
    stored = tuple(
        Stored(
            name,
            file.parent / output["path"],
            str(output.get("metadata", {}).get("record", "")),
            str(output["sha256"]),
        )
        for task in value["tasks"].values()
        for name, output in task.get("outputs", {}).items()
    )
    unfinished = frozenset(
        name.replace("-", "_")
        for name, task in value["tasks"].items()
        if task.get("state") not in ENDED_WELL
    )
    return RunOnDisk(file.parent, str(value["run"]["id"]), unfinished, stored)


def _output_problems(
    run: RunOnDisk, recorded: dict[tuple[str, str], str], erased: Container[tuple[str, str]]
) -> Iterator[Problem]:
    """Yield what is wrong with the stored outputs, and take those seen out of `recorded`."""
    for output in run.stored:
        where = f"{run.id}/{output.name}"
        expected = recorded.pop((output.record, output.name), None)
        if expected is None:
            yield where, "no record in the log describes this artifact"
            continue
        if output.sha256 != expected:
            yield where, f"{RUN_FILE} names another digest than the record does"
        if output.path.exists() or (output.record, output.name) not in erased:
            yield from _byte_problems(where, output.path, expected)


def _latest_outputs(views: Iterable[RecordView]) -> dict[tuple[str, str], str]:
    """Return {(record, output): sha256} of the last record that made each stage's outputs."""
    latest = {view.stage: view for view in views if view.event in DONE_EVENTS}
    return {
        (view.record, name): sha256
        for view in latest.values()
        for name, sha256 in view.outputs.items()
    }


def _byte_problems(where: str, path: Path, expected: str) -> Iterator[Problem]:
    try:
        actual = tree_digest(path)
    except TandemError as error:
        yield where, error.message
        return
    if actual != expected:
        yield where, f"its bytes hash to {actual[:12]}, recorded was {expected[:12]}"
