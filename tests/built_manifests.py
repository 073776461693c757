"""What `kubectl kustomize` makes of infra/kubernetes, by the kubectl that `make setup` installs."""

from __future__ import annotations

import copy
import functools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

KUBERNETES = Path(__file__).resolve().parents[1] / "infra" / "kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
Manifest = dict[str, Any]


def kubectl() -> str:
    """Return the environment's own kubectl, else the shell's."""
    beside = Path(sys.executable).with_name("kubectl")
    found = str(beside) if beside.is_file() else shutil.which("kubectl")
    if found is None:
        pytest.fail("kubectl is not installed: `make setup`")
    return found


def built(overlay: str) -> list[Manifest]:
    """Return an overlay's objects, each call its own."""
    return copy.deepcopy(_built(overlay))


@functools.cache
def _built(overlay: str) -> list[Manifest]:
    command = [kubectl(), "kustomize", str(KUBERNETES / "overlays" / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


def the(objects: list[Manifest], kind: str, name: str) -> Manifest:
    """Return the only object of a kind and name."""
    (found,) = (
        item for item in objects if (item["kind"], item["metadata"]["name"]) == (kind, name)
    )
    return found


def pods(objects: list[Manifest]) -> Iterator[tuple[Manifest, Manifest]]:
    """Yield each workload with the template of its pods."""
    for item in objects:
        if item["kind"] in ("Deployment", "StatefulSet"):
            yield item, item["spec"]["template"]
        elif item["kind"] == "CronJob":
            yield item, item["spec"]["jobTemplate"]["spec"]["template"]


def containers(template: Manifest) -> list[Manifest]:
    """Return a pod's containers, those that run before the others first."""
    return [*template["spec"].get("initContainers", ()), *template["spec"]["containers"]]
