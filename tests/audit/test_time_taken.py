"""What a run waits for its audit trail: lines of the log that the benchmark adds up."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from components.audit.client import Notary
from components.audit.process import NotaryProcess
from pipelines.home import Home
from pipelines.launch import ANCHORS_FILE, keep_checkpoint, keep_records

pytestmark = pytest.mark.slow
BENCH = Path(__file__).resolve().parents[1] / "bench" / "run.py"
WAITS = {
    "the notary's start",
    "the copy of the run's records",
    "keeping the checkpoint",
    "the notary's end",
}


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    """The benchmark's module, which is no part of a package."""
    spec = spec_from_file_location("bench_of_a_run", BENCH)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lines(caplog: pytest.LogCaptureFixture) -> str:
    return "".join(f"INFO {record.name}: {record.getMessage()}\n" for record in caplog.records)


def test_all_that_a_run_waits_for_its_audit_is_told_once(
    bench: ModuleType,
    tmp_path: Path,
    draft: Callable[..., dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    home, folder = Home.at(str(tmp_path / "home")), tmp_path / "run-1"
    folder.mkdir()
    with NotaryProcess(home.folder) as process:
        notary = Notary(process.address)
        notary.submit(draft("START"))
        keep_records(folder, notary)
        keep_checkpoint(folder, home, notary)
    (kept,) = json.loads((folder / ANCHORS_FILE).read_text())["anchored"]
    assert (kept["anchor"], kept["error"]) == ("git", None)
    assert lines(caplog).count("audit: POST /v1/records took ") == 1
    assert bench.audit_seconds(lines(caplog), "").keys() == WAITS | {bench.STAGES}


def test_the_requests_of_stages_are_added_and_those_of_the_command_are_not(
    bench: ModuleType,
) -> None:
    stage = "INFO x: audit: GET /v1/ready took 0.125 s\nINFO x: audit: POST /v1/records took 0.5 s"
    command = "INFO x: audit: GET /v1/checkpoint took 1.000 s\nINFO x: audit: the end took 2.000 s"
    assert bench.audit_seconds(command, stage) == {bench.STAGES: 0.625, "the end": 2.0}
