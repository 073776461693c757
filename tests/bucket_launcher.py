"""A task's container as KFP runs it, with its artifacts in a bucket.

It stands where KFP's launcher stands (backend/src/v2/component/launcher_v2.go): it brings the
inputs to the paths where kfp looks for s3:// (/s3/BUCKET/KEY), runs the command of the IR, and
writes the outputs back when the command has ended. Images, placeholders and retries are the
executor's own and tested with it.
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

from components.core.buckets import put_tree
from components.core.s3_objects import client
from pipelines.runners.executor_input import executor_input, gathered
from pipelines.runners.ir import Pipeline, Task
from pipelines.runners.results import OutputRef, TaskResult, TaskState

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
        given = executor_input(task, Path("/"), taken)
        for name, artifact in self._artifacts(given["inputs"]):
            source = self.results[task.artifacts[name].task].outputs[task.artifacts[name].output]
            artifact["uri"] = source.path
            fetch(source.path)
        for name, artifact in self._artifacts(given["outputs"]):
            artifact["uri"] = f"{self._root}/{task.name}/{name}"
            local(artifact["uri"]).parent.mkdir(parents=True, exist_ok=True)
        output_file = MOUNT / "executor_output" / f"{task.name}.json"
        given["outputs"]["outputFile"] = str(output_file)
        done = self._command(task, given)
        if done.returncode == 0:
            self._keep(task, given, json.loads(output_file.read_text()))
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
