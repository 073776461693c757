"""`tandem models register`: a model that was trained elsewhere, by the same door as a run's own.

What is done is `pipelines.launch.register_model`, which a notebook calls too; here it is shown.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipelines.home import Home
from pipelines.lasting_stream import lasting_output

if TYPE_CHECKING:
    from pipelines.launch import Listener
    from pipelines.prepared import PreparedRun


def register(arguments: Namespace) -> int:
    """Measure the model, register it if its gates pass, and say what came of it."""
    from pipelines.registering import register_model

    shown = sys.stderr if arguments.json else sys.stdout

    @contextmanager
    def watch(prepared: PreparedRun) -> Iterator[Listener]:
        from pipelines.progress import progress

        print(f"run {prepared.folder.name}", file=shown, flush=True)
        with (
            lasting_output(),
            progress(prepared.tasks, shown, prepared.folder / "logs") as listener,
        ):
            yield listener

    run = register_model(
        arguments.path,
        settings=arguments.settings,
        data=arguments.data,
        signature=arguments.signature,
        home=arguments.home,
        overrides=arguments.overrides,
        cache=arguments.cache,
        watch=watch,
    )
    from pipelines.cli.ending import print_ending, print_tracebacks

    if arguments.verbose:
        print_tracebacks(run)
    print_ending(run, Home.at(arguments.home), as_json=arguments.json)
    return run.result.exit_code
