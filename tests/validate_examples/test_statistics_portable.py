"""Statistics through a local portable job service, whose workers are processes of their own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from job_service import WORKER, local_job_service
from statistics_comparison import assert_same

from components.core.data_settings import Beam
from components.core.examples import ExamplesManifest, read_split

pytestmark = pytest.mark.slow


def test_a_portable_job_service_with_worker_processes_gives_the_same(
    flights_examples: Path, tmp_path: Path
) -> None:
    from components.validate_examples.statistics import compute_all

    examples = tmp_path / "examples"
    shutil.copytree(flights_examples, examples)
    manifest = ExamplesManifest.read(examples)
    for shard in manifest.shards:
        rows = pq.read_table(examples / shard.path, partitioning=None)
        pq.write_table(rows, examples / shard.path, row_group_size=10_000)
    workers = tmp_path / "workers.log"
    with local_job_service(tmp_path) as options:
        options["environment_config"] = f"echo $$ >> {workers}; exec {WORKER}"
        portable = Beam(runner="PortableRunner", work="all", options=options)
        computed = compute_all(examples, manifest, portable)
    here = compute_all(examples, manifest, Beam())
    assert list(computed.splits) == list(here.splits)
    assert list(computed.spans) == list(here.spans)
    for split in manifest.splits:
        assert_same(computed.splits[split], here.splits[split], read_split(examples, split))
    assert {int(line) for line in workers.read_text().split()} - {os.getpid()}
