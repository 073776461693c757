"""How to make a run again, and what must then be the same: commands to be typed, and digests.

Rules: everything comes from the run's own folder; what the run did not keep is not guessed at; the
digests are of what docs/reproducibility.md says repeats byte for byte, and of nothing else. The run
is made again in a state folder of its own, so that it moves no alias that somebody relies on.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.core.artifacts import read_json
from components.core.data_settings import ONLY_SPAN
from pipelines import commands
from pipelines.runs import RecordedRun
from pipelines.settings_file import EXAMPLES, FILE_NAME, REPOSITORY
from pipelines.start import SETTINGS_FILE, START_FILE, Start, read_start

HOME = "reproduced"
LOCKS = "infra/locks"
# Artifacts that repeat as a whole, by their stage's task.
WHOLE = {
    "examples": "ingest-examples",
    "validation": "validate-examples",
    "features": "transform-features",
    "pytorch_model": "train-pytorch",
}
BUNDLES = {"pytorch_model": "train-pytorch", "tensorflow_model": "train-tensorflow"}
NOT_REPEATED = "saved_model/"


@dataclass(frozen=True)
class Reproduction:
    """What stands behind the run, the commands that make it again, and what repeats.

    `facts` and `same` are (what, value); `files` are (sha256, path in the run's folder), for
    sha256sum; `warnings` say what may stand in the way.
    """

    facts: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]
    same: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


def reproduction(run: RecordedRun) -> Reproduction:
    """Return how to make a run again."""
    path = run.folder / START_FILE
    start = read_start(run.folder) if path.is_file() else Start({}, "")
    settings = (
        read_json(run.folder / SETTINGS_FILE) if (run.folder / SETTINGS_FILE).is_file() else {}
    )
    return Reproduction(
        facts=tuple(_facts(run, start, settings)),
        commands=tuple(_commands(run, start)),
        same=tuple(_same(run)),
        files=tuple(_files(run)),
        warnings=tuple(_warnings(run, start)),
    )


def _facts(
    run: RecordedRun, start: Start, settings: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield what a run is made from."""
    window, made_in = settings.get("window", {}), start.environment
    trained = settings.get("train", {})
    changed = ", with uncommitted changes" if run.identity["code"]["dirty"] else ""
    yield "commit of the code", f"{run.identity['code']['commit'] or 'unknown'}{changed}"
    yield "sha256 of the compiled pipeline", run.identity["ir_sha256"]
    yield "settings", f"{_settings_name(start)}" if start.settings_file else "not kept"
    for override in start.overrides:
        yield "changed on the command line", override
    yield "sha256 of the settings, with the files that they name", run.identity["settings_sha256"]
    if window and window["first"] != ONLY_SPAN:
        yield "window", f"{window['first']} to {window['last']}"
    for name in ("seed", "device"):
        if name in trained:
            yield f"train.{name}", str(trained[name])
    if made_in:
        yield "lock", f"{LOCKS}/{made_in['lock']}"
        yield "sha256 of the lock", made_in["lock_sha256"]
        yield "Python and platform", f"{made_in['python']}, {made_in['platform']}"


def _commands(run: RecordedRun, start: Start) -> Iterator[str]:
    """Yield what to type, in the checkout; nothing where the run did not keep what was typed."""
    if not start.settings_file:
        return
    if commit := run.identity["code"]["commit"]:
        yield f"git checkout {commit}"
    if start.environment:
        yield f"sha256sum {LOCKS}/{start.environment['lock']}"
        yield "make setup"
    changes = [word for override in start.overrides for word in ("--set", override)]
    words = ["run", _settings_name(start), *changes, "--no-cache", "--home", HOME]
    yield f"{commands.program('tandem')} {shlex.join(words)}"
    yield f"{commands.program('tandem')} runs show latest --json --home {HOME}"


def _settings_name(start: Start) -> str:
    """Return how a person names the settings file: a use case, or a path."""
    path = Path(start.sources) / (start.settings_file or FILE_NAME)
    if path.parent.parent == EXAMPLES and path.name == FILE_NAME:
        return path.parent.name
    return str(path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path)


def _same(run: RecordedRun) -> Iterator[tuple[str, str]]:
    """Yield the digests of what repeats as a whole, and of the weights."""
    for output, task in WHOLE.items():
        if task in run.tasks and output in run.tasks[task].outputs:
            yield output, run.tasks[task].outputs[output].sha256
    for output, task in BUNDLES.items():
        if weights := _contract(run, task, output).get("weights_sha256"):
            yield f"weights_sha256 in contract.json of {output}", weights


def _files(run: RecordedRun) -> Iterator[tuple[str, str]]:
    """Yield the files of both bundles that repeat."""
    for output, task in BUNDLES.items():
        for name, sha256 in _contract(run, task, output).get("files", {}).items():
            if not name.startswith(NOT_REPEATED):
                yield sha256, f"{run.tasks[task].outputs[output].path}/{name}"


def _contract(run: RecordedRun, task: str, output: str) -> Mapping[str, Any]:
    return run.document(task, output, "contract.json") or {}


def _warnings(run: RecordedRun, start: Start) -> Iterator[str]:
    if run.identity["code"]["dirty"]:
        yield (
            "The code had changes that no commit holds: start.json in the run's folder has the "
            "digest of every module, and what the run did cannot be made again without them."
        )
    if not start.settings_file:
        yield "The run did not keep what was typed: settings.json in its folder has the settings."
