"""Launch a prepared run: from its arguments to a run folder with a sealed record.

Rules: stages that the plan expects in the cache run without their framework; a wrong expectation
costs an import and nothing else; a run's notary answers before its first stage starts. Nothing is
printed here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from components.audit.client import NoAnswerError, Notary
from components.audit.time_taken import waiting_for
from components.core.artifacts import write_json, write_text
from components.core.cache import StageCache
from components.core.errors import PlatformError, TandemError
from components.core.imports import remember
from components.core.sources import SOURCES_VARIABLE
from components.register_models.version_numbers import require_new_number_locally
from pipelines.compiler import keep
from pipelines.home import Home
from pipelines.home_notary import anchor_newest
from pipelines.prepared import PreparedRun
from pipelines.runners.local import execute
from pipelines.runners.results import RunResult, RunState, TaskEvent
from pipelines.runners.servers import ForkServers
from pipelines.runs import RECORDS_FILE
from pipelines.start import (
    ARGUMENTS_FILE,
    IR_FILE,
    SETTINGS_FILE,
)

ANCHORS_FILE = "anchors.json"
Listener = Callable[[TaskEvent], None]
Execute = Callable[..., RunResult]
_LOG = logging.getLogger(__name__)


def launch(
    prepared: PreparedRun,
    home: Home,
    notary: Notary,
    listener: Listener,
    servers: ForkServers | None = None,
    execute_with: Execute = execute,
) -> RunResult:
    """Create the run's folder and execute, with a notary that answers; return what became of it.

    `servers` are fork servers that were started while the run was being prepared; `execute_with`
    is what executes the pipeline, in place of the embedded executor.
    """
    _require_new_number(prepared, home, notary)
    _write_inputs(prepared, home)
    home.forget_checkpoints()  # with the notary held: no other run trains in this home
    result = execute_with(
        prepared.folder / IR_FILE,
        prepared.folder,
        prepared.arguments,
        environment=environment(prepared, home, notary.address),
        listener=listener,
        done=prepared.done,
        preload=prepared.preload,
        light=prepared.light,
        servers=servers,
    )
    keep_records(prepared.folder, notary)
    keep_checkpoint(prepared.folder, home, notary)
    if result.state is RunState.SUCCEEDED:
        _remember_completed(prepared, home)
    return result


def _require_new_number(prepared: PreparedRun, home: Home, notary: Notary) -> None:
    """Raise IntegrityError where the run could register nothing; hours later it would be refused.

    A run that is resumed may have its versions already: its stage looks at that. Of a notary that
    does not answer the stages decide what comes of it.
    """
    if prepared.done is None:
        model = str(prepared.settings["registry"]["model_name"])
        with suppress(NoAnswerError):
            require_new_number_locally(home.tracking_uri, model, notary.registered(model))


def _remember_completed(prepared: PreparedRun, home: Home) -> None:
    """Have later plans say what changed since this run; where that fails the run is as good."""
    try:
        StageCache(home.cache).complete(prepared.arguments["run"])
    except OSError as error:
        _LOG.warning("plans will not be compared with this run: %s", error)


@waiting_for("the copy of the run's records")
def keep_records(folder: Path, notary: Notary) -> None:
    """Write what the log says of the run beside the run, for its report; the log is the proof.

    Where that fails the run is as good as it was: one line of warning says so.
    """
    try:
        views = [view.to_dict() for view in notary.records(folder.name)]
        write_json(folder / RECORDS_FILE, {"records": views})
    except (OSError, TandemError) as error:
        _LOG.warning("the report will have no audit records, but the log has them: %s", error)


@waiting_for("keeping the checkpoint")
def keep_checkpoint(folder: Path, home: Home, notary: Notary) -> None:
    """Give the log's newest checkpoint to the home's anchors, and write down what they made of it.

    Where that fails the run is as good as it was: one line of warning says so.
    """
    anchored = anchor_newest(home, notary.checkpoint)
    try:
        write_json(folder / ANCHORS_FILE, {"anchored": [asdict(item) for item in anchored]})
    except OSError as error:
        _LOG.warning("what the anchors kept is not written down: %s", error)


def environment(prepared: PreparedRun, home: Home, notary: str) -> dict[str, str]:
    """Return what every stage finds in its environment besides this process's own."""
    return {
        "TANDEM_HOME": str(home.folder),
        "TANDEM_CACHE": str(home.cache),
        "TANDEM_CHECKPOINTS": str(home.checkpoints),
        "TANDEM_NOTARY": notary,
        SOURCES_VARIABLE: prepared.start.sources,
    }


def _write_inputs(prepared: PreparedRun, home: Home) -> None:
    """Keep what the run starts from; a resumed run has it already."""
    if prepared.done is not None:
        return
    folder = prepared.folder
    try:
        write_text(folder / IR_FILE, prepared.ir)
        write_json(folder / SETTINGS_FILE, dict(prepared.settings))
        write_json(folder / ARGUMENTS_FILE, dict(prepared.arguments))
        prepared.start.write(folder)
        keep(home.cache, prepared.ir, prepared.dag)
        remember(home.cache)
    except OSError as error:
        raise PlatformError(
            f"{folder} cannot be written: {error.strerror}", remedy="free disk space or use --home"
        ) from error
