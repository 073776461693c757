"""Every face with its artifacts in a bucket, as in KFP's container.

The test stands where KFP's launcher stands (backend/src/v2/component/launcher_v2.go): it brings the
inputs to the paths where kfp looks for s3:// (/s3/BUCKET/KEY), runs the command of the IR, and
writes the outputs back when the command has ended. The notary runs elsewhere: it sees the bucket,
not the paths. Images, placeholders and retries are the executor's own and tested with it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from served_bucket import served_bucket

from components.audit.process import NotaryProcess
from components.audit.verified_log import VerifiedLog
from components.audit.verify import verify_log
from components.core.buckets import put_tree, stored_digest
from components.core.s3_objects import client
from pipelines.compiler import TRAINING, compiled
from pipelines.runners.executor_input import executor_input, gathered
from pipelines.runners.ir import Pipeline, Task, read_pipeline
from pipelines.runners.results import OutputRef, TaskResult, TaskState
from pipelines.shipped import shipped_sha256
from pipelines.target import load_target

pytestmark = pytest.mark.slow
BUCKET = f"tandem-test-{os.getpid()}"
MOUNT = Path("/s3", BUCKET)
RUN = "20130101T000000Z-b0cce7"


class Launcher:
    """Runs the tasks of one run, in order; `results` are their outputs as KFP would know them."""

    def __init__(self, root: str, pipeline: Pipeline, arguments: Mapping[str, Any]) -> None:
        self._root, self.pipeline, self._arguments = root, pipeline, arguments
        self.results: dict[str, TaskResult] = {}

    def run(self, task: Task, state: str = "SUCCEEDED") -> subprocess.CompletedProcess[str]:
        """Run one task as its container would."""
        status = {"state": state, "pipelineJobResourceName": RUN, "error": {}}
        taken = gathered(task, self._arguments, self.results, status)
        ready = executor_input(task, Path("/"), taken)
        for name, artifact in self._artifacts(ready["inputs"]):
            source = self.results[task.artifacts[name].task].outputs[task.artifacts[name].output]
            artifact["uri"] = source.path
            fetch(source.path)
        for name, artifact in self._artifacts(ready["outputs"]):
            artifact["uri"] = f"{self._root}/{task.name}/{name}"
            local(artifact["uri"]).parent.mkdir(parents=True, exist_ok=True)
        output_file = MOUNT / "executor_output" / f"{task.name}.json"
        ready["outputs"]["outputFile"] = str(output_file)
        done = self._command(task, ready)
        if done.returncode == 0:
            self._keep(task, ready, json.loads(output_file.read_text()))
        return done

    def _command(self, task: Task, given: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        program = MOUNT / f"{task.name}.py"
        program.write_text(task.source)
        words = ["--component_module_path", str(program), "--executor_input", json.dumps(given)]
        command = [sys.executable, "-m", "kfp.dsl.executor_main", *words]
        return subprocess.run(
            [*command, "--function_to_execute", task.stage],
            env=os.environ | {"_KFP_RUNTIME": "true"},
            capture_output=True,
            text=True,
            check=False,
        )

    def _keep(self, task: Task, given: Mapping[str, Any], said: Mapping[str, Any]) -> None:
        outputs = {}
        for name, artifact in self._artifacts(given["outputs"]):
            put_tree(local(artifact["uri"]), artifact["uri"])
            (written,) = said["artifacts"][name]["artifacts"]
            metadata = written["metadata"]
            outputs[name] = OutputRef(artifact["uri"], metadata["sha256"], metadata)
        self.results[task.name] = TaskResult(state=TaskState.SUCCEEDED, outputs=outputs)
        shutil.rmtree(MOUNT)  # the next container has a disk of its own
        MOUNT.mkdir(parents=True)

    def _artifacts(self, part: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, found in part["artifacts"].items():
            yield name, found["artifacts"][0]


def local(uri: str) -> Path:
    """Return where kfp looks for an artifact in S3."""
    return Path("/s3", uri.removeprefix("s3://"))


def fetch(uri: str) -> None:
    """Bring an artifact to its local path."""
    prefix = uri.removeprefix(f"s3://{BUCKET}/") + "/"
    for page in client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix):
        for item in page["Contents"]:
            path = MOUNT / item["Key"]
            path.parent.mkdir(parents=True, exist_ok=True)
            client().download_file(BUCKET, item["Key"], str(path))


@pytest.fixture(scope="module")
def mount() -> Iterator[None]:
    try:
        MOUNT.mkdir(parents=True)
    except PermissionError:
        pytest.fail("KFP's launcher writes below /s3: sudo install -d -o $USER /s3")
    yield
    shutil.rmtree(MOUNT, ignore_errors=True)


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
