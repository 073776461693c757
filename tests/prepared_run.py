"""The command as tests call it, and one small real run of the whole DAG, made once."""

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# Enough steps on two months that both models pass the use case's own gates.
SMALL = (
    "--window",
    "2013-01:2013-02",
    "--set",
    "train.epochs=6",
    "--set",
    "train.batch_size=512",
)


@dataclass(frozen=True)
class PreparedRun:
    """A finished run: its state folder, its own folder, and what it printed."""

    home: Path
    folder: Path
    stdout: str

    @property
    def arguments(self) -> dict[str, Any]:
        return json.loads((self.folder / "arguments.json").read_text())

    @property
    def record(self) -> dict[str, Any]:
        return json.loads((self.folder / "run.json").read_text())

    def output(self, stage: str, name: str) -> Path:
        return self.folder / self.record["tasks"][task(stage)]["outputs"][name]["path"]

    def digest(self, stage: str, name: str) -> str:
        return self.record["tasks"][task(stage)]["outputs"][name]["sha256"]

    def json(self, stage: str, name: str, file: str) -> Any:
        return json.loads((self.output(stage, name) / file).read_text())


def task(stage: str) -> str:
    """Return the task's name: kfp names it after its stage, with hyphens."""
    return stage.replace("_", "-")


def run_tandem(*arguments: str) -> tuple[int, str]:
    """Call the command as the shell would; return its exit code and standard output."""
    from pipelines.cli import main

    stdout = io.StringIO()
    with contextlib.redirect_stdout(stdout):
        code = main(list(arguments))
    return code, stdout.getvalue()


@pytest.fixture(scope="session")
def small_run(tmp_path_factory) -> PreparedRun:
    """Run two months of flights through all ten stages."""
    home = tmp_path_factory.mktemp("home")
    code, stdout = run_tandem("run", "flights", "--home", str(home), "--json", *SMALL)
    assert code == 0, stdout
    (folder,) = (home / "runs").iterdir()
    return PreparedRun(home, folder, stdout)
