"""Run one step alone in this process and print what it cost, as JSON.

    python tests/bench/one_step.py STAGE PARAMETERS.json PORT=FOLDER...

Imports come first and are measured apart; what the step takes is counted from there: `seconds`,
and `peak_bytes`, the largest resident memory beyond what the imports left (VmHWM of /proc, which is
reset before the step). Output folders are made where they are missing.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from components.core.stage_identity import parse_parameters
from pipelines.runners.preload import modules_of, server_of


def main(stage: str, parameters: str, *ports: str) -> int:
    """Run the step and print its cost."""
    started = time.perf_counter()
    for module in modules_of(server_of(stage)):
        importlib.import_module(module)
    step = getattr(importlib.import_module(f"components.{stage}.step"), stage)
    folders = {name: Path(folder) for name, _, folder in (port.partition("=") for port in ports)}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    settings = parse_parameters(step, json.loads(Path(parameters).read_text()))
    imported = time.perf_counter() - started
    cost = measured(lambda: step(settings=settings, **folders).facts)
    print(json.dumps({"import_seconds": imported, **cost}))
    return 0


def measured(work: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """Do the work; return its seconds, its peak of memory beyond what was there, and its facts."""
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets the peak
    started = time.perf_counter()
    facts = work()
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "peak_bytes": status("VmHWM") - before, "facts": facts}


def status(name: str) -> int:
    """Return a size of this process in bytes."""
    found = re.search(rf"{name}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        raise OSError(f"/proc/self/status has no {name}")
    return int(found[1]) * 1024


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
