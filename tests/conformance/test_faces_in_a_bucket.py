"""Every face with its artifacts in a bucket, as in KFP's container (tests/bucket_launcher.py).

The notary runs elsewhere: it sees the bucket, not the paths.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bucket_launcher import BUCKET, RUN, Launcher, mount
from served_bucket import served_bucket

from components.audit.process import NotaryProcess
from components.audit.verified_log import VerifiedLog
from components.audit.verify import verify_log
from components.core.buckets import stored_digest
from components.core.s3_objects import client
from pipelines.compiler import TRAINING, compiled
from pipelines.runners.ir import Pipeline, Task, read_pipeline
from pipelines.shipped import shipped_sha256
from pipelines.target import load_target

__all__ = ["mount"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, small_run, mount):
    """Run the recorded IR and arguments with a bucket as the root; give launcher and home."""
    home = tmp_path_factory.mktemp("home")
    arguments = dict(small_run.arguments)
    arguments["run"] = arguments["run"] | {"id": RUN, "cache": False}
    pipeline = read_pipeline(small_run.folder / "pipeline.yaml")
    with served_bucket(BUCKET) as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TANDEM_ARTIFACTS", f"{address}/root")
        with NotaryProcess(home) as notary:
            patch.setenv("TANDEM_HOME", str(home))
            patch.setenv("TANDEM_NOTARY", notary.address)
            patch.delenv("TANDEM_CACHE", raising=False)
            launcher = Launcher(f"{address}/root/{RUN}", pipeline, arguments)
            done = {task.name: launcher.run(task) for task in in_order(pipeline)}
            done["seal-run"] = launcher.run(pipeline.exit_task)
            yield launcher, home, done


def in_order(pipeline: Pipeline) -> Iterator[Task]:
    """Yield the tasks, each after those that it waits for."""
    waiting = dict(pipeline.tasks)
    while waiting:
        name = next(n for n, task in waiting.items() if not task.after & waiting.keys())
        yield waiting.pop(name)


def test_every_face_runs_and_every_record_is_of_what_is_stored(cluster):
    launcher, home, done = cluster
    assert {name: d.returncode for name, d in done.items()} == dict.fromkeys(done, 0), [
        d.stderr[-2000:] for d in done.values() if d.returncode
    ]
    assert len(done) == 10
    views = VerifiedLog.of(home).ledger.of_run(RUN)
    made = {
        (v.stage.replace("_", "-"), name): sha for v in views for name, sha in v.outputs.items()
    }
    stored = {
        (task, name): stored_digest(output.path)
        for task, result in launcher.results.items()
        for name, output in result.outputs.items()
    }
    assert stored == made
    assert verify_log(home) == []


@pytest.mark.parametrize("target", ["dev", "prod"])
def test_the_pipeline_that_ran_here_is_the_one_that_is_shipped(small_run, target):
    ran = (small_run.folder / "pipeline.yaml").read_text()
    shipped = compiled(TRAINING, load_target(target))
    assert shipped_sha256(ran) == shipped_sha256(shipped)
    other = ran.replace("import train_pytorch as step", "import train_tensorflow as step", 1)
    assert shipped_sha256(other) != shipped_sha256(shipped)


def test_what_repeats_is_what_was_made_on_a_disk(cluster, small_run):
    launcher, _, _ = cluster
    for stage, name in (
        ("ingest_examples", "examples"),
        ("transform_features", "features"),
        ("train_pytorch", "pytorch_model"),
    ):
        made = launcher.results[stage.replace("_", "-")].outputs[name]
        assert made.sha256 == small_run.digest(stage, name)


def test_an_artifact_swapped_in_the_bucket_stops_the_next_stage(cluster):
    launcher, home, _ = cluster
    examples = launcher.results["ingest-examples"].outputs["examples"].path
    key = f"{examples.removeprefix(f's3://{BUCKET}/')}/manifest.json"
    before = client().get_object(Bucket=BUCKET, Key=key)["Body"].read()
    client().put_object(Bucket=BUCKET, Key=key, Body=before + b" ")
    try:
        done = launcher.run(launcher.pipeline.tasks["validate-examples"])
    finally:
        client().put_object(Bucket=BUCKET, Key=key, Body=before)
    assert done.returncode != 0
    assert "differs from what its producer recorded" in done.stderr
    failed = VerifiedLog.of(home).ledger.of_run(RUN)[-1]
    assert (failed.event, failed.cause["kind"]) == ("FAIL", "IntegrityError")
