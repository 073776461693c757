"""Make a recorded run again in a home of its own.

Rules: it runs the pipeline and the arguments that the run's folder keeps, after recorded_here.py
has found them to be the log's, without the cache, and with the champion that was recorded, if its
bundle is here: a new home has none of its own. What came out is judged by verdicts.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from components.audit.client import ADDRESS_VARIABLE
from components.core.sources import use_sources
from components.seal_run.channels import PREFIX as NOTIFY
from pipelines.cli.champion_bundle import ChampionBundle
from pipelines.cli.recorded_here import Kept, Recorded
from pipelines.home import Home
from pipelines.home_notary import answering_notary
from pipelines.identity import run_identity
from pipelines.launch import launch
from pipelines.prepared import PreparedRun
from pipelines.progress import progress
from pipelines.runners.preload import LIGHT, SERVERS
from pipelines.runners.run_folder import new_run_id
from pipelines.runners.servers import ForkServers
from pipelines.runs import RecordedRun, find_run, read_run
from pipelines.start import Start, read_start

# Neither the real registry nor somebody else's notary and cache may take part, and nobody is told.
ELSEWHERE = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "TANDEM_CACHE", ADDRESS_VARIABLE)


def repeat(
    recorded: Recorded,
    found: Kept,
    champion: ChampionBundle | None,
    homes: tuple[Home, Home],
    shown: TextIO,
) -> RecordedRun:
    """Make the run again in the second home, whatever becomes of it, and return it."""
    fresh = homes[1]
    use_sources(found.sources)
    prepared = _prepared(recorded, found, champion, homes)
    with (
        _nothing_from_elsewhere(),
        ForkServers(SERVERS) as servers,
        answering_notary(fresh) as notary,
        progress(prepared.tasks, shown, prepared.folder / "logs") as listener,
    ):
        servers.start(LIGHT)
        launch(prepared, fresh, notary, listener, servers)
    return read_run(prepared.folder)


def _prepared(
    recorded: Recorded,
    found: Kept,
    champion: ChampionBundle | None,
    homes: tuple[Home, Home],
) -> PreparedRun:
    (home, fresh), run = homes, recorded.run
    measured_against = {} if champion is None else champion.to_argument()
    identity = run_identity(
        run_id=new_run_id(),
        name=str(run["name"]),
        ir_sha256=str(run["ir_sha256"]),
        settings_sha256=str(run["settings_sha256"]),
        cache=False,
    )
    start: Start = read_start(find_run(home, recorded.release.run).folder)
    return PreparedRun(
        folder=fresh.runs / identity["id"],
        ir=found.ir,
        pipeline=found.pipeline,
        arguments={**found.arguments, "run": identity, "champion": measured_against},
        plan=(),
        settings={name: value for name, value in found.arguments.items() if name != "run"},
        start=start,
    )


@contextmanager
def _nothing_from_elsewhere() -> Iterator[None]:
    """Have the stages use nothing but the fresh home."""
    before: Mapping[str, str] = {
        name: value
        for name, value in os.environ.items()
        if name in ELSEWHERE or name.startswith(NOTIFY)
    }
    for name in before:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ |= before
