"""How many threads a stage may start: as many as it has cores, not as many as the machine has.

Why: libraries start one for each core of the machine, which a container with a limit of two on a
machine of sixty-four does not have; its quota is then spent by threads that wait for each other.

Rules: whoever starts a stage says it, in TANDEM_THREADS and in the variables that libraries read
when they are loaded; where nobody does, the cores count that this process may use, by its affinity
and by the quota of its control group. A result does not depend on it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "TANDEM_THREADS"
LIBRARIES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
_GROUPS, _OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def as_variables(threads: int) -> dict[str, str]:
    """Return what tells a stage and its libraries how many threads they may start."""
    return dict.fromkeys((*LIBRARIES, VARIABLE), str(threads))


def allowed_threads() -> int:
    """Return how many threads this process may start."""
    said = os.environ.get(VARIABLE, "")
    return int(said) if said.isdecimal() and int(said) else usable_cores()


def usable_cores(groups: Path = _GROUPS, own: Path = _OWN) -> int:
    """Return the cores that this process may use at once: at least one.

    The quota is that of the group or of one above it (Linux, cgroup-v2.rst, cpu.max).
    """
    quotas = [quota for folder in _folders(groups, own) if (quota := _quota(folder / "cpu.max"))]
    return max(1, min([len(os.sched_getaffinity(0)), *map(math.ceil, quotas)]))


def _folders(groups: Path, own: Path) -> Iterator[Path]:
    """Yield the folder of this process's group, and of those above it."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        if line.startswith("0::/"):
            folder = groups / line.removeprefix("0::/")
            yield from (one for one in (folder, *folder.parents) if one.is_relative_to(groups))


def _quota(file: Path) -> float | None:
    """Return the cores of a quota, `$MAX $PERIOD`; None for `max`, and of a system without."""
    try:
        quota, period = file.read_text(encoding="utf-8").split()
        return int(quota) / int(period)
    except (OSError, ValueError):
        return None
