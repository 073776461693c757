"""Statistics through a local portable job service, whose workers are processes of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from statistics_comparison import assert_same

from components.core.data_settings import Beam
from components.core.examples import ExamplesManifest, read_split

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SUBPROCESS_WORKER = "beam:env:harness_subprocess_python:v1"


@pytest.fixture
def job_endpoint(tmp_path: Path) -> Iterator[str]:
    """Start Beam's local job service, and stop it and its workers afterwards."""
    port_file = tmp_path / "port"
    service = subprocess.Popen(
        [
            *(sys.executable, "-m", "apache_beam.runners.portability.local_job_service_main"),
            *("--port_file", str(port_file), "--staging_dir", str(tmp_path / "staging")),
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stdout=(tmp_path / "service.log").open("w"),
        stderr=subprocess.STDOUT,
    )
    try:
        while not port_file.exists():
            assert service.poll() is None, (tmp_path / "service.log").read_text()
            time.sleep(0.1)
        yield f"localhost:{port_file.read_text()}"
    finally:
        service.terminate()
        service.wait(timeout=30)


def test_a_portable_job_service_with_worker_processes_gives_the_same(
    flights_examples: Path, tmp_path: Path, job_endpoint: str
) -> None:
    from components.validate_examples.statistics import compute_all

    examples = tmp_path / "examples"
    shutil.copytree(flights_examples, examples)
    manifest = ExamplesManifest.read(examples)
    for shard in manifest.shards:
        rows = pq.read_table(examples / shard.path, partitioning=None)
        pq.write_table(rows, examples / shard.path, row_group_size=10_000)
    workers = tmp_path / "workers.log"
    command = f"echo $$ >> {workers}; exec {sys.executable} -m apache_beam.runners.worker"
    portable = Beam(
        runner="PortableRunner",
        work="all",
        options={
            "job_endpoint": job_endpoint,
            "environment_type": SUBPROCESS_WORKER,
            "environment_config": f"{command}.sdk_worker_main",
        },
    )
    computed = compute_all(examples, manifest, portable)
    here = compute_all(examples, manifest, Beam())
    assert list(computed.splits) == list(here.splits)
    assert list(computed.spans) == list(here.spans)
    for split in manifest.splits:
        assert_same(computed.splits[split], here.splits[split], read_split(examples, split))
    assert {int(line) for line in workers.read_text().split()} - {os.getpid()}
