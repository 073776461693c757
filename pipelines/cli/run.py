"""`tandem run` and `tandem plan`.

The modules that do the work are imported in the functions, so that a mistake on the command line
is told before they load.
"""

from __future__ import annotations

import gc
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from components.core.errors import PlatformError, SettingsError, TandemError
from pipelines import commands
from pipelines.cli.output import print_json
from pipelines.cli.parser import LOCAL
from pipelines.home import Home
from pipelines.lasting_stream import lasting_output

if TYPE_CHECKING:
    from pipelines.prepared import PreparedRun
    from pipelines.runners.results import RunResult
    from pipelines.runners.servers import ForkServers


def run(arguments: Namespace) -> int:
    """Run the pipeline and say what came of it; the exit code is the run's.

    What loads longest of all that the run needs does so while the settings are read; where they are
    wrong it is ended. A home without a cache has nothing to take from it.
    """
    from pipelines.runners.preload import LIGHT, LONGEST, LONGEST_UNCACHED, SERVERS
    from pipelines.runners.servers import ForkServers

    home = Home.at(arguments.home)
    orchestrator = None if arguments.runner == LOCAL else arguments.runner
    prepare = _resume if arguments.resume else partial(_new, orchestrator=orchestrator)
    _check_words(arguments)
    with ForkServers(SERVERS) as servers:
        servers.start(LONGEST if home.cache.is_dir() else LONGEST_UNCACHED)
        with _no_garbage_collected():
            _load(arguments.runner)
            prepared = prepare(arguments, home)
        servers.start(LIGHT)  # earlier, it would take a core from both
        with lasting_output():  # from here on no reader or full disk behind it stops the run
            return _launch(prepared, home, arguments, servers)


@contextmanager
def _no_garbage_collected() -> Iterator[None]:
    """Leave the collector off: imports make next to none, and looking for it costs a tenth more."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _check_words(arguments: Namespace) -> None:
    """Raise SettingsError for words that do not go together."""
    changes = (arguments.overrides, arguments.window, arguments.beam_runner)
    if arguments.resume and (arguments.name or any(changes) or not arguments.cache):
        raise SettingsError(
            "--resume goes on with what the run recorded: no name, settings or window beside it",
            remedy=commands.resume(Home.at(arguments.home), arguments.resume),
        )
    if arguments.resume and arguments.runner != LOCAL:
        raise SettingsError(
            f"--runner {arguments.runner} does not go on with a run: the embedded executor does",
            remedy=commands.resume(Home.at(arguments.home), arguments.resume),
        )
    if not (arguments.resume or arguments.name):
        raise SettingsError("run what?", remedy="name an example: tandem run flights")


def _load(runner: str) -> None:
    """Import what a runner needs before anything is written; PlatformError where that fails."""
    if runner != LOCAL:
        from pipelines.runners.tfx import load

        load()


def _execute_with(runner: str, home: Home) -> Callable[..., RunResult]:
    """Return what executes the pipeline."""
    if runner != LOCAL:
        from pipelines.runners import tfx

        return partial(tfx.execute, store=home.metadata_file)
    from pipelines.runners.local import execute

    return execute


def _launch(prepared: PreparedRun, home: Home, arguments: Namespace, servers: ForkServers) -> int:
    """Launch a run, show its progress and its end.

    Its id is shown once the notary answers: where another run holds it, there will be no such run.
    What comes after the stages is imported in a thread while they run.
    """
    from pipelines.home_notary import answering_notary
    from pipelines.launch import launch
    from pipelines.progress import progress
    from pipelines.runs import read_run

    shown = sys.stderr if arguments.json else sys.stdout
    waiting = [task for task in prepared.tasks if task not in (prepared.done or {})]
    with _way_on(prepared.folder, home), answering_notary(home) as notary:
        Thread(target=_load_what_comes_last).start()  # earlier, the notary would wait for a core
        print(f"run {prepared.folder.name}", file=shown, flush=True)
        with progress(waiting, shown, prepared.folder / "logs") as listener:
            execute = _execute_with(arguments.runner, home)
            result = launch(prepared, home, notary, listener, servers, execute)
    from pipelines.cli.ending import print_ending, print_tracebacks

    ended = read_run(prepared.folder)
    if arguments.verbose:
        print_tracebacks(ended)
    print_ending(ended, home, as_json=arguments.json)
    return result.exit_code


def _load_what_comes_last() -> None:
    """Import what shows the end (rich, jinja2), and what keeps the checkpoint."""
    for name in ("pipelines.cli.ending", "components.audit.anchors.anchoring"):
        import_module(name)


@contextmanager
def _way_on(folder: Path, home: Home) -> Iterator[None]:
    """Add to a PlatformError's remedy the command that goes on, where the run can be resumed."""
    from pipelines.runs import read_run

    try:
        yield
    except PlatformError as error:
        with suppress(TandemError):
            if (run := read_run(folder)).can_go_on:
                error.remedy = f"{error.remedy}; to go on: {commands.resume(home, run.id)}"
        raise


def _new(arguments: Namespace, home: Home, orchestrator: str | None = None) -> PreparedRun:
    """Prepare a run by the settings that the command line names and changes."""
    from pipelines.loaded_settings import load_settings
    from pipelines.prepared import prepare
    from pipelines.settings_file import beam_overrides, find_settings, window_overrides

    path, overrides = find_settings(arguments.name), arguments.overrides
    window = window_overrides(arguments.window) if arguments.window else []
    runner = arguments.beam_runner
    beam = beam_overrides(runner, path, overrides) if runner else []
    loaded = load_settings(path, [*overrides, *window, *beam])
    return prepare(loaded, path, home, cache=arguments.cache, orchestrator=orchestrator)


def _resume(arguments: Namespace, home: Home) -> PreparedRun:
    """Prepare a recorded run that has ended to go on."""
    from pipelines.prepared import prepare_resume
    from pipelines.runs import find_ended

    return prepare_resume(find_ended(home, arguments.resume), home)


def plan(arguments: Namespace) -> int:
    """Say what a run would do; write nothing."""
    plans = _new(arguments, Home.at(arguments.home)).plan
    if arguments.json:
        print_json({"stages": [entry.to_dict() for entry in plans]})
        return 0
    width = max(len(entry.stage) for entry in plans)
    for entry in plans:
        print(f"{entry.stage:{width}}  {entry.verdict:6}  {entry.why}")
        for line in entry.changed:
            print(f"{'':{width}}          {line}")
    return 0
