"""The local runner: executes a compiled pipeline on this machine and leaves a run folder.

Rules:
1. a task starts when all it waits for has ended well, in a process of its own; tasks that do not
   wait for each other run at the same time and share the cores;
2. only a PlatformError, a killed process included, is tried again, as often as the IR says;
3. below a failed task everything is SKIPPED with the reason; other branches go on to their end;
4. the exit task runs whatever happened, and is told;
5. SIGINT or SIGTERM stops the tasks (SIGTERM, after a grace period or a second signal SIGKILL),
   then the exit task runs and the run is STOPPED, exit code 1;
6. run.json is written at every change of state, before anyone is told of it;
7. tasks given as done are not run again, as long as those they depend on are done too;
8. what libraries leave in the folder for temporary files is gone when the run ends, however a task
   ended: the tasks share one of their own, below the usual one, where sockets' paths fit.
Where the run's own files cannot be written, PlatformError ends it at once; the folder can be
resumed. Nothing here sleeps: the loop waits for sockets, signals and the next retry. It imports no
kfp, and knows nothing of records or settings.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.core.artifacts import write_json, write_text
from components.core.threads import usable_cores
from pipelines.runners.execution import Execution
from pipelines.runners.ir import bind_arguments, read_pipeline
from pipelines.runners.journal import Journal
from pipelines.runners.preload import SERVERS
from pipelines.runners.results import RunResult, TaskEvent, TaskResult
from pipelines.runners.run_folder import disk_error, locked
from pipelines.runners.servers import ForkServers
from pipelines.runners.stop_signals import StopSignals

GRACE_SECONDS = 10.0


def execute(
    ir: Path,
    folder: Path,
    arguments: Mapping[str, Any],
    *,
    done: Mapping[str, TaskResult] | None = None,
    **options: Any,
) -> RunResult:
    """Execute a compiled pipeline in a run folder; return what became of it.

    `options` are those of `opened`. A task that fails is in the result, not an exception. Raises
    what `opened` raises.
    """
    with opened(ir, folder, arguments, **options) as execution:
        return execution.run(done or {})


@contextmanager
def opened(
    ir: Path,
    folder: Path,
    arguments: Mapping[str, Any],
    *,
    environment: Mapping[str, str],
    listener: Callable[[TaskEvent], None],
    preload: Sequence[str] = (),
    light: Collection[str] = (),
    servers: ForkServers | None = None,
    cores: int | None = None,
    grace_seconds: float = GRACE_SECONDS,
) -> Iterator[Execution]:
    """Give what executes a compiled pipeline's tasks in a run folder, which is locked meanwhile.

    `environment` is added to this process's own for every task; `preload` names the fork servers
    to start ahead of need, one after the other; tasks in `light` are expected to need no heavy
    import; `servers` may have been started before and are ended here. Raises SettingsError for a
    pipeline or an argument that cannot be run and PlatformError where the run folder cannot be
    written.
    """
    pipeline = read_pipeline(ir)
    values = bind_arguments(pipeline, arguments)
    run = values.get("run")
    folder = folder.resolve()
    with (
        locked(folder),
        tempfile.TemporaryDirectory(prefix="tandem-", ignore_cleanup_errors=True) as scratch,
        StopSignals() as signals,
        servers or ForkServers(SERVERS) as serving,
    ):
        serving.serve({**environment, "TMPDIR": scratch}, folder / "logs", signals.wake)
        serving.start_ahead(preload)
        _describe(ir, folder, arguments)
        yield Execution(
            pipeline=pipeline,
            arguments=values,
            journal=Journal(folder, run if isinstance(run, dict) else {}, listener),
            servers=serving,
            signals=signals,
            light=light,
            cores=cores or usable_cores(),
            grace_seconds=grace_seconds,
        )


def _describe(ir: Path, folder: Path, arguments: Mapping[str, Any]) -> None:
    """Keep what was run: the pipeline and its arguments."""
    try:
        if ir.resolve() != folder / "pipeline.yaml":
            write_text(folder / "pipeline.yaml", ir.read_text(encoding="utf-8"))
        write_json(folder / "arguments.json", dict(arguments))
    except OSError as error:
        raise disk_error(folder, error) from error
