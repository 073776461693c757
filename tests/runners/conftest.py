"""Fixtures of the runners' tests: compile a toy pipeline, execute it, keep what was told."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from kfp import compiler

from pipelines.runners.local import execute
from pipelines.runners.preload import LIGHT, SERVERS
from pipelines.runners.results import RunResult, TaskEvent
from pipelines.runners.servers import ForkServers

ROOT = Path(__file__).parents[2]
# The toy faces need none of what the stages do, which takes ten times as long to load. `start`
# and the runs of the command line load it.
TOY_SERVERS = {**SERVERS, LIGHT: ("kfp.dsl.executor",)}


@pytest.fixture
def compiled(tmp_path: Path) -> Callable[[Any], Path]:
    """Compile a pipeline with the installed kfp; return the IR's path."""

    def compile_pipeline(pipeline: Any) -> Path:
        path = tmp_path / f"{pipeline.name}.yaml"
        compiler.Compiler().compile(pipeline, str(path))
        return path

    return compile_pipeline


@dataclass
class Bench:
    """A place for the faces' side effects, and runs in one folder."""

    compile: Callable[[Any], Path]
    place: Path
    folder: Path
    events: list[TaskEvent] = field(default_factory=list)
    started: list[subprocess.Popen] = field(default_factory=list)

    def execute(self, pipeline: Any, arguments: dict[str, Any], **options: Any) -> RunResult:
        options = {
            "environment": {},
            "listener": self.events.append,
            "servers": ForkServers(TOY_SERVERS),
            **options,
        }
        runner = options.pop("runner", execute)
        return runner(self.compile(pipeline), self.folder, arguments, **options)

    def start(self, pipeline: Any, arguments: dict[str, Any], grace: float) -> subprocess.Popen:
        """Execute in a process of its own, which a test can kill."""
        code = (
            "import json, sys; from pathlib import Path;"
            "from pipelines.runners.local import execute;"
            "result = execute(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]),"
            "environment={}, listener=lambda event: None, grace_seconds=float(sys.argv[4]));"
            "sys.exit(result.exit_code)"
        )
        given = [self.compile(pipeline), self.folder, json.dumps(arguments), str(grace)]
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, given)], env={**os.environ, "PYTHONPATH": ROOT}
        )
        self.started.append(process)
        return process

    def fifo(self, *names: str) -> None:
        for name in names:
            os.mkfifo(self.place / name)

    @property
    def ran(self) -> list[str]:
        path = self.place / "ran"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def bench(compiled: Callable[[Any], Path], tmp_path: Path) -> Iterator[Bench]:
    place = tmp_path / "place"
    place.mkdir()
    bench = Bench(compiled, place, tmp_path / "runs" / "the-run")
    yield bench
    for process in bench.started:  # only one that a failed test has left is still there
        process.kill()
        process.wait()
