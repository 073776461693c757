"""Beam's own portable job service as a process of the test, with workers in theirs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVICE = "apache_beam.runners.portability.local_job_service_main"
WORKER = f"{sys.executable} -m apache_beam.runners.worker.sdk_worker_main"


@contextmanager
def local_job_service(folder: Path) -> Iterator[dict[str, str]]:
    """Start the service and yield the pipeline options that lead to it."""
    port = folder / "port"
    command = [sys.executable, "-m", SERVICE, "--port_file", str(port)]
    # It knows nothing of what the test has set, as a service elsewhere would not.
    known = {name: value for name, value in os.environ.items() if not name.startswith("TANDEM_")}
    with (folder / "service.log").open("w") as log:
        service = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, cwd=folder, env=known
        )
    try:
        yield {
            "job_endpoint": f"localhost:{_wait_for(port, service)}",
            "environment_type": "beam:env:harness_subprocess_python:v1",
            "environment_config": WORKER,
        }
    finally:
        service.terminate()
        service.wait(30)


def _wait_for(port: Path, service: subprocess.Popen[bytes]) -> int:
    """Return the port once the service has written it."""
    for _ in range(600):
        if port.exists() and port.read_text().strip():
            return int(port.read_text())
        if service.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"the job service did not start: see {port.with_name('service.log')}")
